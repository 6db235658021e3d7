/* key.h: Ed25519 and ECDSA P-256 keys: make, load, save, describe as TUF key objects.
 *
 * memory   a key owns an OpenSSL EVP_PKEY until key_drop; private material is wiped by OpenSSL
 * threads  a key may be used by one thread at a time
 * source   TUF 1.0.34, 4.2 (key objects, key ids); docs/trust.md "Keys"
 */
#ifndef RINGWARD_KEY_H
#define RINGWARD_KEY_H

#include "common/crypto/digest.h"
#include "common/json/json_read.h"

enum key_scheme { KEY_ED25519, KEY_ECDSA_P256, KEY_RSA_PSS, KEY_UNKNOWN };

struct key {
    void *pkey;   /* EVP_PKEY; NULL for KEY_UNKNOWN: such a key never verifies */
    void *engine; /* that holds the private half of a token's key (key_token.h); else NULL */
    enum key_scheme scheme;
    bool is_private;
    char id[DIGEST_HEX_BYTES]; /* TUF key id: SHA-256 of the canonical key object */
};

enum { KEY_FILE_BYTES_MAX = 16384, SIG_BYTES_MAX = 1024 };

void key_drop(struct key *k);
RW_RC key_generate(enum key_scheme scheme, struct key *out, struct rw_err *err);
/* Takes an EVP_PKEY (freed on failure too), finds its scheme, computes the id.
 * Fails with RW_E_SCHEMA for keys that Ringward has no scheme for. */
RW_RC key_adopt(void *pkey, bool is_private, struct key *out, struct rw_err *err);
/* PEM files, PKCS#8. `passphrase` NULL: not encrypted; an encrypted file without one is refused with a
 * hint, never asked for on a terminal. Fails with RW_E_SYNTAX, RW_E_AUTH (wrong passphrase), RW_E_IO. */
RW_RC key_load_private(const char *path, const char *passphrase, struct key *out,
                       struct rw_err *err);
RW_RC key_save_private(const struct key *k, const char *path, const char *passphrase,
                       struct rw_err *err);
/* The TUF key object {"keytype","scheme","keyval":{"public"}} as JSON text. */
RW_RC key_write_public(const struct key *k, struct rw_buf *into, struct rw_err *err);
/* Reads a TUF key object; computes the id. Unknown schemes give KEY_UNKNOWN, not an error.
 * Fails with RW_E_SCHEMA for a broken object of a known scheme. */
RW_RC key_read_public(const struct json *object, struct key *out, struct rw_err *err);
/* Same public value under the same scheme. */
bool key_same_public(const struct key *a, const struct key *b);

/* Signs; *sig_out is as it stands in metadata (hex), NUL-terminated. Needs a private key. */
RW_RC key_sign(const struct key *k, struct rw_span message,
               char sig_hex[static 2 * SIG_BYTES_MAX + 1], struct rw_err *err);
/* Tells whether the hex signature is valid. A malformed one is invalid, not an error.
 * Fails with RW_E_CRYPTO when OpenSSL could not even begin; nothing was decided then. */
RW_RC key_verify(const struct key *k, struct rw_span message, struct rw_span sig_hex,
                 bool *valid_out, struct rw_err *err);

#endif
