/* api_rollout.h: the operator routes about rollouts.
 *
 * memory   prepared bodies belong to their job
 * threads  prepare on a worker, apply on the core thread (api_job.h)
 * source   docs/protocol.md 8
 */
#ifndef RINGWARD_API_ROLLOUT_H
#define RINGWARD_API_ROLLOUT_H

#include "server/api/api_job.h"

extern const struct api_route api_rollout_routes[];
extern const size_t api_rollout_route_count;

#endif
