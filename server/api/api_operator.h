/* api_operator.h: the operator routes about the server and the audit log, and what all operator routes share.
 *
 * memory   nothing is kept
 * threads  the core thread; the helpers are pure
 * source   docs/protocol.md 8
 */
#ifndef RINGWARD_API_OPERATOR_H
#define RINGWARD_API_OPERATOR_H

#include "server/api/api_job.h"

extern const struct api_route api_operator_routes[];
extern const size_t api_operator_route_count;

/* Releases and rollouts concern every tenant: a token that belongs to one tenant may look, not steer.
 * Fails with RW_E_FORBIDDEN. */
RW_RC api_operator_any_tenant(const struct api_job *job, struct rw_err *err);
/* Whether the token belongs to one tenant: of releases it may know what its endpoints may get, no more (INV-11). */
bool api_operator_of_tenant(const struct api_job *job);
/* Accepts "" and "{}". Fails with RW_E_SYNTAX, RW_E_SCHEMA. */
RW_RC api_operator_empty_body(struct rw_span body, struct rw_err *err);

#endif
