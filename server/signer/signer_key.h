/* signer_key.h: the online keys on disk. ROLE.key is in use; ROLE.next.key waits for a ceremony to name it.
 *
 * Which of the two signs is decided by the signed documents in force, not by the names of files: so a new key can lie
 * there before root or targets name it, and a crash between the two loses neither.
 *
 * memory   gives keys
 * threads  one thread
 * source   docs/trust.md "Rotation"
 */
#ifndef RINGWARD_SIGNER_KEY_H
#define RINGWARD_SIGNER_KEY_H

#include "server/signer/signer_view.h"

/* The key that root, or targets, name for the role: snapshot, timestamp; ring-RING.
 * Fails with reason "key" when neither file holds it; RW_E_SYNTAX (a broken file). */
RW_RC signer_key_of_root(const struct signer *s, const struct signer_view *v, const char *role,
                         struct key *out, struct rw_err *err);
RW_RC signer_key_of_delegation(const struct signer *s, const struct signer_view *v,
                               const char *role, struct key *out, struct rw_err *err);
/* After a rotation is published: ROLE.next.key takes the place of a ROLE.key that nothing names any more. */
RW_RC signer_key_settle(struct signer *s, const struct signer_view *v, struct rw_err *err);
/* Whether a file of the role is there and can be read, so that a missing key is told at the start. */
RW_RC signer_key_look(const struct signer *s, const char *role, struct rw_err *err);

#endif
