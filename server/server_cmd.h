/* server_cmd.h: the subcommands of ringward-server that run and end: init, keys, token, check-config,
 * backup, restore, check, prune.
 *
 * memory   nothing is kept
 * threads  the main thread
 * source   docs/protocol.md 4 and 5; docs/backup.md
 */
#ifndef RINGWARD_SERVER_CMD_H
#define RINGWARD_SERVER_CMD_H

#include "common/base/err.h"

/* argv[0] is the verb. */
RW_RC server_cmd_init(int argc, char **argv, struct rw_err *err);
RW_RC server_cmd_keys(int argc, char **argv, struct rw_err *err);
RW_RC server_cmd_token(int argc, char **argv, struct rw_err *err);
RW_RC server_cmd_check_config(int argc, char **argv, struct rw_err *err);
RW_RC server_cmd_backup(int argc, char **argv, struct rw_err *err);
RW_RC server_cmd_restore(int argc, char **argv, struct rw_err *err);
RW_RC server_cmd_check(int argc, char **argv, struct rw_err *err);
RW_RC server_cmd_prune(int argc, char **argv, struct rw_err *err);

#endif
