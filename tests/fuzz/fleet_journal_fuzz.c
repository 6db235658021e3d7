/* Journal batches and folded images from a damaged or hostile disk: refused or applied, never more. What is applied
 * must survive the trip through an image unchanged. The first byte chooses: a batch, an image, a small true image with
 * some bytes changed. */
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

/* A fleet in which each kind of record has happened. */
static RW_RC small_image(struct rw_buf *into, struct rw_err *err)
{
    static const struct fleet_record day[] = {
        {.type = FLEET_DEFINE, .space = FLEET_TENANTS, .name = "acme"},
        {.type = FLEET_DEFINE, .space = FLEET_RINGS, .name = "canary"},
        {.type = FLEET_DEFINE,
         .space = FLEET_COHORTS,
         .name = "a\x1f"
                 "b\x1f"
                 "c"},
        {.type = FLEET_DEFINE, .space = FLEET_FAMILIES, .name = "yara"},
        {.type = FLEET_WATCH, .release = 1, .deadline_s = 900, .after_s = 7200},
        {.type = FLEET_ENROL, .endpoint = {1}, .now_s = 1},
        {.type = FLEET_PERMIT,
         .cohort = 1,
         .endpoint = {1},
         .release = 1,
         .number = 1,
         .deadline_s = 9},
        {.type = FLEET_PERMIT, .endpoint = {2}, .release = 1, .number = 2, .deadline_s = 9},
        {.type = FLEET_BEACON, .cohort = 1, .endpoint = {1}, .release = 1, .kind = 1, .number = 5},
        {.type = FLEET_EXPIRE, .endpoint = {2}, .release = 1, .now_s = 9},
        {.type = FLEET_MUTE, .release = 1},
        {.type = FLEET_CLOSE, .release = 1, .now_s = 10},
    };
    struct fleet_table t;
    RW_TRY(fleet_table_make(&t, err));
    struct rw_rc rc = RW_OK;
    for (size_t i = 0; i < RW_LEN(day) && rw_is_ok(rc); i++) {
        rc = fleet_table_reserve(&t, err);
        if (rw_is_ok(rc)) { rc = fleet_fold_apply(&t, &day[i], err); }
    }
    RW_ASSERT(rw_is_ok(rc));
    rc = fleet_image_write(&t, into, err);
    fleet_table_drop(&t);
    return rc;
}

static void load(struct fleet_table *t, struct rw_span image)
{
    struct rw_err err;
    if (rw_is_ok(fleet_image_load(image, t, &err))) {
        RW_IGNORE(fleet_fold_reopen(t, &err), "any outcome is allowed");
        round_trip(t);
    }
}

/* Pairs of position and byte. */
static void load_patched(struct fleet_table *t, struct rw_span patches)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf image = rw_buf_make(1 << 20);
    if (!rw_is_ok(small_image(&image, &err))) { return; }
    for (size_t i = 0; i + 2 < patches.n; i += 3) {
        size_t at = (size_t)patches.p[i] << 8 | patches.p[i + 1];
        image.p[at % image.n] = patches.p[i + 2];
    }
    load(t, rw_buf_span(&image));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err;
    struct fleet_table t;
    if (size < 1 || !rw_is_ok(fleet_table_make(&t, &err))) { return 0; }
    struct rw_span input = rw_span_of(data + 1, size - 1);
    if (data[0] % 3 == 0) {
        RW_IGNORE(fleet_fold_replay(&t, input, &err), "any outcome is allowed");
        round_trip(&t);
    } else if (data[0] % 3 == 1) {
        load(&t, input);
    } else {
        load_patched(&t, input);
    }
    fleet_table_drop(&t);
    return 0;
}
