#include "server/rollout/rollout_facts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double ring_share = 0.6;
static const double cohort_share = 0.4;

/* A cohort is large when it has at least this part of a ring: then an earlier ring must have shown it healthy. */
enum { LARGE_COHORT_PARTS = 100 };

static const struct ring_policy_ring *policy_ring(const struct ring_policy *p, const char *name)
{
    for (size_t i = 0; i < p->ring_count; i++) {
        if (strcmp(p->rings[i].name, name) == 0) { return &p->rings[i]; }
    }
    return NULL;
}

static void weigh(struct rollout_facts_scope *s)
{
    const struct fleet_counts *c = &s->counts;
    const struct health_rule_counts h = {
        .exposed = c->exposed,
        .failed = c->failed,
        .refused = c->refused,
        .refused_free = c->refused_free,
        .dark = c->dark,
        .deadlines = c->exposed - c->pending,
    };
    s->failures[HEALTH_REFUSE] = h.refused;
    s->exposures[HEALTH_REFUSE] = h.exposed + h.refused_free;
    s->failures[HEALTH_CRASH] = h.failed;
    s->exposures[HEALTH_CRASH] = h.exposed;
    s->failures[HEALTH_DARK] = h.dark;
    s->exposures[HEALTH_DARK] = h.deadlines;
    s->result = health_rule_scope(&h);
}

/* INV-1: the law that permits are granted by. exposed - survived = pending + dark + failed. */
static struct rollout_facts_window window_of(const struct ring_policy *p, int64_t start,
                                             const struct fleet_counts *c)
{
    struct rollout_facts_window w = {
        .law = {.start = start, .per_survivor_m = p->confirm_per_survivor_m},
        .survived = c->survived,
        .exposed = c->exposed,
    };
    const struct window_rule_counts counts = {.exposed = c->exposed, .survived = c->survived};
    w.allowed = window_rule_allowed(&w.law, &counts);
    w.room = window_rule_room(&w.law, &counts);
    return w;
}

static double cohort_weight(const struct rollout *r, const struct beacon_cohort *cohort)
{
    for (size_t i = 0; i < r->cohort_count; i++) {
        const struct beacon_cohort *c = &r->cohorts[i];
        if (strcmp(c->os, cohort->os) == 0 && strcmp(c->arch, cohort->arch) == 0 &&
            strcmp(c->engine, cohort->engine) == 0) {
            return cohort_share / (double)r->cohort_count;
        }
    }
    return 0.0;
}

void rollout_facts_whole(const struct rollout_facts_from *from, size_t index,
                         struct rollout_facts_scope *out)
{
    const struct rollout *r = from->rollout;
    struct rollout_facts_scope s = {.weight = r->cohort_count == 0 ? 1.0 : ring_share};
    s.counts = fleet_state_counts(from->fleet, r->family, r->release, r->rings[index].name, NULL);
    s.window = window_of(from->policy, from->policy->confirm_start, &s.counts);
    weigh(&s);
    *out = s;
}

void rollout_facts_cohort(const struct rollout_facts_from *from, size_t index,
                          const struct beacon_cohort *cohort, struct rollout_facts_scope *out)
{
    const struct rollout *r = from->rollout;
    struct rollout_facts_scope s = {.is_cohort = true, .cohort = *cohort};
    s.weight = cohort_weight(r, cohort);
    s.counts = fleet_state_counts(from->fleet, r->family, r->release, r->rings[index].name, cohort);
    s.window = window_of(from->policy, from->policy->cohort_start, &s.counts);
    weigh(&s);
    *out = s;
}

/* Keeps the scope and term with the largest weighted evidence among those with a failure. */
static void blame(struct rollout_facts *f, const struct rollout_facts_scope *s, double *best)
{
    for (int t = 0; t < HEALTH_RULE_TERMS; t++) {
        double weighted =
            log(s->weight * health_rule_weight((enum health_rule_term)t)) + s->result.log_term[t];
        if (s->failures[t] == 0 || !(weighted > *best)) { continue; }
        *best = weighted;
        f->has_culprit = true;
        f->culprit = *s;
        f->culprit_term = (enum health_rule_term)t;
    }
}

static void combine(const struct rollout_facts_from *from, size_t index, struct rollout_facts *f)
{
    const struct rollout *r = from->rollout;
    double best = -INFINITY;
    f->log_e = log(f->ring.weight) + f->ring.result.log_e;
    blame(f, &f->ring, &best);
    for (size_t i = 0; i < r->cohort_count; i++) {
        struct rollout_facts_scope s;
        rollout_facts_cohort(from, index, &r->cohorts[i], &s);
        const double weights[] = {1.0, s.weight};
        const double evidence[] = {f->log_e, s.result.log_e};
        f->log_e = health_rule_combine(weights, evidence, RW_LEN(weights));
        blame(f, &s, &best);
    }
}

struct coverage {
    const struct rollout_facts_from *from;
    size_t index;            /* ring that would be promoted */
    int64_t members;         /* of the next ring */
    struct rollout_facts *f; /* its verdict is taken back when a large cohort was not seen */
};

static RW_RC check_cohort(void *arg, const struct beacon_cohort *cohort,
                          const struct fleet_counts *counts, struct rw_err *err)
{
    struct coverage *c = arg;
    const struct rollout *r = c->from->rollout;
    (void)err;
    if (counts->members * LARGE_COHORT_PARTS < c->members || c->f->gate != GATE_PASS) {
        return RW_OK;
    }
    for (size_t i = 0; i <= c->index; i++) {
        struct fleet_counts seen =
            fleet_state_counts(c->from->fleet, r->family, r->release, r->rings[i].name, cohort);
        if (seen.healthy > 0) { return RW_OK; }
    }
    c->f->gate = GATE_NONE;
    (void)snprintf(c->f->gate_reason, sizeof(c->f->gate_reason),
                   "cohort %.32s %.32s %.32s of ring %s was not seen healthy yet", cohort->os,
                   cohort->arch, cohort->engine, r->rings[c->index + 1].name);
    return RW_OK;
}

/* PASS needs every large cohort of the next ring to have been seen, except out of a ring of staff machines, which
 * never has them all. */
static void cover(const struct rollout_facts_from *from, size_t index, bool by_hand,
                  struct rollout_facts *f)
{
    const struct rollout *r = from->rollout;
    if (by_hand || index + 1 >= r->ring_count || f->gate != GATE_PASS) { return; }
    const char *next = r->rings[index + 1].name;
    struct rw_err err;
    struct coverage c = {.from = from, .index = index, .f = f};
    const struct fleet_place place = {r->family, r->release, next};
    c.members = fleet_state_counts(from->fleet, r->family, r->release, next, NULL).members;
    RW_IGNORE(fleet_state_each_cohort(from->fleet, &place, check_cohort, &c, &err),
              "check_cohort never fails");
}

static void judge(const struct rollout_facts_from *from, size_t index,
                  const struct ring_policy_ring *p, struct rollout_facts *f)
{
    const struct rollout_ring *ring = &from->rollout->rings[index];
    const struct fleet_counts *c = &f->ring.counts;
    int64_t fresh_s = from->policy->confirm_deadline_s;
    if (2 * from->policy->poll_rollout_s > fresh_s) { fresh_s = 2 * from->policy->poll_rollout_s; }
    struct rw_wall seen = fleet_state_ring_seen(from->fleet, ring->name);
    int64_t baked_s = ring->opened.s == 0 ? 0 : from->now.s - ring->opened.s;
    f->bake_left_s = p->bake_s > baked_s ? p->bake_s - baked_s : 0;
    f->limit = (double)p->gate_limit_bp / 10000.0;
    f->min_healthy = p->gate_min_healthy;
    const struct gate_rule_input in = {
        .bake_left_s = f->bake_left_s,
        .exposed = c->exposed,
        .healthy = c->healthy,
        .failed = c->marked,
        .pending = c->pending,
        .limit = f->limit,
        .min_healthy = f->min_healthy,
        .log_e = f->log_e,
        .log_threshold = f->threshold,
        .telemetry_fresh = seen.s > 0 && from->now.s - seen.s <= fresh_s,
    };
    f->gate = gate_rule_decide(&in, f->gate_reason);
    if (f->gate == GATE_NONE && c->members < f->min_healthy && c->members == c->healthy &&
        f->bake_left_s == 0) {
        (void)snprintf(f->gate_reason, sizeof(f->gate_reason),
                       "the ring has %lld endpoints, the gate needs %lld healthy ones",
                       (long long)c->members, (long long)f->min_healthy);
    }
    cover(from, index, p->select == RING_BY_HAND, f);
}

void rollout_facts_ring(const struct rollout_facts_from *from, size_t index,
                        struct rollout_facts *out)
{
    const struct rollout *r = from->rollout;
    const struct ring_policy_ring *p = policy_ring(from->policy, r->rings[index].name);
    struct rollout_facts f = {.in_policy = p != NULL, .gate = GATE_NONE};
    rollout_facts_whole(from, index, &f.ring);
    combine(from, index, &f);
    f.threshold = health_rule_threshold(p != NULL && p->select == RING_BY_HAND);
    if (p != NULL) {
        judge(from, index, p, &f);
    } else {
        f.ring.window.room = 0;
        (void)snprintf(f.gate_reason, sizeof(f.gate_reason), "the policy has no ring '%s' any more",
                       r->rings[index].name);
    }
    *out = f;
}
