#include "server/health/fleet_permit.h"

#include "common/base/num.h"
#include "server/health/fleet_hot.h"

#include <string.h>

RW_RC fleet_state_know_ring(struct fleet_state *f, const char *ring, struct rw_err *err)
{
    uint16_t number = 0;
    return fleet_hot_name(f, FLEET_RINGS, ring, &number, err);
}

RW_RC fleet_state_watch(struct fleet_state *f, const struct fleet_watch *watch, struct rw_err *err)
{
    struct fleet_record r = {.type = FLEET_WATCH,
                             .release = watch->release,
                             .now_s = watch->now.s,
                             .deadline_s = watch->window_s,
                             .after_s = watch->after_s};
    RW_TRY(fleet_hot_name(f, FLEET_FAMILIES, watch->family, &r.family, err));
    const struct fleet_release *known = fleet_table_release(&f->table, r.family, watch->release);
    if (known != NULL) {
        if (memcmp(known->sha256, watch->sha256, sizeof(known->sha256)) == 0) { return RW_OK; }
        return rw_fail(err, RW_E_POLICY, "%s/%lld was watched before with other bytes",
                       watch->family, (long long)watch->release);
    }
    rw_copy(r.sha256, sizeof(r.sha256), watch->sha256, BEACON_HASH_BYTES);
    return fleet_hot_change(f, &r, err);
}

static bool is_muted(const struct fleet_release *r, uint16_t tenant)
{
    for (uint32_t i = 0; i < r->muted_count; i++) {
        if (r->muted[i] == tenant) { return true; }
    }
    return false;
}

RW_RC fleet_state_mute(struct fleet_state *f, const char *family, int64_t release,
                       const char *tenant, struct rw_err *err)
{
    struct fleet_record r = {.type = FLEET_MUTE, .release = release};
    if (f->lost) { RW_TRY(fleet_state_reload(f, err)); }
    r.family = fleet_table_name(&f->table, FLEET_FAMILIES, family);
    r.tenant = fleet_table_name(&f->table, FLEET_TENANTS, tenant);
    const struct fleet_release *watched = fleet_table_release(&f->table, r.family, release);
    if (watched == NULL || r.tenant == FLEET_NO_NAME) {
        return rw_fail(err, RW_E_NOT_FOUND, "no votes of tenant '%s' on %s/%lld", tenant, family,
                       (long long)release);
    }
    if (is_muted(watched, r.tenant)) { return RW_OK; }
    if (watched->muted_count >= FLEET_TENANTS_MUTED_MAX) {
        return rw_fail(err, RW_E_FULL, "%d tenants of %s/%lld are muted already",
                       FLEET_TENANTS_MUTED_MAX, family, (long long)release);
    }
    return fleet_hot_change(f, &r, err);
}

RW_RC fleet_state_close(struct fleet_state *f, const char *family, int64_t release,
                        struct rw_wall now, struct rw_err *err)
{
    struct fleet_record r = {.type = FLEET_CLOSE, .release = release, .now_s = now.s};
    if (f->lost) { RW_TRY(fleet_state_reload(f, err)); }
    r.family = fleet_table_name(&f->table, FLEET_FAMILIES, family);
    if (fleet_table_release(&f->table, r.family, release) == NULL) { return RW_OK; }
    return fleet_hot_change(f, &r, err);
}

static enum fleet_permit_past past_of(const struct fleet_slot *slot,
                                      const struct fleet_release *release, struct rw_wall now)
{
    const unsigned never =
        FLEET_SPENT | FLEET_FAILED | FLEET_REFUSED | FLEET_STORM | FLEET_SENSOR_MUTE;
    if ((slot->marks & never) != 0 || slot->serial != release->serial) {
        return FLEET_PERMIT_NEVER;
    }
    if ((slot->marks & FLEET_TRIAL) != 0 && now.s < slot->deadline_s) { return FLEET_PERMIT_OPEN; }
    return (slot->marks & FLEET_EXPOSED) != 0 ? FLEET_PERMIT_AGAIN : FLEET_PERMIT_FRESH;
}

RW_RC fleet_state_permit_look(const struct fleet_state *f, const struct fleet_ask *ask,
                              struct fleet_permit *out, struct rw_err *err)
{
    const struct beacon_permit_request *request = ask->request;
    const struct fleet_table *t = &f->table;
    const struct fleet_endpoint *e = NULL;
    struct fleet_permit p = {.past = FLEET_PERMIT_FRESH};
    uint16_t family = fleet_table_name(t, FLEET_FAMILIES, request->family);
    const struct fleet_release *release = fleet_table_release(t, family, request->release);
    RW_TRY(fleet_hot_check_owner(f, ask->who, &e, err));
    struct fleet_track *track = e == NULL ? NULL : fleet_table_track(t, e, family);
    const struct fleet_slot *slot =
        track == NULL ? NULL : fleet_table_slot(t, track, request->release);
    bool forgotten = slot == NULL && track != NULL && request->release <= track->forgotten;
    if (release == NULL || request->release <= 0 || forgotten) {
        p.past = FLEET_PERMIT_NEVER;
    } else if (slot != NULL) {
        p.past = past_of(slot, release, ask->now);
        p.number = slot->permit;
        p.deadline_s = slot->deadline_s;
    }
    *out = p;
    return RW_OK;
}

RW_RC fleet_state_permit_grant(struct fleet_state *f, const struct fleet_ask *ask,
                               uint64_t *number_out, struct rw_err *err)
{
    const struct beacon_permit_request *request = ask->request;
    const struct fleet_who *who = ask->who;
    struct fleet_permit look = {.past = FLEET_PERMIT_NEVER};
    struct fleet_record r = {
        .type = FLEET_PERMIT, .release = request->release, .now_s = ask->now.s};
    if (f->lost) { RW_TRY(fleet_state_reload(f, err)); }
    RW_TRY(fleet_state_permit_look(f, ask, &look, err));
    r.ring = fleet_table_name(&f->table, FLEET_RINGS, request->ring);
    r.family = fleet_table_name(&f->table, FLEET_FAMILIES, request->family);
    if ((look.past != FLEET_PERMIT_FRESH && look.past != FLEET_PERMIT_AGAIN) ||
        r.ring == FLEET_NO_NAME || !rw_add_i64(ask->now.s, ask->deadline_s, &r.deadline_s)) {
        return rw_fail(err, RW_E_POLICY, "no permit may be granted to this endpoint");
    }
    RW_TRY(fleet_hot_name(f, FLEET_TENANTS, who->tenant, &r.tenant, err));
    RW_TRY(fleet_hot_cohort(f, who, &request->cohort, ask->now, &r.cohort, err));
    rw_copy(r.endpoint, sizeof(r.endpoint), who->endpoint, sizeof(who->endpoint));
    r.number = f->table.next_permit;
    RW_TRY(fleet_hot_change(f, &r, err));
    *number_out = r.number;
    return RW_OK;
}

/* --- counts --- */

static uint32_t serial_of(const struct fleet_table *t, const char *family, int64_t release)
{
    const struct fleet_release *r =
        fleet_table_release(t, fleet_table_name(t, FLEET_FAMILIES, family), release);
    return r == NULL ? UINT32_MAX : r->serial;
}

static struct fleet_counts counts_of(const struct fleet_table *t, uint32_t serial, uint16_t ring,
                                     uint16_t cohort)
{
    const struct fleet_counts *counted = fleet_table_counts(t, serial, ring, cohort);
    const struct fleet_counts *members = fleet_table_counts(t, 0, ring, cohort);
    struct fleet_counts c = {.members = 0};
    if (counted != NULL) { c = *counted; }
    c.members = members != NULL ? members->members : 0;
    return c;
}

/* The number that counts of a cohort stand under; NULL: of the whole ring. */
static uint16_t cohort_number_of(const struct fleet_table *t, const struct beacon_cohort *cohort)
{
    char text[FLEET_JOURNAL_NAME_BYTES];
    if (cohort == NULL) { return FLEET_WHOLE_RING; }
    fleet_hot_cohort_text(cohort, text);
    return fleet_table_name(t, FLEET_COHORTS, text);
}

struct fleet_counts fleet_state_counts(const struct fleet_state *f, const char *family,
                                       int64_t release, const char *ring,
                                       const struct beacon_cohort *cohort)
{
    const struct fleet_table *t = &f->table;
    uint16_t ring_number = fleet_table_name(t, FLEET_RINGS, ring);
    return counts_of(t, serial_of(t, family, release), ring_number, cohort_number_of(t, cohort));
}

struct fleet_counts fleet_state_tenant_counts(const struct fleet_state *f,
                                              const struct fleet_place *place, const char *tenant)
{
    const struct fleet_table *t = &f->table;
    uint16_t ring_number = fleet_table_name(t, FLEET_RINGS, place->ring);
    uint16_t number = fleet_table_name(t, FLEET_TENANTS, tenant);
    if (number == FLEET_NO_NAME) { return (struct fleet_counts){.members = 0}; }
    return counts_of(t, serial_of(t, place->family, place->release), ring_number,
                     (uint16_t)(FLEET_OF_TENANT + number));
}

size_t fleet_state_cohort_places(const struct fleet_state *f)
{
    return f->table.names[FLEET_COHORTS].count;
}

struct beacon_cohort fleet_state_cohort_at(const struct fleet_state *f, size_t place,
                                           int64_t *members_out)
{
    const struct fleet_table *t = &f->table;
    int64_t members = 0;
    for (size_t ring = 0; ring < t->names[FLEET_RINGS].count; ring++) {
        const struct fleet_counts *c = fleet_table_counts(t, 0, (uint16_t)ring, (uint16_t)place);
        members += c == NULL ? 0 : c->members;
    }
    *members_out = members;
    return fleet_hot_cohort_of(fleet_table_text(t, FLEET_COHORTS, (uint16_t)place));
}

RW_RC fleet_state_each_cohort(const struct fleet_state *f, const struct fleet_place *place,
                              RW_RC (*each)(void *arg, const struct beacon_cohort *cohort,
                                            const struct fleet_counts *counts, struct rw_err *err),
                              void *arg, struct rw_err *err)
{
    const struct fleet_table *t = &f->table;
    uint32_t serial = serial_of(t, place->family, place->release);
    uint16_t ring_number = fleet_table_name(t, FLEET_RINGS, place->ring);
    for (size_t i = 0; i < t->names[FLEET_COHORTS].count; i++) {
        struct fleet_counts c = counts_of(t, serial, ring_number, (uint16_t)i);
        if (c.members == 0 && c.exposed == 0 && c.refused == 0) { continue; }
        struct beacon_cohort cohort = fleet_hot_cohort_of(t->names[FLEET_COHORTS].text[i]);
        RW_TRY(each(arg, &cohort, &c, err));
    }
    return RW_OK;
}

RW_RC fleet_state_each_tenant(const struct fleet_state *f, const struct fleet_place *place,
                              RW_RC (*each)(void *arg, const char *tenant,
                                            const struct fleet_counts *counts, struct rw_err *err),
                              void *arg, struct rw_err *err)
{
    const struct fleet_table *t = &f->table;
    uint32_t serial = serial_of(t, place->family, place->release);
    uint16_t ring_number = fleet_table_name(t, FLEET_RINGS, place->ring);
    for (size_t i = 0; i < t->names[FLEET_TENANTS].count; i++) {
        struct fleet_counts c = counts_of(t, serial, ring_number, (uint16_t)(FLEET_OF_TENANT + i));
        if (c.members == 0 && c.exposed == 0 && c.refused == 0) { continue; }
        RW_TRY(each(arg, t->names[FLEET_TENANTS].text[i], &c, err));
    }
    return RW_OK;
}

static const struct fleet_window_entry *windows_of(const struct fleet_table *t,
                                                   const struct fleet_place *place,
                                                   const struct beacon_cohort *cohort)
{
    uint16_t ring = fleet_table_name(t, FLEET_RINGS, place->ring);
    uint32_t serial = serial_of(t, place->family, place->release);
    return fleet_windows_find(&t->windows,
                              fleet_table_key(serial, ring, cohort_number_of(t, cohort)));
}

struct fleet_observed fleet_state_observed(const struct fleet_state *f,
                                           const struct fleet_place *place,
                                           const struct beacon_cohort *cohort, struct rw_wall now)
{
    const struct fleet_table *t = &f->table;
    uint16_t family = fleet_table_name(t, FLEET_FAMILIES, place->family);
    const struct fleet_release *r = fleet_table_release(t, family, place->release);
    const struct fleet_window_entry *e = windows_of(t, place, cohort);
    struct fleet_observed o = {.width_s = fleet_window_width_s(r == NULL ? 0 : r->window_s)};
    if (e != NULL) { o.control_open = fleet_window_open_control(e, now.s, o.width_s); }
    return o;
}

bool fleet_state_bucket(const struct fleet_state *f, const struct fleet_place *place,
                        const struct beacon_cohort *cohort, int64_t id, struct fleet_bucket *out)
{
    const struct fleet_window_entry *e = windows_of(&f->table, place, cohort);
    const struct fleet_bucket *b = e == NULL ? NULL : fleet_window_peek(e, id);
    if (b == NULL) { return false; }
    *out = *b;
    return true;
}

struct rw_wall fleet_state_ring_seen(const struct fleet_state *f, const char *ring)
{
    uint16_t number = fleet_table_name(&f->table, FLEET_RINGS, ring);
    return (struct rw_wall){number == FLEET_NO_NAME ? 0 : f->table.ring_seen_s[number]};
}
