#include "server/health/fleet_state.h"

#include "common/base/num.h"
#include "server/health/fleet_hot.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_MAX = 1000 };

void fleet_hot_put_time(struct json_writer *w, const char *name, int64_t s)
{
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, (struct rw_wall){s});
    json_put_str(w, name, text);
}

static void put_hex(struct json_writer *w, const char *name, const uint8_t *bytes, size_t n)
{
    char hex[2 * BEACON_HASH_BYTES + 1];
    rw_hex_encode(hex, sizeof(hex), bytes, n);
    json_put_str(w, name, hex);
}

void fleet_hot_put_id(struct json_writer *w, const struct fleet_endpoint *e)
{
    put_hex(w, "endpoint", e->id, sizeof(e->id));
}

static void put_marks(struct json_writer *w, unsigned marks)
{
    static const struct {
        unsigned mark;
        const char *name;
    } names[] = {
        {FLEET_EXPOSED, "exposed"},   {FLEET_CONFIRMED, "healthy"},
        {FLEET_FAILED, "failed"},     {FLEET_REFUSED, "refused"},
        {FLEET_DARK, "dark"},         {FLEET_LATE, "late_crash"},
        {FLEET_REVERTED, "reverted"}, {FLEET_ACTIVE, "active"},
        {FLEET_AGED, "aged"},         {FLEET_CONTROL_CRASH, "control_crash"},
        {FLEET_STORM, "storm"},       {FLEET_SLOW, "slow"},
        {FLEET_MUTED, "muted"},       {FLEET_CONTROL_NOISE, "control_noise"},
        {FLEET_UNABLE, "unable"},     {FLEET_SENSOR_MUTE, "mute"},
    };
    json_open_array(w, "marks");
    for (size_t i = 0; i < RW_LEN(names); i++) {
        if ((marks & names[i].mark) != 0) { json_put_str(w, NULL, names[i].name); }
        if (i == 0 && fleet_outcome_rule_pending(marks)) { json_put_str(w, NULL, "pending"); }
    }
    json_close_array(w);
}

static void put_permit(struct json_writer *w, const struct fleet_slot *slot)
{
    char number[24];
    (void)snprintf(number, sizeof(number), "%" PRIu64, slot->permit);
    json_open_object(w, "permit");
    json_put_str(w, "number", number);
    json_put_int(w, "release", slot->release);
    fleet_hot_put_time(w, "granted", slot->granted_s);
    fleet_hot_put_time(w, "deadline", slot->deadline_s);
    json_close_object(w);
}

static void put_track(const struct fleet_state *f, struct json_writer *w,
                      const struct fleet_track *track)
{
    json_open_object(w, NULL);
    json_put_str(w, "family", fleet_table_text(&f->table, FLEET_FAMILIES, track->family));
    json_put_int(w, "release", track->active);
    put_hex(w, "sha256", track->sha256, sizeof(track->sha256));
    json_put_int(w, "generation", track->generation);
    const struct fleet_slot *slots = fleet_table_slots_of(&f->table, track);
    for (size_t i = 0; i < track->slot_room; i++) {
        const struct fleet_slot *s = &slots[i];
        if (s->release > 0 && (s->marks & FLEET_TRIAL) != 0) {
            put_permit(w, s);
            break;
        }
    }
    json_open_array(w, "outcomes");
    for (size_t i = 0; i < track->slot_room; i++) {
        if (slots[i].release == 0) { continue; }
        json_open_object(w, NULL);
        json_put_int(w, "release", slots[i].release);
        put_marks(w, slots[i].marks);
        if (slots[i].permit != 0) {
            fleet_hot_put_time(w, "granted", slots[i].granted_s);
            fleet_hot_put_time(w, "deadline", slots[i].deadline_s);
        }
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
}

void fleet_hot_put_cohort(struct json_writer *w, const char *text)
{
    struct beacon_cohort c = fleet_hot_cohort_of(text);
    json_open_object(w, "cohort");
    json_put_str(w, "os", c.os);
    json_put_str(w, "arch", c.arch);
    json_put_str(w, "engine", c.engine);
    json_close_object(w);
}

/* Leaves the object open. */
static void put_endpoint(const struct fleet_state *f, struct json_writer *w,
                         const struct fleet_endpoint *e)
{
    const struct fleet_table *t = &f->table;
    json_open_object(w, NULL);
    fleet_hot_put_id(w, e);
    json_put_str(w, "tenant", fleet_table_text(t, FLEET_TENANTS, e->tenant));
    json_put_str(w, "ring", fleet_table_text(t, FLEET_RINGS, e->ring));
    fleet_hot_put_cohort(w, fleet_table_text(t, FLEET_COHORTS, e->cohort));
    fleet_hot_put_time(w, "seen", e->seen_s);
    json_put_bool(w, "muted", e->muted != 0);
    json_put_str(w, "grade", fleet_hot_grade(e->grade));
    json_put_str(w, "trust", fleet_hot_trust(e->trust));
    json_put_bool(w, "no_loader", (e->trust & FLEET_NO_LOADER) != 0);
    json_open_array(w, "content");
    for (uint32_t at = e->track; at != 0; at = t->tracks[at - 1].next) {
        put_track(f, w, &t->tracks[at - 1]);
    }
    json_close_array(w);
}

size_t fleet_state_endpoints(const struct fleet_state *f)
{
    return f->table.endpoint_count;
}

bool fleet_hot_visible(const struct fleet_state *f, const struct fleet_endpoint *e,
                       const char *tenant)
{
    return tenant[0] == '\0' ||
           strcmp(fleet_table_text(&f->table, FLEET_TENANTS, e->tenant), tenant) == 0;
}

/* In order of first sight, so that a page goes on where the one before ended: the core thread, which grants permits,
 * looks at a bounded number of endpoints, however many there are and however few are the tenant's. */
RW_RC fleet_state_write_page(const struct fleet_state *f, const char *tenant, int64_t after,
                             size_t limit, struct json_writer *w, struct rw_err *err)
{
    const struct fleet_table *t = &f->table;
    char next[24];
    if (limit < 1 || limit > PAGE_MAX || after < 0) {
        return rw_fail(err, RW_E_RANGE, "a page has 1..%d endpoints", PAGE_MAX);
    }
    size_t at = (uint64_t)after < t->endpoint_count ? (size_t)after : t->endpoint_count;
    size_t left = t->endpoint_count - at;
    size_t end = at + (left > FLEET_PAGE_LOOKS ? FLEET_PAGE_LOOKS : left);
    size_t count = 0;
    json_open_object(w, NULL);
    json_open_array(w, "endpoints");
    for (; at < end && count < limit; at++) {
        const struct fleet_endpoint *e = &t->endpoints[at];
        if (!fleet_hot_visible(f, e, tenant)) { continue; }
        put_endpoint(f, w, e);
        json_close_object(w);
        count++;
    }
    json_close_array(w);
    (void)snprintf(next, sizeof(next), "%zu", at);
    if (at < t->endpoint_count) { json_put_str(w, "next", next); }
    json_close_object(w);
    return RW_OK;
}

RW_RC fleet_state_write_one(const struct fleet_state *f, const char *tenant,
                            const uint8_t endpoint[static FLEET_ENDPOINT_BYTES],
                            struct fleet_who *who_out, struct json_writer *w, struct rw_err *err)
{
    const struct fleet_endpoint *e = fleet_table_find(&f->table, endpoint);
    if (e == NULL || !fleet_hot_visible(f, e, tenant)) {
        char hex[2 * FLEET_ENDPOINT_BYTES + 1];
        rw_hex_encode(hex, sizeof(hex), endpoint, FLEET_ENDPOINT_BYTES);
        RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "there is no endpoint %s", hex), "hint");
        return rw_hint(err, "'ringward fleet list' shows the endpoints that were heard of");
    }
    rw_copy(who_out->endpoint, sizeof(who_out->endpoint), e->id, sizeof(e->id));
    (void)snprintf(who_out->tenant, sizeof(who_out->tenant), "%s",
                   fleet_table_text(&f->table, FLEET_TENANTS, e->tenant));
    put_endpoint(f, w, e);
    return RW_OK;
}

bool fleet_state_request_of(const struct fleet_state *f, const struct fleet_who *who,
                            const char *family, int64_t release, struct beacon_permit_request *out)
{
    const struct fleet_table *t = &f->table;
    const struct fleet_endpoint *e = fleet_table_find(t, who->endpoint);
    if (e == NULL) { return false; }
    const struct fleet_track *track =
        fleet_table_track(t, e, fleet_table_name(t, FLEET_FAMILIES, family));
    struct beacon_permit_request q = {
        .release = release,
        .from = track == NULL ? 0 : track->active,
        .cohort = fleet_hot_cohort_of(fleet_table_text(t, FLEET_COHORTS, e->cohort))};
    (void)snprintf(q.family, sizeof(q.family), "%s", family);
    (void)snprintf(q.ring, sizeof(q.ring), "%s", fleet_table_text(t, FLEET_RINGS, e->ring));
    *out = q;
    return true;
}
