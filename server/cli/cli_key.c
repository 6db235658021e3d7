#include "server/cli/cli_key.h"

#include "common/base/file.h"

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

RW_RC cli_key_load(const char *path, const char *passphrase_file, struct key *out,
                   struct rw_err *err)
{
    char passphrase[CLI_KEY_PASSPHRASE_BYTES];
    if (passphrase_file == NULL) { return key_load_private(path, NULL, out, err); }
    RW_TRY(cli_key_passphrase(passphrase_file, passphrase, err));
    struct rw_rc rc = key_load_private(path, passphrase, out, err);
    rw_wipe(passphrase, sizeof(passphrase));
    return rc;
}
