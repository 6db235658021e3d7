/* cmd_rings.h: `ringward rings`: the policy of rings: checks and explains it in words and numbers.
 *
 * memory   everything is freed before return
 * threads  one thread
 * source   docs/policy.md
 */
#ifndef RINGWARD_CMD_RINGS_H
#define RINGWARD_CMD_RINGS_H

#include "common/base/err.h"

/* argv[0] is "rings". Fails with RW_E_USAGE, RW_E_SCHEMA and RW_E_RANGE for a wrong policy, with its place. */
RW_RC cmd_rings(int argc, char **argv, struct rw_err *err);

#endif
