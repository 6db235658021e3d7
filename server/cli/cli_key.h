/* cli_key.h: private keys as the command line names them: a file, a file with its passphrase, or a PKCS#11 token.
 *
 * memory   passphrases and PINs are wiped; a key is owned by the caller
 * threads  one thread
 * source   docs/trust.md "Keys"
 */
#ifndef RINGWARD_CLI_KEY_H
#define RINGWARD_CLI_KEY_H

#include "common/crypto/key.h"

enum { CLI_KEY_PASSPHRASE_BYTES = 1024 };

/* What `--key` and its companions say; the members may be NULL but `name`. */
struct cli_key_source {
    const char *name; /* path, or "pkcs11:token=...;object=..." */
    const char *passphrase_file;
    const char *pin_file;
};

/* The companions of `--key`; put them into the verb's table. */
#define CLI_OPT_PASSPHRASE(source)                                                                 \
    {                                                                                              \
        "passphrase-file", "FILE", "file with the key's passphrase", &(source).passphrase_file,    \
            NULL                                                                                   \
    }
#define CLI_OPT_PIN(source)                                                                        \
    {                                                                                              \
        "pin-file", "FILE", "file with the token's PIN (default: $RINGWARD_PIN)",                  \
            &(source).pin_file, NULL                                                               \
    }

/* Loads a private key. A token's PIN comes from its file or $RINGWARD_PIN, its module from
 * $RINGWARD_PKCS11_MODULE. Fails with the codes of key_load_private and key_token_load; RW_E_USAGE without a PIN. */
RW_RC cli_key_load(const struct cli_key_source *source, struct key *out, struct rw_err *err);
/* Reads the first line of a passphrase file; the caller wipes it. Fails with RW_E_IO, RW_E_USAGE (empty). */
RW_RC cli_key_passphrase(const char *path, char dst[static CLI_KEY_PASSPHRASE_BYTES],
                         struct rw_err *err);

#endif
