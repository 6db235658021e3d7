/* api_trust_change.h: routes by which a ceremony's documents reach a running server.
 *
 * memory   nothing is kept
 * threads  the core thread
 * source   docs/protocol.md 8; docs/trust.md "Rotation"
 */
#ifndef RINGWARD_API_TRUST_CHANGE_H
#define RINGWARD_API_TRUST_CHANGE_H

#include "server/api/api_job.h"

extern const struct api_route api_trust_change_routes[];
extern const size_t api_trust_change_route_count;

#endif
