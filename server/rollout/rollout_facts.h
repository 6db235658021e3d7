/* rollout_facts.h: what the counts say about one ring of a rollout: windows, evidence, verdict, gate.
 *
 * The ring as a whole has weight 0.6, the cohorts known at the start share 0.4: a fault of a small cohort keeps its
 * contrast, and the sum is still one e-process (docs/health.md "The detector"). Each ring is a process of its own; the
 * budget of the release is split over its rings.
 * memory   values only; borrows fleet, policy and rollout
 * threads  the core thread only
 * source   docs/health.md
 */
#ifndef RINGWARD_ROLLOUT_FACTS_H
#define RINGWARD_ROLLOUT_FACTS_H

#include "common/policy/window_rule.h"
#include "server/health/fleet_permit.h"
#include "server/health/verdict_rule.h"
#include "server/rollout/rollout_doc.h"

enum { ROLLOUT_LAWS = 2 }; /* surviving probation; being alive some time later */

struct rollout_facts_from {
    const struct fleet_state *fleet;
    const struct ring_policy *policy;
    const struct rollout *rollout;
    struct rw_wall now;
};

struct rollout_facts_window {
    struct window_rule_law law[ROLLOUT_LAWS];
    struct window_rule_counts counts[ROLLOUT_LAWS];
    int64_t allowed; /* by the tighter law */
    int64_t room;
};

/* One term in words that people check: how many of how many, and of control where it is compared. The rest is of
 * darkness beside control alone (late_rule.h). */
struct rollout_facts_term {
    int64_t failures;
    int64_t exposures;
    int64_t control_failures;
    int64_t control;
    int64_t
        borrowed_failures; /* of control of all rings, where the ring had too little of its own */
    int64_t borrowed;
    int64_t unjudged_failures; /* of a cohort in an incident: among `exposures`, but not weighed */
    int64_t unjudged;
};

/* The ring as a whole, or one cohort of it. */
struct rollout_facts_scope {
    bool is_cohort;
    struct beacon_cohort cohort;
    size_t
        known; /* cohort: index + 1 of those known at the start; 0: the whole, or an unknown one */
    bool halted;   /* cohort: on its own evidence */
    double weight; /* 0: no share of the evidence */
    struct fleet_counts counts;
    int64_t
        risk_s; /* endpoint seconds at risk of a late crash so far; 0: has no evidence of its own */
    struct health_rule_norm norm;
    struct rollout_facts_term terms[HEALTH_RULE_TERMS];
    struct health_rule_result result;
    double control_log_e; /* "control itself is abnormal" */
};

struct rollout_facts {
    bool in_policy; /* false: the policy has no such ring any more; no room, no verdict */
    struct rollout_facts_scope
        ring; /* the evidence of what goes on: without cohorts that are halted */
    struct rollout_facts_window window;
    double log_e; /* of ring and cohorts together */
    double
        crossed; /* what the verdict holds against the threshold: log_e, of VERDICT_COHORT the cohort's own part */
    double threshold;
    bool has_culprit;
    struct rollout_facts_scope culprit;
    enum health_rule_term culprit_term;
    struct verdict_rule_votes votes;
    char top_tenant[ROLLOUT_NAME_BYTES];      /* with the most votes */
    struct fleet_counts top_counts;           /* of that tenant */
    char unproven_tenant[ROLLOUT_NAME_BYTES]; /* with the most places that are pending or lost */
    int64_t unproven_most;
    enum verdict_rule verdict;
    size_t cohort; /* VERDICT_COHORT: index of the one to halt */
    double limit;
    int64_t min_healthy;
    int64_t bake_left_s;
    enum gate_rule_verdict gate;
    char gate_reason[GATE_RULE_REASON_BYTES];
};

/* Windows of ring `index` (cohort NULL) or of a cohort of it: what permits are granted by (INV-1). */
void rollout_facts_window(const struct rollout_facts_from *from, size_t index,
                          const struct beacon_cohort *cohort, struct rollout_facts_window *out);
/* What a tenant holds in ring `index`, and who is there beside it (INV-11); `start`: of the ring or of a cohort. Nobody
 * is while no permit of the ring is pending, and tenants that are held never are. */
struct window_rule_tenant rollout_facts_tenant(const struct rollout_facts_from *from, size_t index,
                                               const char *tenant, int64_t start);
/* Counts of the ring without cohorts that are halted: what the gate is about. */
struct fleet_counts rollout_facts_going(const struct rollout_facts_from *from, size_t index);
/* Counts and evidence of ring `index` as a whole. */
void rollout_facts_whole(const struct rollout_facts_from *from, size_t index,
                         struct rollout_facts_scope *out);
/* The same of one cohort of it. */
void rollout_facts_cohort(const struct rollout_facts_from *from, size_t index,
                          const struct beacon_cohort *cohort, struct rollout_facts_scope *out);
void rollout_facts_ring(const struct rollout_facts_from *from, size_t index,
                        struct rollout_facts *out);

/* Index of a cohort among those known at the start; cohort_count when it is not. */
size_t rollout_facts_known(const struct rollout *r, const struct beacon_cohort *cohort);

#endif
