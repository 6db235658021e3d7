/* cmd_rings_view.h: a policy in words and numbers: as tables for people, as JSON for programs.
 *
 * memory   borrows the facts
 * threads  one thread
 * source   docs/policy.md
 */
#ifndef RINGWARD_CMD_RINGS_VIEW_H
#define RINGWARD_CMD_RINGS_VIEW_H

#include "server/cli/cmd_rings_facts.h"

/* Prints to standard output. Fail with RW_E_IO when that is full or closed, RW_E_NOMEM. */
RW_RC cmd_rings_view(const struct cmd_rings_facts *facts, struct rw_err *err);
/* One line; the members are listed in docs/policy.md. */
RW_RC cmd_rings_view_json(const struct cmd_rings_facts *facts, struct rw_err *err);

#endif
