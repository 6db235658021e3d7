/* rollout_restore.h: what a store that comes from a backup may not go on doing by itself.
 *
 * memory   borrows its arguments
 * threads  the store's thread, before a controller is opened
 * source   docs/backup.md; INV-1
 */
#ifndef RINGWARD_ROLLOUT_RESTORE_H
#define RINGWARD_ROLLOUT_RESTORE_H

#include "common/base/clock.h"
#include "server/store/store.h"

/* Holds every rollout that could grant permits and is not complete: those granted after the backup was made are not in
 * it, so the window would grant them a second time (INV-1). A person resumes. Writes the audit records too; needs a
 * transaction. Gives how many were held. Fails as the store and rollout_doc_read do. */
RW_RC rollout_restore_hold(struct store *store, const char *why, struct rw_wall now,
                           size_t *held_out, struct rw_err *err);

#endif
