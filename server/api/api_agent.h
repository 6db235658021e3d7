/* api_agent.h: what endpoints ask for: enrolment, activation permits, beacons.
 *
 * memory   prepared bodies belong to their job
 * threads  prepare on a worker, apply on the core thread (api_job.h)
 * source   docs/protocol.md 7; INV-2, INV-8: every route here is batched, answered after the commit
 */
#ifndef RINGWARD_API_AGENT_H
#define RINGWARD_API_AGENT_H

#include "server/api/api_job.h"

/* The routes; static. */
extern const struct api_route api_agent_routes[];
extern const size_t api_agent_route_count;

#endif
