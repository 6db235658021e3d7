#include "common/crypto/digest.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <unistd.h>

static RW_RC openssl_failed(const char *what, struct rw_err *err)
{
    ERR_clear_error();
    return rw_fail(err, RW_E_CRYPTO, "OpenSSL failed: %s", what);
}

RW_RC digest_without_files(struct rw_err *err)
{
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) {
        return rw_fail(err, RW_E_CRYPTO, "libcrypto could not be initialised");
    }
    return RW_OK;
}

RW_RC digest_sha256(struct rw_span data, uint8_t out[static DIGEST_BYTES], struct rw_err *err)
{
    if (EVP_Digest(data.p, data.n, out, NULL, EVP_sha256(), NULL) != 1) {
        return openssl_failed("SHA-256", err);
    }
    return RW_OK;
}

RW_RC digest_sha256_hex(struct rw_span data, char out[static DIGEST_HEX_BYTES], struct rw_err *err)
{
    uint8_t raw[DIGEST_BYTES];
    RW_TRY(digest_sha256(data, raw, err));
    rw_hex_encode(out, DIGEST_HEX_BYTES, raw, sizeof(raw));
    return RW_OK;
}

RW_RC digest_begin(struct digest *d, struct rw_err *err)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        return openssl_failed("SHA-256", err);
    }
    d->ctx = ctx;
    return RW_OK;
}

RW_RC digest_add(struct digest *d, struct rw_span data, struct rw_err *err)
{
    if (EVP_DigestUpdate(d->ctx, data.p, data.n) != 1) { return openssl_failed("SHA-256", err); }
    return RW_OK;
}

RW_RC digest_end(struct digest *d, uint8_t out[static DIGEST_BYTES], struct rw_err *err)
{
    bool done = EVP_DigestFinal_ex(d->ctx, out, NULL) == 1;
    digest_drop(d);
    return done ? RW_OK : openssl_failed("SHA-256", err);
}

void digest_drop(struct digest *d)
{
    EVP_MD_CTX_free(d->ctx);
    d->ctx = NULL;
}

RW_RC digest_fd(int fd, uint64_t max, uint8_t out[static DIGEST_BYTES], uint64_t *length_out,
                struct rw_err *err)
{
    RW_AUTO(digest) struct digest d = {0};
    RW_TRY(digest_begin(&d, err));
    uint64_t length = 0;
    for (;;) {
        uint8_t chunk[65536];
        ssize_t got = read(fd, chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "reading what is hashed"); }
        if (got == 0) { break; }
        length += (uint64_t)got;
        if (length > max) {
            return rw_fail(err, RW_E_TOO_BIG, "more than %llu bytes", (unsigned long long)max);
        }
        RW_TRY(digest_add(&d, rw_span_of(chunk, (size_t)got), err));
    }
    RW_TRY(digest_end(&d, out, err));
    *length_out = length;
    return RW_OK;
}

RW_RC digest_hmac(struct rw_span key, struct rw_span data, uint8_t out[static DIGEST_BYTES],
                  struct rw_err *err)
{
    unsigned n = 0;
    RW_ASSERT(key.n >= 1 && key.n <= 4096);
    if (HMAC(EVP_sha256(), key.p, (int)key.n, data.p, data.n, out, &n) == NULL ||
        n != DIGEST_BYTES) {
        return openssl_failed("HMAC", err);
    }
    return RW_OK;
}

RW_RC digest_random(uint8_t *dst, size_t n, struct rw_err *err)
{
    RW_ASSERT(n <= 65536);
    if (RAND_bytes(dst, (int)n) != 1) { return openssl_failed("random bytes", err); }
    return RW_OK;
}

bool digest_same(const uint8_t *a, const uint8_t *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}
