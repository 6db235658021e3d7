/* Engines are deprecated in favour of providers, but Debian 12 ships no PKCS#11 provider: the engine it is. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "common/crypto/key_token.h"

#include <errno.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { REASON_BYTES = 160 };

static const char scheme[] = "pkcs11:";

typedef ENGINE *engine_ref;

static void engine_ref_drop(engine_ref *e)
{
    ENGINE_free(*e);
}

bool key_token_is_uri(const char *name)
{
    return strncmp(name, scheme, sizeof(scheme) - 1) == 0;
}

void key_token_release(void *engine)
{
    if (engine == NULL) { return; }
    ENGINE_finish(engine);
}

static RW_RC check_uri(const char *uri, struct rw_err *err)
{
    if (!key_token_is_uri(uri)) {
        return rw_fail(err, RW_E_USAGE, "'%.60s' is no pkcs11: URI", uri);
    }
    if (strstr(uri, "pin-value") != NULL || strstr(uri, "pin-source") != NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "a PIN may not stand in the key's URI"), "hint");
        return rw_hint(err, "give it with --pin-file FILE or in RINGWARD_PIN");
    }
    return RW_OK;
}

/* Loads the engine and hands it its settings; a functional reference is given. */
static RW_RC start_engine(const struct key_token *t, void **out, struct rw_err *err)
{
    RW_AUTO(engine_ref) engine_ref e = ENGINE_by_id("pkcs11");
    if (e == NULL) {
        ERR_clear_error();
        RW_IGNORE(rw_fail(err, RW_E_PROCESS, "OpenSSL has no pkcs11 engine here"), "hint");
        return rw_hint(err, "install the package libengine-pkcs11-openssl");
    }
    if (t->module != NULL && access(t->module, R_OK) != 0) {
        RW_IGNORE(rw_fail_errno(err, RW_E_IO, errno, "PKCS#11 module '%s'", t->module), "hint");
        return rw_hint(err, "RINGWARD_PKCS11_MODULE names the shared object of the token's vendor");
    }
    if ((t->module != NULL && ENGINE_ctrl_cmd_string(e, "MODULE_PATH", t->module, 0) != 1) ||
        ENGINE_ctrl_cmd_string(e, "QUIET", NULL, 0) != 1 ||
        ENGINE_ctrl_cmd_string(e, "PIN", t->pin, 0) != 1 || ENGINE_init(e) != 1) {
        ERR_clear_error();
        return rw_fail(err, RW_E_CRYPTO, "the pkcs11 engine does not start");
    }
    *out = e;
    return RW_OK;
}

/* The engine's own words, the deepest cause first; they are all that tells a wrong PIN from a missing key. */
static RW_RC explain(const struct key_token *t, struct rw_err *err)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());
    char reason[REASON_BYTES];
    (void)snprintf(reason, sizeof(reason), "%s", text == NULL ? "no reason was given" : text);
    ERR_clear_error();
    if (strstr(reason, "PIN") != NULL) {
        RW_IGNORE(rw_fail(err, RW_E_AUTH, "key '%s': the token says: %s", t->uri, reason), "hint");
        return rw_hint(err, "a token locks itself after some wrong PINs");
    }
    if (strstr(reason, "Unable to load") != NULL) {
        RW_IGNORE(rw_fail(err, RW_E_IO, "key '%s': the PKCS#11 module does not load", t->uri),
                  "hint");
        return rw_hint(err,
                       "set RINGWARD_PKCS11_MODULE to the shared object of the token's vendor");
    }
    RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "key '%s': %s", t->uri, reason), "hint");
    return rw_hint(err,
                   "is the token there? 'pkcs11-tool --module M -L' and '-O' list tokens and keys");
}

static RW_RC load(const struct key_token *t, void *e, struct key *out, struct rw_err *err)
{
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    /* The PIN was handed over: whoever asks for one on a terminal gets none. */
    EVP_PKEY *pkey = ENGINE_load_private_key(e, t->uri, NULL, NULL);
    if (pkey == NULL) { return explain(t, err); }
    RW_TRY(key_adopt(pkey, true, &k, err));
    if (k.scheme != KEY_ECDSA_P256) {
        return rw_fail(err, RW_E_SCHEMA, "key '%s' is not of the curve P-256", t->uri);
    }
    *out = k;
    k.pkey = NULL; /* handed over */
    return RW_OK;
}

RW_RC key_token_load(const struct key_token *t, struct key *out, struct rw_err *err)
{
    void *e = NULL;
    RW_ASSERT(t->pin != NULL && t->pin[0] != '\0');
    RW_TRY(check_uri(t->uri, err));
    RW_TRY(start_engine(t, &e, err));
    struct rw_rc rc = load(t, e, out, err);
    if (!rw_is_ok(rc)) {
        key_token_release(e);
        return rc;
    }
    out->engine = e;
    return RW_OK;
}
