/* token_once.h: one-time enrolment tokens: good for one endpoint, until a time.
 *
 * The first endpoint that enrols takes the token; the claim is durable before it is answered. That endpoint may ask
 * again while the token lasts: neither a lost answer nor a crash before it kept the answer locks it out. It proves to
 * be the same by a value that only it can make: its id alone is seen by whoever may look at the fleet.
 *
 * memory   values only
 * threads  the decision is pure; claiming: the store's thread
 * source   docs/server.md "Enrolment tokens"
 */
#ifndef RINGWARD_TOKEN_ONCE_H
#define RINGWARD_TOKEN_ONCE_H

#include "server/api/token_doc.h"
#include "server/store/store.h"

struct token_once_asker {
    uint8_t endpoint[API_ENDPOINT_BYTES];
    bool has_proof;
    uint8_t proof[DIGEST_BYTES]; /* as the endpoint sent it */
};

enum token_once_decision {
    TOKEN_ONCE_CLAIM,  /* nobody has used it: it is this endpoint's from now on */
    TOKEN_ONCE_REPEAT, /* this endpoint has it already */
    TOKEN_ONCE_NO_PROOF,
    TOKEN_ONCE_REVOKED,
    TOKEN_ONCE_OVER,  /* its time has passed, for its own endpoint, too */
    TOKEN_ONCE_TAKEN, /* by another endpoint, or by one that cannot prove to be the same */
};

/* `proof_sha256`: of the asker's proof. */
enum token_once_decision token_once_decide(const struct token_doc *t,
                                           const struct token_once_asker *a,
                                           const uint8_t proof_sha256[static DIGEST_BYTES],
                                           struct rw_wall now);

/* Lets the endpoint enrol by the token with this hash, or fails: RW_E_SCHEMA (no proof), RW_E_AUTH (revoked, over, not
 * there), RW_E_FORBIDDEN (another endpoint's), RW_E_STORE. Needs a transaction, and writes the claim and its audit
 * record into it (INV-9). */
RW_RC token_once_claim(struct store *store, const uint8_t sha256[static DIGEST_BYTES],
                       const struct token_once_asker *a, struct rw_wall now, struct rw_err *err);

#endif
