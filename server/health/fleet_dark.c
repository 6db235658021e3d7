#include "server/health/fleet_dark.h"

#include "server/health/fleet_hot.h"

#include <stdio.h>
#include <string.h>

/* The permit of the family that was granted last; NULL: there never was one. */
static const struct fleet_slot *latest(const struct fleet_table *t, const struct fleet_track *track)
{
    const struct fleet_slot *slots = fleet_table_slots_of(t, track);
    const struct fleet_slot *found = NULL;
    for (size_t i = 0; i < track->slot_room; i++) {
        if (slots[i].release == 0 || slots[i].permit == 0) { continue; }
        if (found == NULL || slots[i].permit > found->permit) { found = &slots[i]; }
    }
    return found;
}

/* NULL when it is not dark in this family. */
static const struct fleet_slot *dark_in(const struct fleet_table *t,
                                        const struct fleet_track *track)
{
    const struct fleet_slot *slot = latest(t, track);
    return slot != NULL && fleet_outcome_rule_silent(slot->marks) ? slot : NULL;
}

/* Members of an open object. */
static void put_silence(const struct fleet_state *f, const struct fleet_endpoint *e,
                        const struct fleet_track *track, const struct fleet_slot *slot,
                        struct rw_wall now, struct json_writer *w)
{
    json_put_str(w, "family", fleet_table_text(&f->table, FLEET_FAMILIES, track->family));
    json_put_int(w, "release", slot->release);
    json_put_int(w, "runs", track->active);
    fleet_hot_put_time(w, "granted", slot->granted_s);
    fleet_hot_put_time(w, "since", slot->deadline_s);
    json_put_int(w, "dark_s", now.s > slot->deadline_s ? now.s - slot->deadline_s : 0);
    fleet_hot_put_time(w, "seen", e->seen_s);
    /* It talks again, and has not proved what it got the permit for. */
    json_put_bool(w, "heard_since", e->seen_s > slot->deadline_s);
}

/* --- a page --- */

/* What is looked for, by number; FLEET_NO_NAME: any. */
struct wanted {
    uint16_t ring;
    uint16_t family;
    uint16_t cohort;
};

static RW_RC find(const struct fleet_table *t, enum fleet_space space, const char *what,
                  const char *name, uint16_t *out, struct rw_err *err)
{
    *out = name[0] == '\0' ? FLEET_NO_NAME : fleet_table_name(t, space, name);
    if (name[0] == '\0' || *out != FLEET_NO_NAME) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "no endpoint ever told of a %s '%s'", what, name),
              "hint");
    return rw_hint(err, "'ringward fleet list' shows rings, content and cohorts of the endpoints");
}

static const char *or_dash(const char *word)
{
    return word[0] != '\0' ? word : "-";
}

static void cohort_text(const char *stored, char dst[static FLEET_DARK_COHORT_BYTES])
{
    const struct beacon_cohort c = fleet_hot_cohort_of(stored);
    (void)snprintf(dst, FLEET_DARK_COHORT_BYTES, "%s/%s/%s", or_dash(c.os), or_dash(c.arch),
                   or_dash(c.engine));
}

/* By the text that people see ("other/-/-"): a slash in a word must not lead elsewhere. */
static RW_RC find_cohort(const struct fleet_table *t, const char *name, uint16_t *out,
                         struct rw_err *err)
{
    *out = FLEET_NO_NAME;
    if (name[0] == '\0') { return RW_OK; }
    for (size_t i = 0; i < t->names[FLEET_COHORTS].count; i++) {
        char text[FLEET_DARK_COHORT_BYTES];
        cohort_text(t->names[FLEET_COHORTS].text[i], text);
        if (strcmp(text, name) != 0) { continue; }
        *out = (uint16_t)i;
        return RW_OK;
    }
    RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "no endpoint ever told of a cohort '%s'", name), "hint");
    return rw_hint(err, "'ringward fleet cohorts' shows them, as OS/ARCH/ENGINE");
}

static bool fits(const struct fleet_dark_query *q, const struct fleet_track *track,
                 const struct fleet_slot *slot, uint16_t family)
{
    return (family == FLEET_NO_NAME || track->family == family) &&
           (q->release == 0 || slot->release == q->release) &&
           q->now.s - slot->deadline_s >= q->older_s;
}

/* Gives how many were written. */
static size_t put_endpoint(const struct fleet_state *f, const struct fleet_endpoint *e,
                           const struct fleet_dark_query *q, uint16_t family, struct json_writer *w)
{
    const struct fleet_table *t = &f->table;
    size_t count = 0;
    for (uint32_t at = e->track; at != 0; at = t->tracks[at - 1].next) {
        const struct fleet_track *track = &t->tracks[at - 1];
        const struct fleet_slot *slot = dark_in(t, track);
        if (slot == NULL || !fits(q, track, slot, family)) { continue; }
        json_open_object(w, NULL);
        fleet_hot_put_id(w, e);
        json_put_str(w, "tenant", fleet_table_text(t, FLEET_TENANTS, e->tenant));
        json_put_str(w, "ring", fleet_table_text(t, FLEET_RINGS, e->ring));
        fleet_hot_put_cohort(w, fleet_table_text(t, FLEET_COHORTS, e->cohort));
        put_silence(f, e, track, slot, q->now, w);
        json_close_object(w);
        count++;
    }
    return count;
}

/* Gives how many endpoints are behind the page. */
static size_t put_all(const struct fleet_state *f, const struct fleet_dark_query *q,
                      const struct wanted *wanted, struct json_writer *w)
{
    const struct fleet_table *t = &f->table;
    size_t at = (uint64_t)q->after < t->endpoint_count ? (size_t)q->after : t->endpoint_count;
    size_t end =
        t->endpoint_count - at > FLEET_DARK_LOOKS ? at + FLEET_DARK_LOOKS : t->endpoint_count;
    size_t count = 0;
    for (; at < end && count < q->limit; at++) {
        const struct fleet_endpoint *e = &t->endpoints[at];
        bool meant = (wanted->ring == FLEET_NO_NAME || e->ring == wanted->ring) &&
                     (wanted->cohort == FLEET_NO_NAME || e->cohort == wanted->cohort);
        if (!meant || !fleet_hot_visible(f, e, q->tenant)) { continue; }
        count += put_endpoint(f, e, q, wanted->family, w);
    }
    return at;
}

RW_RC fleet_dark_write_page(const struct fleet_state *f, const struct fleet_dark_query *q,
                            struct json_writer *w, struct rw_err *err)
{
    const struct fleet_table *t = &f->table;
    struct wanted wanted;
    char next[24];
    if (q->limit < 1 || q->limit > FLEET_DARK_PAGE_MAX || q->after < 0) {
        return rw_fail(err, RW_E_RANGE, "a page has 1..%d endpoints", FLEET_DARK_PAGE_MAX);
    }
    RW_TRY(find(t, FLEET_RINGS, "ring", q->ring, &wanted.ring, err));
    RW_TRY(find(t, FLEET_FAMILIES, "family", q->family, &wanted.family, err));
    RW_TRY(find_cohort(t, q->cohort, &wanted.cohort, err));
    json_open_object(w, NULL);
    json_open_array(w, "dark");
    size_t looked = put_all(f, q, &wanted, w);
    json_close_array(w);
    json_put_int(w, "looked", (int64_t)looked);
    json_put_int(w, "endpoints", (int64_t)t->endpoint_count);
    (void)snprintf(next, sizeof(next), "%zu", looked);
    if (looked < t->endpoint_count) { json_put_str(w, "next", next); }
    json_close_object(w);
    return RW_OK;
}

void fleet_dark_write_of(const struct fleet_state *f, const struct fleet_who *who,
                         struct rw_wall now, struct json_writer *w)
{
    const struct fleet_table *t = &f->table;
    const struct fleet_endpoint *e = fleet_table_find(t, who->endpoint);
    if (e != NULL) { json_put_int(w, "seen_ago_s", now.s > e->seen_s ? now.s - e->seen_s : 0); }
    json_open_array(w, "dark");
    for (uint32_t at = e == NULL ? 0 : e->track; at != 0; at = t->tracks[at - 1].next) {
        const struct fleet_track *track = &t->tracks[at - 1];
        const struct fleet_slot *slot = dark_in(t, track);
        if (slot == NULL) { continue; }
        json_open_object(w, NULL);
        put_silence(f, e, track, slot, now, w);
        json_close_object(w);
    }
    json_close_array(w);
}
