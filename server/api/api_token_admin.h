/* api_token_admin.h: routes of the operator API by which an admin makes, lists and revokes tokens.
 *
 * memory   no state of its own; a made token stands in its answer and is kept nowhere
 * threads  prepare on workers, apply on the core thread
 * source   docs/protocol.md 5 and 8
 */
#ifndef RINGWARD_API_TOKEN_ADMIN_H
#define RINGWARD_API_TOKEN_ADMIN_H

#include "server/api/api_job.h"

extern const struct api_route api_token_admin_routes[];
extern const size_t api_token_admin_route_count;

#endif
