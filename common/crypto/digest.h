/* digest.h: SHA-256 (whole and streaming), HMAC-SHA-256, random bytes, constant-time comparison.
 *
 * memory   struct digest owns an OpenSSL context until digest_drop
 * threads  no shared state
 * source   FIPS 180-4, RFC 2104; OpenSSL 3 EVP
 */
#ifndef RINGWARD_DIGEST_H
#define RINGWARD_DIGEST_H

#include "common/base/num.h"

enum { DIGEST_BYTES = 32, DIGEST_HEX_BYTES = 65 }; /* hex with its NUL */

struct digest {
    void *ctx; /* EVP_MD_CTX; NULL: not begun */
};

/* All fail with RW_E_CRYPTO only. */
/* Before anything else, where there are no files (the box): libcrypto then reads no openssl.cnf at its first use. */
RW_RC digest_without_files(struct rw_err *err);
RW_RC digest_sha256(struct rw_span data, uint8_t out[static DIGEST_BYTES], struct rw_err *err);
RW_RC digest_sha256_hex(struct rw_span data, char out[static DIGEST_HEX_BYTES], struct rw_err *err);
RW_RC digest_begin(struct digest *d, struct rw_err *err);
RW_RC digest_add(struct digest *d, struct rw_span data, struct rw_err *err);
RW_RC digest_end(struct digest *d, uint8_t out[static DIGEST_BYTES], struct rw_err *err);
void digest_drop(struct digest *d);
/* Reads the descriptor from its present offset to the end, at most `max` bytes (RW_E_TOO_BIG). */
RW_RC digest_fd(int fd, uint64_t max, uint8_t out[static DIGEST_BYTES], uint64_t *length_out,
                struct rw_err *err);
RW_RC digest_hmac(struct rw_span key, struct rw_span data, uint8_t out[static DIGEST_BYTES],
                  struct rw_err *err);
RW_RC digest_random(uint8_t *dst, size_t n, struct rw_err *err);
bool digest_same(const uint8_t *a, const uint8_t *b, size_t n); /* constant time */

#endif
