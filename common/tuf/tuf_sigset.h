/* tuf_sigset.h: did enough distinct keys of a role sign this document?
 *
 * memory   an authority owns its keys until tuf_sigset_authority_drop
 * threads  no shared state
 * source   TUF 1.0.34, 5.3.4 (root); 5.4.2, 5.5.3, 5.6.3 (other roles)
 */
#ifndef RINGWARD_TUF_SIGSET_H
#define RINGWARD_TUF_SIGSET_H

#include "common/crypto/key.h"
#include "common/tuf/tuf_doc.h"

/* The keys and threshold by which one role is trusted: an edge from a delegator to a role. */
struct tuf_sigset_authority {
    char role[64];
    int64_t threshold; /* >= 1; may exceed count: then nothing verifies */
    struct key keys[TUF_KEYS_MAX];
    size_t voter[TUF_KEYS_MAX]; /* index of the first key with the same public value */
    size_t count;
};

void tuf_sigset_authority_drop(struct tuf_sigset_authority *a);
/* Reads the authority for one of root's four roles. Fails with RW_E_SCHEMA. */
RW_RC tuf_sigset_of_root(const struct tuf_doc *root, const char *role,
                         struct tuf_sigset_authority *out, struct rw_err *err);
/* Reads the authority that `delegator` gives to a delegated role. Fails with RW_E_TUF_ROLE when it does not
 * delegate to `role`. */
RW_RC tuf_sigset_of_delegation(const struct tuf_doc *delegator, const char *role,
                               struct tuf_sigset_authority *out, struct rw_err *err);

/* Counts one vote per public key, however many key ids or signatures name that key, and compares the
 * votes with the threshold. *votes_out (may be NULL) is set also on failure.
 * Fails with RW_E_TUF_THRESHOLD, RW_E_CRYPTO. */
RW_RC tuf_sigset_check(const struct tuf_doc *doc, const struct tuf_sigset_authority *a,
                       unsigned *votes_out, struct rw_err *err);
/* Whether key `keyid` belongs to the authority and `sig_hex` is its valid signature of `message`. */
RW_RC tuf_sigset_check_one(const struct tuf_sigset_authority *a, struct rw_span keyid,
                           struct rw_span message, struct rw_span sig_hex, struct rw_err *err);

#endif
