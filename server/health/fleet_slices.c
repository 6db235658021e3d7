#include "server/health/fleet_slices.h"

#include "server/health/fleet_fold.h"
#include "server/health/fleet_image.h"

enum {
    STEP_BYTES = 1024 * 1024,
    DROP_ROWS = 256,
    SIDES = 2,
};

struct fleet_slices fleet_slices_none(void)
{
    return (struct fleet_slices){.begin = rw_buf_make(FLEET_HEAD_BYTES_MAX),
                                 .step_bytes = STEP_BYTES,
                                 .drop_rows = DROP_ROWS};
}

void fleet_slices_drop(struct fleet_slices *s)
{
    rw_mem_free(s->places);
    rw_buf_drop(&s->begin);
    *s = (struct fleet_slices){.cap = 0};
}

void fleet_slices_forget(struct fleet_slices *s)
{
    s->running = false;
    s->known = false;
    s->drop_to = 0;
}

/* --- what stands where --- */

static RW_RC reserve(struct fleet_slices *s, size_t count, struct rw_err *err)
{
    if (count <= s->cap) { return RW_OK; }
    size_t cap = s->cap == 0 ? 64 : s->cap;
    while (cap < count) {
        cap *= 2;
    }
    struct fleet_places *places = rw_mem_grow(s->places, cap, sizeof(*places));
    if (places == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu slices", cap); }
    for (size_t i = s->cap; i < cap; i++) {
        places[i] = (struct fleet_places){.mark = {-1, -1}};
    }
    s->places = places;
    s->cap = cap;
    return RW_OK;
}

static RW_RC note_place(void *arg, const struct store_slice *slice, struct rw_err *err)
{
    struct fleet_slices *s = arg;
    size_t number = (size_t)slice->number / SIDES;
    size_t side = (size_t)slice->number % SIDES;
    if (slice->number < 0 || number > FLEET_ENDPOINTS_MAX / FLEET_SLICE_ENDPOINTS) {
        return rw_fail(err, RW_E_PROTOCOL, "fold of the fleet: slice %lld",
                       (long long)slice->number);
    }
    RW_TRY(reserve(s, number + 1, err));
    s->places[number].mark[side] = slice->mark;
    s->places[number].bytes[side] = slice->bytes;
    return RW_OK;
}

static RW_RC read_places(struct fleet_slices *s, struct store *store, int64_t base,
                         struct rw_err *err)
{
    for (size_t i = 0; i < s->cap; i++) {
        s->places[i] = (struct fleet_places){.mark = {-1, -1}};
    }
    s->known = false;
    RW_TRY(store_slice_each(store, note_place, s, err));
    s->base = base;
    s->known = true;
    return RW_OK;
}

/* The place that the head of `base` needs: the newer one of those that are not newer than it. What is newer was written
 * by a fold that has not ended. -1: there is none. */
static int side_of(const struct fleet_slices *s, size_t slice)
{
    int best = -1;
    if (slice >= s->cap) { return -1; }
    for (int side = 0; side < SIDES; side++) {
        int64_t mark = s->places[slice].mark[side];
        bool fits = mark >= 0 && mark <= s->base;
        if (fits && (best < 0 || mark > s->places[slice].mark[best])) { best = side; }
    }
    return best;
}

static void measure(struct fleet_slices *s)
{
    s->image_bytes = s->head_bytes;
    for (size_t i = 0; i < s->cap; i++) {
        int side = side_of(s, i);
        if (side >= 0) { s->image_bytes += (size_t)s->places[i].bytes[side]; }
    }
}

/* --- loading --- */

static void tell(const struct fleet_slices *s, size_t slices, size_t of, size_t journal_bytes)
{
    if (s->progress.tell != NULL) { s->progress.tell(s->progress.ctx, slices, of, journal_bytes); }
}

struct replay {
    const struct fleet_slices *slices;
    struct fleet_table *table;
    const struct fleet_head *head; /* NULL: counts are those of replay, or were loaded */
    int64_t last_row;
    size_t bytes;
    bool gapless; /* rows of a shared store follow each other: a missing one is a loss */
    bool settled;
};

static RW_RC settle(struct replay *r, struct rw_err *err)
{
    if (r->head == NULL || r->settled) { return RW_OK; }
    r->settled = true;
    return fleet_image_settle(r->head, r->table, err);
}

static RW_RC replay_row(void *arg, int64_t row, struct rw_span batch, struct rw_err *err)
{
    struct replay *r = arg;
    if (r->gapless && row != r->last_row + 1) {
        return rw_fail(err, RW_E_STORE, "journal row %lld is not there: it was folded meanwhile",
                       (long long)r->last_row + 1);
    }
    if (r->head != NULL && row > r->head->mark) { RW_TRY(settle(r, err)); }
    RW_TRY(fleet_fold_replay(r->table, row, batch, err));
    r->last_row = row;
    r->bytes += batch.n;
    size_t slices = r->head == NULL ? 0 : r->head->slices;
    tell(r->slices, slices, slices, r->bytes);
    return RW_OK;
}

static RW_RC load_slices(struct fleet_slices *s, struct store *store, const struct fleet_head *head,
                         struct fleet_table *t, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(FLEET_SLICE_BYTES_MAX);
    RW_TRY(fleet_table_expect(t, head->slices * FLEET_SLICE_ENDPOINTS, err));
    for (size_t i = 0; i < head->slices; i++) {
        int side = side_of(s, i);
        int64_t mark = -1;
        if (side < 0) {
            return rw_fail(err, RW_E_STORE,
                           "slice %zu of the fold to row %lld is not there: it is lost, or another "
                           "node has folded meanwhile",
                           i, (long long)head->mark);
        }
        const struct fleet_slice_of of = {
            .slice = i, .mark = s->places[i].mark[side], .known = &head->known};
        rw_buf_clear(&bytes);
        RW_TRY(store_slice_get(store, (int64_t)i * SIDES + side, &mark, &bytes, err));
        if (mark != of.mark) {
            return rw_fail(err, RW_E_STORE, "slice %zu was folded meanwhile: load again", i);
        }
        RW_TRY(fleet_image_get_slice(rw_buf_span(&bytes), &of, t, err));
        tell(s, i + 1, head->slices, 0);
    }
    return RW_OK;
}

/* All of it is to be written anew, in slices: what stands in their places is of another time. */
static RW_RC load_old(struct rw_span image, int64_t mark, struct fleet_table *t, struct rw_err *err)
{
    RW_TRY(fleet_image_load_old(image, t, err));
    for (size_t i = 0; i < fleet_table_slices(t); i++) {
        t->slices[i].changed_row = mark;
    }
    return RW_OK;
}

static RW_RC load_journal(struct store *store, struct replay *r, struct rw_err *err)
{
    RW_TRY(store_journal_each(store, r->last_row, replay_row, r, err));
    if (r->head != NULL && r->last_row < r->head->mark) {
        return rw_fail(err, RW_E_STORE, "the journal ends at row %lld, before the fold's row %lld",
                       (long long)r->last_row, (long long)r->head->mark);
    }
    RW_TRY(settle(r, err));
    return fleet_fold_reopen(r->table, err);
}

RW_RC fleet_slices_load(struct fleet_slices *s, struct store *store, struct fleet_table *t,
                        struct fleet_loaded *out, struct rw_err *err)
{
    struct fleet_head head = {.from = 0};
    struct replay r = {.slices = s, .table = t, .gapless = store_is_shared(store)};
    int64_t mark = 0;
    int64_t again = 0;
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(FLEET_OLD_IMAGE_BYTES_MAX);
    fleet_slices_forget(s);
    RW_TRY(store_fold_load(store, &mark, &bytes, err));
    RW_TRY(read_places(s, store, mark, err));
    s->head_bytes = bytes.n;
    if (bytes.n > 0 && bytes.p[0] == FLEET_OLD_IMAGE_VERSION) {
        RW_TRY(load_old(rw_buf_span(&bytes), mark, t, err));
        rw_buf_drop(&bytes);
        r.last_row = mark;
    } else if (bytes.n > 0) {
        RW_TRY(fleet_image_get_head(rw_buf_span(&bytes), t, &head, err));
        if (head.mark != mark) {
            return rw_fail(err, RW_E_PROTOCOL, "fold of the fleet: the head of another row");
        }
        RW_TRY(load_slices(s, store, &head, t, err));
        r.head = &head;
        r.last_row = head.from;
    }
    RW_TRY(load_journal(store, &r, err));
    RW_TRY(store_fold_mark(store, &again, err));
    if (again != mark) {
        return rw_fail(err, RW_E_STORE, "the journal was folded meanwhile: load again");
    }
    measure(s);
    *out = (struct fleet_loaded){.last_row = r.last_row, .journal_bytes = r.bytes};
    return RW_OK;
}

/* --- writing --- */

static RW_RC begin(struct fleet_slices *s, const struct fleet_table *t,
                   const struct fleet_fold_now *now, struct rw_err *err)
{
    rw_buf_clear(&s->begin);
    RW_TRY(fleet_image_put_begin(t, &s->begin, err));
    s->running = true;
    s->from = now->last_row;
    s->covers = now->journal_bytes;
    s->next = 0;
    s->count = fleet_table_slices(t);
    return reserve(s, s->count, err);
}

struct writing {
    struct store *store;
    const struct fleet_table *table;
    int64_t mark;
    struct rw_buf bytes;
};

/* Into the place that the present head does not need. */
static RW_RC write_slice(struct fleet_slices *s, struct writing *w, size_t slice,
                         struct rw_err *err)
{
    int side = side_of(s, slice) == 0 ? 1 : 0;
    int64_t number = (int64_t)slice * SIDES + side;
    rw_buf_clear(&w->bytes);
    RW_TRY(fleet_image_put_slice(w->table, slice, w->mark, &w->bytes, err));
    RW_TRY(store_slice_put(w->store, number, w->mark, rw_buf_span(&w->bytes), err));
    s->places[slice].mark[side] = w->mark;
    s->places[slice].bytes[side] = (int64_t)w->bytes.n;
    return RW_OK;
}

static bool is_written(const struct fleet_slices *s, const struct fleet_table *t, size_t slice)
{
    int side = side_of(s, slice);
    return side >= 0 && t->slices[slice].changed_row <= s->places[slice].mark[side];
}

static RW_RC write_slices(struct fleet_slices *s, struct writing *w, struct rw_err *err)
{
    size_t written = 0;
    while (s->next < s->count && written < s->step_bytes) {
        size_t slice = s->next++;
        if (is_written(s, w->table, slice)) { continue; }
        RW_TRY(write_slice(s, w, slice, err));
        written += w->bytes.n;
    }
    return RW_OK;
}

/* From here on the new slices count, and the journal up to the fold's beginning is not needed any more. */
static RW_RC finish(struct fleet_slices *s, struct store *store, const struct fleet_table *t,
                    int64_t mark, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf head = rw_buf_make(FLEET_HEAD_BYTES_MAX);
    const struct fleet_head_of of = {
        .from = s->from, .mark = mark, .slices = s->count, .begin = rw_buf_span(&s->begin)};
    RW_TRY(fleet_image_put_head(t, &of, &head, err));
    RW_TRY(store_fold(store, mark, rw_buf_span(&head), err));
    s->base = mark;
    s->head_bytes = head.n;
    s->running = false;
    s->drop_to = s->from;
    measure(s);
    return RW_OK;
}

static RW_RC drop_rows(struct fleet_slices *s, struct store *store, struct rw_err *err)
{
    bool more = false;
    RW_TRY(store_journal_drop(store, s->drop_to, s->drop_rows, &more, err));
    if (!more) { s->drop_to = 0; }
    return RW_OK;
}

static RW_RC write_piece(struct fleet_slices *s, struct store *store, const struct fleet_table *t,
                         const struct fleet_fold_now *now, struct rw_err *err)
{
    struct writing w = {.store = store,
                        .table = t,
                        .mark = now->last_row,
                        .bytes = rw_buf_make(FLEET_SLICE_BYTES_MAX)};
    if (!s->running) { RW_TRY(begin(s, t, now, err)); }
    struct rw_rc rc = write_slices(s, &w, err);
    rw_buf_drop(&w.bytes);
    RW_TRY(rc);
    return s->next < s->count ? RW_OK : finish(s, store, t, now->last_row, err);
}

RW_RC fleet_slices_step(struct fleet_slices *s, struct store *store, const struct fleet_table *t,
                        const struct fleet_fold_now *now, struct fleet_fold_done *out,
                        struct rw_err *err)
{
    struct fleet_fold_done done = {.covered = 0};
    int64_t mark = 0;
    RW_TRY(store_fold_mark(store, &mark, err));
    /* Another node has folded since: what this one began leans on rows that may be gone. */
    if (!s->known || s->base != mark) {
        s->running = false;
        s->drop_to = 0;
        RW_TRY(read_places(s, store, mark, err));
    }
    if (s->drop_to == 0) {
        RW_TRY(write_piece(s, store, t, now, err));
        if (!s->running) { done.covered = s->covers; }
    }
    if (s->drop_to > 0) { RW_TRY(drop_rows(s, store, err)); }
    done.more = s->running || s->drop_to > 0;
    *out = done;
    return RW_OK;
}
