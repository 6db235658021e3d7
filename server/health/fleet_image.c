#include "server/health/fleet_image.h"

#include "server/health/fleet_bytes.h"
#include "server/health/fleet_hot.h"

#include <string.h>

/* Fields are written as they stand in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "images are little endian");

/* One table says for both directions which fields there are and how wide: they cannot disagree. */
struct field {
    size_t offset;
    unsigned width; /* bytes on disk and in memory; more than 8: raw bytes */
};

#define FIELD(type, member)                                                                        \
    {                                                                                              \
        offsetof(struct type, member), sizeof(((struct type *)0)->member)                          \
    }

static const struct field table_fields[] = {
    FIELD(fleet_table, next_serial),
    FIELD(fleet_table, next_permit),
    FIELD(fleet_table, beacons),
};
static const struct field release_fields[] = {
    FIELD(fleet_release, family),      FIELD(fleet_release, release),
    FIELD(fleet_release, sha256),      FIELD(fleet_release, serial),
    FIELD(fleet_release, muted_count), FIELD(fleet_release, muted),
    FIELD(fleet_release, watched_s),   FIELD(fleet_release, window_s),
    FIELD(fleet_release, after_s),
};
static const struct field endpoint_fields[] = {
    FIELD(fleet_endpoint, id),
    FIELD(fleet_endpoint, tenant),
    FIELD(fleet_endpoint, ring),
    FIELD(fleet_endpoint, cohort),
    FIELD(fleet_endpoint, grade),
    FIELD(fleet_endpoint, trust),
    FIELD(fleet_endpoint, recent_at),
    FIELD(fleet_endpoint, recent_count),
    FIELD(fleet_endpoint, seen_s),
    FIELD(fleet_endpoint, strikes),
    FIELD(fleet_endpoint, muted),
    FIELD(fleet_endpoint, control_seen),
    FIELD(fleet_endpoint, control_end_s),
    FIELD(fleet_endpoint, control_look_s),
};
static const struct field track_fields[] = {
    FIELD(fleet_track, family), FIELD(fleet_track, active),    FIELD(fleet_track, generation),
    FIELD(fleet_track, sha256), FIELD(fleet_track, forgotten),
};
static const struct field slot_fields[] = {
    FIELD(fleet_slot, release),    FIELD(fleet_slot, permit), FIELD(fleet_slot, granted_s),
    FIELD(fleet_slot, deadline_s), FIELD(fleet_slot, serial), FIELD(fleet_slot, ring),
    FIELD(fleet_slot, cohort),     FIELD(fleet_slot, tenant), FIELD(fleet_slot, marks),
};

static RW_RC put_fields(struct rw_buf *b, const void *object, const struct field *fields, size_t n,
                        struct rw_err *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += fields[i].width;
    }
    uint8_t *to = NULL;
    RW_TRY(rw_buf_reserve(b, bytes, &to, err));
    for (size_t i = 0; i < n; i++) {
        rw_copy(to, fields[i].width, (const uint8_t *)object + fields[i].offset, fields[i].width);
        to += fields[i].width;
    }
    rw_buf_commit(b, bytes);
    return RW_OK;
}

static RW_RC get_fields(struct fleet_cursor *c, void *object, const struct field *fields, size_t n,
                        struct rw_err *err)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t *at = (uint8_t *)object + fields[i].offset;
        RW_TRY(fleet_bytes_get_raw(c, at, fields[i].width, err));
    }
    return RW_OK;
}

#define PUT(b, object, fields, err) put_fields((b), (object), (fields), RW_LEN(fields), (err))
#define GET(c, object, fields, err) get_fields((c), (object), (fields), RW_LEN(fields), (err))

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
    return rw_fail(err, RW_E_PROTOCOL, "folded image of the fleet: %s", what);
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

static RW_RC put_endpoint(const struct fleet_table *t, const struct fleet_endpoint *e,
                          struct rw_buf *b, struct rw_err *err)
{
    uint64_t tracks = 0;
    RW_TRY(PUT(b, e, endpoint_fields, err));
    /* The last FLEET_RECENT ids stand in a ring: a part of it when there are fewer. */
    RW_TRY(rw_buf_append(b, rw_span_of(e->recent, e->recent_count * sizeof(e->recent[0])), err));
    for (uint32_t at = e->track; at != 0; at = t->tracks[at - 1].next) {
        tracks++;
    }
    RW_TRY(fleet_bytes_put(b, tracks, 2, err));
    for (uint32_t at = e->track; at != 0; at = t->tracks[at - 1].next) {
        const struct fleet_track *track = &t->tracks[at - 1];
        RW_TRY(PUT(b, track, track_fields, err));
        for (size_t i = 0; i < FLEET_SLOTS; i++) {
            RW_TRY(PUT(b, &track->slots[i], slot_fields, err));
        }
    }
    return RW_OK;
}

/* A time: not negative, and small enough that sums of two do not overflow. */
static bool is_time(int64_t s)
{
    return s >= 0 && s <= INT64_MAX / 4;
}

static bool names_fit(const struct fleet_table *t, uint16_t ring, uint16_t cohort)
{
    return (ring < t->names[FLEET_RINGS].count || ring == FLEET_NO_NAME) &&
           cohort < t->names[FLEET_COHORTS].count;
}

static RW_RC get_track(struct fleet_cursor *c, struct fleet_table *t, struct fleet_endpoint *e,
                       struct rw_err *err)
{
    struct fleet_track track = {.next = 0};
    size_t active = 0;
    RW_TRY(GET(c, &track, track_fields, err));
    for (size_t i = 0; i < FLEET_SLOTS; i++) {
        struct fleet_slot *s = &track.slots[i];
        RW_TRY(GET(c, s, slot_fields, err));
        active += (s->marks & FLEET_ACTIVE) != 0;
        bool tenant = s->release == 0 || s->tenant < t->names[FLEET_TENANTS].count;
        if (!names_fit(t, s->ring, s->cohort) || s->release < 0 || active > 1 || !tenant ||
            !is_time(s->granted_s) || !is_time(s->deadline_s)) {
            return bad_image("a slot with impossible values", err);
        }
    }
    if (track.family >= t->names[FLEET_FAMILIES].count ||
        fleet_table_track(t, e, track.family) != NULL) {
        return bad_image("an endpoint with an unknown family, or one twice", err);
    }
    struct fleet_track *at = fleet_table_add_track(t, e, track.family);
    track.next = at->next;
    *at = track;
    return RW_OK;
}

static RW_RC get_endpoint(struct fleet_cursor *c, struct fleet_table *t, struct rw_err *err)
{
    struct fleet_endpoint e = {.track = 0};
    uint64_t tracks = 0;
    RW_TRY(GET(c, &e, endpoint_fields, err));
    if (e.recent_count > FLEET_RECENT || e.recent_at >= FLEET_RECENT || e.grade >= FLEET_GRADES ||
        (e.trust & ~(unsigned)FLEET_NO_LOADER) >= FLEET_TRUSTS || !names_fit(t, e.ring, e.cohort) ||
        e.tenant >= t->names[FLEET_TENANTS].count || fleet_table_find(t, e.id) != NULL ||
        e.muted > 1 || e.control_seen > 1 || !is_time(e.control_end_s) ||
        !is_time(e.control_look_s) || !is_time(e.seen_s)) {
        return bad_image("an endpoint with impossible values, or one twice", err);
    }
    RW_TRY(fleet_bytes_get_raw(c, (uint8_t *)e.recent, e.recent_count * sizeof(e.recent[0]), err));
    RW_TRY(fleet_bytes_get(c, 2, &tracks, err));
    RW_TRY(fleet_table_reserve(t, err));
    struct fleet_endpoint *at = fleet_table_add(t, e.id);
    *at = e;
    for (uint64_t i = 0; i < tracks; i++) {
        RW_TRY(fleet_table_reserve(t, err));
        RW_TRY(get_track(c, t, &t->endpoints[t->endpoint_count - 1], err));
    }
    return RW_OK;
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

static RW_RC get_counts(struct fleet_cursor *c, struct fleet_table *t, struct rw_err *err)
{
    uint64_t n = 0;
    RW_TRY(fleet_bytes_get(c, 8, &n, err));
    if (n > c->rest.n / sizeof(struct fleet_count_entry)) { return bad_image("is cut", err); }
    RW_TRY(fleet_table_reserve_counts(t, n + 1, err));
    for (uint64_t i = 0; i < n; i++) {
        struct fleet_count_entry e = {.key = 0};
        RW_TRY(fleet_bytes_get_raw(c, (uint8_t *)&e, sizeof(e), err));
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

RW_RC fleet_image_write(const struct fleet_table *t, struct rw_buf *into, struct rw_err *err)
{
    RW_TRY(fleet_bytes_put(into, FLEET_IMAGE_VERSION, 1, err));
    RW_TRY(PUT(into, t, table_fields, err));
    RW_TRY(put_names(t, into, err));
    for (size_t i = 0; i < t->names[FLEET_RINGS].count; i++) {
        RW_TRY(fleet_bytes_put(into, (uint64_t)t->ring_seen_s[i], 8, err));
    }
    RW_TRY(fleet_bytes_put(into, t->release_count, 4, err));
    for (size_t i = 0; i < t->release_count; i++) {
        RW_TRY(PUT(into, &t->releases[i], release_fields, err));
    }
    RW_TRY(fleet_bytes_put(into, t->endpoint_count, 8, err));
    for (size_t i = 0; i < t->endpoint_count; i++) {
        RW_TRY(put_endpoint(t, &t->endpoints[i], into, err));
    }
    RW_TRY(put_counts(t, into, err));
    return put_windows(t, into, err);
}

static RW_RC get_releases(struct fleet_cursor *c, struct fleet_table *t, struct rw_err *err)
{
    uint64_t n = 0;
    uint32_t next_serial = t->next_serial; /* watching below counts it up */
    RW_TRY(fleet_bytes_get(c, 4, &n, err));
    for (uint64_t i = 0; i < n; i++) {
        struct fleet_release r = {.serial = 0};
        RW_TRY(GET(c, &r, release_fields, err));
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

RW_RC fleet_image_load(struct rw_span image, struct fleet_table *t, struct rw_err *err)
{
    struct fleet_cursor c = {image};
    uint64_t version = 0;
    uint64_t endpoints = 0;
    RW_TRY(fleet_bytes_get(&c, 1, &version, err));
    if (version != FLEET_IMAGE_VERSION) { return bad_image("is of another version", err); }
    RW_TRY(GET(&c, t, table_fields, err));
    RW_TRY(get_names(&c, t, err));
    for (size_t i = 0; i < t->names[FLEET_RINGS].count; i++) {
        RW_TRY(fleet_bytes_get_count(&c, &t->ring_seen_s[i], err));
    }
    RW_TRY(get_releases(&c, t, err));
    RW_TRY(fleet_bytes_get(&c, 8, &endpoints, err));
    for (uint64_t i = 0; i < endpoints; i++) {
        RW_TRY(get_endpoint(&c, t, err));
    }
    RW_TRY(get_counts(&c, t, err));
    RW_TRY(get_windows(&c, t, err));
    return c.rest.n == 0 ? RW_OK : bad_image("has bytes behind its end", err);
}
