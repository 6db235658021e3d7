#include "server/health/fleet_bytes.h"

#include "common/base/num.h"

/* Fields are written as they stand in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "images are little endian");

enum { SUM_BYTES = 8 };

RW_RC fleet_bytes_put(struct rw_buf *b, uint64_t v, unsigned width, struct rw_err *err)
{
    uint8_t bytes[8];
    RW_ASSERT(width >= 1 && width <= sizeof(bytes));
    for (unsigned i = 0; i < width; i++) {
        bytes[i] = (uint8_t)(v >> (8 * i));
    }
    return rw_buf_append(b, rw_span_of(bytes, width), err);
}

RW_RC fleet_bytes_get_raw(struct fleet_cursor *c, uint8_t *dst, size_t n, struct rw_err *err)
{
    if (c->rest.n < n) {
        return rw_fail(err, RW_E_PROTOCOL, "fleet record: %zu bytes are left, needs %zu", c->rest.n,
                       n);
    }
    rw_copy(dst, n, c->rest.p, n);
    c->rest = rw_span_of(c->rest.p + n, c->rest.n - n);
    return RW_OK;
}

RW_RC fleet_bytes_get(struct fleet_cursor *c, unsigned width, uint64_t *out, struct rw_err *err)
{
    uint8_t bytes[8];
    uint64_t v = 0;
    RW_ASSERT(width >= 1 && width <= sizeof(bytes));
    RW_TRY(fleet_bytes_get_raw(c, bytes, width, err));
    for (unsigned i = 0; i < width; i++) {
        v |= (uint64_t)bytes[i] << (8 * i);
    }
    *out = v;
    return RW_OK;
}

RW_RC fleet_bytes_get_count(struct fleet_cursor *c, int64_t *out, struct rw_err *err)
{
    uint64_t v = 0;
    RW_TRY(fleet_bytes_get(c, 8, &v, err));
    if (v > (uint64_t)RW_JSON_INT_MAX) {
        return rw_fail(err, RW_E_PROTOCOL, "fleet record: %llu is above its limit",
                       (unsigned long long)v);
    }
    *out = (int64_t)v;
    return RW_OK;
}

/* How many fields from `i` on follow each other in memory as they do in the bytes, and their width: copied at once. */
static size_t run_of(const struct fleet_field *fields, size_t n, size_t i, size_t *width_out)
{
    size_t first = i;
    size_t width = fields[i].width;
    while (i + 1 < n && fields[i].offset + fields[i].width == fields[i + 1].offset) {
        i++;
        width += fields[i].width;
    }
    *width_out = width;
    return i + 1 - first;
}

RW_RC fleet_bytes_put_fields(struct rw_buf *b, const void *object, const struct fleet_field *fields,
                             size_t n, struct rw_err *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += fields[i].width;
    }
    uint8_t *to = NULL;
    RW_TRY(rw_buf_reserve(b, bytes, &to, err));
    for (size_t i = 0; i < n;) {
        size_t width = 0;
        const uint8_t *at = (const uint8_t *)object + fields[i].offset;
        i += run_of(fields, n, i, &width);
        rw_copy(to, width, at, width);
        to += width;
    }
    rw_buf_commit(b, bytes);
    return RW_OK;
}

RW_RC fleet_bytes_get_fields(struct fleet_cursor *c, void *object, const struct fleet_field *fields,
                             size_t n, struct rw_err *err)
{
    for (size_t i = 0; i < n;) {
        size_t width = 0;
        uint8_t *at = (uint8_t *)object + fields[i].offset;
        i += run_of(fields, n, i, &width);
        RW_TRY(fleet_bytes_get_raw(c, at, width, err));
    }
    return RW_OK;
}

/* Finds damage, not forgery: whoever can write the store can change what it says anyway. Eight bytes a step: gigabytes
 * are summed at each load. */
static uint64_t sum_of(struct rw_span s)
{
    uint64_t sum = UINT64_C(0x9e3779b97f4a7c15) ^ s.n;
    for (size_t at = 0; at < s.n; at += 8) {
        uint64_t word = 0;
        size_t n = s.n - at < 8 ? s.n - at : 8;
        rw_copy(&word, sizeof(word), s.p + at, n);
        sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
        sum ^= sum >> 32;
    }
    return sum;
}

RW_RC fleet_bytes_seal(struct rw_buf *b, struct rw_err *err)
{
    return fleet_bytes_put(b, sum_of(rw_buf_span(b)), SUM_BYTES, err);
}

RW_RC fleet_bytes_unseal(struct rw_span sealed, const char *what, struct rw_span *out,
                         struct rw_err *err)
{
    uint64_t sum = 0;
    if (sealed.n < SUM_BYTES) { return rw_fail(err, RW_E_PROTOCOL, "%s: is cut", what); }
    struct rw_span inside = rw_span_of(sealed.p, sealed.n - SUM_BYTES);
    struct fleet_cursor c = {rw_span_of(sealed.p + inside.n, SUM_BYTES)};
    RW_TRY(fleet_bytes_get(&c, SUM_BYTES, &sum, err));
    if (sum != sum_of(inside)) {
        return rw_fail(err, RW_E_PROTOCOL, "%s: damaged, its sum does not fit", what);
    }
    *out = inside;
    return RW_OK;
}
