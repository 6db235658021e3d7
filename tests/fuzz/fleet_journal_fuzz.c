/* Journal batches and folded images from a damaged or hostile disk: refused or applied, never more. What is applied
 * must survive the trip through an image unchanged. */
#include "server/health/fleet_fold.h"
#include "server/health/fleet_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct fleet_table *t)
{
    struct rw_err err;
    struct fleet_table again;
    RW_AUTO(rw_buf) struct rw_buf first = rw_buf_make(FLEET_IMAGE_BYTES_MAX);
    if (!rw_is_ok(fleet_image_write(t, &first, &err))) { return; }
    if (!rw_is_ok(fleet_table_make(&again, &err))) { return; }
    struct rw_rc rc = fleet_image_load(rw_buf_span(&first), &again, &err);
    RW_ASSERT(rw_is_ok(rc) || rc.code == RW_E_NOMEM);
    RW_ASSERT(again.endpoint_count == t->endpoint_count && again.count_used == t->count_used);
    fleet_table_drop(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err;
    struct fleet_table t;
    if (size < 1 || !rw_is_ok(fleet_table_make(&t, &err))) { return 0; }
    struct rw_span input = rw_span_of(data + 1, size - 1);
    if (data[0] % 2 == 0) {
        RW_IGNORE(fleet_fold_replay(&t, input, &err), "any outcome is allowed");
        round_trip(&t);
    } else if (rw_is_ok(fleet_image_load(input, &t, &err))) {
        RW_IGNORE(fleet_fold_reopen(&t, &err), "any outcome is allowed");
        round_trip(&t);
    }
    fleet_table_drop(&t);
    return 0;
}
