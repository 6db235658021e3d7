/* signer_sign.h: makes signed files of the online roles into the signer's batch.
 *
 * memory   the batch owns the files
 * threads  one thread
 * source   docs/protocol.md 2; every version is above all that were published or signed before
 */
#ifndef RINGWARD_SIGNER_SIGN_H
#define RINGWARD_SIGNER_SIGN_H

#include "common/policy/install_rule.h"
#include "server/signer/signer_view.h"

/* What becomes of one ring's entries. */
struct signer_sign_move {
    const char *ring;
    const char *family;                         /* whose entry is written anew; NULL: all stay */
    const struct install_rule_pointer *pointer; /* NULL: the family's entry goes */
    bool first;                                 /* nothing was published of this ring yet */
};

/* Adds the ring's role with the next version. Fails with RW_E_NOT_FOUND (no key for this ring), RW_E_RANGE. */
RW_RC signer_sign_ring(struct signer *s, const struct signer_view *v,
                       const struct signer_sign_move *move, struct rw_err *err);
/* Adds snapshot (all roles as listed now, those of the batch anew) and timestamp, then makes the versions durable:
 * nothing may leave before that. Without `with_snapshot` the timestamp alone is made anew. */
RW_RC signer_sign_seal(struct signer *s, const struct signer_view *v, bool with_snapshot,
                       struct rw_err *err);

#endif
