/* release_tosign.h: the content role that engineers sign: what is listed now, and one release more.
 *
 * memory   appends to a buffer of the caller
 * threads  no shared state
 * source   docs/protocol.md 2; docs/trust.md "The endpoint-enforced bake" (INV-7)
 */
#ifndef RINGWARD_RELEASE_TOSIGN_H
#define RINGWARD_RELEASE_TOSIGN_H

#include "server/release/release_repo.h"

enum {
    RELEASE_LISTED_MAX = 16,        /* older ones leave the list, unless a ring points at them */
    RELEASE_EXPIRES_S = 14 * 86400, /* life of a content role */
    RELEASE_SIGNED_AGE_S_MAX = 570, /* the signer takes 600 */
    RELEASE_TOSIGN_LEFT_S_MIN = 7 * 86400, /* with less life left the document is made anew */
};

/* Writes the "signed" document: version + 1, expires 14 days after `now` but not after root, signed_at = now (later
 * when the release gives more time for its signatures, or an earlier release is dated later), and for each ring of the
 * policy not_before = signed_at + the least bake of the release's class there. Floor and withdrawals stay.
 * Fails with RW_E_RANGE (class unknown to the policy), RW_E_EXISTS (listed already). */
RW_RC release_tosign_write(const struct release_repo *repo, const struct release *r,
                           struct rw_wall now, struct rw_buf *into, struct rw_err *err);
/* When a "signed" document ends. */
RW_RC release_tosign_expires(struct rw_span tosign, struct rw_wall *out, struct rw_err *err);
/* Whether the document of `r` still fits the repository; *why_out is a static text when it does not. */
RW_RC release_tosign_fits(const struct release_repo *repo, const struct release *r,
                          struct rw_wall now, const char **why_out, struct rw_err *err);

#endif
