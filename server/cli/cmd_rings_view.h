/* cmd_rings_view.h: a policy in words and numbers, with warnings where a ring cannot do what it is there for.
 *
 * memory   borrows the policy
 * threads  one thread
 * source   docs/policy.md; the same rules as server, signer and agent (ring_policy.h, gate_rule.h, window_rule.h)
 */
#ifndef RINGWARD_CMD_RINGS_VIEW_H
#define RINGWARD_CMD_RINGS_VIEW_H

#include "common/policy/ring_policy.h"

struct cmd_rings_options {
    int64_t hosts; /* endpoints of the fleet; 0: not told */
};

RW_RC cmd_rings_view(const struct ring_policy *policy, const struct cmd_rings_options *options,
                     struct rw_err *err);
/* Endpoints that a PASS of this ring takes at least when `failures` of them have failed: what the limit demands, or
 * min_healthy healthy ones if that is more. */
int64_t cmd_rings_needed(const struct ring_policy_ring *ring, int64_t failures);
/* Endpoints that the ring gets of a fleet of `hosts`; -1 for rings that are joined by hand. */
int64_t cmd_rings_members(const struct ring_policy_ring *ring, int64_t hosts);

#endif
