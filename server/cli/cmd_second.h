/* cmd_second.h: ringward second: what waits for a second person; confirm it, or refuse it.
 *
 * memory   nothing is kept
 * threads  one thread
 * source   docs/cli.md "Second person"
 */
#ifndef RINGWARD_CMD_SECOND_H
#define RINGWARD_CMD_SECOND_H

#include "common/base/err.h"

RW_RC cmd_second(int argc, char **argv, struct rw_err *err);

#endif
