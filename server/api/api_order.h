/* api_order.h: the operator routes about orders: withdrawals, renewals, expedites.
 *
 * memory   nothing is kept
 * threads  the core thread
 * source   docs/protocol.md 8
 */
#ifndef RINGWARD_API_ORDER_H
#define RINGWARD_API_ORDER_H

#include "server/api/api_core.h"

extern const struct api_route api_order_routes[];
extern const size_t api_order_route_count;

/* Appends what orders say to people, as strings, to an open array. */
RW_RC api_order_write_alarms(const struct api_core *c, struct rw_wall now, struct json_writer *w,
                             struct rw_err *err);

#endif
