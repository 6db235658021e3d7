/* rollout_stopped.h: why parts of a rollout were stopped (a cohort halted, a tenant held), kept beside it.
 *
 * Evidence begins anew when a person resumes, and when a tenant's part is taken out of it. What a part was stopped for
 * must be there for `explain` afterwards, on every node and behind every start (INV-12); no decision rests on it.
 *
 * memory   none of its own
 * threads  the core thread only
 * source   docs/health.md "Verdicts", docs/protocol.md 8
 */
#ifndef RINGWARD_ROLLOUT_STOPPED_H
#define RINGWARD_ROLLOUT_STOPPED_H

#include "common/json/json_write.h"
#include "server/rollout/rollout_cause.h"
#include "server/rollout/rollout_doc.h"

/* Adds a part that was stopped at `at`, with what it rests on. Needs a transaction. Fails with RW_E_FULL (more parts
 * than there can be), RW_E_NOMEM, the store's codes. */
RW_RC rollout_stopped_add(struct store *store, const struct rollout *ro, struct rw_wall at,
                          const struct rollout_cause *cause, const char *reason,
                          struct rw_err *err);
/* Appends the array "stopped" to the open object, in the order in which they were stopped. Fails with the store's
 * codes. */
RW_RC rollout_stopped_write(struct store *store, const struct rollout *ro, struct json_writer *w,
                            struct rw_err *err);
/* Removes what is stored, if anything is; needs a transaction. */
RW_RC rollout_stopped_remove(struct store *store, const struct rollout *ro, struct rw_err *err);

#endif
