#include "server/health/fleet_image.h"

#include "common/wire/beacon_codec.h"
#include "server/health/fleet_endpoint_codec.h"

#include <string.h>

/* What folds of before version 6 lack: the last kind of beacon, and the last count. */
enum {
    OLD_KINDS_BYTES = (FLEET_KINDS - 1) * 8,
    OLD_COUNT_BYTES = sizeof(struct fleet_count_entry) - 8,
};
_Static_assert(BEACON_MUTE == FLEET_KINDS - 1, "the last kind is the one that old folds lack");
_Static_assert(offsetof(struct fleet_counts, mute) == sizeof(struct fleet_counts) - 8,
               "the last count is the one that old folds lack");

/* Of an image of before. */
static const struct fleet_field table_fields[] = {
    FLEET_FIELD(fleet_table, next_serial),
    FLEET_FIELD(fleet_table, next_permit),
    {offsetof(struct fleet_table, beacons), OLD_KINDS_BYTES},
};

static const struct fleet_field release_fields[] = {
    FLEET_FIELD(fleet_release, family),      FLEET_FIELD(fleet_release, release),
    FLEET_FIELD(fleet_release, sha256),      FLEET_FIELD(fleet_release, serial),
    FLEET_FIELD(fleet_release, muted_count), FLEET_FIELD(fleet_release, muted),
    FLEET_FIELD(fleet_release, watched_s),   FLEET_FIELD(fleet_release, window_s),
    FLEET_FIELD(fleet_release, after_s),
};

/* Of a head: what takes the place of what replay has made of it. */
static const struct fleet_field outcome_fields[] = {
    FLEET_FIELD(fleet_table, next_permit),
    FLEET_FIELD(fleet_table, beacons),
};

static const struct fleet_field old_outcome_fields[] = {
    FLEET_FIELD(fleet_table, next_permit),
    {offsetof(struct fleet_table, beacons), OLD_KINDS_BYTES},
};

static RW_RC put_names(const struct fleet_table *t, struct rw_buf *b, struct rw_err *err)
{
    for (size_t space = 0; space < FLEET_SPACES; space++) {
        const struct fleet_names *n = &t->names[space];
        RW_TRY(fleet_bytes_put(b, n->count, 4, err));
        for (size_t i = 0; i < n->count; i++) {
            struct rw_span text = rw_span_str(n->text[i]);
            RW_TRY(fleet_bytes_put(b, text.n, 1, err));
            RW_TRY(rw_buf_append(b, text, err));
        }
    }
    return RW_OK;
}

static RW_RC bad_image(const char *what, struct rw_err *err)
{
    return rw_fail(err, RW_E_PROTOCOL, "fold of the fleet: %s", what);
}

static RW_RC get_name(struct fleet_cursor *c, struct fleet_table *t, enum fleet_space space,
                      bool there_already, struct rw_err *err)
{
    char text[FLEET_JOURNAL_NAME_BYTES] = "";
    uint64_t n = 0;
    RW_TRY(fleet_bytes_get(c, 1, &n, err));
    if (n == 0 || n >= sizeof(text)) { return bad_image("a name of impossible length", err); }
    RW_TRY(fleet_bytes_get_raw(c, (uint8_t *)text, n, err));
    if (strlen(text) != n) { return bad_image("a name with a NUL", err); }
    uint16_t number = fleet_table_name(t, space, text);
    if (there_already && number == 0) { return RW_OK; }
    if (number != FLEET_NO_NAME) { return bad_image("a name twice", err); }
    return fleet_table_define(t, space, text, err);
}

static RW_RC get_names(struct fleet_cursor *c, struct fleet_table *t, struct rw_err *err)
{
    for (int space = 0; space < FLEET_SPACES; space++) {
        uint64_t count = 0;
        RW_TRY(fleet_bytes_get(c, 4, &count, err));
        for (uint64_t i = 0; i < count; i++) {
            bool other = space == FLEET_COHORTS && i == 0; /* made with the table */
            RW_TRY(get_name(c, t, (enum fleet_space)space, other, err));
        }
    }
    return RW_OK;
}

/* A time: not negative, and small enough that sums of two do not overflow. */
static bool is_time(int64_t s)
{
    return s >= 0 && s <= INT64_MAX / 4;
}

static RW_RC put_counts(const struct fleet_table *t, struct rw_buf *b, struct rw_err *err)
{
    RW_TRY(fleet_bytes_put(b, t->count_used, 8, err));
    for (size_t i = 0; i < t->count_cap; i++) {
        const struct fleet_count_entry *e = &t->counts[i];
        if (e->key == 0) { continue; }
        RW_TRY(rw_buf_append(b, rw_span_of(e, sizeof(*e)), err));
    }
    return RW_OK;
}

/* `bytes`: of one entry; what an old one lacks is zero. */
static RW_RC get_counts(struct fleet_cursor *c, size_t bytes, struct fleet_table *t,
                        struct rw_err *err)
{
    uint64_t n = 0;
    RW_TRY(fleet_bytes_get(c, 8, &n, err));
    if (n > c->rest.n / bytes) { return bad_image("is cut", err); }
    RW_TRY(fleet_table_reserve_counts(t, n + 1, err));
    for (uint64_t i = 0; i < n; i++) {
        struct fleet_count_entry e = {.key = 0};
        RW_TRY(fleet_bytes_get_raw(c, (uint8_t *)&e, bytes, err));
        if (e.key == 0) { return bad_image("a count without a key", err); }
        uint64_t key = e.key - 1;
        *fleet_table_count_at(t, (uint32_t)(key >> 32), (uint16_t)(key >> 16), (uint16_t)key) =
            e.counts;
    }
    return RW_OK;
}

static RW_RC put_windows(const struct fleet_table *t, struct rw_buf *b, struct rw_err *err)
{
    RW_TRY(fleet_bytes_put(b, t->windows.used, 8, err));
    for (size_t i = 0; i < t->windows.cap; i++) {
        const struct fleet_window_entry *e = &t->windows.entries[i];
        if (e->key == 0) { continue; }
        RW_TRY(rw_buf_append(b, rw_span_of(e, sizeof(*e)), err));
    }
    return RW_OK;
}

static RW_RC get_windows(struct fleet_cursor *c, struct fleet_table *t, struct rw_err *err)
{
    uint64_t n = 0;
    RW_TRY(fleet_bytes_get(c, 8, &n, err));
    if (n > c->rest.n / sizeof(struct fleet_window_entry)) { return bad_image("is cut", err); }
    RW_TRY(fleet_windows_reserve(&t->windows, n + 1, err));
    for (uint64_t i = 0; i < n; i++) {
        struct fleet_window_entry e = {.key = 0};
        RW_TRY(fleet_bytes_get_raw(c, (uint8_t *)&e, sizeof(e), err));
        if (e.key == 0) { return bad_image("a window without a key", err); }
        *fleet_windows_at(&t->windows, e.key) = e;
    }
    return RW_OK;
}

static RW_RC get_releases(struct fleet_cursor *c, struct fleet_table *t, struct rw_err *err)
{
    uint64_t n = 0;
    uint32_t next_serial = t->next_serial; /* watching below counts it up */
    RW_TRY(fleet_bytes_get(c, 4, &n, err));
    for (uint64_t i = 0; i < n; i++) {
        struct fleet_release r = {.serial = 0};
        RW_TRY(FLEET_GET(c, &r, release_fields, err));
        if (r.family >= t->names[FLEET_FAMILIES].count || r.serial == 0 ||
            r.muted_count > FLEET_TENANTS_MUTED_MAX || !is_time(r.watched_s) ||
            !is_time(r.window_s) || !is_time(r.after_s) || r.serial >= next_serial ||
            fleet_table_release(t, r.family, r.release) != NULL) {
            return bad_image("a release with impossible values, or one twice", err);
        }
        RW_TRY(fleet_table_watch(t, &r, err));
        t->releases[t->release_count - 1].serial = r.serial;
    }
    t->next_serial = next_serial;
    return RW_OK;
}

RW_RC fleet_image_put_begin(const struct fleet_table *t, struct rw_buf *into, struct rw_err *err)
{
    RW_TRY(fleet_bytes_put(into, t->next_serial, 4, err));
    RW_TRY(put_names(t, into, err));
    RW_TRY(fleet_bytes_put(into, t->release_count, 4, err));
    for (size_t i = 0; i < t->release_count; i++) {
        RW_TRY(FLEET_PUT(into, &t->releases[i], release_fields, err));
    }
    return RW_OK;
}

static RW_RC get_begin(struct fleet_cursor *c, struct fleet_table *t, struct rw_err *err)
{
    uint64_t next_serial = 0;
    RW_TRY(fleet_bytes_get(c, 4, &next_serial, err));
    t->next_serial = (uint32_t)next_serial;
    RW_TRY(get_names(c, t, err));
    return get_releases(c, t, err);
}

/* What replay from the beginning on must have come to as well. */
static RW_RC put_check(const struct fleet_table *t, struct rw_buf *b, struct rw_err *err)
{
    for (size_t space = 0; space < FLEET_SPACES; space++) {
        RW_TRY(fleet_bytes_put(b, t->names[space].count, 4, err));
    }
    RW_TRY(fleet_bytes_put(b, t->release_count, 4, err));
    return fleet_bytes_put(b, t->next_serial, 4, err);
}

static RW_RC get_check(struct fleet_cursor *c, struct fleet_head *head, struct rw_err *err)
{
    uint64_t count = 0;
    for (size_t space = 0; space < FLEET_SPACES; space++) {
        RW_TRY(fleet_bytes_get(c, 4, &count, err));
        head->known.count[space] = count;
    }
    RW_TRY(fleet_bytes_get(c, 4, &count, err));
    head->release_count = count;
    RW_TRY(fleet_bytes_get(c, 4, &count, err));
    head->next_serial = (uint32_t)count;
    return RW_OK;
}

RW_RC fleet_image_put_head(const struct fleet_table *t, const struct fleet_head_of *of,
                           struct rw_buf *into, struct rw_err *err)
{
    RW_TRY(fleet_bytes_put(into, FLEET_HEAD_VERSION, 1, err));
    RW_TRY(fleet_bytes_put(into, (uint64_t)of->from, 8, err));
    RW_TRY(fleet_bytes_put(into, (uint64_t)of->mark, 8, err));
    RW_TRY(fleet_bytes_put(into, FLEET_SLICE_ENDPOINTS, 4, err));
    RW_TRY(fleet_bytes_put(into, of->slices, 4, err));
    RW_TRY(rw_buf_append(into, of->begin, err));
    RW_TRY(put_check(t, into, err));
    RW_TRY(FLEET_PUT(into, t, outcome_fields, err));
    for (size_t i = 0; i < t->names[FLEET_RINGS].count; i++) {
        RW_TRY(fleet_bytes_put(into, (uint64_t)t->ring_seen_s[i], 8, err));
    }
    RW_TRY(put_counts(t, into, err));
    RW_TRY(put_windows(t, into, err));
    return fleet_bytes_seal(into, err);
}

RW_RC fleet_image_get_head(struct rw_span bytes, struct fleet_table *t, struct fleet_head *out,
                           struct rw_err *err)
{
    struct fleet_head head = {.from = 0};
    struct fleet_cursor c;
    uint64_t version = 0;
    uint64_t per_slice = 0;
    uint64_t slices = 0;
    RW_TRY(fleet_bytes_unseal(bytes, "fold of the fleet: the head", &c.rest, err));
    RW_TRY(fleet_bytes_get(&c, 1, &version, err));
    head.old = version == FLEET_OLD_HEAD_VERSION;
    if (version != FLEET_HEAD_VERSION && !head.old) {
        return bad_image("is of another version", err);
    }
    RW_TRY(fleet_bytes_get_count(&c, &head.from, err));
    RW_TRY(fleet_bytes_get_count(&c, &head.mark, err));
    RW_TRY(fleet_bytes_get(&c, 4, &per_slice, err));
    RW_TRY(fleet_bytes_get(&c, 4, &slices, err));
    if (per_slice != FLEET_SLICE_ENDPOINTS || head.from > head.mark ||
        slices > FLEET_ENDPOINTS_MAX / FLEET_SLICE_ENDPOINTS + 1) {
        return bad_image("a head with impossible values", err);
    }
    head.slices = slices;
    RW_TRY(get_begin(&c, t, err));
    RW_TRY(get_check(&c, &head, err));
    head.rest = c.rest;
    *out = head;
    return RW_OK;
}

RW_RC fleet_image_settle(const struct fleet_head *head, struct fleet_table *t, struct rw_err *err)
{
    struct fleet_cursor c = {head->rest};
    bool same = t->release_count == head->release_count && t->next_serial == head->next_serial;
    for (size_t space = 0; space < FLEET_SPACES; space++) {
        same = same && t->names[space].count == head->known.count[space];
    }
    if (!same) { return bad_image("the journal does not lead to what the head has", err); }
    if (head->old) {
        RW_TRY(FLEET_GET(&c, t, old_outcome_fields, err));
    } else {
        RW_TRY(FLEET_GET(&c, t, outcome_fields, err));
    }
    for (size_t i = 0; i < t->names[FLEET_RINGS].count; i++) {
        RW_TRY(fleet_bytes_get_count(&c, &t->ring_seen_s[i], err));
    }
    fleet_table_forget_counts(t);
    size_t entry = head->old ? OLD_COUNT_BYTES : sizeof(struct fleet_count_entry);
    RW_TRY(get_counts(&c, entry, t, err));
    RW_TRY(get_windows(&c, t, err));
    return c.rest.n == 0 ? RW_OK : bad_image("has bytes behind its end", err);
}

RW_RC fleet_image_put_slice(const struct fleet_table *t, size_t slice, int64_t mark,
                            struct rw_buf *into, struct rw_err *err)
{
    size_t first = slice * FLEET_SLICE_ENDPOINTS;
    size_t left = t->endpoint_count - first;
    size_t count = left < FLEET_SLICE_ENDPOINTS ? left : FLEET_SLICE_ENDPOINTS;
    RW_ASSERT(first < t->endpoint_count);
    RW_TRY(fleet_bytes_put(into, FLEET_SLICE_VERSION, 1, err));
    RW_TRY(fleet_bytes_put(into, slice, 4, err));
    RW_TRY(fleet_bytes_put(into, (uint64_t)mark, 8, err));
    RW_TRY(fleet_bytes_put(into, count, 4, err));
    for (size_t i = 0; i < count; i++) {
        RW_TRY(fleet_endpoint_put(t, &t->endpoints[first + i], into, err));
    }
    return fleet_bytes_seal(into, err);
}

RW_RC fleet_image_get_slice(struct rw_span bytes, const struct fleet_slice_of *of,
                            struct fleet_table *t, struct rw_err *err)
{
    struct fleet_cursor c;
    uint64_t version = 0;
    uint64_t slice = 0;
    uint64_t count = 0;
    int64_t mark = 0;
    size_t first = of->slice * FLEET_SLICE_ENDPOINTS;
    RW_TRY(fleet_bytes_unseal(bytes, "fold of the fleet: a slice", &c.rest, err));
    RW_TRY(fleet_bytes_get(&c, 1, &version, err));
    if (version < FLEET_SLICE_OLDEST || version > FLEET_SLICE_VERSION) {
        return bad_image("a slice of another version", err);
    }
    enum fleet_endpoint_form form =
        version == FLEET_SLICE_VERSION ? FLEET_ENDPOINT_NOW : FLEET_ENDPOINT_SLICE_1;
    RW_TRY(fleet_bytes_get(&c, 4, &slice, err));
    RW_TRY(fleet_bytes_get_count(&c, &mark, err));
    RW_TRY(fleet_bytes_get(&c, 4, &count, err));
    if (slice != of->slice || mark != of->mark) {
        return bad_image("a slice in the place of another one", err);
    }
    /* Endpoints keep their numbers, so only the last slice may have room. */
    if (first != t->endpoint_count || count == 0 || count > FLEET_SLICE_ENDPOINTS) {
        return bad_image("a slice that is not full, before the last one", err);
    }
    for (uint64_t i = 0; i < count; i++) {
        RW_TRY(fleet_endpoint_get(&c, of->known, form, t, err));
    }
    if (c.rest.n != 0) { return bad_image("a slice with bytes behind its end", err); }
    if (!fleet_table_know(t)) { return bad_image("an endpoint twice", err); }
    t->slices[of->slice].settled_row = mark;
    if (mark > t->settled_row) { t->settled_row = mark; }
    return RW_OK;
}

/* --- images of before --- */

RW_RC fleet_image_load_old(struct rw_span image, struct fleet_table *t, struct rw_err *err)
{
    struct fleet_cursor c = {image};
    struct fleet_known known;
    uint64_t version = 0;
    uint64_t endpoints = 0;
    RW_TRY(fleet_bytes_get(&c, 1, &version, err));
    if (version != FLEET_OLD_IMAGE_VERSION) { return bad_image("is of another version", err); }
    RW_TRY(FLEET_GET(&c, t, table_fields, err));
    RW_TRY(get_names(&c, t, err));
    for (size_t i = 0; i < t->names[FLEET_RINGS].count; i++) {
        RW_TRY(fleet_bytes_get_count(&c, &t->ring_seen_s[i], err));
    }
    RW_TRY(get_releases(&c, t, err));
    for (size_t space = 0; space < FLEET_SPACES; space++) {
        known.count[space] = t->names[space].count;
    }
    RW_TRY(fleet_bytes_get(&c, 8, &endpoints, err));
    for (uint64_t i = 0; i < endpoints; i++) {
        RW_TRY(fleet_endpoint_get(&c, &known, FLEET_ENDPOINT_OLD_IMAGE, t, err));
    }
    if (!fleet_table_know(t)) { return bad_image("an endpoint twice", err); }
    RW_TRY(get_counts(&c, OLD_COUNT_BYTES, t, err));
    RW_TRY(get_windows(&c, t, err));
    return c.rest.n == 0 ? RW_OK : bad_image("has bytes behind its end", err);
}
