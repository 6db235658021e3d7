/* cmd_rollout_watch.h: follows one rollout: redraw on a terminal, a line per change on a pipe.
 *
 * memory   everything is freed before return
 * threads  one thread
 * source   docs/cli.md
 */
#ifndef RINGWARD_CMD_ROLLOUT_WATCH_H
#define RINGWARD_CMD_ROLLOUT_WATCH_H

#include "server/cli/cli_api.h"
#include "server/cli/cli_view.h"

struct cmd_rollout_watch_options {
    enum cli_format format;
    int64_t timeout_ms; /* negative: none */
};

/* Returns at the end of the rollout with its outcome. Fails with RW_E_TIMEOUT at the time-out (exit 3);
 * an unreachable server is waited for, and said so. */
RW_RC cmd_rollout_watch(struct cli_api *api, const char *path,
                        const struct cmd_rollout_watch_options *options, struct rw_err *err);

#endif
