/* signer_check_role.h: what every document that people signed for a role below targets must fulfil, before anyone looks
 * at its entries: votes, exactly one version up, unexpired, no end after that of root, no delegations of its own.
 *
 * memory   a check owns its documents until signer_check_role_drop
 * threads  one thread
 * source   docs/trust.md "The checking signer"
 */
#ifndef RINGWARD_SIGNER_CHECK_ROLE_H
#define RINGWARD_SIGNER_CHECK_ROLE_H

#include "server/signer/signer_view.h"

struct signer_check_role {
    const struct signer_view *v; /* borrowed */
    char role[SIGNER_ROLE_BYTES];
    struct tuf_doc
        before; /* the published role, expired or not: this change is its cure; no tree: none */
    struct tuf_doc after;
    bool published; /* this very file is published already: nothing is to be signed */
};

/* `missing` is the reason's word when targets do not delegate the role. Further reasons: document, threshold, version,
 * expired, outlives. */
RW_RC signer_check_role_open(const struct signer_view *v, const char *role, const char *missing,
                             struct rw_span envelope, struct signer_check_role *out,
                             struct rw_err *err);
void signer_check_role_drop(struct signer_check_role *c);
/* The "targets" object; before: NULL when nothing was published. */
const struct json *signer_check_role_entries(const struct tuf_doc *doc);
/* Whether two entries are the same document. */
RW_RC signer_check_role_same(const struct json *a, const struct json *b, bool *same_out,
                             struct rw_err *err);

#endif
