/* cmd_drill.h: ringward drill: rehearse halt and recovery on the live fleet with a harmless release.
 *
 * memory   nothing is kept
 * threads  one thread
 * source   docs/cli.md "Drills"
 */
#ifndef RINGWARD_CMD_DRILL_H
#define RINGWARD_CMD_DRILL_H

#include "common/base/err.h"

RW_RC cmd_drill(int argc, char **argv, struct rw_err *err);

#endif
