#include "tests/fleet/fleet_reply.h"

#include "common/base/num.h"

#include <string.h>
#include <strings.h>

static struct rw_span take_line(struct rw_span *rest)
{
    const uint8_t *end = memmem(rest->p, rest->n, "\r\n", 2);
    size_t n = end == NULL ? rest->n : (size_t)(end - rest->p);
    struct rw_span line = rw_span_of(rest->p, n);
    size_t skip = end == NULL ? n : n + 2;
    *rest = rw_span_of(rest->p + skip, rest->n - skip);
    return line;
}

/* The value behind "Name: " when the line has that name. */
static bool value_of(struct rw_span line, const char *name, struct rw_span *out)
{
    size_t n = strlen(name);
    if (line.n < n + 2 || strncasecmp((const char *)line.p, name, n) != 0) { return false; }
    if (line.p[n] != ':' || line.p[n + 1] != ' ') { return false; }
    *out = rw_span_of(line.p + n + 2, line.n - n - 2);
    return true;
}

static RW_RC read_header(struct rw_span line, struct fleet_reply_head *out, bool *has_length,
                         struct rw_err *err)
{
    struct rw_span v;
    int64_t n = 0;
    if (value_of(line, "Content-Length", &v)) {
        RW_TRY(rw_parse_i64(v, 0, FLEET_REPLY_BODY_BYTES_MAX, "Content-Length", &n, err));
        out->body_bytes = (size_t)n;
        *has_length = true;
    } else if (value_of(line, "Retry-After", &v)) {
        RW_TRY(rw_parse_i64(v, 0, INT32_MAX, "Retry-After", &out->retry_after_s, err));
    } else if (value_of(line, "ETag", &v)) {
        out->etag = v;
    } else if (value_of(line, "Connection", &v)) {
        out->close = rw_span_is(v, "close");
    }
    return RW_OK;
}

RW_RC fleet_reply_read(struct rw_span text, struct fleet_reply_head *out, struct rw_err *err)
{
    struct fleet_reply_head head = {.retry_after_s = -1};
    int64_t status = 0;
    bool has_length = false;
    struct rw_span line = take_line(&text);
    if (line.n < 12 || !rw_span_starts(line, "HTTP/1.1 ")) {
        return rw_fail(err, RW_E_PROTOCOL, "no HTTP/1.1 status line");
    }
    RW_TRY(rw_parse_i64(rw_span_of(line.p + 9, 3), 200, 599, "status", &status, err));
    head.status = (int)status;
    while (text.n > 0) {
        line = take_line(&text);
        if (line.n > 0) { RW_TRY(read_header(line, &head, &has_length, err)); }
    }
    if (!has_length && status != 204 && status != 304) {
        return rw_fail(err, RW_E_PROTOCOL, "status %d without Content-Length", head.status);
    }
    if (status == 304) { head.body_bytes = 0; }
    *out = head;
    return RW_OK;
}
