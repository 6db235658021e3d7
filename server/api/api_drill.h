/* api_drill.h: the operator routes about drills.
 *
 * memory   prepared bodies belong to their job
 * threads  prepare on a worker, apply on the core thread (api_job.h)
 * source   docs/protocol.md 8; docs/rollout.md "Drills"
 */
#ifndef RINGWARD_API_DRILL_H
#define RINGWARD_API_DRILL_H

#include "server/api/api_job.h"

extern const struct api_route api_drill_routes[];
extern const size_t api_drill_route_count;

#endif
