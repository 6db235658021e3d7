#include "server/store/store_pg_hot.h"

/* Outside of a transaction a lost connection is made anew; inside one its work is lost, and it must fail. */
RW_RC store_pg_hot_run(struct store_pg_hot *s, enum store_pg_sql_index which,
                       const struct store_pg_values *values, store_pg_result *out,
                       struct rw_err *err)
{
    bool bulk = which == SQL_FOLD_PUT || which == SQL_FOLD_GET || which == SQL_JOURNAL_EACH ||
                which == SQL_JOURNAL_DROP || which == SQL_DOC_EACH || which == SQL_FOLD_CLEAR ||
                which == SQL_SLICE_PUT || which == SQL_SLICE_GET || which == SQL_SLICE_EACH;
    if (!s->in_transaction) { RW_TRY(store_pg_link_ensure(&s->link, err)); }
    return store_pg_run(&s->link, &store_pg_sql[which], values,
                        bulk ? STORE_PG_LONG_MS : STORE_PG_SHORT_MS, out, err);
}

RW_RC store_pg_hot_send(struct store_pg_hot *s, enum store_pg_sql_index which,
                        const struct store_pg_values *values, struct rw_err *err)
{
    return store_pg_send(&s->link, &store_pg_sql[which], values, err);
}

/* A statement that gives no rows. */
RW_RC store_pg_hot_change(struct store_pg_hot *s, enum store_pg_sql_index which,
                          const struct store_pg_values *values, int64_t *rows_out,
                          struct rw_err *err)
{
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    RW_TRY(store_pg_hot_run(s, which, values, &r, err));
    *rows_out = store_pg_changed(r);
    return RW_OK;
}
