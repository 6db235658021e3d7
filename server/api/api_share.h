/* api_share.h: how many places of the queue each tenant has, so that one that floods leaves room for the others.
 *
 * Operators do not count to their tenant's endpoints: whatever these do, somebody can get through and halt.
 *
 * memory   24 bytes for each of twice the jobs that may wait, from the start
 * threads  under the lock of the queue, but api_share_class
 * source   limit_rule_share; docs/server.md "Too much"
 */
#ifndef RINGWARD_API_SHARE_H
#define RINGWARD_API_SHARE_H

#include "server/api/api_job.h"

struct api_share;

/* For a queue of `capacity` >= 1 places, of which one may take `percent` (1..100; 100: all of them). Gives.
 * Fails with RW_E_NOMEM, RW_E_CRYPTO. */
RW_RC api_share_new(size_t capacity, unsigned percent, struct api_share **out, struct rw_err *err);
void api_share_free(struct api_share *s); /* accepts NULL */

/* To whom a job counts, and with how many places: one that runs alone in the core takes the time of many that share a
 * commit. Any thread. */
uint64_t api_share_class(const struct api_share *s, const struct api_identity *who);
size_t api_share_places(const struct api_share *s, const struct api_route *route);

/* Gives `places` of a queue that has `used` taken ones to a class; false: that would be more than its share. */
bool api_share_enter(struct api_share *s, uint64_t class, size_t used, size_t places);
/* The queue is empty. */
void api_share_clear(struct api_share *s);

#endif
