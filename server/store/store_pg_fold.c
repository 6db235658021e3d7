#include "server/store/store_pg_fold.h"

#include "server/store/store_pg_hot.h"

enum {
    PART_BYTES = 8 * 1024 * 1024, /* of a head, per row */
    JOURNAL_PAGE_ROWS = 100,
    /* Rows that are folded already, kept for nodes that are a little behind: without them they would load the image. */
    JOURNAL_KEPT_ROWS = 4096,
};

/* --- journal and head --- */

RW_RC store_pg_fold_append(void *ctx, struct rw_span batch, int64_t *row, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    struct store_pg_values v = {.count = 0};
    store_pg_result_drop(&s->ahead); /* it lacks what comes now */
    store_pg_add_i64(&v, s->now.tip + 1);
    store_pg_add_bytes(&v, batch);
    RW_TRY(store_pg_hot_send(s, SQL_JOURNAL_APPEND, &v, err)); /* goes with the commit */
    s->rows = true;
    *row = ++s->now.tip;
    return RW_OK;
}

RW_RC store_pg_fold_each(void *ctx, int64_t after,
                         RW_RC (*each)(void *arg, int64_t row, struct rw_span batch,
                                       struct rw_err *err),
                         void *arg, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    int rows = JOURNAL_PAGE_ROWS;
    if (s->ahead != NULL && s->ahead_after == after) {
        rows = PQntuples(s->ahead);
        for (int i = 0; i < rows; i++) {
            after = store_pg_i64(s->ahead, i, 0);
            RW_TRY(each(arg, after, store_pg_span(s->ahead, i, 1), err));
        }
        if (rows < STORE_PG_AHEAD_ROWS) { return RW_OK; }
        rows = JOURNAL_PAGE_ROWS;
    }
    while (rows == JOURNAL_PAGE_ROWS) {
        struct store_pg_values v = {.count = 0};
        RW_AUTO(store_pg_result) store_pg_result r = NULL;
        store_pg_add_i64(&v, after);
        store_pg_add_i64(&v, JOURNAL_PAGE_ROWS);
        RW_TRY(store_pg_hot_run(s, SQL_JOURNAL_EACH, &v, &r, err));
        rows = PQntuples(r);
        for (int i = 0; i < rows; i++) {
            after = store_pg_i64(r, i, 0);
            RW_TRY(each(arg, after, store_pg_span(r, i, 1), err));
        }
    }
    return RW_OK;
}

static RW_RC put_part(struct store_pg_hot *s, int64_t part, int64_t mark, struct rw_span bytes,
                      struct rw_err *err)
{
    struct store_pg_values v = {.count = 0};
    int64_t rows = 0;
    store_pg_add_i64(&v, part);
    store_pg_add_i64(&v, mark);
    store_pg_add_bytes(&v, bytes);
    return store_pg_hot_change(s, SQL_FOLD_PUT, &v, &rows, err);
}

RW_RC store_pg_fold_drop(void *ctx, int64_t upto, int64_t limit, bool *more, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    struct store_pg_values v = {.count = 0};
    int64_t rows = 0;
    store_pg_add_i64(&v, upto - JOURNAL_KEPT_ROWS);
    store_pg_add_i64(&v, limit);
    RW_TRY(store_pg_hot_change(s, SQL_JOURNAL_DROP, &v, &rows, err));
    *more = rows >= limit;
    return RW_OK;
}

RW_RC store_pg_fold_put(void *ctx, int64_t mark, struct rw_span head, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    int64_t rows = 0;
    int64_t part = 0;
    RW_TRY(store_pg_hot_change(s, SQL_FOLD_CLEAR, NULL, &rows, err));
    do {
        size_t n = head.n < PART_BYTES ? head.n : PART_BYTES;
        RW_TRY(put_part(s, part++, mark, rw_span_of(head.p, n), err));
        head = rw_span_of(head.p + n, head.n - n);
    } while (head.n > 0);
    return RW_OK;
}

RW_RC store_pg_fold_load(void *ctx, int64_t *mark, struct rw_buf *head, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    *mark = 0;
    for (int64_t part = 0;; part++) {
        struct store_pg_values v = {.count = 0};
        RW_AUTO(store_pg_result) store_pg_result r = NULL;
        store_pg_add_i64(&v, part);
        RW_TRY(store_pg_hot_run(s, SQL_FOLD_GET, &v, &r, err));
        if (PQntuples(r) == 0) { return RW_OK; }
        int64_t of = store_pg_i64(r, 0, 0);
        if (part > 0 && of != *mark) {
            return rw_fail(err, RW_E_STORE, "the journal was folded meanwhile: load again");
        }
        *mark = of;
        RW_TRY(rw_buf_append(head, store_pg_span(r, 0, 1), err));
    }
}

RW_RC store_pg_fold_mark(void *ctx, int64_t *mark, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    RW_TRY(store_pg_hot_run(s, SQL_FOLD_MARK, NULL, &r, err));
    *mark = PQntuples(r) == 0 ? 0 : store_pg_i64(r, 0, 0);
    return RW_OK;
}

/* --- slices --- */

RW_RC store_pg_fold_slice_put(void *ctx, int64_t number, int64_t mark, struct rw_span bytes,
                              struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    struct store_pg_values v = {.count = 0};
    int64_t rows = 0;
    store_pg_add_i64(&v, number);
    store_pg_add_i64(&v, mark);
    store_pg_add_bytes(&v, bytes);
    return store_pg_hot_change(s, SQL_SLICE_PUT, &v, &rows, err);
}

RW_RC store_pg_fold_slice_get(void *ctx, int64_t number, int64_t *mark, struct rw_buf *into,
                              struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    struct store_pg_values v = {.count = 0};
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    store_pg_add_i64(&v, number);
    RW_TRY(store_pg_hot_run(s, SQL_SLICE_GET, &v, &r, err));
    if (PQntuples(r) == 0) {
        return rw_fail(err, RW_E_NOT_FOUND, "there is no slice %lld", (long long)number);
    }
    *mark = store_pg_i64(r, 0, 0);
    return rw_buf_append(into, store_pg_span(r, 0, 1), err);
}

RW_RC store_pg_fold_slice_each(void *ctx,
                               RW_RC (*each)(void *arg, const struct store_slice *slice,
                                             struct rw_err *err),
                               void *arg, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    RW_TRY(store_pg_hot_run(s, SQL_SLICE_EACH, NULL, &r, err));
    for (int i = 0; i < PQntuples(r); i++) {
        const struct store_slice slice = {.number = store_pg_i64(r, i, 0),
                                          .mark = store_pg_i64(r, i, 1),
                                          .bytes = store_pg_i64(r, i, 2)};
        RW_TRY(each(arg, &slice, err));
    }
    return RW_OK;
}
