#include "server/health/fleet_endpoint_codec.h"

#include "server/health/fleet_hot.h"

static const struct fleet_field endpoint_fields[] = {
    FLEET_FIELD(fleet_endpoint, id),
    FLEET_FIELD(fleet_endpoint, tenant),
    FLEET_FIELD(fleet_endpoint, ring),
    FLEET_FIELD(fleet_endpoint, cohort),
    FLEET_FIELD(fleet_endpoint, grade),
    FLEET_FIELD(fleet_endpoint, trust),
    FLEET_FIELD(fleet_endpoint, recent_at),
    FLEET_FIELD(fleet_endpoint, recent_count),
    FLEET_FIELD(fleet_endpoint, seen_s),
    FLEET_FIELD(fleet_endpoint, strikes),
    FLEET_FIELD(fleet_endpoint, muted),
    FLEET_FIELD(fleet_endpoint, control_seen),
    FLEET_FIELD(fleet_endpoint, control_end_s),
    FLEET_FIELD(fleet_endpoint, control_look_s),
};
static const struct fleet_field track_fields[] = {
    FLEET_FIELD(fleet_track, family),     FLEET_FIELD(fleet_track, active),
    FLEET_FIELD(fleet_track, generation), FLEET_FIELD(fleet_track, sha256),
    FLEET_FIELD(fleet_track, forgotten),
};
static const struct fleet_field slot_fields[] = {
    FLEET_FIELD(fleet_slot, release),   FLEET_FIELD(fleet_slot, permit),
    FLEET_FIELD(fleet_slot, granted_s), FLEET_FIELD(fleet_slot, deadline_s),
    FLEET_FIELD(fleet_slot, serial),    FLEET_FIELD(fleet_slot, ring),
    FLEET_FIELD(fleet_slot, cohort),    FLEET_FIELD(fleet_slot, tenant),
    FLEET_FIELD(fleet_slot, marks),
};

static size_t slots_of(const struct fleet_track *track)
{
    size_t n = 0;
    for (size_t i = 0; i < FLEET_SLOTS; i++) {
        n += track->slots[i].release != 0;
    }
    return n;
}

RW_RC fleet_endpoint_put(const struct fleet_table *t, const struct fleet_endpoint *e,
                         struct rw_buf *into, struct rw_err *err)
{
    uint64_t tracks = 0;
    RW_TRY(FLEET_PUT(into, e, endpoint_fields, err));
    /* The last FLEET_RECENT ids stand in a ring: a part of it when there are fewer. */
    RW_TRY(rw_buf_append(into, rw_span_of(e->recent, e->recent_count * sizeof(e->recent[0])), err));
    for (uint32_t at = e->track; at != 0; at = t->tracks[at - 1].next) {
        tracks++;
    }
    RW_TRY(fleet_bytes_put(into, tracks, 2, err));
    for (uint32_t at = e->track; at != 0; at = t->tracks[at - 1].next) {
        const struct fleet_track *track = &t->tracks[at - 1];
        RW_TRY(FLEET_PUT(into, track, track_fields, err));
        RW_TRY(fleet_bytes_put(into, slots_of(track), 1, err));
        for (size_t i = 0; i < FLEET_SLOTS; i++) {
            if (track->slots[i].release == 0) { continue; }
            RW_TRY(FLEET_PUT(into, &track->slots[i], slot_fields, err));
        }
    }
    return RW_OK;
}

static RW_RC impossible(const char *what, struct rw_err *err)
{
    return rw_fail(err, RW_E_PROTOCOL, "fold of the fleet: %s", what);
}

/* A time: not negative, and small enough that sums of two do not overflow. */
static bool is_time(int64_t s)
{
    return s >= 0 && s <= INT64_MAX / 4;
}

static bool names_fit(const struct fleet_known *known, uint16_t ring, uint16_t cohort)
{
    return (ring < known->count[FLEET_RINGS] || ring == FLEET_NO_NAME) &&
           cohort < known->count[FLEET_COHORTS];
}

static RW_RC get_slots(struct fleet_cursor *c, const struct fleet_known *known, size_t count,
                       struct fleet_track *track, struct rw_err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct fleet_slot *s = &track->slots[i];
        RW_TRY(FLEET_GET(c, s, slot_fields, err));
        bool tenant = s->release == 0 || s->tenant < known->count[FLEET_TENANTS];
        if (!names_fit(known, s->ring, s->cohort) || s->release < 0 || !tenant ||
            !is_time(s->granted_s) || !is_time(s->deadline_s)) {
            return impossible("a slot with impossible values", err);
        }
    }
    return RW_OK;
}

/* Behind the endpoint's other tracks: they keep their order. */
static void add_last(struct fleet_table *t, struct fleet_endpoint *e,
                     const struct fleet_track *track)
{
    uint32_t *last = &e->track;
    while (*last != 0) {
        last = &t->tracks[*last - 1].next;
    }
    RW_ASSERT(t->track_count < t->track_cap);
    t->tracks[t->track_count++] = *track;
    *last = (uint32_t)t->track_count;
}

static RW_RC get_track(struct fleet_cursor *c, const struct fleet_known *known, bool all_slots,
                       struct fleet_table *t, struct rw_err *err)
{
    struct fleet_track track = {.next = 0};
    struct fleet_endpoint *e = &t->endpoints[t->endpoint_count - 1];
    uint64_t slots = FLEET_SLOTS;
    RW_TRY(FLEET_GET(c, &track, track_fields, err));
    if (!all_slots) { RW_TRY(fleet_bytes_get(c, 1, &slots, err)); }
    if (slots > FLEET_SLOTS) { return impossible("a family with too many releases", err); }
    RW_TRY(get_slots(c, known, slots, &track, err));
    if (track.family >= known->count[FLEET_FAMILIES] ||
        fleet_table_track(t, e, track.family) != NULL) {
        return impossible("an endpoint with an unknown family, or one twice", err);
    }
    add_last(t, e, &track);
    return RW_OK;
}

RW_RC fleet_endpoint_get(struct fleet_cursor *c, const struct fleet_known *known, bool all_slots,
                         struct fleet_table *t, struct rw_err *err)
{
    struct fleet_endpoint e = {.track = 0};
    uint64_t tracks = 0;
    RW_TRY(FLEET_GET(c, &e, endpoint_fields, err));
    if (e.recent_count > FLEET_RECENT || e.recent_at >= FLEET_RECENT || e.grade >= FLEET_GRADES ||
        (e.trust & ~(unsigned)FLEET_NO_LOADER) >= FLEET_TRUSTS ||
        !names_fit(known, e.ring, e.cohort) || e.tenant >= known->count[FLEET_TENANTS] ||
        fleet_table_find(t, e.id) != NULL || e.muted > 1 || e.control_seen > 1 ||
        !is_time(e.control_end_s) || !is_time(e.control_look_s) || !is_time(e.seen_s)) {
        return impossible("an endpoint with impossible values, or one twice", err);
    }
    RW_TRY(fleet_bytes_get_raw(c, (uint8_t *)e.recent, e.recent_count * sizeof(e.recent[0]), err));
    RW_TRY(fleet_bytes_get(c, 2, &tracks, err));
    RW_TRY(fleet_table_reserve(t, err));
    *fleet_table_add(t, e.id) = e;
    for (uint64_t i = 0; i < tracks; i++) {
        RW_TRY(fleet_table_reserve(t, err));
        RW_TRY(get_track(c, known, all_slots, t, err));
    }
    return RW_OK;
}
