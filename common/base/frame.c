#include "common/base/frame.h"

#include "common/base/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static void store_le(uint8_t *dst, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        dst[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t load_le(const uint8_t *src, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t)src[i] << (8 * i);
    }
    return value;
}

static RW_RC put(struct frame_writer *w, struct rw_span s, struct rw_err *err)
{
    struct rw_rc rc = rw_buf_append(&w->buf, s, err);
    w->failed = w->failed || !rw_is_ok(rc);
    return rc;
}

struct frame_writer frame_begin(uint16_t type)
{
    struct frame_writer w = {.buf = rw_buf_make(FRAME_BYTES_MAX)};
    struct rw_err err;
    uint8_t header[FRAME_HEADER_BYTES] = {0};
    store_le(header + 4, type, 2);
    RW_IGNORE(put(&w, rw_span_of(header, sizeof(header)), &err), "kept in w.failed");
    return w;
}

void frame_writer_drop(struct frame_writer *w)
{
    rw_buf_drop(&w->buf);
}

RW_RC frame_put_u32(struct frame_writer *w, uint32_t v, struct rw_err *err)
{
    uint8_t raw[4];
    store_le(raw, v, sizeof(raw));
    return put(w, rw_span_of(raw, sizeof(raw)), err);
}

RW_RC frame_put_u64(struct frame_writer *w, uint64_t v, struct rw_err *err)
{
    uint8_t raw[8];
    store_le(raw, v, sizeof(raw));
    return put(w, rw_span_of(raw, sizeof(raw)), err);
}

RW_RC frame_put_bytes(struct frame_writer *w, struct rw_span s, struct rw_err *err)
{
    if (s.n > FRAME_BYTES_MAX) {
        w->failed = true;
        return rw_fail(err, RW_E_TOO_BIG, "frame field of %zu bytes", s.n);
    }
    RW_TRY(frame_put_u32(w, (uint32_t)s.n, err));
    return put(w, s, err);
}

RW_RC frame_put_str(struct frame_writer *w, const char *s, struct rw_err *err)
{
    return frame_put_bytes(w, rw_span_str(s), err);
}

/* Waits until `events` or the deadline. */
static RW_RC wait_for(int fd, short events, struct rw_mono deadline, struct rw_err *err)
{
    struct rw_clock clock = rw_clock_system();
    for (;;) {
        int64_t left_ms = deadline.ms - rw_clock_mono(&clock).ms;
        if (left_ms <= 0) { return rw_fail(err, RW_E_TIMEOUT, "peer process did not answer"); }
        struct pollfd p = {.fd = fd, .events = events};
        int ready = poll(&p, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (ready > 0) { return RW_OK; }
        if (ready < 0 && errno != EINTR) { return rw_fail_errno(err, RW_E_IO, errno, "poll"); }
    }
}

static struct rw_mono deadline_in(int64_t timeout_ms)
{
    struct rw_clock clock = rw_clock_system();
    return (struct rw_mono){rw_clock_mono(&clock).ms + timeout_ms};
}

RW_RC frame_send(int fd, struct frame_writer *w, int64_t timeout_ms, struct rw_err *err)
{
    if (w->failed) {
        return rw_fail(err, RW_E_TOO_BIG, "the frame does not fit into %d bytes", FRAME_BYTES_MAX);
    }
    RW_ASSERT(w->buf.n >= FRAME_HEADER_BYTES);
    struct rw_mono deadline = deadline_in(timeout_ms);
    store_le(w->buf.p, w->buf.n - 4, 4);
    for (size_t done = 0; done < w->buf.n;) {
        RW_TRY(wait_for(fd, POLLOUT, deadline, err));
        ssize_t put = send(fd, w->buf.p + done, w->buf.n - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && (errno == EINTR || errno == EAGAIN)) { continue; }
        if (put < 0) { return rw_fail_errno(err, RW_E_IO, errno, "sending to the peer process"); }
        done += (size_t)put;
    }
    return RW_OK;
}

/* Reads exactly n bytes. `at_start`: the end of the stream here is clean. */
static RW_RC recv_exactly(int fd, size_t n, bool at_start, struct rw_mono deadline,
                          struct rw_buf *into, struct rw_err *err)
{
    uint8_t *at = NULL;
    RW_TRY(rw_buf_reserve(into, n, &at, err));
    for (size_t done = 0; done < n;) {
        RW_TRY(wait_for(fd, POLLIN, deadline, err));
        ssize_t got = recv(fd, at + done, n - done, MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) { continue; }
        if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "receiving from the peer"); }
        if (got == 0 && at_start && done == 0) {
            return rw_fail(err, RW_E_NOT_FOUND, "the peer process closed its end");
        }
        if (got == 0) { return rw_fail(err, RW_E_PROTOCOL, "the peer closed inside a frame"); }
        done += (size_t)got;
    }
    rw_buf_commit(into, n);
    return RW_OK;
}

RW_RC frame_recv(int fd, struct rw_buf *into, int64_t timeout_ms, struct frame_reader *out,
                 struct rw_err *err)
{
    struct rw_mono deadline = deadline_in(timeout_ms);
    rw_buf_clear(into);
    RW_TRY(recv_exactly(fd, FRAME_HEADER_BYTES, true, deadline, into, err));
    uint64_t length = load_le(into->p, 4);
    if (length < 2 || length > FRAME_BYTES_MAX - 4 || length - 2 > into->max - into->n) {
        return rw_fail(err, RW_E_PROTOCOL, "frame of %llu bytes, at most %zu are allowed",
                       (unsigned long long)length, into->max);
    }
    uint16_t type = (uint16_t)load_le(into->p + 4, 2);
    RW_TRY(recv_exactly(fd, (size_t)length - 2, false, deadline, into, err));
    out->rest = rw_span_of(into->p + FRAME_HEADER_BYTES, into->n - FRAME_HEADER_BYTES);
    out->type = type;
    out->bad = false;
    return RW_OK;
}

static RW_RC take(struct frame_reader *r, size_t n, const char *what, struct rw_span *out,
                  struct rw_err *err)
{
    if (r->bad || r->rest.n < n) {
        r->bad = true;
        return rw_fail(err, RW_E_PROTOCOL, "frame type %u ends before %s", r->type, what);
    }
    *out = rw_span_of(r->rest.p, n);
    r->rest = rw_span_of(r->rest.p + n, r->rest.n - n);
    return RW_OK;
}

RW_RC frame_get_u32(struct frame_reader *r, const char *what, uint32_t *out, struct rw_err *err)
{
    struct rw_span raw;
    RW_TRY(take(r, 4, what, &raw, err));
    *out = (uint32_t)load_le(raw.p, 4);
    return RW_OK;
}

RW_RC frame_get_u64(struct frame_reader *r, const char *what, uint64_t *out, struct rw_err *err)
{
    struct rw_span raw;
    RW_TRY(take(r, 8, what, &raw, err));
    *out = load_le(raw.p, 8);
    return RW_OK;
}

RW_RC frame_get_bytes(struct frame_reader *r, size_t max, const char *what, struct rw_span *out,
                      struct rw_err *err)
{
    uint32_t n = 0;
    RW_TRY(frame_get_u32(r, what, &n, err));
    if (n > max) {
        r->bad = true;
        return rw_fail(err, RW_E_PROTOCOL, "frame type %u: %s has %u bytes, at most %zu", r->type,
                       what, n, max);
    }
    return take(r, n, what, out, err);
}

RW_RC frame_get_str(struct frame_reader *r, char *dst, size_t cap, const char *what,
                    struct rw_err *err)
{
    struct rw_span s;
    RW_TRY(frame_get_bytes(r, cap - 1, what, &s, err));
    struct rw_rc rc = rw_span_to_str(dst, cap, s, what, err);
    if (!rw_is_ok(rc)) {
        r->bad = true;
        return rw_fail(err, RW_E_PROTOCOL, "frame type %u: %s contains a NUL byte", r->type, what);
    }
    return RW_OK;
}

RW_RC frame_end(const struct frame_reader *r, struct rw_err *err)
{
    if (r->bad || r->rest.n != 0) {
        return rw_fail(err, RW_E_PROTOCOL, "frame type %u: %zu bytes too many", r->type, r->rest.n);
    }
    return RW_OK;
}
