/* cmd_rollout_view.h: how one rollout looks on a terminal and which exit status its state means.
 *
 * memory   borrows the answer's tree
 * threads  one thread
 * source   docs/protocol.md 8 (rollout object); docs/cli.md (exit statuses)
 */
#ifndef RINGWARD_CMD_ROLLOUT_VIEW_H
#define RINGWARD_CMD_ROLLOUT_VIEW_H

#include "common/json/json_read.h"

/* Prints heading, ring table, health line and halt cause; returns the number of lines printed. */
RW_RC cmd_rollout_view_print(const struct json *rollout, size_t *lines_out, struct rw_err *err);
/* One line that changes only when something worth a log line changed. Copies into dst. */
void cmd_rollout_view_line(const struct json *rollout, char *dst, size_t cap);
/* True when nothing will move any more without a hand. */
bool cmd_rollout_view_ended(const struct json *rollout);
/* Success for complete and for a rollout that still runs; RW_E_HALTED, RW_E_ROLLED_BACK or RW_E_PAUSED
 * with the cause otherwise: those codes carry the documented exit statuses 4, 5 and 6. */
RW_RC cmd_rollout_view_outcome(const struct json *rollout, struct rw_err *err);

#endif
