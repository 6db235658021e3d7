#include "agent/sensor/sensor_scan.h"

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/json/json_write.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SCAN_TIMEOUT_S = 5, LINE_BYTES_MAX = 16384 };

struct hit_context {
    struct sensor_scan *scan;
    const struct sensor_family *family;
    const char *shown;
    struct sensor_scan_taken *taken; /* NULL: files stay where they are */
    struct rw_err err;               /* of writing a line */
    bool failed;
};

static int64_t processor_us(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Alerting is no action: it changes nothing on the host. */
static bool asks_for_action(const char *action)
{
    return action != NULL && strcmp(action, "alert") != 0;
}

/* NOLINTNEXTLINE(readability-function-size): what hit, what asks for what, and whether it may */
RW_RC sensor_scan_report(struct sensor_scan *scan, const struct sensor_family *family,
                         const char *rule, const char *action, const char *shown, bool *acts_out,
                         struct rw_err *err)
{
    char at[RW_TIME_TEXT_BYTES];
    struct rw_clock clock = rw_clock_system();
    RW_AUTO(rw_buf) struct rw_buf line = rw_buf_make(LINE_BYTES_MAX);
    bool asks = asks_for_action(action);
    bool may = sensor_tally_hit(&scan->tally, family->name, rule, asks);
    scan->detections++;
    *acts_out = asks && may;
    rw_wall_format(at, rw_clock_wall(&clock));
    struct json_writer w = json_begin(&line);
    json_open_object(&w, NULL);
    json_put_str(&w, "event", "detection");
    json_put_str(&w, "at", at);
    json_put_str(&w, "family", family->name);
    json_put_int(&w, "release", family->release);
    json_put_str(&w, "rule", rule);
    if (action != NULL) { json_put_str(&w, "action", action); }
    if (asks && !may) { json_put_bool(&w, "observed", true); }
    json_put_str(&w, "file", shown);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_TRY(rw_buf_append_str(&line, "\n", err));
    return rw_fd_write_all(scan->out_fd, rw_buf_span(&line), err);
}

static void on_hit(void *ctx, const char *rule, const char *action)
{
    struct hit_context *c = ctx;
    bool acts = false;
    if (c->failed) { return; }
    c->failed =
        !rw_is_ok(sensor_scan_report(c->scan, c->family, rule, action, c->shown, &acts, &c->err));
    bool take = acts && c->taken != NULL && c->taken->family == NULL;
    if (!take || strcmp(action, "quarantine") != 0) { return; }
    c->taken->family = c->family;
    c->taken->trial = strcmp(c->scan->tally.trial, c->family->name) == 0;
    (void)snprintf(c->taken->rule, sizeof(c->taken->rule), "%s", rule);
}

static RW_RC scan_bytes(struct sensor_scan *scan, const struct sensor_set *set,
                        struct rw_span bytes, const char *shown, struct sensor_scan_taken *taken,
                        struct rw_err *err)
{
    int64_t begun_us = processor_us();
    scan->scanned++;
    for (size_t i = 0; i < set->count; i++) {
        struct hit_context c = {
            .scan = scan, .family = &set->at[i], .shown = shown, .taken = taken};
        if (set->at[i].rules == NULL) { continue; } /* templates judge events, not files */
        if (!rw_is_ok(yara_scan(set->at[i].rules, bytes, SCAN_TIMEOUT_S, on_hit, &c, err))) {
            return rw_wrap(err, "%s with %s", shown, set->at[i].name);
        }
        if (c.failed) { return rw_fail(err, c.err.code, "%s", c.err.text); }
    }
    while (scan->burn_us > 0 && processor_us() - begun_us < scan->burn_us) {}
    scan->scan_us += processor_us() - begun_us;
    return RW_OK;
}

/* NOLINTNEXTLINE(readability-function-size): one file by folder and name, what to call it and what came of it */
RW_RC sensor_scan_at(struct sensor_scan *scan, const struct sensor_set *set, int dir,
                     const char *name, const char *shown, struct sensor_scan_taken *taken,
                     struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(SENSOR_SCAN_BYTES_MAX);
    RW_TRY(rw_file_read_at(dir, name, SENSOR_SCAN_BYTES_MAX, &bytes, err));
    return scan_bytes(scan, set, rw_buf_span(&bytes), shown, taken, err);
}

RW_RC sensor_scan_path(struct sensor_scan *scan, const struct sensor_set *set, const char *path,
                       struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(SENSOR_SCAN_BYTES_MAX);
    RW_TRY(rw_file_read(path, SENSOR_SCAN_BYTES_MAX, &bytes, err));
    return scan_bytes(scan, set, rw_buf_span(&bytes), path, NULL, err);
}

static void on_expected(void *ctx, const char *rule, const char *action)
{
    (void)rule;
    (void)action;
    *(bool *)ctx = true;
}

RW_RC sensor_scan_selftest(const struct sensor_set *set, struct rw_err *err)
{
    static const char rule[] = "rule selftest { strings: $a = \"sensor self-test sample\" "
                               "condition: $a at 0 }";
    static const char sample[] = "sensor self-test sample";
    bool found = false;
    bool ignored = false;
    RW_AUTO(yara_set) yara_set own = NULL;
    RW_AUTO(rw_buf) struct rw_buf source = rw_buf_make(sizeof(rule));
    RW_TRY(rw_buf_append_str(&source, rule, err));
    RW_TRY(yara_compile(&source, &own, err));
    RW_TRY(yara_scan(own, rw_span_str(sample), SCAN_TIMEOUT_S, on_expected, &found, err));
    if (!found) { return rw_fail(err, RW_E_PROCESS, "the engine does not detect its own sample"); }
    for (size_t i = 0; i < set->count; i++) {
        if (set->at[i].rules == NULL) { continue; }
        if (!rw_is_ok(yara_scan(set->at[i].rules, rw_span_str(sample), SCAN_TIMEOUT_S, on_expected,
                                &ignored, err))) {
            return rw_wrap(err, "self-test of %s", set->at[i].name);
        }
    }
    return RW_OK;
}
