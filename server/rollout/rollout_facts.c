#include "server/rollout/rollout_facts.h"

#include "common/base/num.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A cohort is large when it has at least this part of a ring: then an earlier ring must have shown it healthy. */
enum { LARGE_COHORT_PARTS = 100 };

static const struct ring_policy_ring *policy_ring(const struct ring_policy *p, const char *name)
{
    for (size_t i = 0; i < p->ring_count; i++) {
        if (strcmp(p->rings[i].name, name) == 0) { return &p->rings[i]; }
    }
    return NULL;
}

static bool by_hand(const struct ring_policy *p, const char *name)
{
    const struct ring_policy_ring *ring = policy_ring(p, name);
    return ring != NULL && ring->select == RING_BY_HAND;
}

/* alpha of the release, split over its rings of the same kind. */
static double threshold_of(const struct rollout_facts_from *from, size_t index)
{
    const struct rollout *r = from->rollout;
    bool hand = by_hand(from->policy, r->rings[index].name);
    size_t same = 0;
    for (size_t i = 0; i < r->ring_count; i++) {
        same += by_hand(from->policy, r->rings[i].name) == hand;
    }
    return health_rule_threshold(ring_policy_alpha(from->policy), hand, same);
}

/* Keeps the scope and term with the largest weighted evidence among those with a failure. */
static void blame(struct rollout_facts *f, const struct rollout_facts_scope *s, double *best)
{
    for (int t = 0; t < HEALTH_RULE_TERMS; t++) {
        double weighted =
            log(s->weight * health_rule_weight((enum health_rule_term)t)) + s->result.log_term[t];
        if (s->terms[t].failures <= 0 || !(weighted > *best)) { continue; }
        *best = weighted;
        f->has_culprit = true;
        f->culprit = *s;
        f->culprit_term = (enum health_rule_term)t;
    }
}

/* Evidence of ring and cohorts together. */
static struct verdict_rule_sum combine(const struct rollout_facts_from *from, size_t index,
                                       struct rollout_facts *f)
{
    const struct rollout *r = from->rollout;
    struct verdict_rule_sum sum = verdict_rule_begin(f->ring.weight, &f->ring.result);
    double best = -INFINITY;
    blame(f, &f->ring, &best);
    for (size_t i = 0; i < r->cohort_count; i++) {
        struct rollout_facts_scope s;
        if (r->cohorts[i].halted) { continue; }
        rollout_facts_cohort(from, index, &r->cohorts[i].name, &s);
        verdict_rule_add(&sum, i, s.weight, &s.result);
        blame(f, &s, &best);
    }
    f->log_e = sum.total;
    f->cohort = sum.best;
    return sum;
}

/* --- whose votes they are (INV-11) --- */

static int64_t votes_of(const struct fleet_counts *c)
{
    return c->failed + c->refused + c->dark + c->late_crash + c->storm + c->slow + c->mute;
}

struct poll {
    struct rollout_facts *f;
    const struct rollout *rollout;
    int64_t votes;
    int64_t exposed;
    int64_t top_exposed;
    size_t present; /* tenants with endpoints in the ring */
};

static RW_RC poll_tenant(void *arg, const char *tenant, const struct fleet_counts *c,
                         struct rw_err *err)
{
    struct poll *p = arg;
    struct rollout_facts *f = p->f;
    int64_t votes = votes_of(c);
    (void)err;
    if (c->exposed - c->survived > f->unproven_most) {
        f->unproven_most = c->exposed - c->survived;
        rollout_doc_text(f->unproven_tenant, sizeof(f->unproven_tenant), tenant);
    }
    for (size_t i = 0; i < p->rollout->tenant_count; i++) {
        if (strcmp(p->rollout->tenants[i], tenant) == 0) { return RW_OK; } /* held already */
    }
    p->present += c->members > 0 || c->exposed > 0;
    p->votes += votes;
    p->exposed += c->exposed;
    if (votes > f->votes.top) {
        f->votes.top = votes;
        p->top_exposed = c->exposed;
        f->top_counts = *c;
        rw_copy(f->top_tenant, sizeof(f->top_tenant), tenant,
                strnlen(tenant, ROLLOUT_NAME_BYTES - 1));
        f->top_tenant[strnlen(tenant, ROLLOUT_NAME_BYTES - 1)] = '\0';
    }
    return RW_OK;
}

static void poll_tenants(const struct rollout_facts_from *from, size_t index,
                         struct rollout_facts *f)
{
    const struct rollout *r = from->rollout;
    const struct fleet_place place = {r->family, r->release, r->rings[index].name};
    struct poll p = {.f = f, .rollout = r};
    struct rw_err err;
    f->votes.top_max = from->policy->tenant_votes;
    RW_IGNORE(fleet_state_each_tenant(from->fleet, &place, poll_tenant, &p, &err),
              "poll_tenant never fails");
    f->votes.rest = p.votes - f->votes.top;
    f->votes.rest_exposed = p.exposed - p.top_exposed;
    f->votes.top_exposed = p.top_exposed;
    f->votes.others = p.present > 1 && r->tenant_count < ROLLOUT_TENANTS_MAX;
}

static void decide(const struct rollout_facts_from *from, size_t index,
                   const struct verdict_rule_sum *sum, struct rollout_facts *f)
{
    /* A ring of staff machines is one team's: its evidence is for all. */
    if (by_hand(from->policy, from->rollout->rings[index].name)) { f->votes.others = false; }
    const struct verdict_rule_input in = {
        .threshold = f->threshold,
        .total = sum->total,
        .relative = sum->relative,
        .whole = sum->whole,
        .best_cohort = sum->best_cohort,
        .control = f->ring.control_log_e,
        .p0_crash = f->ring.norm.p0[HEALTH_CRASH],
        .votes = f->votes,
        .held = from->rollout->tenant_count > 0,
    };
    f->verdict = verdict_rule_decide(&in);
    f->crossed = sum->total;
    if (f->verdict != VERDICT_COHORT) { return; }
    /* The cohort crossed by itself: it is to blame, whatever has more weight in the sum. */
    struct rollout_facts_scope s;
    double best = -INFINITY;
    rollout_facts_cohort(from, index, &from->rollout->cohorts[f->cohort].name, &s);
    f->crossed = sum->best_cohort;
    blame(f, &s, &best);
}

/* Why evidence above the threshold does not halt everybody; "" when it does. */
static void spare(const struct rollout_facts_from *from, const struct rollout_facts *f,
                  char dst[static GATE_RULE_REASON_BYTES])
{
    const struct beacon_cohort *c =
        f->verdict == VERDICT_COHORT ? &from->rollout->cohorts[f->cohort].name : NULL;
    const struct rollout_facts_term *t = &f->culprit.terms[f->culprit_term];
    dst[0] = '\0';
    switch (f->verdict) {
    case VERDICT_HOLD:
        if (from->rollout->tenant_count > 0 && f->votes.top == 0) {
            (void)snprintf(dst, GATE_RULE_REASON_BYTES,
                           "log E %.2f >= %.2f by tenants that are held, nobody else has failed: a "
                           "person must look",
                           f->log_e, f->threshold);
            return;
        }
        (void)snprintf(dst, GATE_RULE_REASON_BYTES,
                       "log E %.2f >= %.2f, but control is abnormal too: a person must look",
                       f->log_e, f->threshold);
        return;
    case VERDICT_TENANT: /* names nobody: operators of every tenant read it (INV-11) */
        (void)snprintf(dst, GATE_RULE_REASON_BYTES,
                       "only one tenant votes against it: %lld of %lld failed, log E %.2f >= "
                       "%.2f: held for that tenant, the rest goes on",
                       (long long)f->votes.top, (long long)f->votes.top_exposed, f->crossed,
                       f->threshold);
        return;
    case VERDICT_COHORT:
        (void)snprintf(dst, GATE_RULE_REASON_BYTES,
                       "cohort %.32s %.32s %.32s is halted: %s: %lld of %lld, log E %.2f >= %.2f; "
                       "the rest is held",
                       c->os, c->arch, c->engine, health_rule_term_name(f->culprit_term),
                       (long long)t->failures, (long long)t->exposures, f->crossed, f->threshold);
        return;
    case VERDICT_NONE:
    case VERDICT_RELEASE:
        return;
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
    size_t known = rollout_facts_known(r, cohort);
    if (known < r->cohort_count && r->cohorts[known].halted) { return RW_OK; }
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
static void cover(const struct rollout_facts_from *from, size_t index, bool hand,
                  struct rollout_facts *f)
{
    const struct rollout *r = from->rollout;
    if (hand || index + 1 >= r->ring_count || f->gate != GATE_PASS) { return; }
    const char *next = r->rings[index + 1].name;
    struct rw_err err;
    struct coverage c = {.from = from, .index = index, .f = f};
    const struct fleet_place place = {r->family, r->release, next};
    c.members = fleet_state_counts(from->fleet, r->family, r->release, next, NULL).members;
    RW_IGNORE(fleet_state_each_cohort(from->fleet, &place, check_cohort, &c, &err),
              "check_cohort never fails");
}

/* An expedite of the next ring shortens the wait for it to the hard minimum, and nothing else: the gate stays. */
static int64_t bake_of(const struct rollout_facts_from *from, size_t index,
                       const struct ring_policy_ring *p)
{
    const struct rollout *r = from->rollout;
    bool expedited = index + 1 < r->ring_count && r->rings[index + 1].expedited.s != 0;
    return expedited && p->bake_s > from->policy->hard_min_s ? from->policy->hard_min_s : p->bake_s;
}

static void judge(const struct rollout_facts_from *from, size_t index,
                  const struct ring_policy_ring *p, struct rollout_facts *f)
{
    const struct rollout_ring *ring = &from->rollout->rings[index];
    const struct fleet_counts *c = &f->ring.counts;
    char spared[GATE_RULE_REASON_BYTES];
    int64_t fresh_s = from->policy->confirm_deadline_s;
    if (2 * from->policy->poll_rollout_s > fresh_s) { fresh_s = 2 * from->policy->poll_rollout_s; }
    struct rw_wall seen = fleet_state_ring_seen(from->fleet, ring->name);
    int64_t baked_s = ring->opened.s == 0 ? 0 : from->now.s - ring->opened.s;
    struct fleet_counts going = rollout_facts_going(from, index);
    int64_t bake_s = bake_of(from, index, p);
    f->bake_left_s = bake_s > baked_s ? bake_s - baked_s : 0;
    f->limit = (double)p->gate_limit_bp / 10000.0;
    f->min_healthy = p->gate_min_healthy;
    spare(from, f, spared);
    const struct gate_rule_input in = {
        .bake_left_s = f->bake_left_s,
        .exposed = going.exposed,
        .healthy = going.healthy,
        .failed = going.marked,
        .unable = going.unable,
        .pending = going.pending,
        .limit = f->limit,
        .min_healthy = f->min_healthy,
        .log_e = f->log_e,
        .log_threshold = f->threshold,
        /* Heard of in the future, by a clock that was ahead, is not heard of (INV-3). */
        .telemetry_fresh =
            seen.s > 0 && from->now.s - seen.s <= fresh_s && seen.s - from->now.s <= fresh_s,
        .spared = spared[0] == '\0' ? NULL : spared,
    };
    f->gate = gate_rule_decide(&in, f->gate_reason);
    if (f->gate == GATE_NONE && c->members < f->min_healthy && c->members == c->healthy &&
        f->bake_left_s == 0) {
        (void)snprintf(f->gate_reason, sizeof(f->gate_reason),
                       "the ring has %lld endpoint%s, the gate needs %lld healthy",
                       (long long)c->members, rw_plural(c->members), (long long)f->min_healthy);
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
    rollout_facts_window(from, index, NULL, &f.window);
    struct verdict_rule_sum sum = combine(from, index, &f);
    f.threshold = threshold_of(from, index);
    poll_tenants(from, index, &f);
    decide(from, index, &sum, &f);
    if (p != NULL) {
        judge(from, index, p, &f);
    } else {
        f.window.room = 0;
        (void)snprintf(f.gate_reason, sizeof(f.gate_reason), "the policy has no ring '%s' any more",
                       r->rings[index].name);
    }
    *out = f;
}
