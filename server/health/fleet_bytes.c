#include "server/health/fleet_bytes.h"

#include "common/base/num.h"

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
