/* cmd_rollout.h: `ringward rollout ...`: start, status, watch, steer and explain a rollout.
 *
 * memory   everything is freed before return
 * threads  one thread
 * source   docs/cli.md
 */
#ifndef RINGWARD_CMD_ROLLOUT_H
#define RINGWARD_CMD_ROLLOUT_H

#include "common/base/err.h"

/* argv[0] is "rollout". Fails with the server's codes; halted, rolled back and held rollouts are told by
 * RW_E_HALTED, RW_E_ROLLED_BACK and RW_E_PAUSED (exit statuses 4, 5, 6). */
RW_RC cmd_rollout(int argc, char **argv, struct rw_err *err);
/* argv[0] is "explain": every number behind the verdict on one release. */
RW_RC cmd_rollout_explain(int argc, char **argv, struct rw_err *err);

#endif
