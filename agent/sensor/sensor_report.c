#include "agent/sensor/sensor_report.h"

#include "common/base/file.h"
#include "common/base/num.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { SEND_TIMEOUT_S = 2, HEARD_MAX = 64 };

RW_RC sensor_report_open(const char *path, struct sensor_report *out, struct rw_err *err)
{
    const struct timeval patience = {.tv_sec = SEND_TIMEOUT_S};
    *out = (struct sensor_report){.fd = -1, .to.sun_family = AF_UNIX};
    if (path == NULL || path[0] == '\0') { return RW_OK; }
    RW_TRY(rw_span_to_str(out->to.sun_path, sizeof(out->to.sun_path), rw_span_str(path),
                          "RINGWARD_SOCKET", err));
    out->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    /* A full queue is waited for a little: a lost proof of load would look like a hung sensor. */
    if (out->fd < 0 ||
        setsockopt(out->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "socket for '%s'", path);
    }
    return RW_OK;
}

/* Connected, the kernel takes datagrams from this very socket and from nobody else. Only then it gets an address, which
 * the kernel chooses; one that it has already stays. Without one its messages still go out. */
static bool meet_agent(const struct sensor_report *r)
{
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    if (connect(r->fd, (const struct sockaddr *)&r->to, sizeof(r->to)) != 0) { return false; }
    (void)bind(r->fd, (const struct sockaddr *)&any, sizeof(any.sun_family));
    return true;
}

RW_RC sensor_report_send(const struct sensor_report *r, const struct sensor_message *m,
                         struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SENSOR_MESSAGE_BYTES_MAX);
    if (r->fd < 0) { return RW_OK; }
    RW_TRY(sensor_write(m, &text, err));
    if (!meet_agent(r) || send(r->fd, text.p, text.n, MSG_NOSIGNAL) != (ssize_t)text.n) {
        return rw_fail_errno(err, RW_E_IO, errno, "message to '%s'", r->to.sun_path);
    }
    return RW_OK;
}

bool sensor_report_hears_load(const struct sensor_report *r)
{
    uint8_t text[SENSOR_MESSAGE_BYTES_MAX + 1]; /* one more: what is cut off is no order */
    bool load = false;
    for (int i = 0; r->fd >= 0 && i < HEARD_MAX; i++) {
        ssize_t n = recv(r->fd, text, sizeof(text), MSG_DONTWAIT);
        if (n < 0) { break; }
        load = load || (n > 0 && sensor_is_load(rw_span_of(text, (size_t)n)));
    }
    return load;
}

void sensor_report_detail(struct sensor_message *m, const char *text)
{
    size_t n = 0;
    for (; n < sizeof(m->detail) - 1 && text[n] != '\0'; n++) {
        m->detail[n] = (char)(text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?');
    }
    m->detail[n] = '\0';
}

void sensor_report_drop(struct sensor_report *r)
{
    rw_fd_drop(&r->fd);
}

static int64_t resident_kib(void)
{
    struct rw_err err;
    int64_t pages = 0;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(256);
    if (!rw_is_ok(rw_file_read("/proc/self/statm", 200, &text, &err))) { return 0; }
    size_t from = 0;
    while (from < text.n && text.p[from] != ' ') {
        from++;
    }
    size_t to = ++from;
    while (to < text.n && text.p[to] != ' ') {
        to++;
    }
    if (to >= text.n || !rw_is_ok(rw_parse_i64(rw_span_of(text.p + from, to - from), 0,
                                               RW_JSON_INT_MAX / 64, "pages", &pages, &err))) {
        return 0;
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

void sensor_report_stats(const struct sensor_scan *scan, struct sensor_message *m)
{
    struct rusage use = {0};
    (void)getrusage(RUSAGE_SELF, &use);
    m->detections = scan->detections;
    m->scanned = scan->scanned;
    m->scan_us = scan->scan_us;
    m->cpu_ms = ((int64_t)use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
                (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
    m->rss_kib = resident_kib();
    sensor_tally_tell(&scan->tally, m);
}
