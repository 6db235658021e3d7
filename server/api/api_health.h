/* api_health.h: routes without a token: alive, ready, metrics.
 *
 * memory   nothing is kept
 * threads  the core thread: an answer proves that it runs
 * source   docs/protocol.md 8; Prometheus text format 0.0.4
 */
#ifndef RINGWARD_API_HEALTH_H
#define RINGWARD_API_HEALTH_H

#include "server/api/api_job.h"

extern const struct api_route api_health_routes[];
extern const size_t api_health_route_count;

#endif
