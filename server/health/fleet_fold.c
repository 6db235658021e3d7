#include "server/health/fleet_fold.h"

#include "common/wire/beacon_codec.h"
#include "server/health/fleet_cohorts.h"
#include "server/health/fleet_control.h"
#include "server/health/verdict_rule.h"

#include <string.h>

/* Sets the marks of a slot and moves its counts along, where it is booked: ring, cohort, tenant. */
static void set_marks(struct fleet_table *t, struct fleet_slot *slot, unsigned marks)
{
    unsigned before = slot->marks;
    slot->marks = marks;
    if (before == marks || !fleet_table_counted(t, slot->serial)) { return; }
    const uint16_t scopes[] = {slot->cohort, FLEET_WHOLE_RING,
                               (uint16_t)(FLEET_OF_TENANT + slot->tenant)};
    for (size_t i = 0; i < RW_LEN(scopes); i++) {
        struct fleet_counts *c = fleet_table_count_at(t, slot->serial, slot->ring, scopes[i]);
        fleet_outcome_rule_tally(c, before, -1);
        fleet_outcome_rule_tally(c, marks, 1);
    }
    fleet_control_treated(t, slot, before, marks);
}

static void signal_slot(struct fleet_table *t, struct fleet_slot *slot, enum fleet_signal signal)
{
    set_marks(t, slot, fleet_outcome_rule_next(slot->marks, signal));
}

/* The slot to give up: the oldest one that is neither active nor on trial, else the oldest not active, else the oldest:
 * journals of before say of several that they are active. */
static struct fleet_slot *victim(const struct fleet_table *t, const struct fleet_track *track)
{
    struct fleet_slot *slots = fleet_table_slots_of(t, track);
    struct fleet_slot *best = NULL;
    const unsigned wanted[] = {FLEET_ACTIVE | FLEET_TRIAL, FLEET_ACTIVE, 0};
    for (size_t pass = 0; pass < RW_LEN(wanted) && best == NULL; pass++) {
        for (size_t i = 0; i < track->slot_room; i++) {
            struct fleet_slot *s = &slots[i];
            if ((s->marks & wanted[pass]) != 0) { continue; }
            if (best == NULL || s->release < best->release) { best = s; }
        }
    }
    RW_ASSERT(best != NULL);
    return best;
}

static bool tenant_muted(const struct fleet_release *release, uint16_t tenant)
{
    for (uint32_t i = 0; i < release->muted_count; i++) {
        if (release->muted[i] == tenant) { return true; }
    }
    return false;
}

/* The slot of a release, made when it is missing. Votes of a release whose slot was given up are spent, those of a
 * muted endpoint or tenant are listed only (INV-11). */
static struct fleet_slot *slot_for(struct fleet_table *t, const struct fleet_endpoint *e,
                                   struct fleet_track *track, const struct fleet_release *release)
{
    struct fleet_slot *slot = fleet_table_slot(t, track, release->release);
    if (slot != NULL) { return slot; }
    slot = fleet_table_free_slot(t, track);
    if (slot == NULL) {
        slot = victim(t, track);
        signal_slot(t, slot, FLEET_ON_FORGET);
        if (slot->release > track->forgotten) { track->forgotten = slot->release; }
    }
    *slot = (struct fleet_slot){.release = release->release,
                                .serial = release->serial,
                                .ring = e->ring,
                                .cohort = e->cohort,
                                .tenant = e->tenant};
    if (release->release <= track->forgotten) { slot->marks = FLEET_SPENT; }
    if (e->muted != 0 || tenant_muted(release, e->tenant)) { slot->marks |= FLEET_MUTED; }
    return slot;
}

static void count_member(struct fleet_table *t, const struct fleet_endpoint *e, int64_t sign)
{
    if (e->ring == FLEET_NO_NAME) { return; }
    fleet_table_count_at(t, 0, e->ring, e->cohort)->members += sign;
    fleet_table_count_at(t, 0, e->ring, FLEET_WHOLE_RING)->members += sign;
    fleet_table_count_at(t, 0, e->ring, (uint16_t)(FLEET_OF_TENANT + e->tenant))->members += sign;
}

static void move_endpoint(struct fleet_table *t, struct fleet_endpoint *e,
                          const struct fleet_record *r)
{
    if (e->ring != r->ring || e->cohort != r->cohort) {
        fleet_control_leave(t, e, r->now_s);
        count_member(t, e, -1);
        fleet_cohorts_move(t, e->cohort, r->cohort);
        e->ring = r->ring;
        e->cohort = r->cohort;
        count_member(t, e, 1);
    }
    if (e->ring == FLEET_NO_NAME) { return; }
    int64_t *seen_s = &t->ring_seen_s[e->ring];
    if (r->now_s > *seen_s || *seen_s - r->now_s > FLEET_AHEAD_S) { *seen_s = r->now_s; }
}

static struct fleet_endpoint *endpoint_of(struct fleet_table *t, const struct fleet_record *r)
{
    struct fleet_endpoint *e = fleet_table_find(t, r->endpoint);
    if (e == NULL) {
        e = fleet_table_add(t, r->endpoint);
        e->tenant = r->tenant;
    }
    fleet_table_touch(t, e);
    if (r->now_s > e->seen_s) { e->seen_s = r->now_s; }
    return e;
}

static struct fleet_track *track_of(struct fleet_table *t, struct fleet_endpoint *e,
                                    uint16_t family)
{
    struct fleet_track *track = fleet_table_track(t, e, family);
    return track != NULL ? track : fleet_table_add_track(t, e, family);
}

/* At most one release is active: whatever else was is not any more. `same`: the bytes are the release's. */
static void leave_others(struct fleet_table *t, struct fleet_track *track,
                         const struct fleet_record *r, bool same)
{
    struct fleet_slot *slots = fleet_table_slots_of(t, track);
    for (size_t i = 0; i < track->slot_room; i++) {
        struct fleet_slot *s = &slots[i];
        if (s->release == 0 || (same && s->release == r->release)) { continue; }
        bool late = r->now_s >= s->deadline_s && !fleet_outcome_rule_pending(s->marks);
        signal_slot(t, s, late ? FLEET_ON_ELSEWHERE_LATE : FLEET_ON_ELSEWHERE);
    }
}

/* The sensor proved what `r` says. */
static void take_proof(struct fleet_table *t, struct fleet_track *track,
                       const struct fleet_record *r, bool same)
{
    track->active = r->release;
    track->generation = r->generation;
    rw_copy(track->sha256, sizeof(track->sha256), r->sha256, sizeof(r->sha256));
    leave_others(t, track, r, same);
}

static bool is_proof(uint8_t kind)
{
    return kind == BEACON_ALIVE || kind == BEACON_HEALTHY;
}

static enum fleet_signal signal_of(const struct fleet_record *r)
{
    static const enum fleet_signal signals[FLEET_KINDS] = {
        [BEACON_ALIVE] = FLEET_ON_ALIVE,     [BEACON_HEALTHY] = FLEET_ON_HEALTHY,
        [BEACON_REFUSED] = FLEET_ON_REFUSED, [BEACON_FAILED] = FLEET_ON_FAILED,
        [BEACON_CRASH] = FLEET_ON_CRASH,     [BEACON_REVERTED] = FLEET_ON_REVERTED,
        [BEACON_STORM] = FLEET_ON_STORM,     [BEACON_SLOW] = FLEET_ON_SLOW,
        [BEACON_UNABLE] = FLEET_ON_UNABLE,   [BEACON_MUTE] = FLEET_ON_SENSOR_MUTE,
    };
    bool unreached = r->kind == BEACON_FAILED && (r->trust & FLEET_UNREACHED) != 0;
    return unreached ? FLEET_ON_UNREACHED : signals[r->kind];
}

/* A crash, storm, slowness or muteness with other content of an endpoint that has not been exposed to the newest
 * release: control fails too. */
static void take_control_failure(struct fleet_table *t, const struct fleet_endpoint *e,
                                 struct fleet_track *track, const struct fleet_record *r)
{
    const struct fleet_release *newest = fleet_control_for(t, e, r->family);
    if (newest == NULL || newest->release == r->release) { return; }
    bool crash = r->kind == BEACON_CRASH;
    signal_slot(t, slot_for(t, e, track, newest),
                crash ? FLEET_ON_CONTROL_CRASH : FLEET_ON_CONTROL_NOISE);
}

static void take_content(struct fleet_table *t, struct fleet_endpoint *e,
                         const struct fleet_record *r)
{
    struct fleet_track *track = track_of(t, e, r->family);
    const struct fleet_release *release = fleet_table_release(t, r->family, r->release);
    /* Votes count for exactly the bytes of the release: another hash is another content. */
    bool same = release != NULL && memcmp(release->sha256, r->sha256, sizeof(r->sha256)) == 0;
    if (is_proof(r->kind)) { take_proof(t, track, r, same); }
    if (r->kind == BEACON_CRASH || r->kind == BEACON_STORM || r->kind == BEACON_SLOW ||
        r->kind == BEACON_MUTE) {
        take_control_failure(t, e, track, r);
    }
    if (!same) { return; }
    struct fleet_slot *slot = fleet_table_slot(t, track, r->release);
    if (slot == NULL && e->ring == FLEET_NO_NAME) { return; } /* nowhere to book it */
    if (slot == NULL) { slot = slot_for(t, e, track, release); }
    if (r->kind == BEACON_SLOW) { leave_others(t, track, r, true); } /* it goes on with this one */
    signal_slot(t, slot, signal_of(r));
    bool aged = is_proof(r->kind) && release->after_s > 0 && slot->granted_s > 0 &&
                r->now_s - slot->granted_s >= release->after_s;
    if (aged) { signal_slot(t, slot, FLEET_ON_AGED); }
}

/* An empty set is loaded: no release of any family is active. */
static void take_empty(struct fleet_table *t, struct fleet_endpoint *e,
                       const struct fleet_record *r)
{
    struct fleet_record none = *r;
    none.release = 0;
    for (uint32_t at = e->track; at != 0; at = t->tracks[at - 1].next) {
        take_proof(t, &t->tracks[at - 1], &none, false);
    }
}

static void apply_beacon(struct fleet_table *t, const struct fleet_record *r)
{
    struct fleet_endpoint *e = endpoint_of(t, r);
    move_endpoint(t, e, r);
    e->grade = r->grade != 0 ? r->grade : e->grade;
    /* Only `alive` says what is missing; the other kinds leave it as it was. */
    uint8_t said = r->kind == BEACON_ALIVE ? r->trust : e->trust;
    e->trust = (uint8_t)((r->trust & ~(unsigned)FLEET_TRUST_FLAGS) | (said & FLEET_NO_LOADER));
    fleet_table_remember(t, e, r->number, r->before);
    t->beacons[r->kind]++;
    fleet_control_heard(t, e, r->now_s);
    if (r->release > 0 && r->family != FLEET_NO_NAME) {
        take_content(t, e, r);
    } else if (r->release == 0 && r->kind == BEACON_ALIVE) {
        take_empty(t, e, r);
    }
}

static void remember_open(struct fleet_table *t, const struct fleet_endpoint *e,
                          const struct fleet_track *track, const struct fleet_slot *slot)
{
    RW_ASSERT(t->open_count < t->open_cap);
    t->open[t->open_count++] = (struct fleet_open_permit){
        .endpoint = (uint32_t)(e - t->endpoints),
        .track = (uint32_t)(track - t->tracks),
        .release = slot->release,
        .deadline_s = slot->deadline_s,
    };
    if (slot->deadline_s < t->earliest_s) { t->earliest_s = slot->deadline_s; }
}

static RW_RC apply_permit(struct fleet_table *t, const struct fleet_record *r, struct rw_err *err)
{
    const struct fleet_release *release = fleet_table_release(t, r->family, r->release);
    if (release == NULL) {
        return rw_fail(err, RW_E_PROTOCOL, "journal: a permit for a release that is not watched");
    }
    struct fleet_endpoint *e = endpoint_of(t, r);
    move_endpoint(t, e, r);
    struct fleet_track *track = track_of(t, e, r->family);
    struct fleet_slot *slot = slot_for(t, e, track, release);
    if ((slot->marks & FLEET_EXPOSED) == 0) { /* booked where it is exposed first, for good */
        fleet_control_expose(t, e, release, r->now_s);
        unsigned marks = slot->marks;
        set_marks(t, slot, 0);
        slot->ring = r->ring;
        slot->cohort = r->cohort;
        set_marks(t, slot, marks);
    } else {
        fleet_control_again(slot, release, r->deadline_s);
    }
    slot->permit = r->number;
    slot->granted_s = r->now_s;
    slot->deadline_s = r->deadline_s;
    signal_slot(t, slot, FLEET_ON_PERMIT);
    if (r->number >= t->next_permit) { t->next_permit = r->number + 1; }
    if (fleet_outcome_rule_pending(slot->marks)) { remember_open(t, e, track, slot); }
    return RW_OK;
}

static RW_RC apply_expire(struct fleet_table *t, const struct fleet_record *r, struct rw_err *err)
{
    struct fleet_endpoint *e = fleet_table_find(t, r->endpoint);
    struct fleet_track *track = e == NULL ? NULL : fleet_table_track(t, e, r->family);
    struct fleet_slot *slot = track == NULL ? NULL : fleet_table_slot(t, track, r->release);
    if (slot == NULL) {
        return rw_fail(err, RW_E_PROTOCOL, "journal: a deadline of a permit that was never given");
    }
    fleet_table_touch(t, e);
    signal_slot(t, slot, FLEET_ON_DEADLINE);
    return RW_OK;
}

/* Calls `each` for every slot of the release. */
static void each_slot(struct fleet_table *t, const struct fleet_release *release,
                      void (*each)(struct fleet_table *t, struct fleet_endpoint *e,
                                   struct fleet_slot *slot, const struct fleet_record *r),
                      const struct fleet_record *r)
{
    for (size_t i = 0; i < t->endpoint_count; i++) {
        struct fleet_endpoint *e = &t->endpoints[i];
        struct fleet_track *track = fleet_table_track(t, e, release->family);
        struct fleet_slot *slot =
            track == NULL ? NULL : fleet_table_slot(t, track, release->release);
        if (slot == NULL || fleet_table_settled(t, e)) { continue; }
        fleet_table_touch(t, e);
        each(t, e, slot, r);
    }
}

static void mute_slot(struct fleet_table *t, struct fleet_endpoint *e, struct fleet_slot *slot,
                      const struct fleet_record *r)
{
    if (e->tenant == r->tenant) { signal_slot(t, slot, FLEET_ON_MUTE); }
}

static RW_RC apply_mute(struct fleet_table *t, const struct fleet_record *r, struct rw_err *err)
{
    for (size_t i = 0; i < t->release_count; i++) {
        struct fleet_release *release = &t->releases[i];
        if (release->family != r->family || release->release != r->release) { continue; }
        if (release->muted_count >= FLEET_TENANTS_MUTED_MAX) { break; }
        release->muted[release->muted_count++] = r->tenant;
        each_slot(t, release, mute_slot, r);
        return RW_OK;
    }
    return rw_fail(err, RW_E_PROTOCOL, "journal: a tenant muted for a release that is not watched");
}

/* INV-11: who fails where everybody else is healthy loses its votes, until clean releases follow. */
static void strike_slot(struct fleet_table *t, struct fleet_endpoint *e, struct fleet_slot *slot,
                        const struct fleet_record *r)
{
    const unsigned failures =
        FLEET_FAILED | FLEET_REFUSED | FLEET_LATE | FLEET_STORM | FLEET_SLOW | FLEET_SENSOR_MUTE;
    bool failed = (slot->marks & failures) != 0;
    (void)t;
    (void)r;
    if (!failed && (slot->marks & FLEET_CONFIRMED) == 0) { return; }
    const struct verdict_rule_strikes before = {.count = e->strikes, .muted = e->muted != 0};
    struct verdict_rule_strikes after = verdict_rule_strike(before, failed);
    e->strikes = after.count;
    e->muted = after.muted;
}

static RW_RC apply_close(struct fleet_table *t, const struct fleet_record *r, struct rw_err *err)
{
    const struct fleet_release *release = fleet_table_release(t, r->family, r->release);
    if (release == NULL) {
        return rw_fail(err, RW_E_PROTOCOL, "journal: the end of a release that is not watched");
    }
    each_slot(t, release, strike_slot, r);
    return RW_OK;
}

static RW_RC apply_watch(struct fleet_table *t, const struct fleet_record *r, struct rw_err *err)
{
    struct fleet_release release = {.family = r->family,
                                    .release = r->release,
                                    .watched_s = r->now_s,
                                    .window_s = r->deadline_s,
                                    .after_s = r->after_s};
    if (fleet_table_release(t, r->family, r->release) != NULL) {
        return rw_fail(err, RW_E_PROTOCOL, "journal: release %lld is watched already",
                       (long long)r->release);
    }
    rw_copy(release.sha256, sizeof(release.sha256), r->sha256, sizeof(r->sha256));
    return fleet_table_watch(t, &release, err);
}

static bool known(const struct fleet_table *t, enum fleet_space space, uint16_t number,
                  bool none_allowed)
{
    return number < t->names[space].count || (none_allowed && number == FLEET_NO_NAME);
}

/* Numbers of a record must have been defined before it. */
static RW_RC check_numbers(const struct fleet_table *t, const struct fleet_record *r,
                           struct rw_err *err)
{
    bool beacon = r->type == FLEET_BEACON;
    bool placed = beacon || r->type == FLEET_PERMIT;
    bool in_cohort = placed || r->type == FLEET_REUSE;
    bool named = placed || r->type == FLEET_ENROL || r->type == FLEET_MUTE;
    bool about = placed || r->type == FLEET_WATCH || r->type == FLEET_EXPIRE ||
                 r->type == FLEET_MUTE || r->type == FLEET_CLOSE;
    bool good = (!named || known(t, FLEET_TENANTS, r->tenant, false)) &&
                (!in_cohort || known(t, FLEET_COHORTS, r->cohort, false)) &&
                (!placed || known(t, FLEET_RINGS, r->ring, beacon)) &&
                (!about || known(t, FLEET_FAMILIES, r->family, beacon)) &&
                (!about || beacon || r->release > 0);
    if (!good) {
        return rw_fail(err, RW_E_PROTOCOL, "journal: a record of type %d with an unknown number",
                       (int)r->type);
    }
    return RW_OK;
}

static RW_RC apply_define(struct fleet_table *t, const struct fleet_record *r, struct rw_err *err)
{
    enum fleet_space space = (enum fleet_space)r->space;
    if (fleet_table_name(t, space, r->name) != FLEET_NO_NAME) {
        return rw_fail(err, RW_E_PROTOCOL, "journal: '%s' is defined twice", r->name);
    }
    RW_TRY(fleet_table_define(t, space, r->name, err));
    if (space == FLEET_COHORTS) {
        fleet_cohorts_named(t, (uint16_t)(t->names[FLEET_COHORTS].count - 1));
    }
    return RW_OK;
}

/* INV-11: what an endpoint's slice has in it is not applied to it a second time. What the record does beside the
 * endpoint, to counts and windows, is in the head, which takes the place of what replay has made of them. */
static bool settled(const struct fleet_table *t, const struct fleet_record *r)
{
    bool about_one = r->type == FLEET_ENROL || r->type == FLEET_BEACON || r->type == FLEET_PERMIT ||
                     r->type == FLEET_EXPIRE;
    if (!about_one || t->row > t->settled_row) { return false; }
    const struct fleet_endpoint *e = fleet_table_find(t, r->endpoint);
    return e != NULL && fleet_table_settled(t, e);
}

RW_RC fleet_fold_apply(struct fleet_table *t, const struct fleet_record *r, struct rw_err *err)
{
    RW_TRY(check_numbers(t, r, err));
    if (settled(t, r)) { return RW_OK; }
    switch (r->type) {
    case FLEET_DEFINE:
        return apply_define(t, r, err);
    case FLEET_REUSE:
        return fleet_cohorts_reuse(t, r, err);
    case FLEET_WATCH:
        return apply_watch(t, r, err);
    case FLEET_ENROL:
        (void)endpoint_of(t, r);
        return RW_OK;
    case FLEET_BEACON:
        apply_beacon(t, r);
        return RW_OK;
    case FLEET_PERMIT:
        return apply_permit(t, r, err);
    case FLEET_EXPIRE:
        return apply_expire(t, r, err);
    case FLEET_MUTE:
        return apply_mute(t, r, err);
    case FLEET_CLOSE:
        return apply_close(t, r, err);
    }
    return rw_fail(err, RW_E_PROTOCOL, "journal: record of type %d", (int)r->type);
}

/* The releases that are watched now are those that were when the record was written: replay goes the same way. */
static RW_RC recall_hash(const struct fleet_table *t, struct fleet_record *r, struct rw_err *err)
{
    const struct fleet_release *release = fleet_table_release(t, r->family, r->release);
    if (release == NULL) {
        return rw_fail(err, RW_E_PROTOCOL,
                       "journal: a beacon about the bytes of a release that is not watched");
    }
    rw_copy(r->sha256, sizeof(r->sha256), release->sha256, sizeof(release->sha256));
    return RW_OK;
}

static RW_RC replay(struct fleet_table *t, struct rw_span batch, struct rw_err *err)
{
    struct fleet_journal_reader reader = {.rest = batch};
    struct fleet_record r;
    bool end = false;
    RW_TRY(fleet_journal_open(batch, &reader, err));
    for (;;) {
        RW_TRY(fleet_journal_next(&reader, &r, &end, err));
        if (end) { return RW_OK; }
        if (r.same) { RW_TRY(recall_hash(t, &r, err)); }
        RW_TRY(fleet_table_reserve(t, err));
        RW_TRY(fleet_fold_apply(t, &r, err));
    }
}

RW_RC fleet_fold_replay(struct fleet_table *t, int64_t row, struct rw_span batch,
                        struct rw_err *err)
{
    t->row = row;
    struct rw_rc rc = replay(t, batch, err);
    return rw_is_ok(rc) ? RW_OK : rw_wrap(err, "journal row %lld", (long long)row);
}

static RW_RC open_again(struct fleet_table *t, size_t endpoint, uint32_t track, struct rw_err *err)
{
    for (size_t k = 0; k < t->tracks[track].slot_room; k++) {
        const struct fleet_slot *s = &fleet_table_slots_of(t, &t->tracks[track])[k];
        if (s->release == 0 || !fleet_outcome_rule_pending(s->marks)) { continue; }
        /* Making room may move the arrays that pointers look into. */
        RW_TRY(fleet_table_reserve(t, err));
        const struct fleet_track *at = &t->tracks[track];
        remember_open(t, &t->endpoints[endpoint], at, &fleet_table_slots_of(t, at)[k]);
    }
    return RW_OK;
}

RW_RC fleet_fold_reopen(struct fleet_table *t, struct rw_err *err)
{
    t->open_count = 0;
    t->earliest_s = INT64_MAX;
    for (size_t i = 0; i < t->endpoint_count; i++) {
        for (uint32_t at = t->endpoints[i].track; at != 0; at = t->tracks[at - 1].next) {
            RW_TRY(open_again(t, i, at - 1, err));
        }
    }
    fleet_cohorts_recount(t);
    return RW_OK;
}
