/* cmd_fleet.h: `ringward fleet`: endpoints: where they are, what runs there.
 *
 * memory   everything is freed before return
 * threads  one thread
 * source   docs/protocol.md 8 (endpoint object)
 */
#ifndef RINGWARD_CMD_FLEET_H
#define RINGWARD_CMD_FLEET_H

#include "common/base/err.h"

/* argv[0] is "fleet". Fails with RW_E_USAGE, the server's codes. */
RW_RC cmd_fleet(int argc, char **argv, struct rw_err *err);

#endif
