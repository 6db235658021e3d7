/* Signing and verifying of key.h. */
#include "common/crypto/key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

enum { ED25519_SIG_BYTES = 64 };

static void md_ctx_drop(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

/* Ed25519 hashes by itself; the others sign a SHA-256. */
static const EVP_MD *digest_of(const struct key *k)
{
    return k->scheme == KEY_ED25519 ? NULL : EVP_sha256();
}

static bool set_padding(const struct key *k, EVP_PKEY_CTX *ctx, int salt_bytes)
{
    if (k->scheme != KEY_RSA_PSS) { return true; }
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt_bytes) > 0;
}

RW_RC key_sign(const struct key *k, struct rw_span message,
               char sig_hex[static 2 * SIG_BYTES_MAX + 1], struct rw_err *err)
{
    RW_ASSERT(k->is_private);
    uint8_t sig[SIG_BYTES_MAX];
    size_t n = sizeof(sig);
    EVP_PKEY_CTX *pctx = NULL; /* owned by ctx */
    RW_AUTO(md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestSignInit(ctx, &pctx, digest_of(k), NULL, k->pkey) != 1 ||
        !set_padding(k, pctx, DIGEST_BYTES) ||
        EVP_DigestSign(ctx, sig, &n, message.p, message.n) != 1) {
        ERR_clear_error();
        return rw_fail(err, RW_E_CRYPTO, "OpenSSL failed: signing with key %.12s", k->id);
    }
    rw_hex_encode(sig_hex, 2 * SIG_BYTES_MAX + 1, sig, n);
    return RW_OK;
}

RW_RC key_verify(const struct key *k, struct rw_span message, struct rw_span sig_hex,
                 bool *valid_out, struct rw_err *err)
{
    uint8_t sig[SIG_BYTES_MAX];
    size_t n = sig_hex.n / 2;
    struct rw_err unused;
    *valid_out = false;
    if (k->pkey == NULL || n == 0 || n > sizeof(sig) ||
        !rw_is_ok(rw_hex_decode(sig, n, sig_hex, "signature", &unused)) ||
        (k->scheme == KEY_ED25519 && n != ED25519_SIG_BYTES)) {
        return RW_OK;
    }
    EVP_PKEY_CTX *pctx = NULL;
    RW_AUTO(md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestVerifyInit(ctx, &pctx, digest_of(k), NULL, k->pkey) != 1 ||
        !set_padding(k, pctx, RSA_PSS_SALTLEN_AUTO)) {
        ERR_clear_error();
        return rw_fail(err, RW_E_CRYPTO, "OpenSSL failed: verifying with key %.12s", k->id);
    }
    /* Only 1 is success: 0 is a wrong signature, negative a malformed one. */
    *valid_out = EVP_DigestVerify(ctx, sig, n, message.p, message.n) == 1;
    ERR_clear_error();
    return RW_OK;
}
