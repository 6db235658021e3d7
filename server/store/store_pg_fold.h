/* store_pg_fold.h: journal and fold in PostgreSQL: part of the back end, in its table of functions.
 *
 * memory   `ctx` is the back end's own struct store_pg_hot; the rest as store.h
 * threads  one thread
 * source   store.h has the contract of each
 */
#ifndef RINGWARD_STORE_PG_FOLD_H
#define RINGWARD_STORE_PG_FOLD_H

#include "server/store/store.h"

RW_RC store_pg_fold_append(void *ctx, struct rw_span batch, int64_t *row, struct rw_err *err);
RW_RC store_pg_fold_each(void *ctx, int64_t after,
                         RW_RC (*each)(void *arg, int64_t row, struct rw_span batch,
                                       struct rw_err *err),
                         void *arg, struct rw_err *err);
RW_RC store_pg_fold_drop(void *ctx, int64_t upto, int64_t limit, bool *more, struct rw_err *err);
RW_RC store_pg_fold_put(void *ctx, int64_t mark, struct rw_span head, struct rw_err *err);
RW_RC store_pg_fold_load(void *ctx, int64_t *mark, struct rw_buf *head, struct rw_err *err);
RW_RC store_pg_fold_mark(void *ctx, int64_t *mark, struct rw_err *err);
RW_RC store_pg_fold_slice_put(void *ctx, int64_t number, int64_t mark, struct rw_span bytes,
                              struct rw_err *err);
RW_RC store_pg_fold_slice_get(void *ctx, int64_t number, int64_t *mark, struct rw_buf *into,
                              struct rw_err *err);
RW_RC store_pg_fold_slice_each(void *ctx,
                               RW_RC (*each)(void *arg, const struct store_slice *slice,
                                             struct rw_err *err),
                               void *arg, struct rw_err *err);

#endif
