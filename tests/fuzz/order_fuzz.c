/* Bodies and stored forms of orders: refused, or understood and written back to the same. */
#include "server/release/release_order_codec.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_asked(const struct release_order *o)
{
    struct rw_err err;
    RW_ASSERT(o->id.kind < RELEASE_ORDER_KINDS);
    RW_ASSERT(rw_is_ok(ring_policy_check_name(o->id.release.family, "family", &err)));
    RW_ASSERT((o->id.kind == RELEASE_ORDER_RENEW) == (o->id.release.number == 0));
    if (o->id.kind != RELEASE_ORDER_EXPEDITE) { return; }
    RW_ASSERT(o->ring_count >= 1 && o->ring_count <= RING_POLICY_RINGS_MAX && o->for_s >= 1);
}

static void try_request(struct rw_span text)
{
    struct rw_err err;
    RW_AUTO(release_order) struct release_order o = release_order_make();
    if (!rw_is_ok(release_order_read_request(text, &o, &err))) { return; }
    check_asked(&o);
    RW_ASSERT(o.reason[0] != '\0' || o.id.kind == RELEASE_ORDER_RENEW);
}

static void try_stored(struct rw_span text)
{
    struct rw_err err;
    RW_AUTO(release_order) struct release_order o = release_order_make();
    RW_AUTO(release_order) struct release_order again = release_order_make();
    RW_AUTO(rw_buf) struct rw_buf one = rw_buf_make((size_t)4 << 20);
    RW_AUTO(rw_buf) struct rw_buf two = rw_buf_make((size_t)4 << 20);
    if (!rw_is_ok(release_order_read_stored(text, 1, &o, &err))) { return; }
    check_asked(&o);
    RW_ASSERT(rw_is_ok(release_order_write_stored(&o, &one, &err)));
    RW_ASSERT(rw_is_ok(release_order_read_stored(rw_buf_span(&one), 1, &again, &err)));
    RW_ASSERT(rw_is_ok(release_order_write_stored(&again, &two, &err)));
    RW_ASSERT(rw_span_eq(rw_buf_span(&one), rw_buf_span(&two)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_request(rw_span_of(data, size));
    try_stored(rw_span_of(data, size));
    return 0;
}
