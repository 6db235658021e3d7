#include "agent/sensor/sensor_run.h"

#include "agent/sensor/sensor_events.h"
#include "agent/sensor/sensor_quarantine.h"
#include "agent/sensor/sensor_rehearse_rule.h"
#include "agent/sensor/sensor_report.h"
#include "agent/sensor/sensor_scan.h"
#include "agent/sensor/sensor_watch.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/crypto/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    ALIVE_DENSE_MS =
        1000, /* while content is fresh, so that probation ends when its time is over */
    FRESH_MS = 120000,
    LOOK_EVERY_MS = 1000,
    CRASH_AFTER_MS = 5000,
    SLOW_US = 25000,
    SELFTEST_EVERY_MS = 600000,
    NEVER = -1,
};

struct sensor {
    const struct sensor_run_options *options;
    struct rw_clock clock;
    struct sensor_report report;
    struct sensor_watch watch;
    struct sensor_events events;
    struct sensor_set set;
    struct sensor_scan scan;
    int signals; /* signalfd */
    struct sensor_quarantine quarantine;
    int64_t generation;                  /* of the set in force; 0: none was loaded yet */
    int64_t alive_ms, stats_ms, look_ms; /* when the next is due */
    int64_t selftest_ms;
    int64_t loaded_ms; /* when the set in force was loaded */
    int64_t crash_ms;  /* rehearsed crash; NEVER */
    bool hang;         /* rehearsed */
    bool mute;         /* the same */
    bool skip;         /* an order came in the middle of a look */
    bool untold;       /* the agent did not take all of the proof of this load */
    bool stop;
};

static void sensor_drop(struct sensor *s)
{
    sensor_set_drop(&s->set);
    sensor_report_drop(&s->report);
    sensor_watch_drop(&s->watch);
    sensor_events_drop(&s->events);
    sensor_quarantine_drop(&s->quarantine);
    rw_fd_drop(&s->signals);
}

static int64_t now_ms(const struct sensor *s)
{
    return rw_clock_mono(&s->clock).ms;
}

static sigset_t handled_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    return set;
}

void sensor_run_block_signals(void)
{
    sigset_t set = handled_signals();
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Protection goes on when the agent does not listen; it notices the silence itself. */
static bool send_message(const struct sensor *s, const struct sensor_message *m)
{
    struct rw_err err = {.code = RW_E_NONE};
    struct rw_log_line line;
    if (rw_is_ok(sensor_report_send(&s->report, m, &err))) { return true; }
    rw_log_begin(&line, RW_LOG_WARN, "message_lost");
    rw_log_err(&line, &err);
    rw_log_end(&line);
    return false;
}

static void report_stats(const struct sensor *s)
{
    struct sensor_message m = {.type = SENSOR_STATS, .generation = s->generation};
    if (s->generation == 0) { return; } /* nothing that it could be about */
    sensor_report_stats(&s->scan, &m);
    (void)send_message(s, &m);
}

static void log_failure(const char *event, const struct rw_err *err)
{
    struct rw_log_line line;
    rw_log_begin(&line, RW_LOG_ERROR, event);
    rw_log_err(&line, err);
    rw_log_end(&line);
}

static _Noreturn void crash(void)
{
    const struct sigaction fallback = {.sa_handler = SIG_DFL};
    (void)sigaction(SIGSEGV, &fallback, NULL);
    (void)raise(SIGSEGV);
    _exit(1);
}

static uint32_t endpoint_hash(const char *endpoint)
{
    uint8_t hash[DIGEST_BYTES];
    struct rw_err err;
    if (endpoint == NULL || !rw_is_ok(digest_sha256(rw_span_str(endpoint), hash, &err))) {
        return 0;
    }
    return (uint32_t)hash[0] | (uint32_t)hash[1] << 8 | (uint32_t)hash[2] << 16;
}

/* The gravest fault that any rule of the set asks for. */
static enum sensor_rehearse_rule_fault find_fault(const struct sensor *s,
                                                  const struct sensor_set *set)
{
    enum sensor_rehearse_rule_fault gravest = SENSOR_FAULT_NONE;
    uint32_t hash = endpoint_hash(s->options->endpoint);
    for (size_t i = 0; s->options->rehearse && i < set->count; i++) {
        char text[64];
        int64_t after = 0;
        while (set->at[i].rules != NULL &&
               yara_meta(set->at[i].rules, "rehearse", &after, text, sizeof(text))) {
            enum sensor_rehearse_rule_fault fault = sensor_rehearse_rule(text, hash);
            if (fault != SENSOR_FAULT_NONE && (gravest == SENSOR_FAULT_NONE || fault < gravest)) {
                gravest = fault;
            }
        }
    }
    return gravest;
}

static void report_loaded(struct sensor *s)
{
    struct sensor_message m = {.type = SENSOR_LOADED, .generation = s->generation};
    bool told = true;
    for (size_t i = 0; i < s->set.count; i++) {
        (void)snprintf(m.family, sizeof(m.family), "%s", s->set.at[i].name);
        m.release = s->set.at[i].release;
        rw_copy(m.sha256, sizeof(m.sha256), s->set.at[i].sha256, sizeof(s->set.at[i].sha256));
        told = send_message(s, &m) && told;
    }
    if (s->set.count == 0) { told = send_message(s, &m); }
    s->untold = !told;
}

static struct rw_rc selftest(const struct sensor *s, struct rw_err *err)
{
    if (s->mute) { return rw_fail(err, RW_E_PROCESS, "rehearsed: the sample is not detected"); }
    RW_TRY(sensor_scan_selftest(&s->set, err));
    return sensor_events_selftest(err);
}

/* After each load, and again and again: a function that is lost later is lost all the same. */
static void report_selftest(struct sensor *s)
{
    struct rw_err err = {.code = RW_E_NONE};
    const struct sensor_message tested = {.type = SENSOR_SELFTEST,
                                          .ok = rw_is_ok(selftest(s, &err))};
    if (!tested.ok) { log_failure("selftest_failed", &err); }
    s->untold = !send_message(s, &tested) || s->untold;
    s->selftest_ms = now_ms(s) + SELFTEST_EVERY_MS;
}

static void log_loaded(const struct sensor *s)
{
    struct rw_log_line line;
    rw_log_begin(&line, RW_LOG_INFO, "loaded");
    rw_log_i64(&line, "generation", s->generation);
    for (size_t i = 0; i < s->set.count; i++) {
        rw_log_i64(&line, s->set.at[i].name, s->set.at[i].release);
    }
    rw_log_end(&line);
}

static bool same_content(const struct sensor_set *a, const struct sensor_set *b)
{
    if (a->count != b->count) { return false; }
    for (size_t i = 0; i < a->count; i++) {
        if (memcmp(a->at[i].sha256, b->at[i].sha256, sizeof(a->at[i].sha256)) != 0) {
            return false;
        }
    }
    return true;
}

/* The new set is built beside the old one, which stays in force until the new one is whole. */
static void load(struct sensor *s)
{
    struct rw_err err = {.code = RW_E_NONE};
    struct sensor_set fresh = {.count = 0};
    if (!rw_is_ok(sensor_load_set(s->options->active, &fresh, &err))) {
        struct sensor_message m = {.type = SENSOR_ERROR};
        log_failure("load_failed", &err);
        sensor_report_detail(&m, err.text);
        (void)send_message(s, &m);
        return;
    }
    enum sensor_rehearse_rule_fault fault = find_fault(s, &fresh);
    if (fault == SENSOR_FAULT_CRASH_ON_LOAD) { crash(); }
    report_stats(s); /* the last word about the set before */
    /* What is new in content must find what lies there already. */
    if (!same_content(&s->set, &fresh)) { sensor_watch_forget(&s->watch); }
    sensor_set_drop(&s->set);
    s->set = fresh;
    s->generation++;
    sensor_tally_begin(&s->scan.tally, &s->options->budget, s->set.dir, s->set.trial);
    s->scan.burn_us = fault == SENSOR_FAULT_SLOW ? SLOW_US : 0;
    s->look_ms = now_ms(s);
    s->stats_ms = s->look_ms + ALIVE_DENSE_MS;
    s->loaded_ms = now_ms(s);
    s->alive_ms = s->loaded_ms; /* tell at once that the loop goes on */
    s->hang = fault == SENSOR_FAULT_HANG;
    s->mute = fault == SENSOR_FAULT_MUTE;
    s->crash_ms = fault == SENSOR_FAULT_CRASH_AFTER_5S ? now_ms(s) + CRASH_AFTER_MS : NEVER;
    log_loaded(s);
    report_loaded(s);
    report_selftest(s);
    if (!rw_is_ok(sensor_quarantine_follow(&s->quarantine, &s->set, &err))) {
        log_failure("undo_failed", &err);
    }
}

/* An agent that is behind with its queue has lost the proof, and would end the trial for want of it. */
static void repeat_proof(struct sensor *s)
{
    if (!s->untold || s->generation == 0) { return; }
    report_loaded(s);
    report_selftest(s);
}

/* Counts before the sign of life: it may end a probation, which must have seen them. */
static void alive_if_due(struct sensor *s)
{
    const struct sensor_message m = {.type = SENSOR_ALIVE, .generation = s->generation};
    bool fresh = now_ms(s) - s->loaded_ms < FRESH_MS;
    int64_t every_ms = fresh ? ALIVE_DENSE_MS : s->options->alive_every_ms;
    if (s->scan.tally.news || now_ms(s) >= s->stats_ms) {
        s->scan.tally.news = false;
        s->stats_ms = now_ms(s) + every_ms;
        report_stats(s);
    }
    if (now_ms(s) < s->alive_ms) { return; }
    s->alive_ms = now_ms(s) + every_ms;
    repeat_proof(s);
    if (s->generation > 0 && now_ms(s) >= s->selftest_ms) { report_selftest(s); }
    (void)send_message(s, &m);
}

/* False: it should be in quarantine, and is not. */
static bool quarantine(struct sensor *s, const struct sensor_scan_taken *taken, const char *name,
                       const struct stat *st)
{
    struct rw_err err = {.code = RW_E_NONE};
    struct rw_log_line line;
    const struct sensor_quarantine_order order = {.family = taken->family->name,
                                                  .release = taken->family->release,
                                                  .rule = taken->rule,
                                                  .trial = taken->trial,
                                                  .name = name,
                                                  .found = st};
    if (s->quarantine.files < 0) { return true; } /* it only tells */
    if (!rw_is_ok(sensor_quarantine_take(&s->quarantine, &order, &err))) {
        log_failure("not_quarantined", &err);
        return false;
    }
    rw_log_begin(&line, RW_LOG_WARN, "quarantined");
    rw_log_str(&line, "file", name);
    rw_log_str(&line, "rule", taken->rule);
    rw_log_str(&line, "family", order.family);
    rw_log_i64(&line, "release", order.release);
    rw_log_end(&line);
    return true;
}

/* An order to load or to end does not wait for the rest of the files: after it they are looked at. */
static bool is_called(const struct sensor *s)
{
    struct pollfd p[] = {{.fd = s->signals, .events = POLLIN},
                         {.fd = s->report.fd, .events = POLLIN}};
    return poll(p, RW_LEN(p), 0) > 0;
}

/* INV-3: only what was scanned, and moved if it must be, counts as seen. A file that is gone, or too large for any
 * scan, would fail the same way until it changes. */
static enum sensor_watch_result on_file(void *ctx, int dir, const char *name, const struct stat *st)
{
    struct sensor *s = ctx;
    char shown[4096];
    struct sensor_scan_taken taken = {.family = NULL};
    struct rw_err err = {.code = RW_E_NONE};
    if (s->skip || is_called(s)) {
        s->skip = true;
        return SENSOR_WATCH_LATER;
    }
    (void)snprintf(shown, sizeof(shown), "%s/%s", s->options->watch, name);
    struct rw_rc rc = sensor_scan_at(&s->scan, &s->set, dir, name, shown, &taken, &err);
    if (!rw_is_ok(rc) && rc.code != RW_E_NOT_FOUND) { log_failure("not_scanned", &err); }
    bool done = rw_is_ok(rc) || rc.code == RW_E_NOT_FOUND || rc.code == RW_E_TOO_BIG;
    if (rw_is_ok(rc) && taken.family != NULL) { done = quarantine(s, &taken, name, st); }
    alive_if_due(s); /* many files must not look like a hang */
    return done ? SENSOR_WATCH_DONE : SENSOR_WATCH_FAILED;
}

/* INV-12: what cannot be watched as it should is told when it begins, and when it is over. */
static void tell_beyond(const struct sensor *s, size_t before)
{
    struct rw_log_line line;
    size_t now = s->watch.beyond;
    if ((before == 0) == (now == 0)) { return; }
    rw_log_begin(&line, now > 0 ? RW_LOG_ERROR : RW_LOG_INFO,
                 now > 0 ? "watch_degraded" : "watch_whole");
    rw_log_i64(&line, "files_remembered", (int64_t)s->watch.count);
    rw_log_i64(&line, "files_in_turn", (int64_t)now);
    rw_log_end(&line);
}

static void look(struct sensor *s)
{
    struct rw_err err = {.code = RW_E_NONE};
    size_t before = s->watch.beyond;
    s->skip = false;
    if (s->options->watch != NULL &&
        !rw_is_ok(sensor_watch_look(&s->watch, rw_clock_mono(&s->clock), on_file, s, &err))) {
        log_failure("watch_failed", &err);
    }
    tell_beyond(s, before);
    if (s->options->follow != NULL &&
        !rw_is_ok(sensor_events_pump(&s->events, &s->scan, &s->set, false, &err))) {
        log_failure("events_failed", &err);
    }
}

static bool looks(const struct sensor *s)
{
    return s->options->watch != NULL || s->options->follow != NULL;
}

static void do_due(struct sensor *s)
{
    int64_t now = now_ms(s);
    if (s->crash_ms != NEVER && now >= s->crash_ms) { crash(); }
    if (looks(s) && now >= s->look_ms) {
        look(s);
        s->look_ms = now_ms(s) + LOOK_EVERY_MS;
    }
    alive_if_due(s);
}

static int wait_ms(const struct sensor *s)
{
    int64_t next = s->alive_ms < s->stats_ms ? s->alive_ms : s->stats_ms;
    if (looks(s) && s->look_ms < next) { next = s->look_ms; }
    if (s->crash_ms != NEVER && s->crash_ms < next) { next = s->crash_ms; }
    int64_t left = next - now_ms(s);
    return left < 0 ? 0 : (int)left;
}

static void take_signal(struct sensor *s)
{
    struct signalfd_siginfo got;
    if (read(s->signals, &got, sizeof(got)) != (ssize_t)sizeof(got)) { return; }
    if (got.ssi_signo == SIGHUP) {
        load(s);
    } else {
        s->stop = true;
    }
}

/* An order to load is one, however it came and however often it was given. */
static void take_orders(struct sensor *s)
{
    bool load_asked = sensor_report_hears_load(&s->report);
    take_signal(s);
    if (load_asked && !s->stop) { load(s); }
}

static RW_RC prepare(struct sensor *s, struct rw_err *err)
{
    sigset_t set = handled_signals();
    RW_TRY(sensor_report_open(s->options->socket, &s->report, err));
    if (s->options->watch != NULL) { RW_TRY(sensor_watch_open(s->options->watch, &s->watch, err)); }
    if (s->options->follow != NULL) {
        RW_TRY(sensor_events_open(s->options->follow, &s->events, err));
    }
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signals < 0) { return rw_fail_errno(err, RW_E_IO, errno, "signalfd"); }
    return RW_OK;
}

RW_RC sensor_run(const struct sensor_run_options *options, struct rw_err *err)
{
    RW_AUTO(sensor)
    struct sensor s = {.options = options,
                       .clock = rw_clock_system(),
                       .report.fd = -1,
                       .watch.dir = -1,
                       .events = {.fd = -1, .line = rw_buf_make(TEMPLATE_EVENT_BYTES_MAX)},
                       .scan = {.out_fd = options->out_fd, .tally.set = -1},
                       .quarantine = {.files = -1, .manifests = -1, .watched = -1},
                       .signals = -1,
                       .crash_ms = NEVER};
    if (options->quarantine != NULL) {
        s.quarantine = *options->quarantine;
        *options->quarantine =
            (struct sensor_quarantine){.files = -1, .manifests = -1, .watched = -1};
    }
    RW_TRY(prepare(&s, err));
    load(&s);
    while (!s.stop) {
        struct pollfd p[] = {{.fd = s.signals, .events = POLLIN},
                             {.fd = s.report.fd, .events = POLLIN}};
        if (s.hang) { (void)pause(); } /* the signals are blocked: only SIGKILL ends this */
        int ready = poll(p, RW_LEN(p), wait_ms(&s));
        if (ready < 0 && errno != EINTR) { return rw_fail_errno(err, RW_E_IO, errno, "poll"); }
        if (ready > 0) { take_orders(&s); }
        if (!s.hang && !s.stop) { do_due(&s); }
    }
    return RW_OK;
}

RW_RC sensor_run_once(const struct sensor_run_options *options, const char *file,
                      struct rw_err *err)
{
    RW_AUTO(sensor_set) struct sensor_set set = {.count = 0};
    struct sensor_scan scan = {.out_fd = options->out_fd};
    RW_TRY(sensor_load_set(options->active, &set, err));
    return sensor_scan_path(&scan, &set, file, err);
}

RW_RC sensor_run_events(const struct sensor_run_options *options, const char *file,
                        struct rw_err *err)
{
    RW_AUTO(sensor_set) struct sensor_set set = {.count = 0};
    RW_AUTO(sensor_events)
    struct sensor_events events = {.fd = -1, .line = rw_buf_make(TEMPLATE_EVENT_BYTES_MAX)};
    struct sensor_scan scan = {.out_fd = options->out_fd};
    RW_TRY(sensor_load_set(options->active, &set, err));
    RW_TRY(sensor_events_open(file, &events, err));
    RW_TRY(sensor_events_pump(&events, &scan, &set, true, err));
    if (events.refused > 0) {
        return rw_fail(err, RW_E_SYNTAX, "%lld of %lld lines are no events, the last because: %s",
                       (long long)events.refused, (long long)events.number, events.err.text);
    }
    return RW_OK;
}

static RW_RC try_set(const char *folder, struct sensor_set *set, struct rw_err *err)
{
    RW_TRY(sensor_load_set(folder, set, err));
    RW_TRY(sensor_scan_selftest(set, err));
    return sensor_events_selftest(err);
}

RW_RC sensor_run_dry(const struct sensor_run_options *options, const char *then, struct rw_err *err)
{
    char line[100];
    RW_AUTO(sensor_set) struct sensor_set set = {.count = 0};
    RW_TRY(try_set(options->active, &set, err));
    (void)snprintf(line, sizeof(line), "loads: %zu families, %lld rules\n", set.count,
                   (long long)sensor_set_rules(&set));
    sensor_set_drop(&set);
    if (then != NULL && !rw_is_ok(try_set(then, &set, err))) {
        return rw_wrap(err, "the way back");
    }
    return rw_fd_write_all(options->out_fd, rw_span_str(line), err);
}
