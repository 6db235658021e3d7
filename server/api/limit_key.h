/* limit_key.h: whose bucket a request counts to, as 64 bits that nobody can aim at without the key.
 *
 * Endpoint ids are their owners' choice, so an ordinary hash would let them pick where they meet whom.
 *
 * memory   values only
 * threads  no shared state
 * source   Aumasson and Bernstein 2012, SipHash-2-4
 */
#ifndef RINGWARD_LIMIT_KEY_H
#define RINGWARD_LIMIT_KEY_H

#include "common/base/buf.h"

struct limit_key {
    uint64_t k0;
    uint64_t k1;
};

/* A random key. Fails with RW_E_CRYPTO. */
RW_RC limit_key_new(struct limit_key *out, struct rw_err *err);

/* SipHash-2-4 of the bytes under the key. */
uint64_t limit_key_hash(const struct limit_key *key, struct rw_span bytes);

#endif
