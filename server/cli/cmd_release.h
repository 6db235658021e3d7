/* cmd_release.h: `ringward release ...`: create, sign, publish, withdraw, renew, expedite, list and show.
 *
 * memory   everything is freed before return
 * threads  one thread
 * source   docs/cli.md. Keys stay on this machine: only signatures are sent.
 */
#ifndef RINGWARD_CMD_RELEASE_H
#define RINGWARD_CMD_RELEASE_H

#include "common/base/err.h"

/* argv[0] is "release". Fails with the server's codes; RW_E_BOX_REFUSED when a check does not pass (exit 9). */
RW_RC cmd_release(int argc, char **argv, struct rw_err *err);
/* The verbs in files of their own. argv[0] is the verb. */
RW_RC cmd_release_create(int argc, char **argv, struct rw_err *err);
RW_RC cmd_release_sign(int argc, char **argv, struct rw_err *err);
RW_RC cmd_release_withdraw(int argc, char **argv, struct rw_err *err);
RW_RC cmd_release_renew(int argc, char **argv, struct rw_err *err);
RW_RC cmd_release_expedite(int argc, char **argv, struct rw_err *err);
RW_RC cmd_release_orders(int argc, char **argv, struct rw_err *err);

#endif
