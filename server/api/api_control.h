/* api_control.h: routes of the operator API about customers' controls.
 *
 * memory   no state of its own
 * threads  prepare on workers, apply on the core thread
 * source   docs/controls.md "Set by operators"; docs/protocol.md 8
 */
#ifndef RINGWARD_API_CONTROL_H
#define RINGWARD_API_CONTROL_H

#include "server/api/api_job.h"

extern const struct api_route api_control_routes[];
extern const size_t api_control_route_count;

#endif
