#include "server/api/http_cond.h"

#include <string.h>
#include <strings.h>

enum { RANGE_DIGITS_MAX = 18 }; /* fits into 64 bits whatever the digits are */

static bool is_blank(uint8_t b)
{
    return b == ' ' || b == '\t';
}

/* Takes one entity tag from the front of *rest, with its quotes and without its W/. */
static bool take_tag(struct rw_span *rest, struct rw_span *tag)
{
    struct rw_span s = *rest;
    if (rw_span_starts(s, "W/")) { s = rw_span_of(s.p + 2, s.n - 2); }
    if (s.n < 2 || s.p[0] != '"') { return false; }
    size_t i = 1;
    while (i < s.n && s.p[i] != '"' && s.p[i] > ' ' && s.p[i] != 0x7F) {
        i++;
    }
    if (i == s.n || s.p[i] != '"') { return false; }
    *tag = rw_span_of(s.p, i + 1);
    *rest = rw_span_of(s.p + i + 1, s.n - i - 1);
    return true;
}

bool http_cond_none_match(struct rw_span value, const char *etag)
{
    struct rw_span tag;
    if (rw_span_is(value, "*")) { return true; }
    while (take_tag(&value, &tag)) {
        if (rw_span_is(tag, etag)) { return true; } /* weak comparison: W/ was left out */
        size_t i = 0;
        bool comma = false;
        while (i < value.n && (is_blank(value.p[i]) || value.p[i] == ',')) {
            comma = comma || value.p[i] == ',';
            i++;
        }
        if (!comma) { return false; }
        value = rw_span_of(value.p + i, value.n - i);
    }
    return false;
}

bool http_cond_if_range(struct rw_span value, const char *etag)
{
    return value.n == 0 || rw_span_is(value, etag);
}

static bool take_number(struct rw_span *rest, uint64_t *out)
{
    uint64_t n = 0;
    size_t i = 0;
    while (i < rest->n && rest->p[i] >= '0' && rest->p[i] <= '9') {
        if (i == RANGE_DIGITS_MAX) { return false; }
        n = n * 10 + (uint64_t)(rest->p[i] - '0');
        i++;
    }
    if (i == 0) { return false; }
    *rest = rw_span_of(rest->p + i, rest->n - i);
    *out = n;
    return true;
}

static struct http_range part(uint64_t first, uint64_t last, uint64_t size)
{
    if (first >= size) { return (struct http_range){.kind = HTTP_RANGE_BEYOND}; }
    if (last >= size) { last = size - 1; }
    return (struct http_range){.kind = HTTP_RANGE_PART, .first = first, .last = last};
}

struct http_range http_cond_range(struct rw_span value, uint64_t size)
{
    static const char unit[] = "bytes=";
    const struct http_range none = {.kind = HTTP_RANGE_NONE};
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;
    if (value.n <= strlen(unit) || strncasecmp((const char *)value.p, unit, strlen(unit)) != 0) {
        return none;
    }
    struct rw_span rest = rw_span_of(value.p + strlen(unit), value.n - strlen(unit));
    bool suffix = rest.p[0] == '-';
    if (!suffix && !take_number(&rest, &first)) { return none; }
    if (rest.n == 0 || rest.p[0] != '-') { return none; }
    rest = rw_span_of(rest.p + 1, rest.n - 1);
    bool open_ended = rest.n == 0 && !suffix;
    if (!open_ended && (!take_number(&rest, &last) || rest.n > 0)) { return none; }
    if (suffix) {
        if (last == 0 || size == 0) { return (struct http_range){.kind = HTTP_RANGE_BEYOND}; }
        return part(last >= size ? 0 : size - last, size - 1, size);
    }
    if (last < first) { return none; }
    return part(first, last, size);
}
