/* cmd_control.h: "ringward control set|clear|list": what keeps a tenant's or an endpoint's content behind.
 *
 * memory   no state
 * threads  one thread
 * source   docs/controls.md; docs/cli.md
 */
#ifndef RINGWARD_CMD_CONTROL_H
#define RINGWARD_CMD_CONTROL_H

#include "common/base/err.h"

RW_RC cmd_control(int argc, char **argv, struct rw_err *err);
/* "ringward hold" and "ringward pin": short forms of two of its verbs' options. */
RW_RC cmd_control_hold(int argc, char **argv, struct rw_err *err);
RW_RC cmd_control_pin(int argc, char **argv, struct rw_err *err);

#endif
