/* Journal batches and folded images from a damaged or hostile disk: refused or applied, never more. What is applied
 * must survive the trip through a fold unchanged. The first byte chooses: a batch, an image of before, or with some
 * bytes changed a small true one, or head or slice of a small true fold. */
#include "server/health/fleet_fold.h"
#include "server/health/fleet_image.h"
#include "tests/fleet_old_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLICES_MAX = 4, MARK = 7 };

/* The fold of a table: a head and the slices behind it. */
struct fold {
    struct rw_buf head;
    struct rw_buf slices[SLICES_MAX];
    size_t count;
};

static struct fold fold_none(void)
{
    struct fold f = {.head = rw_buf_make(FLEET_HEAD_BYTES_MAX)};
    for (size_t i = 0; i < SLICES_MAX; i++) {
        f.slices[i] = rw_buf_make(FLEET_SLICE_BYTES_MAX);
    }
    return f;
}

static void fold_drop(struct fold *f)
{
    rw_buf_drop(&f->head);
    for (size_t i = 0; i < SLICES_MAX; i++) {
        rw_buf_drop(&f->slices[i]);
    }
}

static RW_RC fold_write(const struct fleet_table *t, struct fold *f, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf begin = rw_buf_make(FLEET_HEAD_BYTES_MAX);
    f->count = fleet_table_slices(t);
    if (f->count > SLICES_MAX) { return rw_fail(err, RW_E_TOO_BIG, "%zu slices", f->count); }
    RW_TRY(fleet_image_put_begin(t, &begin, err));
    const struct fleet_head_of of = {
        .from = MARK, .mark = MARK, .slices = f->count, .begin = rw_buf_span(&begin)};
    RW_TRY(fleet_image_put_head(t, &of, &f->head, err));
    for (size_t i = 0; i < f->count; i++) {
        RW_TRY(fleet_image_put_slice(t, i, MARK, &f->slices[i], err));
    }
    return RW_OK;
}

static RW_RC fold_load(const struct fold *f, struct fleet_table *t, struct rw_err *err)
{
    struct fleet_head head;
    RW_TRY(fleet_image_get_head(rw_buf_span(&f->head), t, &head, err));
    for (size_t i = 0; i < f->count; i++) {
        const struct fleet_slice_of of = {.slice = i, .mark = MARK, .known = &head.known};
        RW_TRY(fleet_image_get_slice(rw_buf_span(&f->slices[i]), &of, t, err));
    }
    return fleet_image_settle(&head, t, err);
}

static void round_trip(const struct fleet_table *t)
{
    struct rw_err err;
    struct fleet_table again;
    struct fold f = fold_none();
    if (rw_is_ok(fold_write(t, &f, &err)) && rw_is_ok(fleet_table_make(&again, &err))) {
        struct rw_rc rc = fold_load(&f, &again, &err);
        RW_ASSERT(rw_is_ok(rc) || rc.code == RW_E_NOMEM);
        RW_ASSERT(again.endpoint_count == t->endpoint_count && again.count_used == t->count_used);
        fleet_table_drop(&again);
    }
    fold_drop(&f);
}

/* A fleet in which each kind of record has happened. */
static RW_RC small_fleet(struct fleet_table *out, struct rw_err *err)
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
    *out = t;
    return RW_OK;
}

static void load_old(struct fleet_table *t, struct rw_span image)
{
    struct rw_err err;
    if (rw_is_ok(fleet_image_load_old(image, t, &err))) {
        RW_IGNORE(fleet_fold_reopen(t, &err), "any outcome is allowed");
        round_trip(t);
    }
}

/* Pairs of position and byte. */
static void patch(struct rw_buf *b, struct rw_span patches)
{
    for (size_t i = 0; i + 2 < patches.n; i += 3) {
        size_t at = (size_t)patches.p[i] << 8 | patches.p[i + 1];
        b->p[at % b->n] = patches.p[i + 2];
    }
}

/* With a sum that fits again: what is behind it must hold by itself. */
static void reseal(struct rw_buf *b)
{
    struct rw_err err;
    b->n -= 8;
    RW_ASSERT(rw_is_ok(fleet_bytes_seal(b, &err)));
}

static void load_patched(struct fleet_table *t, struct rw_span patches, unsigned what)
{
    struct rw_err err;
    struct fleet_table small;
    struct fold f = fold_none();
    RW_AUTO(rw_buf) struct rw_buf old = rw_buf_make(1 << 20);
    if (!rw_is_ok(small_fleet(&small, &err))) { return; }
    if (what == 0 && rw_is_ok(old_image_write(&small, &old, &err))) {
        patch(&old, patches);
        load_old(t, rw_buf_span(&old));
    } else if (what > 0 && rw_is_ok(fold_write(&small, &f, &err))) {
        struct rw_buf *b = what == 1 ? &f.head : &f.slices[0];
        patch(b, patches);
        reseal(b);
        if (rw_is_ok(fold_load(&f, t, &err))) {
            RW_IGNORE(fleet_fold_reopen(t, &err), "any outcome is allowed");
            round_trip(t);
        }
    }
    fleet_table_drop(&small);
    fold_drop(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err;
    struct fleet_table t;
    if (size < 1 || !rw_is_ok(fleet_table_make(&t, &err))) { return 0; }
    struct rw_span input = rw_span_of(data + 1, size - 1);
    if (data[0] % 3 == 0) {
        RW_IGNORE(fleet_fold_replay(&t, 1, input, &err), "any outcome is allowed");
        round_trip(&t);
    } else if (data[0] % 3 == 1) {
        load_old(&t, input);
    } else {
        load_patched(&t, input, data[0] / 3 % 3);
    }
    fleet_table_drop(&t);
    return 0;
}
