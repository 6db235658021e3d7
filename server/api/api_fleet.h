/* api_fleet.h: the operator routes about endpoints: pages of them, one of them, why it has what it has, who is dark,
 * how cohorts do.
 *
 * memory   nothing is kept
 * threads  the core thread; each answer looks at a bounded part of the fleet, or at one endpoint
 * source   docs/protocol.md 8
 */
#ifndef RINGWARD_API_FLEET_H
#define RINGWARD_API_FLEET_H

#include "server/api/api_job.h"

extern const struct api_route api_fleet_routes[];
extern const size_t api_fleet_route_count;

#endif
