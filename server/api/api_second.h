/* api_second.h: the operator routes about requests that wait for a second person.
 *
 * memory   prepared bodies belong to their job
 * threads  prepare on a worker, the rest on the core thread (api_job.h)
 * source   docs/protocol.md 8; docs/rollout.md "Second person"
 */
#ifndef RINGWARD_API_SECOND_H
#define RINGWARD_API_SECOND_H

#include "server/api/api_core.h"
#include "server/api/api_job.h"

extern const struct api_route api_second_routes[];
extern const size_t api_second_route_count;

/* What somebody wants to do with a rollout. */
struct api_second_wish {
    enum second_person_verb verb;
    const struct release_id *id;
    const char *reason;
    int64_t generation; /* of the rollout, as that person saw it; 0: whatever it is */
};

/* Records the wish as a request, in a transaction of its own. Never succeeds: the verb itself was not carried out.
 * Fails with RW_E_SECOND (recorded, or one waits already), RW_E_SCHEMA (no reason), RW_E_NOT_FOUND, RW_E_STALE. */
RW_RC api_second_ask(struct api_core *c, const struct api_job *job,
                     const struct api_second_wish *wish, struct rw_err *err);
/* Appends one string per request that waits to an open array. */
RW_RC api_second_write_alarms(const struct api_core *c, struct rw_wall now, struct json_writer *w,
                              struct rw_err *err);

#endif
