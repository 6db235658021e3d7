/* cmd_audit.h: `ringward audit`: the audit log: shown, exported, verified without trust in the server.
 *
 * memory   everything is freed before return
 * threads  one thread
 * source   docs/protocol.md 8 (audit page); INV-9
 */
#ifndef RINGWARD_CMD_AUDIT_H
#define RINGWARD_CMD_AUDIT_H

#include "common/base/err.h"

/* argv[0] is "audit". Fails with RW_E_USAGE, RW_E_TUF_HASH (exit 9) naming the first record that does not fit. */
RW_RC cmd_audit(int argc, char **argv, struct rw_err *err);

#endif
