/* cmd_rollout_explain_view.h: the explain object for people: a sentence first, then every number behind it.
 *
 * memory   borrows the answers' trees
 * threads  one thread
 * source   docs/protocol.md 8 (explain object), docs/health.md
 */
#ifndef RINGWARD_CMD_ROLLOUT_EXPLAIN_VIEW_H
#define RINGWARD_CMD_ROLLOUT_EXPLAIN_VIEW_H

#include "common/base/clock.h"
#include "common/json/json_read.h"

/* `rollout` gives the halt and the states, `explain` the numbers. Fails with RW_E_SCHEMA when the rings are missing. */
RW_RC cmd_rollout_explain_view(const struct json *rollout, const struct json *explain,
                               struct rw_err *err);
/* The sentence alone: why it is halted, held, waiting or through. Copies into dst. */
void cmd_rollout_explain_sentence(const struct json *rollout, const struct json *explain,
                                  struct rw_wall now, char *dst, size_t cap);
/* INV-12: what the scope called `name`, a ring or cohort, was held against where it had too little control of its own
 * in an incident, or that it was not judged then (late_rule.h). Copies into dst; "": neither. */
void cmd_rollout_explain_incident(const struct json *scope, const char *name, char *dst,
                                  size_t cap);

#endif
