/* agent_view.h: the agent's state as JSON, and that JSON as text for people.
 *
 * memory   appends to a buffer of the caller
 * threads  the loop's thread writes; printing is pure
 * source   docs/protocol.md 9
 */
#ifndef RINGWARD_AGENT_VIEW_H
#define RINGWARD_AGENT_VIEW_H

#include "agent/agent.h"

RW_RC agent_view_write(const struct agent *a, struct rw_buf *into, struct rw_err *err);
/* Print on stdout. Fail with RW_E_SCHEMA when the text is not a status. */
RW_RC agent_view_print_status(struct rw_span text, struct rw_err *err);
RW_RC agent_view_print_why(struct rw_span text, struct rw_err *err);

#endif
