/* cmd_status.h: `ringward status`: the server at a glance.
 *
 * memory   everything is freed before return
 * threads  one thread
 * source   docs/protocol.md 8
 */
#ifndef RINGWARD_CMD_STATUS_H
#define RINGWARD_CMD_STATUS_H

#include "common/base/err.h"

/* argv[0] is "status". Fails with RW_E_USAGE, the server's codes. */
RW_RC cmd_status(int argc, char **argv, struct rw_err *err);

#endif
