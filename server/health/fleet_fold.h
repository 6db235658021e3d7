/* fleet_fold.h: what one record does to the table: the only code that changes endpoints and counts, live and in replay.
 *
 * memory   changes a table of the caller
 * threads  the core thread only
 * source   docs/architecture.md "Storage": the journal is the truth, memory its fold (INV-8)
 *
 * What a record does to an endpoint depends on that endpoint, on the names and on the watched releases, never on other
 * endpoints, counts or windows: so endpoints may be loaded as of different rows and replayed each from its own.
 */
#ifndef RINGWARD_FLEET_FOLD_H
#define RINGWARD_FLEET_FOLD_H

#include "server/health/fleet_table.h"

/* Applies a record of row t->row; fleet_table_reserve was called before. Fails with RW_E_PROTOCOL (numbers that were
 * never defined, a permit of nobody), RW_E_FULL, RW_E_NOMEM (DEFINE and WATCH only). */
RW_RC fleet_fold_apply(struct fleet_table *t, const struct fleet_record *r, struct rw_err *err);
/* Applies a whole batch: one row of the journal. */
RW_RC fleet_fold_replay(struct fleet_table *t, int64_t row, struct rw_span batch,
                        struct rw_err *err);
/* Rebuilds the list of open permits from the slots, after a load. */
RW_RC fleet_fold_reopen(struct fleet_table *t, struct rw_err *err);

#endif
