/* cmd_fleet_view.h: one endpoint for people: what it has, and why.
 *
 * memory   borrows the server's answer
 * threads  one thread
 * source   docs/cli.md; docs/protocol.md 8 "Endpoint object"
 */
#ifndef RINGWARD_CMD_FLEET_VIEW_H
#define RINGWARD_CMD_FLEET_VIEW_H

#include "common/json/json_read.h"

RW_RC cmd_fleet_view_endpoint(const struct json *endpoint, struct rw_err *err);
/* The same, and what would be answered if it asked for permits now. */
RW_RC cmd_fleet_view_why(const struct json *why, struct rw_err *err);
/* Fails with RW_E_ATTENTION (status 6) when it is dark or muted. */
RW_RC cmd_fleet_view_judge(const struct json *why, struct rw_err *err);

#endif
