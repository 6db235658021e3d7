/* ring_policy_rings.h: the sections "rings" and "classes" of rings.json, for ring_policy_parse only.
 *
 * memory   plain values
 * threads  no shared state
 * source   docs/policy.md
 */
#ifndef RINGWARD_RING_POLICY_RINGS_H
#define RINGWARD_RING_POLICY_RINGS_H

#include "common/policy/policy_read.h"
#include "common/policy/ring_policy.h"

/* Times of a policy: none is longer than a quarter of a year. */
#define RING_POLICY_TIME_S_MAX (INT64_C(90) * 86400)

/* Both fail as the readers of policy_read.h do. The classes name rings: those come first. */
RW_RC ring_policy_rings_read(const struct policy_at *root, struct ring_policy *p,
                             struct rw_err *err);
RW_RC ring_policy_rings_classes(const struct policy_at *root, struct ring_policy *p,
                                struct rw_err *err);

#endif
