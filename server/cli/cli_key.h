/* cli_key.h: private keys as the command line names them: a file, and a file with its passphrase.
 *
 * memory   passphrases are wiped; a key is owned by the caller
 * threads  one thread
 * source   docs/trust.md "Keys"
 */
#ifndef RINGWARD_CLI_KEY_H
#define RINGWARD_CLI_KEY_H

#include "common/crypto/key.h"

enum { CLI_KEY_PASSPHRASE_BYTES = 1024 };

/* Loads a private key; `passphrase_file` may be NULL. Fails with key_load_private's codes. */
RW_RC cli_key_load(const char *path, const char *passphrase_file, struct key *out,
                   struct rw_err *err);
/* Reads the first line of a passphrase file; the caller wipes it. Fails with RW_E_IO, RW_E_USAGE (empty). */
RW_RC cli_key_passphrase(const char *path, char dst[static CLI_KEY_PASSPHRASE_BYTES],
                         struct rw_err *err);

#endif
