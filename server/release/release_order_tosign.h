/* release_order_tosign.h: the documents that orders are about, made from what is published now.
 *
 * memory   appends to a buffer of the caller
 * threads  no shared state
 * source   docs/protocol.md 2; docs/trust.md "Expedite", "Withdrawal"
 */
#ifndef RINGWARD_RELEASE_ORDER_TOSIGN_H
#define RINGWARD_RELEASE_ORDER_TOSIGN_H

#include "server/release/release_order_codec.h"
#include "server/release/release_repo.h"

enum {
    /* From the making of an expedite to its last signature: its time is running meanwhile. */
    RELEASE_ORDER_EXPEDITE_SIGN_S = 3600,
};

/* The payload that an order about a release speaks of. */
struct release_order_payload {
    int64_t bytes;
    char sha256[DIGEST_HEX_BYTES];
};

/* What keeps the order from being possible now. Fails with RW_E_POLICY (a ring points at what would go, not listed,
 * longer than the policy allows, a floor that would sink), RW_E_NOT_FOUND (a ring), RW_E_TUF_ROLE (no such role). */
RW_RC release_order_tosign_may(const struct release_repo *repo, const struct release_order *o,
                               const struct release_order_payload *payload, struct rw_err *err);
/* Makes o->tosign and what goes with it (made, until, base_version, policy_sha256, threshold); drops signatures. */
RW_RC release_order_tosign_write(const struct release_repo *repo, struct release_order *o,
                                 const struct release_order_payload *payload, struct rw_wall now,
                                 struct rw_err *err);
/* *why_out: a static text when the document no longer fits the repository; NULL: it does. */
RW_RC release_order_tosign_fits(const struct release_repo *repo, const struct release_order *o,
                                struct rw_wall now, const char **why_out, struct rw_err *err);
/* Whether the published role is the order's own document: a crash came before the order was recorded as done. */
RW_RC release_order_tosign_in_force(const struct release_repo *repo, const struct release_order *o,
                                    bool *out, struct rw_err *err);
/* Who signs: engineers of the family, or duty officers. */
const struct tuf_sigset_authority *release_order_tosign_authority(const struct release_repo *repo,
                                                                  const struct release_order *o);

#endif
