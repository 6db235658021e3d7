/* agent_identity.h: who this endpoint is: a random id, and a random salt that decides its ring.
 *
 * memory   plain values
 * threads  no shared state
 * source   docs/protocol.md 9; INV-7: the salt never leaves the host
 */
#ifndef RINGWARD_AGENT_IDENTITY_H
#define RINGWARD_AGENT_IDENTITY_H

#include "common/crypto/digest.h"

enum { AGENT_IDENTITY_ID_BYTES = 16, AGENT_IDENTITY_SALT_BYTES = 32 };

struct agent_identity {
    char endpoint[2 * AGENT_IDENTITY_ID_BYTES + 1]; /* hex */
    uint8_t salt[AGENT_IDENTITY_SALT_BYTES];
    int64_t bucket; /* 0..9999 */
    bool has_machine;
    uint8_t machine[DIGEST_BYTES]; /* hash of the machine that it was drawn on */
    char cloned_from[2 * AGENT_IDENTITY_ID_BYTES + 1]; /* "": it was not drawn for a copied disk */
};

/* Loads "identity" from the state directory, or draws a new one durably (*fresh_out). */
RW_RC agent_identity_load(int state_dir, struct agent_identity *out, bool *fresh_out,
                          struct rw_err *err);

/* What this endpoint proves itself with when it enrols (docs/server.md "Enrolment tokens"): made of the salt, which it
 * does not give away. 64 hex digits. */
RW_RC agent_identity_proof(const struct agent_identity *id, char dst[static DIGEST_HEX_BYTES],
                           struct rw_err *err);

/* Binds the identity to this machine: `machine_id` is the text of /etc/machine-id, empty when there is none (nothing is
 * done then). Where it belongs to another machine, this is a copy of its disk: token and waiting beacons of the other
 * are removed and a new identity is drawn (*cloned_out), so that two machines never share a vote (INV-11). */
RW_RC agent_identity_bind(int state_dir, struct rw_span machine_id, struct agent_identity *id,
                          bool *cloned_out, struct rw_err *err);

#endif
