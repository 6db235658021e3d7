/* cmd_key.h: `ringward key ...`: make a key file, show its public half. Keys never leave the machine.
 *
 * memory   everything is freed before return; private material and passphrases are wiped
 * threads  one thread
 * source   docs/trust.md "Keys"
 */
#ifndef RINGWARD_CMD_KEY_H
#define RINGWARD_CMD_KEY_H

#include "common/base/err.h"

/* argv[0] is "key". Fails with RW_E_USAGE, RW_E_EXISTS (a key file is never overwritten), RW_E_AUTH
 * (passphrase), RW_E_IO. */
RW_RC cmd_key(int argc, char **argv, struct rw_err *err);

#endif
