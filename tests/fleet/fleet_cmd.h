/* fleet_cmd.h: the subcommands of ringward-fleet.
 *
 * memory   each owns what it opens
 * threads  one
 * source   docs/fleet.md
 */
#ifndef RINGWARD_FLEET_CMD_H
#define RINGWARD_FLEET_CMD_H

#include "tests/fleet/fleet_options.h"

enum { FLEET_CMD_JSON_BYTES_MAX = 64 * 1024 };

RW_RC fleet_cmd_run(int argc, char **argv, struct rw_err *err);
RW_RC fleet_cmd_load(int argc, char **argv, struct rw_err *err);

#endif
