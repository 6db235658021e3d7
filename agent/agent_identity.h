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
};

/* Loads "identity" from the state directory, or draws a new one durably (*fresh_out). */
RW_RC agent_identity_load(int state_dir, struct agent_identity *out, bool *fresh_out,
                          struct rw_err *err);

#endif
