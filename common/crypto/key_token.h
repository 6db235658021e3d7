/* key_token.h: private keys that stay on a PKCS#11 token (smart card, HSM), used through OpenSSL's pkcs11 engine.
 *
 * memory   the key holds the engine until key_drop
 * threads  as key.h; the engine keeps one session per key
 * source   RFC 7512 (URIs); engine of Debian's libengine-pkcs11-openssl
 */
#ifndef RINGWARD_KEY_TOKEN_H
#define RINGWARD_KEY_TOKEN_H

#include "common/crypto/key.h"

struct key_token {
    const char *uri;    /* "pkcs11:token=...;object=..."; without a PIN in it */
    const char *module; /* shared object of the token's vendor; NULL: the engine's own choice */
    const char *pin;    /* not NULL, not "" */
};

/* Whether a key's name is a URI of a token and no file. */
bool key_token_is_uri(const char *name);
/* Logs in and finds the key; only ECDSA P-256 is taken. A PIN inside the URI is refused: every user of the machine
 * can read command lines. Fails with RW_E_USAGE (the URI), RW_E_PROCESS (no engine), RW_E_IO (the module),
 * RW_E_AUTH (wrong PIN), RW_E_NOT_FOUND (no such token or key), RW_E_SCHEMA (another kind of key). */
RW_RC key_token_load(const struct key_token *t, struct key *out, struct rw_err *err);
/* For key_drop: gives back what key_token_load took. Accepts NULL. */
void key_token_release(void *engine);

#endif
