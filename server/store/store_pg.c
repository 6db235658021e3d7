#include "server/store/store_pg.h"

#include "common/base/num.h"
#include "server/store/store_pg_fold.h"
#include "server/store/store_pg_hot.h"
#include "server/store/store_pg_schema.h"

#include <stdio.h>
#include <string.h>

enum { AUDIT_PAGE_ROWS = 1000 };

static void close_store(void *ctx)
{
    struct store_pg_hot *s = ctx;
    store_pg_result_drop(&s->ahead);
    store_pg_link_drop(&s->link);
    rw_mem_free(s);
}

/* --- transactions --- */

static void end_transaction(struct store_pg_hot *s)
{
    s->in_transaction = false;
    store_pg_result_drop(&s->ahead);
}

static void rollback(void *ctx)
{
    struct store_pg_hot *s = ctx;
    struct rw_err unused;
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    end_transaction(s);
    RW_IGNORE(store_pg_take(&s->link, STORE_PG_SHORT_MS, NULL, 0, &unused), "none of it counts");
    if (s->link.conn == NULL) { return; }
    if (!rw_is_ok(store_pg_exec(&s->link, "ROLLBACK", STORE_PG_SHORT_MS, &r, &unused))) {
        store_pg_link_cut(&s->link); /* the server rolls back what it has no client for */
    }
}

static RW_RC prepare(struct store_pg_hot *s, struct rw_err *err)
{
    static const enum store_pg_sql_index sent[] = {
        SQL_BEGIN,          SQL_LOCK,    SQL_LOCK_TERM, SQL_JOURNAL_EACH,
        SQL_JOURNAL_APPEND, SQL_TIP_PUT, SQL_COMMIT};
    for (size_t i = 0; i < RW_LEN(sent); i++) {
        RW_TRY(store_pg_prepare(&s->link, &store_pg_sql[sent[i]], err));
    }
    return RW_OK;
}

static RW_RC take_lock(struct store_pg_hot *s, const PGresult *r, int64_t term, struct rw_err *err)
{
    if (PQntuples(r) == 1) {
        s->now = (struct store_now){store_pg_i64(r, 0, 0), store_pg_i64(r, 0, 1)};
        return RW_OK;
    }
    if (term == 0) { return rw_fail(err, RW_E_STORE, "table cluster has lost its row"); }
    return rw_fail(err, RW_E_STALE, "another node is controller: term %lld has ended",
                   (long long)term);
}

/* INV-1: from here to the end no other node writes. The term stands in the same row: a controller that was replaced
 * finds no row with its own. Each statement sees what was committed before it began (READ COMMITTED), so the rows that
 * are asked for in the same go are those that are there once the lock is held. */
static RW_RC lock(struct store_pg_hot *s, int64_t term, struct rw_err *err)
{
    struct store_pg_values of_term = {.count = 0};
    struct store_pg_values behind = {.count = 0};
    store_pg_result got[2] = {NULL, NULL};
    int64_t tip = s->now.tip;
    bool ahead = s->others;
    s->others = false;
    RW_TRY(prepare(s, err));
    store_pg_add_i64(&of_term, term);
    store_pg_add_i64(&behind, tip);
    store_pg_add_i64(&behind, STORE_PG_AHEAD_ROWS);
    RW_TRY(store_pg_hot_send(s, SQL_BEGIN, NULL, err));
    RW_TRY(term > 0 ? store_pg_hot_send(s, SQL_LOCK_TERM, &of_term, err)
                    : store_pg_hot_send(s, SQL_LOCK, NULL, err));
    if (ahead) { RW_TRY(store_pg_hot_send(s, SQL_JOURNAL_EACH, &behind, err)); }
    RW_TRY(store_pg_take(&s->link, STORE_PG_SHORT_MS, got, ahead ? 2 : 1, err));
    struct rw_rc rc = take_lock(s, got[0], term, err);
    store_pg_result_drop(&got[0]);
    s->ahead = got[1];
    s->ahead_after = tip;
    s->others = rw_is_ok(rc) && s->now.tip > tip;
    return rc;
}

static RW_RC begin(void *ctx, int64_t term, struct store_now *now, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    RW_TRY(store_pg_link_ensure(&s->link, err));
    s->documents = s->rows = false;
    struct rw_rc rc = lock(s, term, err);
    if (!rw_is_ok(rc)) {
        rollback(s);
        return rc;
    }
    s->in_transaction = true;
    *now = s->now;
    return RW_OK;
}

static RW_RC commit(void *ctx, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    struct store_pg_values v = {.count = 0};
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    RW_TRY(prepare(s, err)); /* nothing to do, but for a connection that was lost */
    store_pg_add_i64(&v, s->now.tip);
    store_pg_add_i64(&v, s->now.change + (s->documents ? 1 : 0));
    if (s->documents || s->rows) { RW_TRY(store_pg_hot_send(s, SQL_TIP_PUT, &v, err)); }
    RW_TRY(store_pg_hot_send(s, SQL_COMMIT, NULL, err));
    RW_TRY(store_pg_take(&s->link, STORE_PG_SHORT_MS, &r, 1, err));
    /* A transaction that failed before is rolled back by COMMIT, without an error. */
    if (strcmp(PQcmdStatus(r), "COMMIT") != 0) {
        return rw_fail(err, RW_E_STORE, "PostgreSQL rolled the transaction back");
    }
    end_transaction(s);
    return RW_OK;
}

static RW_RC look(void *ctx, struct store_now *now, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    RW_TRY(store_pg_hot_run(s, SQL_LOOK, NULL, &r, err));
    if (PQntuples(r) != 1) { return rw_fail(err, RW_E_STORE, "table cluster has lost its row"); }
    *now = (struct store_now){store_pg_i64(r, 0, 0), store_pg_i64(r, 0, 1)};
    return RW_OK;
}

/* --- documents --- */

static RW_RC doc_put(void *ctx, const char *kind, const struct store_doc *doc, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    struct store_pg_values v = {.count = 0};
    bool make = doc->generation == 1;
    int64_t rows = 0;
    store_pg_add_text(&v, kind);
    store_pg_add_text(&v, doc->id);
    store_pg_add_i64(&v, doc->generation);
    store_pg_add_bytes(&v, doc->body);
    store_pg_add_i64(&v, s->now.change + 1);
    RW_TRY(store_pg_hot_change(s, make ? SQL_DOC_INSERT : SQL_DOC_UPDATE, &v, &rows, err));
    if (rows != 1) {
        return make ? rw_fail(err, RW_E_EXISTS, "%s '%s' exists already", kind, doc->id)
                    : rw_fail(err, RW_E_STALE, "%s '%s' is not at generation %lld any more", kind,
                              doc->id, (long long)doc->generation - 1);
    }
    s->documents = true;
    return RW_OK;
}

static RW_RC doc_remove(void *ctx, const char *kind, const char *id, int64_t generation,
                        struct rw_err *err)
{
    struct store_pg_values v = {.count = 0};
    int64_t rows = 0;
    store_pg_add_text(&v, kind);
    store_pg_add_text(&v, id);
    store_pg_add_i64(&v, generation);
    RW_TRY(store_pg_hot_change(ctx, SQL_DOC_REMOVE, &v, &rows, err));
    if (rows == 1) { return RW_OK; }
    return rw_fail(err, RW_E_STALE, "%s '%s' is not at generation %lld any more", kind, id,
                   (long long)generation);
}

static RW_RC doc_get(void *ctx, const char *kind, const char *id, struct rw_buf *body,
                     int64_t *generation, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    struct store_pg_values v = {.count = 0};
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    store_pg_add_text(&v, kind);
    store_pg_add_text(&v, id);
    RW_TRY(store_pg_hot_run(s, SQL_DOC_GET, &v, &r, err));
    if (PQntuples(r) == 0) { return rw_fail(err, RW_E_NOT_FOUND, "there is no %s '%s'", kind, id); }
    *generation = store_pg_i64(r, 0, 0);
    return rw_buf_append(body, store_pg_span(r, 0, 1), err);
}

/* A document in a row of a result: id, generation and body from column `at` on. */
static RW_RC read_doc(const PGresult *r, int row, int at, struct store_doc *out, struct rw_err *err)
{
    *out = (struct store_doc){.generation = store_pg_i64(r, row, at + 1),
                              .body = store_pg_span(r, row, at + 2)};
    return rw_span_to_str(out->id, sizeof(out->id), store_pg_span(r, row, at), "document id", err);
}

static RW_RC doc_each(void *ctx, const struct store_docs *which,
                      RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err),
                      void *arg, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    struct store_pg_values v = {.count = 0};
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    store_pg_add_text(&v, which->kind);
    store_pg_add_text(&v, which->after);
    store_pg_add_i64(&v, which->limit);
    RW_TRY(store_pg_hot_run(s, SQL_DOC_EACH, &v, &r, err));
    for (int i = 0; i < PQntuples(r); i++) {
        struct store_doc doc;
        RW_TRY(read_doc(r, i, 0, &doc, err));
        RW_TRY(each(arg, &doc, err));
    }
    return RW_OK;
}

static RW_RC doc_count(void *ctx, const char *kind, int64_t *out, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    struct store_pg_values v = {.count = 0};
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    store_pg_add_text(&v, kind);
    RW_TRY(store_pg_hot_run(s, SQL_DOC_COUNT, &v, &r, err));
    *out = store_pg_i64(r, 0, 0);
    return RW_OK;
}

static RW_RC doc_changed(void *ctx, int64_t after,
                         RW_RC (*each)(void *arg, const char *kind, const struct store_doc *doc,
                                       struct rw_err *err),
                         void *arg, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    struct store_pg_values v = {.count = 0};
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    store_pg_add_i64(&v, after);
    RW_TRY(store_pg_hot_run(s, SQL_DOC_CHANGED, &v, &r, err));
    for (int i = 0; i < PQntuples(r); i++) {
        struct store_doc doc;
        char kind[STORE_ID_BYTES];
        RW_TRY(rw_span_to_str(kind, sizeof(kind), store_pg_span(r, i, 0), "document kind", err));
        RW_TRY(read_doc(r, i, 1, &doc, err));
        RW_TRY(each(arg, kind, &doc, err));
    }
    return RW_OK;
}

/* --- audit --- */

static RW_RC audit_append(void *ctx, const struct store_audit *a, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    struct store_pg_values v = {.count = 0};
    int64_t rows = 0;
    store_pg_add_i64(&v, a->seq);
    store_pg_add_i64(&v, a->at_s);
    store_pg_add_bytes(&v, a->record);
    store_pg_add_bytes(&v, rw_span_of(a->hash, sizeof(a->hash)));
    RW_TRY(store_pg_hot_change(s, SQL_AUDIT_APPEND, &v, &rows, err));
    if (rows == 1) { return RW_OK; }
    return rw_fail(err, RW_E_STORE, "audit record %lld exists already", (long long)a->seq);
}

static RW_RC audit_drop(void *ctx, int64_t up_to, struct rw_err *err)
{
    struct store_pg_values v = {.count = 0};
    int64_t rows = 0;
    store_pg_add_i64(&v, up_to);
    return store_pg_hot_change(ctx, SQL_AUDIT_DROP, &v, &rows, err);
}

static RW_RC read_hash(const PGresult *r, int row, int column, int64_t seq, uint8_t hash[static 32],
                       struct rw_err *err)
{
    struct rw_span blob = store_pg_span(r, row, column);
    if (blob.n != 32) {
        return rw_fail(err, RW_E_STORE, "audit record %lld has no hash", (long long)seq);
    }
    rw_copy(hash, 32, blob.p, blob.n);
    return RW_OK;
}

static RW_RC audit_tip(void *ctx, struct store_audit_tip *out, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    struct store_audit_tip tip = {.seq = 0};
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    RW_TRY(store_pg_hot_run(s, SQL_AUDIT_TIP, NULL, &r, err));
    if (PQntuples(r) == 1) {
        tip.seq = store_pg_i64(r, 0, 0);
        RW_TRY(read_hash(r, 0, 1, tip.seq, tip.hash, err));
    }
    *out = tip;
    return RW_OK;
}

struct audit_walk {
    int64_t after; /* the newest record that was seen */
    RW_RC (*each)(void *arg, const struct store_audit *a, struct rw_err *err);
    void *arg;
};

static RW_RC audit_page(struct store_pg_hot *s, struct audit_walk *walk, int64_t limit,
                        int *rows_out, struct rw_err *err)
{
    struct store_pg_values v = {.count = 0};
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    store_pg_add_i64(&v, walk->after);
    store_pg_add_i64(&v, limit);
    RW_TRY(store_pg_hot_run(s, SQL_AUDIT_EACH, &v, &r, err));
    *rows_out = PQntuples(r);
    for (int i = 0; i < *rows_out; i++) {
        struct store_audit a = {.seq = store_pg_i64(r, i, 0),
                                .at_s = store_pg_i64(r, i, 1),
                                .record = store_pg_span(r, i, 2)};
        walk->after = a.seq;
        RW_TRY(read_hash(r, i, 3, a.seq, a.hash, err));
        RW_TRY(walk->each(walk->arg, &a, err));
    }
    return RW_OK;
}

static RW_RC audit_each(void *ctx, int64_t after, int64_t limit,
                        RW_RC (*each)(void *arg, const struct store_audit *a, struct rw_err *err),
                        void *arg, struct rw_err *err)
{
    struct audit_walk walk = {.after = after, .each = each, .arg = arg};
    while (limit > 0) {
        int64_t page = limit < AUDIT_PAGE_ROWS ? limit : AUDIT_PAGE_ROWS;
        int rows = 0;
        RW_TRY(audit_page(ctx, &walk, page, &rows, err));
        if (rows < page) { return RW_OK; }
        limit -= rows;
    }
    return RW_OK;
}

/* --- the lease --- */

static RW_RC lease_get(void *ctx, struct store_lease *out, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    RW_TRY(store_pg_hot_run(s, SQL_LEASE_GET, NULL, &r, err));
    struct store_lease l = {.term = store_pg_i64(r, 0, 0), .left_ms = store_pg_i64(r, 0, 3)};
    RW_TRY(rw_span_to_str(l.holder, sizeof(l.holder), store_pg_span(r, 0, 1), "holder", err));
    RW_TRY(rw_span_to_str(l.node, sizeof(l.node), store_pg_span(r, 0, 2), "node", err));
    *out = l;
    return RW_OK;
}

static RW_RC lease_put(void *ctx, const struct store_lease *lease, struct rw_err *err)
{
    struct store_pg_hot *s = ctx;
    struct store_pg_values v = {.count = 0};
    int64_t rows = 0;
    store_pg_add_i64(&v, lease->term);
    store_pg_add_text(&v, lease->holder);
    store_pg_add_text(&v, lease->node);
    store_pg_add_i64(&v, lease->left_ms);
    return store_pg_hot_change(s, SQL_LEASE_PUT, &v, &rows, err);
}

static const struct store_backend pg_backend = {
    .close = close_store,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .doc_put = doc_put,
    .doc_remove = doc_remove,
    .doc_get = doc_get,
    .doc_each = doc_each,
    .doc_count = doc_count,
    .journal_append = store_pg_fold_append,
    .journal_each = store_pg_fold_each,
    .journal_drop = store_pg_fold_drop,
    .fold = store_pg_fold_put,
    .fold_load = store_pg_fold_load,
    .fold_mark = store_pg_fold_mark,
    .slice_put = store_pg_fold_slice_put,
    .slice_get = store_pg_fold_slice_get,
    .slice_each = store_pg_fold_slice_each,
    .audit_append = audit_append,
    .audit_drop = audit_drop,
    .audit_tip = audit_tip,
    .audit_each = audit_each,
    .look = look,
    .doc_changed = doc_changed,
    .lease_get = lease_get,
    .lease_put = lease_put,
};

bool store_pg_is_url(const char *url)
{
    struct rw_span s = rw_span_str(url);
    return rw_span_starts(s, "postgresql://") || rw_span_starts(s, "postgres://");
}

RW_RC store_pg_open(const char *url, struct store *out, struct rw_err *err)
{
    struct store_pg_hot *s = rw_mem_new(sizeof(*s));
    if (s == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the store"); }
    s->link.begun = store_pg_schema_begin;
    s->link.url = rw_str_dup(url);
    struct rw_rc rc = s->link.url == NULL ? rw_fail(err, RW_E_NOMEM, "no memory for the store")
                                          : store_pg_link_ensure(&s->link, err);
    if (!rw_is_ok(rc)) {
        close_store(s);
        return rc;
    }
    *out = (struct store){.backend = &pg_backend, .ctx = s};
    return RW_OK;
}
