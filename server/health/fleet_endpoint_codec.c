#include "server/health/fleet_endpoint_codec.h"

#include "server/health/fleet_hot.h"

static const struct fleet_field endpoint_fields[] = {
    FLEET_FIELD(fleet_endpoint, id),
    FLEET_FIELD(fleet_endpoint, tenant),
    FLEET_FIELD(fleet_endpoint, ring),
    FLEET_FIELD(fleet_endpoint, cohort),
    FLEET_FIELD(fleet_endpoint, grade),
    FLEET_FIELD(fleet_endpoint, trust),
    FLEET_FIELD(fleet_endpoint, recent_rule.keep), /* before: where in the ring the next id goes */
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

static size_t slots_of(const struct fleet_table *t, const struct fleet_track *track)
{
    size_t n = 0;
    const struct fleet_slot *slots = fleet_table_slots_of(t, track);
    for (size_t i = 0; i < track->slot_room; i++) {
        n += slots[i].release != 0;
    }
    return n;
}

RW_RC fleet_endpoint_put(const struct fleet_table *t, const struct fleet_endpoint *e,
                         struct rw_buf *into, struct rw_err *err)
{
    uint64_t tracks = 0;
    RW_TRY(FLEET_PUT(into, e, endpoint_fields, err));
    RW_TRY(fleet_bytes_put(into, e->recent_rule.small, 1, err));
    RW_TRY(rw_buf_append(
        into, rw_span_of(fleet_table_recent(t, e), e->recent_count * sizeof(uint64_t)), err));
    for (uint32_t at = e->track; at != 0; at = t->tracks[at - 1].next) {
        tracks++;
    }
    RW_TRY(fleet_bytes_put(into, tracks, 2, err));
    for (uint32_t at = e->track; at != 0; at = t->tracks[at - 1].next) {
        const struct fleet_track *track = &t->tracks[at - 1];
        RW_TRY(FLEET_PUT(into, track, track_fields, err));
        RW_TRY(fleet_bytes_put(into, slots_of(t, track), 1, err));
        const struct fleet_slot *slots = fleet_table_slots_of(t, track);
        for (size_t i = 0; i < track->slot_room; i++) {
            if (slots[i].release == 0) { continue; }
            RW_TRY(FLEET_PUT(into, &slots[i], slot_fields, err));
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

/* Of these the free ones are left out: images of before have them. */
static RW_RC get_slots(struct fleet_cursor *c, const struct fleet_known *known, uint64_t count,
                       struct fleet_slot slots[static FLEET_SLOTS], size_t *used_out,
                       struct rw_err *err)
{
    size_t used = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct fleet_slot *s = &slots[used];
        RW_TRY(FLEET_GET(c, s, slot_fields, err));
        bool tenant = s->release == 0 || s->tenant < known->count[FLEET_TENANTS];
        if (!names_fit(known, s->ring, s->cohort) || s->release < 0 || !tenant ||
            !is_time(s->granted_s) || !is_time(s->deadline_s)) {
            return impossible("a slot with impossible values", err);
        }
        used += s->release != 0;
    }
    *used_out = used;
    return RW_OK;
}

/* Behind the endpoint's other tracks: they keep their order. */
static struct fleet_track *add_last(struct fleet_table *t, struct fleet_endpoint *e,
                                    const struct fleet_track *track)
{
    uint32_t *last = &e->track;
    while (*last != 0) {
        last = &t->tracks[*last - 1].next;
    }
    RW_ASSERT(t->track_count < t->track_cap);
    t->tracks[t->track_count++] = *track;
    *last = (uint32_t)t->track_count;
    return &t->tracks[t->track_count - 1];
}

static RW_RC get_track(struct fleet_cursor *c, const struct fleet_known *known,
                       enum fleet_endpoint_form form, struct fleet_table *t, struct rw_err *err)
{
    struct fleet_track track = {.next = 0};
    struct fleet_slot slots[FLEET_SLOTS];
    struct fleet_endpoint *e = &t->endpoints[t->endpoint_count - 1];
    uint64_t count = FLEET_SLOTS;
    size_t used = 0;
    RW_TRY(FLEET_GET(c, &track, track_fields, err));
    if (form != FLEET_ENDPOINT_OLD_IMAGE) { RW_TRY(fleet_bytes_get(c, 1, &count, err)); }
    if (count > FLEET_SLOTS) { return impossible("a family with too many releases", err); }
    RW_TRY(get_slots(c, known, count, slots, &used, err));
    if (track.family >= known->count[FLEET_FAMILIES] ||
        fleet_table_track(t, e, track.family) != NULL) {
        return impossible("an endpoint with an unknown family, or one twice", err);
    }
    struct fleet_track *added = add_last(t, e, &track);
    struct fleet_slot *room = fleet_table_slot_room(t, added, used);
    if (used > 0) { rw_copy(room, used * sizeof(*room), slots, used * sizeof(*room)); }
    return RW_OK;
}

/* The ring of before: the oldest id stands where the next one would go. */
static void straighten(uint64_t ids[static RECENT_RULE_MOST], size_t count, size_t at)
{
    uint64_t ring[RECENT_RULE_MOST];
    if (count < RECENT_RULE_MOST) { return; }
    rw_copy(ring, sizeof(ring), ids, sizeof(ring));
    for (size_t i = 0; i < RECENT_RULE_MOST; i++) {
        ids[i] = ring[(at + i) % RECENT_RULE_MOST];
    }
}

/* Checks what can be checked of the numbers that were read. */
static RW_RC check_endpoint(const struct fleet_endpoint *e, const struct fleet_known *known,
                            enum fleet_endpoint_form form, struct rw_err *err)
{
    bool recent = form == FLEET_ENDPOINT_NOW ? recent_rule_fits(e->recent_rule, e->recent_count)
                                             : e->recent_rule.keep < RECENT_RULE_MOST &&
                                                   e->recent_count <= RECENT_RULE_MOST;
    if (!recent || e->grade >= FLEET_GRADES ||
        (e->trust & ~(unsigned)FLEET_NO_LOADER) >= FLEET_TRUSTS ||
        !names_fit(known, e->ring, e->cohort) || e->tenant >= known->count[FLEET_TENANTS] ||
        e->muted > 1 || e->control_seen > 1 || !is_time(e->control_end_s) ||
        !is_time(e->control_look_s) || !is_time(e->seen_s)) {
        return impossible("an endpoint with impossible values", err);
    }
    return RW_OK;
}

RW_RC fleet_endpoint_get(struct fleet_cursor *c, const struct fleet_known *known,
                         enum fleet_endpoint_form form, struct fleet_table *t, struct rw_err *err)
{
    struct fleet_endpoint e = {.track = 0};
    uint64_t ids[RECENT_RULE_MOST];
    uint64_t tracks = 0;
    uint64_t small = 0;
    RW_TRY(FLEET_GET(c, &e, endpoint_fields, err));
    if (form == FLEET_ENDPOINT_NOW) { RW_TRY(fleet_bytes_get(c, 1, &small, err)); }
    e.recent_rule.small = (uint8_t)small;
    RW_TRY(check_endpoint(&e, known, form, err));
    RW_TRY(fleet_bytes_get_raw(c, (uint8_t *)ids, e.recent_count * sizeof(ids[0]), err));
    if (form != FLEET_ENDPOINT_NOW) {
        straighten(ids, e.recent_count, e.recent_rule.keep);
        e.recent_rule = recent_rule_of(e.recent_count);
    }
    RW_TRY(fleet_bytes_get(c, 2, &tracks, err));
    RW_TRY(fleet_table_reserve(t, err));
    fleet_table_set_recent(t, fleet_table_add_unknown(t, &e), ids, e.recent_count);
    for (uint64_t i = 0; i < tracks; i++) {
        RW_TRY(fleet_table_reserve(t, err));
        RW_TRY(get_track(c, known, form, t, err));
    }
    return RW_OK;
}
