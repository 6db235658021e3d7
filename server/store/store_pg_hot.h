/* store_pg_hot.h: the inside of the PostgreSQL back end, shared by the store_pg*.c files only.
 *
 * memory   plain; the back end owns it
 * threads  one thread
 * source   docs/nodes.md
 */
#ifndef RINGWARD_STORE_PG_HOT_H
#define RINGWARD_STORE_PG_HOT_H

#include "server/store/store.h"
#include "server/store/store_pg_sql.h"

struct store_pg_hot {
    struct store_pg_link link;
    bool in_transaction;
    bool documents; /* the open transaction wrote some */
    bool rows;      /* of the journal, likewise */
    struct store_now now;
    /* Rows behind `ahead_after`, asked for with the lock: the transaction has not to ask for them again. */
    store_pg_result ahead;
    int64_t ahead_after;
    bool others; /* the newest transaction met rows of other nodes: more are expected */
};

enum { STORE_PG_AHEAD_ROWS = 16 };

/* Runs one statement; `values` may be NULL. Fails with RW_E_STORE, RW_E_FULL. */
RW_RC store_pg_hot_run(struct store_pg_hot *s, enum store_pg_sql_index which,
                       const struct store_pg_values *values, store_pg_result *out,
                       struct rw_err *err);
/* Sends one of the open transaction; whether it did its work is known at the next one, or at the commit. */
RW_RC store_pg_hot_send(struct store_pg_hot *s, enum store_pg_sql_index which,
                        const struct store_pg_values *values, struct rw_err *err);
/* One that gives no rows: how many it changed. */
RW_RC store_pg_hot_change(struct store_pg_hot *s, enum store_pg_sql_index which,
                          const struct store_pg_values *values, int64_t *rows_out,
                          struct rw_err *err);

#endif
