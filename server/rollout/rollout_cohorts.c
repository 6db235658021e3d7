/* Which releases endpoints may ask for, and what became of them in each cohort. */
#include "server/rollout/rollout_live.h"
#include "server/rollout/rollout_run.h"
#include "server/rollout/rollout_view.h"

#include <stdio.h>
#include <string.h>

/* --- offers --- */

static void put_offer(const struct rollout *ro, struct rollout_run_offer *out)
{
    enum rollout_rule_state s = rollout_doc_overall(ro);
    *out = (struct rollout_run_offer){.family = ro->family,
                                      .release = ro->release,
                                      .state = rollout_view_state((int)s),
                                      .drill = ro->drill.on,
                                      .running = s != ROLLOUT_COMPLETE};
}

static bool is_known(const struct rollout_run_offer *offers, size_t count, const char *family)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(offers[i].family, family) == 0) { return true; }
    }
    return false;
}

size_t rollout_run_offers(const struct rollout_run *r,
                          struct rollout_run_offer out[static ROLLOUT_OFFERS_MAX])
{
    size_t n = 0;
    for (size_t i = r->count; i > 0 && n < ROLLOUT_OFFERS_MAX; i--) {
        const struct rollout *ro = r->all[i - 1];
        if (rollout_doc_overall(ro) == ROLLOUT_ROLLED_BACK || is_known(out, n, ro->family)) {
            continue;
        }
        put_offer(ro, &out[n++]);
        if (rollout_doc_overall(ro) == ROLLOUT_COMPLETE || n == ROLLOUT_OFFERS_MAX) { continue; }
        const struct rollout *before = rollout_live_find(r, ro->family, ro->previous);
        if (before != NULL && rollout_live_serves(r, before)) { put_offer(before, &out[n++]); }
    }
    return n;
}

/* --- cohorts --- */

enum { LOOKS_MAX = 4096 }; /* counts of a release in a ring and cohort that one page asks for */

/* One release in one cohort, all rings together. */
struct sum {
    struct fleet_counts counts;
    int64_t control; /* control endpoints that were heard of lately */
};

static void add(struct sum *s, const struct fleet_counts *c)
{
    s->counts.members += c->members;
    s->counts.exposed += c->exposed;
    s->counts.pending += c->pending;
    s->counts.healthy += c->healthy;
    s->counts.failed += c->failed + c->late_crash;
    s->counts.refused += c->refused;
    s->counts.dark += c->dark;
    s->counts.storm += c->storm;
    s->counts.slow += c->slow;
    s->counts.mute += c->mute;
}

static struct sum sum_of(const struct rollout_run *r, const struct rollout *ro,
                         const struct beacon_cohort *cohort, struct rw_wall now)
{
    struct sum s = {.control = 0};
    for (size_t i = 0; i < ro->ring_count; i++) {
        const char *ring = ro->rings[i].name;
        const struct fleet_place place = {
            .family = ro->family, .release = ro->release, .ring = ring};
        struct fleet_counts c = fleet_state_counts(r->fleet, ro->family, ro->release, ring, cohort);
        if (ro->rings[i].opened.s == 0 && c.exposed == 0 && c.refused == 0) { continue; }
        add(&s, &c);
        s.control += fleet_state_observed(r->fleet, &place, cohort, now).control_open;
    }
    return s;
}

static void put_release(const struct rollout *ro, const struct beacon_cohort *cohort,
                        const struct sum *s, struct json_writer *w)
{
    size_t known = rollout_facts_known(ro, cohort);
    json_open_object(w, NULL);
    json_put_str(w, "family", ro->family);
    json_put_int(w, "release", ro->release);
    json_put_str(w, "state", rollout_view_state((int)rollout_doc_overall(ro)));
    json_put_bool(w, "halted", known < ro->cohort_count && ro->cohorts[known].halted);
    json_put_int(w, "members", s->counts.members);
    json_put_int(w, "exposed", s->counts.exposed);
    json_put_int(w, "pending", s->counts.pending);
    json_put_int(w, "healthy", s->counts.healthy);
    json_put_int(w, "failed", s->counts.failed);
    json_put_int(w, "refused", s->counts.refused);
    json_put_int(w, "dark", s->counts.dark);
    json_put_int(w, "storm", s->counts.storm);
    json_put_int(w, "slow", s->counts.slow);
    json_put_int(w, "mute", s->counts.mute);
    json_put_int(w, "control", s->control);
    json_close_object(w);
}

/* A place without endpoints that no shown release was seen in is left out. */
static void put_cohort(const struct rollout_run *r, const struct rollout *const *shown,
                       size_t count, size_t place, struct rw_wall now, struct json_writer *w)
{
    struct sum sums[ROLLOUT_OFFERS_MAX];
    int64_t members = 0;
    bool seen = false;
    const struct beacon_cohort cohort = fleet_state_cohort_at(r->fleet, place, &members);
    for (size_t i = 0; i < count; i++) {
        sums[i] = sum_of(r, shown[i], &cohort, now);
        seen = seen || sums[i].counts.exposed > 0 || sums[i].counts.refused > 0;
    }
    if (members == 0 && !seen) { return; }
    json_open_object(w, NULL);
    rollout_view_cohort(w, &cohort);
    json_put_int(w, "endpoints", members);
    json_open_array(w, "releases");
    for (size_t i = 0; i < count; i++) {
        put_release(shown[i], &cohort, &sums[i], w);
    }
    json_close_array(w);
    json_close_object(w);
}

/* The newest release of each family that endpoints may ask for. */
static size_t choose(const struct rollout_run *r, const char *family,
                     const struct rollout *shown[static ROLLOUT_OFFERS_MAX])
{
    struct rollout_run_offer offers[ROLLOUT_OFFERS_MAX];
    size_t count = rollout_run_offers(r, offers);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (family[0] != '\0' && strcmp(offers[i].family, family) != 0) { continue; }
        if (n > 0 && strcmp(shown[n - 1]->family, offers[i].family) == 0) { continue; }
        shown[n++] = rollout_live_find(r, offers[i].family, offers[i].release);
    }
    return n;
}

/* How many places a page may cover, so that it keeps nobody waiting. */
static size_t places_of(const struct rollout *const *shown, size_t count, size_t limit)
{
    size_t looks = 1;
    for (size_t i = 0; i < count; i++) {
        looks += shown[i]->ring_count;
    }
    size_t most = 1 + LOOKS_MAX / looks;
    return limit < most ? limit : most;
}

RW_RC rollout_run_write_cohorts(const struct rollout_run *r, const struct rollout_run_cohorts *page,
                                struct json_writer *w, struct rw_err *err)
{
    const struct rollout *shown[ROLLOUT_OFFERS_MAX];
    size_t count = choose(r, page->family, shown);
    size_t places = fleet_state_cohort_places(r->fleet);
    size_t at = (uint64_t)page->after < places ? (size_t)page->after : places;
    size_t span = places_of(shown, count, (size_t)page->limit);
    size_t end = places - at > span ? at + span : places;
    char next[24];
    if (count == 0 && page->family[0] != '\0') {
        RW_IGNORE(
            rw_fail(err, RW_E_NOT_FOUND, "no release of a family '%s' is rolled out", page->family),
            "hint");
        return rw_hint(err, "'ringward rollout history' shows what was rolled out");
    }
    json_open_object(w, NULL);
    json_open_array(w, "cohorts");
    for (; at < end; at++) {
        put_cohort(r, shown, count, at, page->now, w);
    }
    json_close_array(w);
    (void)snprintf(next, sizeof(next), "%zu", end);
    if (end < places) { json_put_str(w, "next", next); }
    json_close_object(w);
    return RW_OK;
}
