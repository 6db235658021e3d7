#include "server/rollout/rollout_view.h"
#include "server/rollout/rollout_live.h"
#include "server/rollout/rollout_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LISTED_MAX = 100 };

void rollout_view_time(struct json_writer *w, const char *name, struct rw_wall t)
{
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, t);
    json_put_str(w, name, text);
}

void rollout_view_number(struct json_writer *w, const char *name, double value)
{
    char text[ROLLOUT_NUMBER_BYTES];
    rollout_live_number(text, value);
    json_put_str(w, name, text);
}

static void put_per_survivor(struct json_writer *w, const struct window_rule_law *law)
{
    rollout_view_number(w, "per_survivor", (double)law->per_survivor_m / 1000.0);
}

void rollout_view_cohort(struct json_writer *w, const struct beacon_cohort *c)
{
    json_open_object(w, "cohort");
    json_put_str(w, "os", c->os);
    json_put_str(w, "arch", c->arch);
    json_put_str(w, "engine", c->engine);
    json_close_object(w);
}

const char *rollout_view_state(int state)
{
    return sm_name(&rollout_rule_table, state);
}

/* --- the rollout object --- */

static void put_drill(struct json_writer *w, const struct rollout *ro)
{
    const struct rollout_drill *d = &ro->drill;
    const struct rollout_ring *ring = &ro->rings[0];
    json_open_object(w, "drill");
    json_put_str(w, "ring", ring->name);
    json_put_int(w, "max", d->max);
    json_put_int(w, "within_s", d->within_s);
    json_put_str(w, "by", d->by);
    json_put_str(w, "reason", d->reason);
    json_put_int(w, "exposed", d->exposed);
    json_put_int(w, "reported", d->reported);
    json_put_int(w, "dark", d->dark);
    json_put_int(w, "refused", d->refused);
    if (ro->halt.there && ring->opened.s != 0) {
        json_put_int(w, "to_halt_s", ro->halt.at.s - ring->opened.s);
    }
    if (ro->halt.there && ro->ended.s != 0) {
        json_put_int(w, "to_back_s", ro->ended.s - ro->halt.at.s);
    }
    json_close_object(w);
}

static void put_halt(struct json_writer *w, const struct rollout_halt *h)
{
    json_open_object(w, "halt");
    rollout_view_time(w, "at", h->at);
    json_put_str(w, "by", h->by);
    json_put_str(w, "reason", h->reason);
    if (h->ring[0] != '\0') {
        json_put_str(w, "ring", h->ring);
        json_put_str(w, "term", h->term);
        if (h->has_cohort) { rollout_view_cohort(w, &h->cohort); }
        json_put_int(w, "failures", h->failures);
        json_put_int(w, "exposures", h->exposures);
        json_put_str(w, "log_e", h->log_e);
        json_put_str(w, "threshold", h->threshold);
    }
    json_close_object(w);
}

static void put_ring(struct json_writer *w, const struct rollout_ring *ring,
                     const struct rollout_facts *f)
{
    const struct fleet_counts *c = &f->ring.counts;
    json_open_object(w, NULL);
    json_put_str(w, "ring", ring->name);
    json_put_str(w, "state", rollout_view_state(ring->state));
    rollout_view_time(w, "since", ring->since);
    rollout_view_time(w, "not_before", rollout_doc_not_before(ring));
    if (ring->expedited.s != 0) { json_put_bool(w, "expedited", true); }
    json_put_str(w, "reason", ring->reason);
    json_put_int(w, "exposed", c->exposed);
    json_put_int(w, "pending", c->pending);
    json_put_int(w, "healthy", c->survived);
    json_put_int(w, "failed", c->failed);
    json_put_int(w, "dark", c->dark);
    json_put_int(w, "storm", c->storm);
    json_put_int(w, "slow", c->slow);
    json_put_int(w, "mute", c->mute);
    json_put_int(w, "refused", c->refused);
    json_put_int(w, "unable", c->unable);
    json_put_int(w, "reverted", c->reverted);
    json_put_int(w, "members", c->members);
    json_open_object(w, "window");
    json_put_int(w, "allowed", f->window.allowed);
    json_put_int(w, "start", f->window.law[0].start);
    put_per_survivor(w, &f->window.law[0]);
    json_close_object(w);
    json_put_int(w, "bake_left_s", f->bake_left_s);
    json_put_str(w, "gate", gate_rule_name(f->gate));
    json_put_str(w, "gate_reason", f->gate_reason);
    json_close_object(w);
}

/* Why the whole stands where it stands. */
const char *rollout_view_reason(const struct rollout *ro, char dst[static ROLLOUT_REASON_BYTES])
{
    const struct rollout_halt *h = &ro->halt;
    if (h->there && h->ring[0] != '\0') { return h->reason; }
    if (h->there) {
        (void)snprintf(dst, ROLLOUT_REASON_BYTES, "halted by %s%s%.160s", h->by,
                       h->reason[0] == '\0' ? "" : ": ", h->reason);
        return dst;
    }
    for (size_t i = 0; i < ro->ring_count; i++) {
        if (ro->rings[i].state != ROLLOUT_PASSED && ro->rings[i].state != ROLLOUT_COMPLETE) {
            return ro->rings[i].reason;
        }
    }
    return ro->rings[ro->ring_count - 1].reason;
}

/* Whether the evidence of `a` is the more suspicious: the ring that halted it, else the larger part of its own limit,
 * where anything failed at all. Limits differ: the distance to them says nothing of two rings. */
static bool more_suspicious(const struct rollout *ro, size_t i, const struct rollout_facts *a,
                            const struct rollout_facts *b)
{
    if (ro->halt.there && strcmp(ro->halt.ring, ro->rings[i].name) == 0) { return true; }
    if (a->has_culprit != b->has_culprit) { return a->has_culprit; }
    return a->log_e * b->threshold > b->log_e * a->threshold;
}

static void put_health(struct json_writer *w, const char *ring, const struct rollout_facts *f)
{
    json_open_object(w, "health");
    json_put_str(w, "ring", ring);
    rollout_view_number(w, "log_e", f->log_e);
    rollout_view_number(w, "threshold", f->threshold);
    json_put_str(w, "culprit", f->has_culprit ? health_rule_term_name(f->culprit_term) : "");
    json_close_object(w);
}

/* Parts that are stopped while the rest may go on. */
static void put_stopped(struct json_writer *w, const struct rollout *ro, const char *tenant)
{
    json_open_array(w, "cohorts_halted");
    for (size_t i = 0; i < ro->cohort_count; i++) {
        const struct beacon_cohort *c = &ro->cohorts[i].name;
        if (!ro->cohorts[i].halted) { continue; }
        json_open_object(w, NULL);
        json_put_str(w, "os", c->os);
        json_put_str(w, "arch", c->arch);
        json_put_str(w, "engine", c->engine);
        json_close_object(w);
    }
    json_close_array(w);
    json_open_array(w, "tenants_held");
    for (size_t i = 0; i < ro->tenant_count; i++) {
        /* INV-11: who else is held is nothing to a tenant. */
        bool told = tenant[0] == '\0' || strcmp(tenant, ro->tenants[i]) == 0;
        if (told) { json_put_str(w, NULL, ro->tenants[i]); }
    }
    json_close_array(w);
}

static void put_rollout(const struct rollout_run *r, const struct rollout *ro,
                        const struct rollout_run_look *look, struct json_writer *w)
{
    const struct rollout_facts_from from = rollout_live_from(r, ro, look->now);
    struct rollout_facts nearest = {.threshold = 0};
    size_t nearest_ring = 0;
    char reason[ROLLOUT_REASON_BYTES];
    json_open_object(w, NULL);
    json_put_str(w, "family", ro->family);
    json_put_int(w, "release", ro->release);
    json_put_int(w, "previous", ro->previous);
    json_put_str(w, "state", rollout_view_state((int)rollout_doc_overall(ro)));
    json_put_str(w, "reason", rollout_view_reason(ro, reason));
    json_put_int(w, "generation", ro->generation);
    json_put_int(w, "resumes", ro->resumes);
    rollout_view_time(w, "started", ro->started);
    if (ro->ended.s != 0) { rollout_view_time(w, "ended", ro->ended); }
    if (ro->halt.there) { put_halt(w, &ro->halt); }
    if (ro->drill.on) { put_drill(w, ro); }
    put_stopped(w, ro, look->tenant);
    json_open_array(w, "rings");
    for (size_t i = 0; i < ro->ring_count; i++) {
        struct rollout_facts f;
        rollout_facts_ring(&from, i, &f);
        put_ring(w, &ro->rings[i], &f);
        bool settled =
            i > 0 && ro->halt.there && strcmp(ro->halt.ring, ro->rings[nearest_ring].name) == 0;
        if (i == 0 || (!settled && more_suspicious(ro, i, &f, &nearest))) {
            nearest = f;
            nearest_ring = i;
        }
    }
    json_close_array(w);
    put_health(w, ro->rings[nearest_ring].name, &nearest);
    json_close_object(w);
}

RW_RC rollout_view_find(const struct rollout_run *r, const char *family, int64_t release,
                        const struct rollout **out, struct rw_err *err)
{
    *out = rollout_live_find(r, family, release);
    return *out == NULL ? rollout_live_unknown(family, release, err) : RW_OK;
}

RW_RC rollout_run_write(const struct rollout_run *r, const char *family, int64_t release,
                        const struct rollout_run_look *look, struct json_writer *w,
                        struct rw_err *err)
{
    const struct rollout *ro = NULL;
    RW_TRY(rollout_view_find(r, family, release, &ro, err));
    put_rollout(r, ro, look, w);
    return RW_OK;
}

void rollout_run_write_drills(const struct rollout_run *r, const struct rollout_run_look *look,
                              struct json_writer *w)
{
    size_t listed = 0;
    json_open_object(w, NULL);
    json_open_array(w, "drills");
    for (size_t i = r->count; i > 0 && listed < LISTED_MAX; i--) {
        if (!r->all[i - 1]->drill.on) { continue; }
        put_rollout(r, r->all[i - 1], look, w);
        listed++;
    }
    json_close_array(w);
    json_close_object(w);
}

void rollout_run_write_all(const struct rollout_run *r, const struct rollout_run_look *look,
                           struct json_writer *w)
{
    size_t first = r->count > LISTED_MAX ? r->count - LISTED_MAX : 0;
    json_open_object(w, NULL);
    json_open_array(w, "rollouts");
    for (size_t i = first; i < r->count; i++) {
        put_rollout(r, r->all[i], look, w);
    }
    json_close_array(w);
    json_close_object(w);
}
