/* api_permit.h: one way to decide about a permit: what operators set first (INV-7), then the controller. Endpoints that
 * ask and people who ask why go it alike.
 *
 * memory   as api_core.h
 * threads  the core thread only
 * source   docs/protocol.md 7 and 8
 */
#ifndef RINGWARD_API_PERMIT_H
#define RINGWARD_API_PERMIT_H

#include "server/api/api_core.h"

/* Answers an endpoint; a new permit is in the fleet's pending batch then (INV-2). Fails as rollout_run_permit. */
RW_RC api_permit_decide(struct api_core *c, const struct fleet_who *who,
                        const struct beacon_permit_request *request,
                        struct beacon_permit_answer *answer_out, struct rw_err *err);
/* The member "rollouts": what the endpoint would be answered about each release that may be asked for, and what it was
 * answered last. Grants and records nothing. Fails as rollout_run_permit_look. */
RW_RC api_permit_write_why(const struct api_core *c, const struct fleet_who *who,
                           struct json_writer *w, struct rw_err *err);

#endif
