/* signer_check.h: may this change be made? The refusals of the checking signer, each with its fixed word.
 *
 * The words: unknown-family, unknown-ring, document, threshold, version, expired, outlives, entry, number, payload,
 * dropped, unlisted, bake, rule; of ceremonies also root, targets, content, policy, key; of the expedite role
 * unknown-role.
 *
 * memory   borrows its arguments
 * threads  one thread
 * source   docs/trust.md "The checking signer"; INV-7
 */
#ifndef RINGWARD_SIGNER_CHECK_H
#define RINGWARD_SIGNER_CHECK_H

#include "common/policy/install_rule.h"
#include "server/signer/signer_view.h"

struct signer_check_result {
    int64_t version; /* of the content role */
    bool published;  /* this very file is published already: nothing is to be signed */
};

/* Checks a content role that is to follow the published one: signed by enough engineers by v->targets, version exactly
 * one up (1 when nothing was published of the family), nothing dropped that a ring points at, every newly listed
 * payload in repo/targets with its length and hash. */
RW_RC signer_check_content(struct signer *s, const struct signer_view *v,
                           const struct signer_content *content, struct signer_check_result *out,
                           struct rw_err *err);
/* Builds the pointer to a release from its verified content entry (so that both must agree) and asks the agent's
 * own rule whether an endpoint of the ring may take it now. `published` is the ring's pointer today. */
RW_RC signer_check_point(struct signer *s, const struct signer_view *v,
                         const struct signer_request *request, struct install_rule_pointer *out,
                         struct rw_err *err);
/* The new state must say of the ring what was asked for, and pointer and content must agree there; `pointer` NULL:
 * the ring has none for this family. `ring` NULL: the pointers of every ring must agree with the content role. */
RW_RC signer_check_proof(const struct signer_view *proof, const char *ring, const char *family,
                         const struct install_rule_pointer *pointer, struct rw_err *err);

#endif
