/* signer_trust.h: takes over what a ceremony signed: root, targets, content roles, each with its threshold.
 *
 * One request may carry all of them, since some changes only hold together: other engineers and the content role that
 * they sign, a new targets key and the targets signed by it.
 *
 * memory   borrows its arguments; files go into the signer's batch
 * threads  one thread
 * source   docs/trust.md "Rotation"; TUF 1.0.34, 5.3 and 6.1
 */
#ifndef RINGWARD_SIGNER_TRUST_H
#define RINGWARD_SIGNER_TRUST_H

#include "server/signer/signer_state.h"

/* Verifies the documents (root: exactly one up, threshold of the old and of the new one; targets: one up, threshold;
 * nothing delegated vanishes; the policy is there), signs every online role that the change leaves without a valid
 * signature, and proves the whole by an agent's workflow. No files in the batch: everything is published already.
 * Refuses with reasons root, targets, content, policy, key, threshold, version, expired, document, dropped. */
RW_RC signer_trust_change(struct signer *s, const struct signer_request *request,
                          struct rw_err *err);

#endif
