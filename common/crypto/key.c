#include "common/crypto/key.h"

#include "common/crypto/key_pem.h"
#include "common/crypto/key_token.h"
#include "common/json/json_canon.h"
#include "common/json/json_write.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

enum {
    ED25519_BYTES = 32,
    KEY_OBJECT_BYTES_MAX = 8192,
    KEY_CANON_BYTES_MAX = 16384, /* every byte may need an escape */
    RSA_BITS_MIN = 2048,
};

/* Names as they stand in metadata. The second keytype of ECDSA is an older spelling of the same key. */
static const struct scheme_name {
    enum key_scheme scheme;
    const char *keytype;
    const char *scheme_text;
} scheme_names[] = {
    {KEY_ED25519, "ed25519", "ed25519"},
    {KEY_ECDSA_P256, "ecdsa", "ecdsa-sha2-nistp256"},
    {KEY_ECDSA_P256, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"},
    {KEY_RSA_PSS, "rsa", "rsassa-pss-sha256"},
};

void key_drop(struct key *k)
{
    EVP_PKEY_free(k->pkey);
    key_token_release(k->engine);
    *k = (struct key){.pkey = NULL, .scheme = KEY_UNKNOWN};
}

static enum key_scheme scheme_of(const EVP_PKEY *pkey)
{
    char group[64] = {0};
    switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_ED25519:
        return KEY_ED25519;
    case EVP_PKEY_RSA:
        return EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN ? KEY_RSA_PSS : KEY_UNKNOWN;
    case EVP_PKEY_EC:
        if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1 &&
            strcmp(group, "prime256v1") == 0) {
            return KEY_ECDSA_P256;
        }
        return KEY_UNKNOWN;
    default:
        return KEY_UNKNOWN;
    }
}

static RW_RC write_public_value(const struct key *k, struct rw_buf *into, struct rw_err *err)
{
    if (k->scheme != KEY_ED25519) { return key_pem_write_public(k->pkey, into, err); }
    uint8_t raw[ED25519_BYTES];
    size_t n = sizeof(raw);
    char hex[2 * ED25519_BYTES + 1];
    if (EVP_PKEY_get_raw_public_key(k->pkey, raw, &n) != 1 || n != sizeof(raw)) {
        ERR_clear_error();
        return rw_fail(err, RW_E_CRYPTO, "OpenSSL failed: raw public key");
    }
    rw_hex_encode(hex, sizeof(hex), raw, n);
    return rw_buf_append_str(into, hex, err);
}

RW_RC key_write_public(const struct key *k, struct rw_buf *into, struct rw_err *err)
{
    RW_ASSERT(k->scheme != KEY_UNKNOWN);
    const struct scheme_name *name = &scheme_names[0];
    for (size_t i = 0; name->scheme != k->scheme; i++) {
        name = &scheme_names[i];
    }
    RW_AUTO(rw_buf) struct rw_buf value = rw_buf_make(KEY_OBJECT_BYTES_MAX);
    RW_TRY(write_public_value(k, &value, err));
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_str(&w, "keytype", name->keytype);
    json_open_object(&w, "keyval");
    json_put_span(&w, "public", rw_buf_span(&value));
    json_close_object(&w);
    json_put_str(&w, "scheme", name->scheme_text);
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC id_of_object(const struct json *object, char id[static DIGEST_HEX_BYTES],
                          struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf canon = rw_buf_make(KEY_CANON_BYTES_MAX);
    RW_TRY(json_canon(object, &canon, err));
    return digest_sha256_hex(rw_buf_span(&canon), id, err);
}

RW_RC key_adopt(void *pkey, bool is_private, struct key *out, struct rw_err *err)
{
    RW_AUTO(key) struct key k = {.pkey = pkey, .scheme = scheme_of(pkey), .is_private = is_private};
    if (k.scheme == KEY_UNKNOWN) {
        RW_IGNORE(rw_fail(err, RW_E_SCHEMA, "the key is of no kind that Ringward uses"), "hint");
        return rw_hint(err, "use Ed25519, ECDSA P-256, or RSA of at least %d bits", RSA_BITS_MIN);
    }
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(KEY_OBJECT_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(key_write_public(&k, &text, err));
    RW_TRY(json_parse(rw_buf_span(&text), &json_limits_small, &tree, err));
    RW_TRY(id_of_object(tree, k.id, err));
    *out = k;
    k.pkey = NULL; /* handed over */
    return RW_OK;
}

RW_RC key_generate(enum key_scheme scheme, struct key *out, struct rw_err *err)
{
    EVP_PKEY *pkey = scheme == KEY_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                           : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    RW_ASSERT(scheme == KEY_ED25519 || scheme == KEY_ECDSA_P256);
    if (pkey == NULL) {
        ERR_clear_error();
        return rw_fail(err, RW_E_CRYPTO, "OpenSSL failed: key generation");
    }
    return key_adopt(pkey, true, out, err);
}

static RW_RC read_ed25519(struct rw_span hex, void **pkey_out, struct rw_err *err)
{
    uint8_t raw[ED25519_BYTES];
    RW_TRY(rw_hex_decode(raw, sizeof(raw), hex, "ed25519 public key", err));
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw));
    if (pkey == NULL) {
        ERR_clear_error();
        return rw_fail(err, RW_E_SCHEMA, "ed25519 public key does not load");
    }
    *pkey_out = pkey;
    return RW_OK;
}

static enum key_scheme named_scheme(struct rw_span keytype, struct rw_span scheme)
{
    for (size_t i = 0; i < RW_LEN(scheme_names); i++) {
        if (rw_span_is(keytype, scheme_names[i].keytype) &&
            rw_span_is(scheme, scheme_names[i].scheme_text)) {
            return scheme_names[i].scheme;
        }
    }
    return KEY_UNKNOWN;
}

RW_RC key_read_public(const struct json *object, struct key *out, struct rw_err *err)
{
    struct rw_span keytype;
    struct rw_span scheme;
    struct rw_span value;
    const struct json *keyval = NULL;
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    RW_TRY(json_get_span(object, "keytype", &keytype, err));
    RW_TRY(json_get_span(object, "scheme", &scheme, err));
    RW_TRY(json_get(object, "keyval", JSON_OBJECT, &keyval, err));
    RW_TRY(id_of_object(object, k.id, err));
    k.scheme = named_scheme(keytype, scheme);
    if (k.scheme != KEY_UNKNOWN) {
        RW_TRY(json_get_span(keyval, "public", &value, err));
        if (k.scheme == KEY_ED25519) {
            RW_TRY(read_ed25519(value, &k.pkey, err));
        } else {
            RW_TRY(key_pem_read_public(value, &k.pkey, err));
        }
        if (scheme_of(k.pkey) != k.scheme) {
            return rw_fail(err, RW_E_SCHEMA, "line %u: the public key is not of its scheme",
                           json_line(object));
        }
    }
    *out = k;
    k.pkey = NULL; /* handed over */
    return RW_OK;
}

bool key_same_public(const struct key *a, const struct key *b)
{
    if (a->pkey == NULL || b->pkey == NULL || a->scheme != b->scheme) { return false; }
    return EVP_PKEY_eq(a->pkey, b->pkey) == 1;
}
