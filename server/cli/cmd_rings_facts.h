/* cmd_rings_facts.h: what a policy means for a fleet, in numbers: hosts and evidence per ring, the time to 95 %, and
 * what a ring could not do.
 *
 * memory   plain values; findings borrow the names of rings from the facts
 * threads  one thread
 * source   docs/policy.md; the same rules as server, signer and agent (ring_policy.h, gate_rule.h, window_rule.h)
 */
#ifndef RINGWARD_CMD_RINGS_FACTS_H
#define RINGWARD_CMD_RINGS_FACTS_H

#include "server/simulate/sim_pace.h"

enum {
    CMD_RINGS_HOSTS_ASSUMED = 1000000, /* the fleet that is assumed when nobody tells another */
    CMD_RINGS_STAFF_MAX = 100000,
    CMD_RINGS_FINDINGS_MAX = RING_POLICY_RINGS_MAX * 6 + RING_POLICY_CLASSES_MAX + 2,
    CMD_RINGS_FINDING_BYTES = 320,
};

struct cmd_rings_options {
    int64_t hosts;       /* endpoints of the fleet; 0: not told */
    int64_t staff;       /* in each ring that is joined by hand; negative: as advised */
    const char *cohorts; /* "60,25,12,3"; NULL: SIM_USUAL_COHORTS */
};

struct cmd_rings_finding {
    bool warning;     /* else a note */
    const char *ring; /* NULL: of the policy as a whole */
    char text[CMD_RINGS_FINDING_BYTES];
};

struct cmd_rings_facts {
    struct sim_plan plan; /* the policy and the fleet that is talked about */
    bool hosts_assumed;
    bool staff_advised;
    struct sim_pace
        pace[RING_POLICY_CLASSES_MAX]; /* of each class; rings differ in what opens them */
    struct cmd_rings_finding findings[CMD_RINGS_FINDINGS_MAX];
    size_t finding_count;
    size_t warning_count;
};

/* Fails with RW_E_USAGE (cohorts), RW_E_NOMEM. */
RW_RC cmd_rings_facts(const struct ring_policy *policy, const struct cmd_rings_options *options,
                      struct cmd_rings_facts *out, struct rw_err *err);
/* Endpoints that a PASS of this ring takes at least when `failures` of them have failed: what the limit demands, or
 * min_healthy healthy ones if that is more. */
int64_t cmd_rings_needed(const struct ring_policy_ring *ring, int64_t failures);
/* Endpoints that the ring gets of a fleet of `hosts`; -1 for rings that are joined by hand. */
int64_t cmd_rings_members(const struct ring_policy_ring *ring, int64_t hosts);
/* Endpoints that every ring joined by hand should have: one that falls silent does not keep it shut. */
int64_t cmd_rings_staff(const struct ring_policy *policy);

#endif
