/* trust_check.h: are this root and these targets what Ringward can be run with, and safely?
 *
 * TUF would accept much more: a role that nobody can ever sign, an online key among the engineers'. The same checks
 * run on the machine of a ceremony and in the checking signer.
 *
 * memory   borrows its arguments
 * threads  no shared state
 * source   docs/trust.md "Roles" and "Ceremony"; INV-7: no online key has a vote on what may be installed
 */
#ifndef RINGWARD_TRUST_CHECK_H
#define RINGWARD_TRUST_CHECK_H

#include "common/policy/ring_policy.h"
#include "common/tuf/tuf_sigset.h"

enum { TRUST_CHECK_CONTENT_THRESHOLD_MIN = 2, TRUST_CHECK_DELEGATIONS_MAX = 40 };

/* Every role of root can be signed by the keys it names, and no key of snapshot or timestamp stands in another role.
 * Fails with RW_E_TRUST_RULE naming the role. */
RW_RC trust_check_root(const struct tuf_doc *root, struct rw_err *err);
/* Every delegation is content-FAMILY, ring-RING or expedite with its one pattern, terminating; content needs at
 * least two engineers, expedite two officers of whom none is an engineer; a ring has one online key; online keys are
 * all different and have no vote elsewhere; every ring of the policy has its role; targets end no later than root.
 * Fails with RW_E_TRUST_RULE. */
RW_RC trust_check_targets(const struct tuf_doc *root, const struct tuf_doc *targets,
                          const struct ring_policy *policy, struct rw_err *err);
/* Refuses a document that ends after root: nobody could renew what hangs on an expired root.
 * Fails with RW_E_TRUST_RULE. */
RW_RC trust_check_outlives(const struct tuf_doc *root, const char *role, struct rw_wall expires,
                           struct rw_err *err);
/* Whether one public key stands in both: if not, what the one signed says nothing under the other. */
bool trust_check_shares_key(const struct tuf_sigset_authority *a,
                            const struct tuf_sigset_authority *b);
/* Calls `each` for every delegated role whose name begins with `prefix`; `rest` is what follows it. */
RW_RC trust_check_each(const struct tuf_doc *targets, const char *prefix,
                       RW_RC (*each)(void *ctx, const char *rest, struct rw_err *err), void *ctx,
                       struct rw_err *err);

#endif
