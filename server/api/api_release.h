/* api_release.h: the operator routes about releases.
 *
 * memory   prepared bodies belong to their job
 * threads  prepare on a worker, apply on the core thread (api_job.h)
 * source   docs/protocol.md 8
 */
#ifndef RINGWARD_API_RELEASE_H
#define RINGWARD_API_RELEASE_H

#include "server/api/api_core.h"

extern const struct api_route api_release_routes[];
extern const size_t api_release_route_count;

/* Takes the box's verdict (n 0: there is none) of a check that api_core_outside.check queued. Fails with the
 * store's codes: the verdict is not kept then, and the release stays in checking. */
RW_RC api_release_take_verdict(struct api_core *c, const struct release_id *id,
                               struct rw_span verdict, struct rw_err *err);
/* After a start: queues every check that was cut off. */
RW_RC api_release_resume_checks(struct api_core *c, struct rw_err *err);

/* What struct release_domain asks about rollouts; `core` is a struct api_core. */
int64_t api_release_in_place(const void *core, const char *family);
bool api_release_halted(const void *core, const struct release_id *id);

#endif
