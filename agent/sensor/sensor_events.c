#include "agent/sensor/sensor_events.h"

#include "agent/sensor/sensor_supply.h"
#include "common/base/file.h"
#include "common/template/template_match.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 64 * 1024, SHOWN_BYTES = 4096 };

struct report {
    struct sensor_scan *scan;
    const struct sensor_family *family;
    const char *shown;
    struct rw_err err; /* of writing a line */
    bool failed;
};

static void on_hit(void *ctx, const struct template_instance *one)
{
    struct report *r = ctx;
    bool acts = false; /* what an event tells of has happened: there is nothing to act on here */
    if (r->failed) { return; }
    r->failed = !rw_is_ok(sensor_scan_report(
        r->scan, r->family, one->id, template_action_name(one->action), r->shown, &acts, &r->err));
}

RW_RC sensor_events_match(struct sensor_scan *scan, const struct sensor_set *set,
                          struct rw_span line, const char *shown, struct rw_err *err)
{
    RW_AUTO(template_event) struct template_event event = {.tree = NULL};
    RW_TRY(template_event_read(line, &sensor_supply, &event, err));
    scan->scanned++;
    for (size_t i = 0; i < set->count; i++) {
        struct report r = {.scan = scan, .family = &set->at[i], .shown = shown};
        if (set->at[i].templates.instance_count == 0) { continue; }
        if (!rw_is_ok(template_match(&set->at[i].templates, &event, on_hit, &r, err))) {
            return rw_wrap(err, "%s", set->at[i].name);
        }
        if (r.failed) { return rw_fail(err, RW_E_IO, "%s", r.err.text); }
    }
    return RW_OK;
}

RW_RC sensor_events_open(const char *path, struct sensor_events *out, struct rw_err *err)
{
    *out = (struct sensor_events){
        .fd = -1, .shown = path, .line = rw_buf_make(TEMPLATE_EVENT_BYTES_MAX)};
    bool standard = strcmp(path, "-") == 0;
    out->fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                       : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (out->fd < 0) {
        return rw_fail_errno(err, errno == ENOENT ? RW_E_NOT_FOUND : RW_E_IO, errno, "events '%s'",
                             path);
    }
    return RW_OK;
}

void sensor_events_drop(struct sensor_events *e)
{
    rw_fd_drop(&e->fd);
    rw_buf_drop(&e->line);
}

/* A line of noise must not silence the sensor: it is counted, and the next line is as good as ever. */
static RW_RC end_line(struct sensor_events *e, struct sensor_scan *scan,
                      const struct sensor_set *set, struct rw_err *err)
{
    char shown[SHOWN_BYTES];
    struct rw_span rest = rw_buf_span(&e->line);
    struct rw_span line;
    struct rw_rc rc = RW_OK;
    e->number++;
    (void)snprintf(shown, sizeof(shown), "%s:%lld", e->shown, (long long)e->number);
    if (e->skipping) {
        rc = rw_fail(&e->err, RW_E_TOO_BIG, "line %lld is longer than %d bytes",
                     (long long)e->number, TEMPLATE_EVENT_BYTES_MAX);
    } else if (template_event_line(&rest, &line)) {
        rc = sensor_events_match(scan, set, line, shown, &e->err);
    }
    rw_buf_clear(&e->line);
    e->skipping = false;
    if (rc.code == RW_E_IO || rc.code == RW_E_FULL || rc.code == RW_E_NOMEM) {
        return rw_fail(err, rc.code, "%s", e->err.text);
    }
    e->refused += rw_is_ok(rc) ? 0 : 1;
    return RW_OK;
}

static RW_RC take(struct sensor_events *e, struct rw_span bytes, struct sensor_scan *scan,
                  const struct sensor_set *set, struct rw_err *err)
{
    while (bytes.n > 0) {
        const uint8_t *end = memchr(bytes.p, '\n', bytes.n);
        size_t n = end != NULL ? (size_t)(end - bytes.p) : bytes.n;
        if (n > e->line.max - e->line.n) {
            e->skipping = true;
            rw_buf_clear(&e->line);
        }
        if (!e->skipping) { RW_TRY(rw_buf_append(&e->line, rw_span_of(bytes.p, n), err)); }
        if (end == NULL) { return RW_OK; }
        RW_TRY(end_line(e, scan, set, err));
        bytes = rw_span_of(bytes.p + n + 1, bytes.n - n - 1);
    }
    return RW_OK;
}

/* A log that was truncated in place is read from its new beginning. */
static void begin_anew_if_shrunk(struct sensor_events *e)
{
    struct stat st;
    if (fstat(e->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size >= e->at) { return; }
    if (lseek(e->fd, 0, SEEK_SET) != 0) { return; }
    e->at = 0;
    e->number = 0;
    e->skipping = false;
    rw_buf_clear(&e->line);
}

RW_RC sensor_events_pump(struct sensor_events *e, struct sensor_scan *scan,
                         const struct sensor_set *set, bool last, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf chunk = rw_buf_make(CHUNK_BYTES);
    uint8_t *at = NULL;
    begin_anew_if_shrunk(e);
    for (;;) {
        rw_buf_clear(&chunk);
        RW_TRY(rw_buf_reserve(&chunk, CHUNK_BYTES, &at, err));
        ssize_t got = read(e->fd, at, CHUNK_BYTES);
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = e->fd, .events = POLLIN};
            if (!last) { return RW_OK; }
            (void)poll(&p, 1, -1);
            continue;
        }
        if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "events '%s'", e->shown); }
        if (got == 0) { break; }
        e->at += got;
        RW_TRY(take(e, rw_span_of(at, (size_t)got), scan, set, err));
    }
    if (last && (e->line.n > 0 || e->skipping)) { return end_line(e, scan, set, err); }
    return RW_OK;
}

static void on_expected(void *ctx, const struct template_instance *one)
{
    (void)one;
    *(bool *)ctx = true;
}

RW_RC sensor_events_selftest(struct rw_err *err)
{
    static const char content[] =
        "{\"format\":\"ringward-template-1\",\"sensor_min\":1,\"types\":[{\"name\":\"file_write\","
        "\"fields\":[{\"name\":\"image\",\"type\":\"string\"},{\"name\":\"pid\",\"type\":\"int\"},"
        "{\"name\":\"user\",\"type\":\"string\"},{\"name\":\"path\",\"type\":\"string\"},"
        "{\"name\":\"bytes\",\"type\":\"int\"},{\"name\":\"sha256\",\"type\":\"string\"}]}],"
        "\"instances\":[{\"id\":\"self-test\",\"type\":\"file_write\",\"action\":\"alert\","
        "\"criteria\":[\"*\",{\"range\":[1,9]},\"*\",{\"suffix\":\"/self-test\"},\"*\",\"*\"]}]}";
    static const char event[] =
        "{\"type\":\"file_write\",\"pid\":7,\"path\":\"/sensor/self-test\"}";
    bool found = false;
    RW_AUTO(template_set) struct template_set set = {.tree = NULL};
    RW_AUTO(template_event) struct template_event e = {.tree = NULL};
    RW_TRY(template_set_read(rw_span_str(content), &set, err));
    RW_TRY(template_manifest_check(&sensor_supply, &set, err));
    RW_TRY(template_event_read(rw_span_str(event), &sensor_supply, &e, err));
    RW_TRY(template_match(&set, &e, on_expected, &found, err));
    if (found) { return RW_OK; }
    return rw_fail(err, RW_E_PROCESS, "the engine does not detect its own event");
}
