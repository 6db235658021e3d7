#include "server/rollout/rollout_cause.h"
#include "server/rollout/rollout_live.h"
#include "server/rollout/rollout_run.h"
#include "server/rollout/rollout_stopped.h"
#include "server/rollout/rollout_view.h"

#include <stdio.h>

/* Shares and probabilities span decades: significant digits instead of fixed places. */
static void put_share(struct json_writer *w, const char *name, double value)
{
    char text[ROLLOUT_NUMBER_BYTES];
    (void)snprintf(text, sizeof(text), "%.4g", value);
    json_put_str(w, name, text);
}

static void put_counts(struct json_writer *w, const struct fleet_counts *c)
{
    json_open_object(w, "counts");
    json_put_int(w, "members", c->members);
    json_put_int(w, "exposed", c->exposed);
    json_put_int(w, "pending", c->pending);
    json_put_int(w, "survived", c->survived);
    json_put_int(w, "healthy", c->healthy);
    json_put_int(w, "failed", c->failed);
    json_put_int(w, "refused", c->refused);
    json_put_int(w, "refused_free", c->refused_free);
    json_put_int(w, "unable", c->unable);
    json_put_int(w, "dark", c->dark);
    json_put_int(w, "late_crash", c->late_crash);
    json_put_int(w, "storm", c->storm);
    json_put_int(w, "slow", c->slow);
    json_put_int(w, "mute", c->mute);
    json_put_int(w, "reverted", c->reverted);
    json_put_int(w, "still_on", c->still_on);
    json_put_int(w, "aged", c->aged);
    json_put_int(w, "at_risk", c->at_risk);
    json_put_int(w, "muted", c->muted);
    json_close_object(w);
}

/* How many of how many, and the norm that they are held against. */
static void put_term(struct json_writer *w, const struct rollout_facts_scope *s,
                     enum health_rule_term term)
{
    const struct rollout_facts_term *t = &s->terms[term];
    json_open_object(w, NULL);
    json_put_str(w, "term", health_rule_term_name(term));
    json_put_int(w, "failures", t->failures);
    json_put_int(w, "exposures", t->exposures);
    rollout_view_number(w, "log_e", s->result.log_term[term]);
    put_share(w, "weight", health_rule_weight(term));
    if ((int)term < HEALTH_RULE_ABSOLUTE) {
        put_share(w, "p0", s->norm.p0[term]);
    } else if (term == HEALTH_CRASH_HISTORY) {
        put_share(w, "hazard", s->norm.history_hazard);
    } else {
        rollout_cause_put_control(w, t);
        put_share(w, "ratio", term == HEALTH_DARK_CONTROL ? s->norm.rho_dark : s->norm.rho_crash);
    }
    json_close_object(w);
}

static void put_terms(struct json_writer *w, const struct rollout_facts_scope *s)
{
    json_open_array(w, "terms");
    for (int t = 0; t < HEALTH_RULE_TERMS; t++) {
        put_term(w, s, (enum health_rule_term)t);
    }
    json_close_array(w);
}

static void put_law(struct json_writer *w, const struct window_rule_law *law,
                    const struct window_rule_counts *c)
{
    json_put_int(w, "start", law->start);
    rollout_view_number(w, "per_survivor", (double)law->per_survivor_m / 1000.0);
    json_put_int(w, "survived", c->survived);
    json_put_int(w, "allowed", window_rule_allowed(law, c));
}

static void put_window(struct json_writer *w, const struct rollout_facts_window *window,
                       const struct ring_policy *p)
{
    const struct window_rule_tenant one = {.law = window->law[0], .share_bp = p->tenant_share_bp};
    json_open_object(w, "window");
    put_law(w, &window->law[0], &window->counts[0]);
    json_put_int(w, "exposed", window->counts[0].exposed);
    json_put_int(w, "room", window->room);
    json_put_int(w, "tenant_own", window_rule_own(&one));
    json_open_object(w, "alive");
    json_put_int(w, "after_s", p->alive_after_s);
    put_law(w, &window->law[1], &window->counts[1]);
    json_close_object(w);
    json_close_object(w);
}

struct cohort_writer {
    const struct rollout_facts_from *from;
    size_t index;
    struct json_writer *w;
};

static RW_RC put_cohort_scope(void *arg, const struct beacon_cohort *cohort,
                              const struct fleet_counts *counts, struct rw_err *err)
{
    const struct cohort_writer *c = arg;
    struct rollout_facts_scope s;
    struct rollout_facts_window window;
    (void)counts;
    (void)err;
    rollout_facts_cohort(c->from, c->index, cohort, &s);
    rollout_facts_window(c->from, c->index, cohort, &window);
    json_open_object(c->w, NULL);
    rollout_view_cohort(c->w, cohort);
    put_counts(c->w, &s.counts);
    json_put_int(c->w, "risk_s", s.risk_s);
    put_share(c->w, "weight", s.weight);
    rollout_view_number(c->w, "log_e", s.result.log_e);
    put_terms(c->w, &s);
    json_put_bool(c->w, "halted", s.halted);
    put_window(c->w, &window, c->from->policy);
    json_close_object(c->w);
    return RW_OK;
}

static void put_verdict(struct json_writer *w, const char *ring, const struct rollout_facts *f)
{
    json_put_str(w, "verdict", verdict_rule_name(f->verdict));
    rollout_view_number(w, "control_log_e", f->ring.control_log_e);
    json_open_object(w, "votes");
    json_put_str(w, "tenant", f->top_tenant);
    json_put_int(w, "of_tenant", f->votes.top);
    json_put_int(w, "of_others", f->votes.rest);
    json_put_int(w, "tenant_max", f->votes.top_max);
    json_put_int(w, "muted", f->ring.counts.muted_votes);
    json_close_object(w);
    if (!f->has_culprit) { return; }
    json_open_object(w, "culprit");
    if (f->culprit.is_cohort) { rollout_view_cohort(w, &f->culprit.cohort); }
    const struct rollout_cause cause = rollout_cause_of(ring, f);
    rollout_cause_put(w, &cause);
    json_close_object(w);
}

/* The tenant that holds most places of the ring without having proven anything. */
static void put_unproven(struct json_writer *w, const struct rollout_facts *f)
{
    if (f->unproven_most <= 0) { return; }
    json_open_object(w, "unproven_most");
    json_put_str(w, "tenant", f->unproven_tenant);
    json_put_int(w, "endpoints", f->unproven_most);
    json_close_object(w);
}

static RW_RC explain_ring(const struct rollout_run *r, const struct rollout *ro, size_t i,
                          struct json_writer *w, struct rw_err *err)
{
    const struct rollout_facts_from from = rollout_live_from(r, ro, r->now);
    struct cohort_writer cohorts = {.from = &from, .index = i, .w = w};
    struct rollout_facts f;
    char limit[ROLLOUT_NUMBER_BYTES];
    rollout_facts_ring(&from, i, &f);
    (void)snprintf(limit, sizeof(limit), "%.4g%%", f.limit * 100.0);
    json_open_object(w, NULL);
    json_put_str(w, "ring", ro->rings[i].name);
    json_put_str(w, "state", rollout_view_state(ro->rings[i].state));
    json_put_str(w, "reason", ro->rings[i].reason);
    rollout_view_time(w, "not_before", rollout_doc_not_before(&ro->rings[i]));
    json_put_str(w, "gate", gate_rule_name(f.gate));
    json_put_str(w, "gate_reason", f.gate_reason);
    json_put_str(w, "limit", limit);
    json_put_int(w, "min_healthy", f.min_healthy);
    json_put_int(w, "bake_left_s", f.bake_left_s);
    rollout_view_number(w, "log_e", f.log_e);
    rollout_view_number(w, "threshold", f.threshold);
    put_verdict(w, ro->rings[i].name, &f);
    put_counts(w, &f.ring.counts);
    json_put_int(w, "risk_s", f.ring.risk_s);
    put_share(w, "weight", f.ring.weight);
    put_terms(w, &f.ring);
    put_window(w, &f.window, &r->policy);
    put_unproven(w, &f);
    json_open_array(w, "cohorts");
    const struct fleet_place place = {ro->family, ro->release, ro->rings[i].name};
    RW_TRY(fleet_state_each_cohort(r->fleet, &place, put_cohort_scope, &cohorts, err));
    json_close_array(w);
    json_close_object(w);
    return RW_OK;
}

static bool has_stopped(const struct rollout *ro)
{
    bool stopped = ro->tenant_count > 0;
    for (size_t i = 0; i < ro->cohort_count; i++) {
        stopped = stopped || ro->cohorts[i].halted;
    }
    return stopped;
}

RW_RC rollout_run_explain(const struct rollout_run *r, const char *family, int64_t release,
                          struct json_writer *w, struct rw_err *err)
{
    const struct rollout *ro = NULL;
    char reason[ROLLOUT_REASON_BYTES];
    RW_TRY(rollout_view_find(r, family, release, &ro, err));
    json_open_object(w, NULL);
    json_put_str(w, "family", ro->family);
    json_put_int(w, "release", ro->release);
    json_put_str(w, "state", rollout_view_state((int)rollout_doc_overall(ro)));
    json_put_str(w, "reason", rollout_view_reason(ro, reason));
    json_open_array(w, "rings");
    for (size_t i = 0; i < ro->ring_count; i++) {
        RW_TRY(explain_ring(r, ro, i, w, err));
    }
    json_close_array(w);
    if (has_stopped(ro)) { RW_TRY(rollout_stopped_write(r->store, ro, w, err)); }
    json_close_object(w);
    return RW_OK;
}
