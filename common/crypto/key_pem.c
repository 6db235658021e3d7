#include "common/crypto/key_pem.h"

#include "common/base/file.h"
#include "common/crypto/key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

static void bio_drop(BIO **b)
{
    BIO_free(*b);
}

struct passphrase {
    const char *text; /* NULL: none */
};

/* OpenSSL asks on the terminal unless a callback answers; without a passphrase the answer is no. */
static int answer_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)writing;
    const struct passphrase *given = ctx;
    size_t n = given->text == NULL ? SIZE_MAX : strlen(given->text);
    if (size < 0 || n > (size_t)size) { return -1; }
    rw_copy(buf, (size_t)size, given->text, n);
    return (int)n;
}

static bool only_blank(struct rw_span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\n' && s.p[i] != '\r' && s.p[i] != ' ' && s.p[i] != '\t') { return false; }
    }
    return true;
}

RW_RC key_pem_read_public(struct rw_span pem, void **pkey_out, struct rw_err *err)
{
    static const char begin[] = "-----BEGIN PUBLIC KEY-----";
    static const char end[] = "-----END PUBLIC KEY-----";
    const uint8_t *tail = pem.n == 0 ? NULL : memmem(pem.p, pem.n, end, sizeof(end) - 1);
    if (!rw_span_starts(pem, begin) || tail == NULL) {
        return rw_fail(err, RW_E_SCHEMA, "public key is not one PEM block of a PUBLIC KEY");
    }
    tail += sizeof(end) - 1;
    if (!only_blank(rw_span_of(tail, pem.n - (size_t)(tail - pem.p)))) {
        return rw_fail(err, RW_E_SCHEMA, "something stands behind the PEM block of the public key");
    }
    RW_AUTO(bio) BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (bio == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a key"); }
    struct passphrase none = {.text = NULL};
    EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, answer_passphrase, &none);
    ERR_clear_error();
    if (pkey == NULL) { return rw_fail(err, RW_E_SCHEMA, "public key: the PEM does not decode"); }
    *pkey_out = pkey;
    return RW_OK;
}

static RW_RC append_bio(BIO *bio, struct rw_buf *into, struct rw_err *err)
{
    char *text = NULL;
    long n = BIO_get_mem_data(bio, &text);
    RW_ASSERT(n >= 0);
    return rw_buf_append(into, rw_span_of(text, (size_t)n), err);
}

RW_RC key_pem_write_public(const void *pkey, struct rw_buf *into, struct rw_err *err)
{
    RW_AUTO(bio) BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_PUBKEY(bio, pkey) != 1) {
        ERR_clear_error();
        return rw_fail(err, RW_E_CRYPTO, "OpenSSL failed: writing a public key");
    }
    return append_bio(bio, into, err);
}

RW_RC key_load_private(const char *path, const char *passphrase, struct key *out,
                       struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf pem = rw_buf_make(KEY_FILE_BYTES_MAX);
    RW_TRY(rw_file_read(path, KEY_FILE_BYTES_MAX, &pem, err));
    RW_AUTO(bio) BIO *bio = BIO_new_mem_buf(rw_buf_str(&pem), (int)pem.n);
    if (bio == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a key"); }
    struct passphrase given = {.text = passphrase};
    bool encrypted = pem.n > 0 && memmem(pem.p, pem.n, "ENCRYPTED", 9) != NULL;
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, answer_passphrase, &given);
    ERR_clear_error();
    rw_wipe(pem.p, pem.n);
    if (pkey == NULL && encrypted) {
        RW_IGNORE(rw_fail(err, RW_E_AUTH, "key '%s': the passphrase is missing or wrong", path),
                  "hint");
        return rw_hint(err, "give it with --passphrase-file FILE");
    }
    if (pkey == NULL) {
        return rw_fail(err, RW_E_SYNTAX, "'%s' holds no private key in PEM form", path);
    }
    return key_adopt(pkey, true, out, err);
}

RW_RC key_save_private(const struct key *k, const char *path, const char *passphrase,
                       struct rw_err *err)
{
    RW_ASSERT(k->is_private);
    RW_AUTO(bio) BIO *bio = BIO_new(BIO_s_secmem());
    if (bio == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a key"); }
    const EVP_CIPHER *cipher = passphrase == NULL ? NULL : EVP_aes_256_cbc();
    struct passphrase given = {.text = passphrase};
    if (PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, cipher, NULL, 0, answer_passphrase, &given) !=
        1) {
        ERR_clear_error();
        return rw_fail(err, RW_E_CRYPTO, "OpenSSL failed: writing a private key");
    }
    RW_AUTO(rw_buf) struct rw_buf pem = rw_buf_make(KEY_FILE_BYTES_MAX);
    RW_TRY(append_bio(bio, &pem, err));
    struct rw_rc rc = rw_file_replace(path, 0600, rw_buf_span(&pem), err);
    rw_wipe(pem.p, pem.n);
    return rc;
}
