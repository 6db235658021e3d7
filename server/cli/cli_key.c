#include "server/cli/cli_key.h"

#include "common/base/file.h"
#include "common/crypto/key_token.h"

#include <stdlib.h>
#include <string.h>

RW_RC cli_key_passphrase(const char *path, char dst[static CLI_KEY_PASSPHRASE_BYTES],
                         struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CLI_KEY_PASSPHRASE_BYTES - 1);
    RW_TRY(rw_file_read(path, CLI_KEY_PASSPHRASE_BYTES - 1, &text, err));
    size_t n = strcspn(rw_buf_str(&text), "\r\n");
    struct rw_rc rc =
        rw_span_to_str(dst, CLI_KEY_PASSPHRASE_BYTES, rw_span_of(text.p, n), "passphrase", err);
    if (text.p != NULL) { rw_wipe(text.p, text.n); }
    if (rw_is_ok(rc) && n == 0) {
        return rw_fail(err, RW_E_USAGE, "passphrase file '%s' is empty", path);
    }
    return rc;
}

static RW_RC load_token(const struct cli_key_source *source, struct key *out, struct rw_err *err)
{
    char pin[CLI_KEY_PASSPHRASE_BYTES] = "";
    const char *env = getenv("RINGWARD_PIN");
    const struct key_token token = {
        .uri = source->name, .module = getenv("RINGWARD_PKCS11_MODULE"), .pin = pin};
    if (source->pin_file != NULL) {
        RW_TRY(cli_key_passphrase(source->pin_file, pin, err));
    } else if (env != NULL && env[0] != '\0') {
        RW_TRY(rw_span_to_str(pin, sizeof(pin), rw_span_str(env), "RINGWARD_PIN", err));
    } else {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "the token of key '%s' wants a PIN", source->name),
                  "hint");
        return rw_hint(err, "give --pin-file FILE or set RINGWARD_PIN");
    }
    struct rw_rc rc = key_token_load(&token, out, err);
    rw_wipe(pin, sizeof(pin));
    return rc;
}

RW_RC cli_key_load(const struct cli_key_source *source, struct key *out, struct rw_err *err)
{
    char passphrase[CLI_KEY_PASSPHRASE_BYTES];
    if (key_token_is_uri(source->name)) { return load_token(source, out, err); }
    if (source->passphrase_file == NULL) { return key_load_private(source->name, NULL, out, err); }
    RW_TRY(cli_key_passphrase(source->passphrase_file, passphrase, err));
    struct rw_rc rc = key_load_private(source->name, passphrase, out, err);
    rw_wipe(passphrase, sizeof(passphrase));
    return rc;
}
