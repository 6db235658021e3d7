/* api_routes.h: all routes of the server in one table.
 *
 * memory   a static table, filled once by the first call
 * threads  call first from one thread
 * source   docs/protocol.md 7 and 8
 */
#ifndef RINGWARD_API_ROUTES_H
#define RINGWARD_API_ROUTES_H

#include "server/api/api_job.h"

/* Borrowed for the life of the process. */
const struct api_route *api_routes(size_t *count_out);

#endif
