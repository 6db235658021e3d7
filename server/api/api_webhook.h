/* api_webhook.h: the operator routes about webhooks.
 *
 * memory   nothing is kept
 * threads  the core thread
 * source   docs/protocol.md 8
 */
#ifndef RINGWARD_API_WEBHOOK_H
#define RINGWARD_API_WEBHOOK_H

#include "server/api/api_job.h"

extern const struct api_route api_webhook_routes[];
extern const size_t api_webhook_route_count;

#endif
