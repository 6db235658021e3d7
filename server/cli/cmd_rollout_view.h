/* cmd_rollout_view.h: how one rollout looks on a terminal and which exit status its state means.
 *
 * memory   borrows the answer's tree
 * threads  one thread
 * source   docs/protocol.md 8 (rollout object); docs/cli.md (exit statuses)
 */
#ifndef RINGWARD_CMD_ROLLOUT_VIEW_H
#define RINGWARD_CMD_ROLLOUT_VIEW_H

#include "common/base/clock.h"
#include "common/json/json_read.h"

/* Prints heading, ring table, evidence and the reasons of the rings that are not quiet. With `columns` > 0 the table
 * is cut to that width; *lines_out is the number of terminal lines that all of it takes then. */
RW_RC cmd_rollout_view_print(const struct json *rollout, size_t columns, size_t *lines_out,
                             struct rw_err *err);
/* What a ring that is pending waits for: its signed time while that is to come, then what comes before it; nothing
 * comes before the first one. */
void cmd_rollout_view_pending(const struct json *ring, bool first, struct rw_wall now, char *dst,
                              size_t cap);
/* Prints the command that a person could give next, if there is an obvious one. */
void cmd_rollout_view_next(const struct json *rollout);
/* Why it stands where it stands, in one sentence: a halt with value, limit and n; else the rollout's reason. */
void cmd_rollout_view_why(const struct json *rollout, char *dst, size_t cap);
/* Whom a halt of one cohort, or of one tenant's endpoints, keeps out while the rest goes on; "" for nobody. */
void cmd_rollout_view_kept_out(const struct json *rollout, char *dst, size_t cap);
/* One line that changes only when something worth a log line changed. Copies into dst. */
void cmd_rollout_view_line(const struct json *rollout, char *dst, size_t cap);
/* True when nothing will move any more without a hand. */
bool cmd_rollout_view_ended(const struct json *rollout);
/* Success for complete and for a rollout that still runs; RW_E_HALTED, RW_E_ROLLED_BACK or RW_E_PAUSED
 * with the cause otherwise: those codes carry the documented exit statuses 4, 5 and 6. */
RW_RC cmd_rollout_view_outcome(const struct json *rollout, struct rw_err *err);

#endif
