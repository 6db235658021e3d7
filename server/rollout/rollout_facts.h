/* rollout_facts.h: what the counts say about one ring of a rollout: evidence, window, gate.
 *
 * The ring as a whole has weight 0.6, the cohorts known at the start share 0.4: a fault of a small cohort keeps its
 * contrast, and the sum is still one e-process (docs/health.md "Combination"). Each ring is a process of its own at
 * its own alpha, so a release with n rings has at most n times the false-halt budget of one.
 * memory   values only; borrows fleet, policy and rollout
 * threads  the core thread only
 * source   docs/health.md
 */
#ifndef RINGWARD_ROLLOUT_FACTS_H
#define RINGWARD_ROLLOUT_FACTS_H

#include "common/policy/window_rule.h"
#include "server/health/fleet_permit.h"
#include "server/health/health_rule.h"
#include "server/rollout/rollout_doc.h"

struct rollout_facts_from {
    const struct fleet_state *fleet;
    const struct ring_policy *policy;
    const struct rollout *rollout;
    struct rw_wall now;
};

struct rollout_facts_window {
    struct window_rule_law law;
    int64_t survived;
    int64_t exposed;
    int64_t allowed;
    int64_t room;
};

/* The ring as a whole, or one cohort of it. */
struct rollout_facts_scope {
    bool is_cohort;
    struct beacon_cohort cohort;
    double weight; /* 0: no share of the evidence */
    struct fleet_counts counts;
    int64_t failures[HEALTH_RULE_TERMS];
    int64_t exposures[HEALTH_RULE_TERMS];
    struct health_rule_result result;
    struct rollout_facts_window window;
};

struct rollout_facts {
    bool in_policy; /* false: the policy has no such ring any more; no room, no verdict */
    struct rollout_facts_scope ring;
    double log_e; /* of ring and cohorts together */
    double threshold;
    bool has_culprit;
    struct rollout_facts_scope culprit;
    enum health_rule_term culprit_term;
    double limit;
    int64_t min_healthy;
    int64_t bake_left_s;
    enum gate_rule_verdict gate;
    char gate_reason[GATE_RULE_REASON_BYTES];
};

/* Counts, evidence and window of ring `index` as a whole. */
void rollout_facts_whole(const struct rollout_facts_from *from, size_t index,
                         struct rollout_facts_scope *out);
/* The same of one cohort of it. */
void rollout_facts_cohort(const struct rollout_facts_from *from, size_t index,
                          const struct beacon_cohort *cohort, struct rollout_facts_scope *out);
void rollout_facts_ring(const struct rollout_facts_from *from, size_t index,
                        struct rollout_facts *out);

#endif
