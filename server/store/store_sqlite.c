#include "server/store/store_sqlite.h"

#include "server/store/store_sqlite_schema.h"
#include "server/store/store_sqlite_sql.h"

#include <sqlite3.h>
#include <string.h>

struct sqlite_store {
    sqlite3 *db;
    sqlite3_stmt *prepared[SQL_COUNT];
};

static RW_RC sql_failed(sqlite3 *db, const char *what, struct rw_err *err)
{
    int code = sqlite3_errcode(db);
    enum rw_code kind = code == SQLITE_FULL ? RW_E_FULL : RW_E_STORE;
    return rw_fail(err, kind, "store: %s: %s", what, sqlite3_errmsg(db));
}

static RW_RC exec(sqlite3 *db, const char *sql, const char *what, struct rw_err *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) { return sql_failed(db, what, err); }
    return RW_OK;
}

static void close_store(void *ctx)
{
    struct sqlite_store *s = ctx;
    for (int i = 0; i < SQL_COUNT; i++) {
        (void)sqlite3_finalize(s->prepared[i]);
    }
    (void)sqlite3_close(s->db);
    rw_mem_free(s);
}

static void rollback(void *ctx)
{
    struct sqlite_store *s = ctx;
    /* Some failures (a full disk) have rolled back already: an error here says just that. */
    (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

static sqlite3_stmt *fresh(struct sqlite_store *s, enum store_sqlite_statement which)
{
    sqlite3_stmt *st = s->prepared[which];
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st);
    return st;
}

static void bind_text(sqlite3_stmt *st, int at, const char *text)
{
    (void)sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

static void bind_blob(sqlite3_stmt *st, int at, struct rw_span s)
{
    (void)sqlite3_bind_blob64(st, at, s.n == 0 ? "" : (const void *)s.p, s.n, SQLITE_STATIC);
}

static struct rw_span column_blob(sqlite3_stmt *st, int at)
{
    const void *p = sqlite3_column_blob(st, at);
    return rw_span_of(p, (size_t)sqlite3_column_bytes(st, at));
}

/* Runs a statement that gives no rows. */
static RW_RC run(struct sqlite_store *s, sqlite3_stmt *st, const char *what, struct rw_err *err)
{
    int step = sqlite3_step(st);
    struct rw_rc rc = step == SQLITE_DONE ? RW_OK : sql_failed(s->db, what, err);
    (void)sqlite3_reset(st);
    return rc;
}

static RW_RC begin(void *ctx, int64_t term, struct store_now *now, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    (void)now;
    RW_ASSERT(term == 0); /* there are no leases: the directory's lock keeps a second process out */
    return run(s, fresh(s, SQL_BEGIN), "begin", err);
}

static RW_RC commit(void *ctx, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    return run(s, fresh(s, SQL_COMMIT), "commit", err);
}

/* Whether the last statement met its document. */
static RW_RC require_changed(const struct sqlite_store *s, const char *kind, const char *id,
                             int64_t generation, struct rw_err *err)
{
    if (sqlite3_changes(s->db) > 0) { return RW_OK; }
    return rw_fail(err, RW_E_STALE, "%s '%s' is not at generation %lld any more", kind, id,
                   (long long)generation);
}

/* A full disk, a failed read or too little memory may end the transaction: from then on each statement would be kept
 * by itself. */
static RW_RC inside(const struct sqlite_store *s, struct rw_err *err)
{
    if (sqlite3_get_autocommit(s->db) == 0) { return RW_OK; }
    return rw_fail(err, RW_E_STORE, "store: SQLite has rolled the transaction back");
}

static RW_RC doc_put(void *ctx, const char *kind, const struct store_doc *doc, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    RW_TRY(inside(s, err));
    bool make = doc->generation == 1;
    sqlite3_stmt *st = fresh(s, make ? SQL_DOC_INSERT : SQL_DOC_UPDATE);
    bind_text(st, 1, kind);
    bind_text(st, 2, doc->id);
    (void)sqlite3_bind_int64(st, 3, doc->generation);
    bind_blob(st, 4, doc->body);
    int step = sqlite3_step(st);
    if (make && step == SQLITE_CONSTRAINT) {
        (void)sqlite3_reset(st);
        return rw_fail(err, RW_E_EXISTS, "%s '%s' exists already", kind, doc->id);
    }
    struct rw_rc rc = step == SQLITE_DONE ? RW_OK : sql_failed(s->db, "document", err);
    (void)sqlite3_reset(st);
    RW_TRY(rc);
    return make ? RW_OK : require_changed(s, kind, doc->id, doc->generation - 1, err);
}

static RW_RC doc_remove(void *ctx, const char *kind, const char *id, int64_t generation,
                        struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    RW_TRY(inside(s, err));
    sqlite3_stmt *st = fresh(s, SQL_DOC_REMOVE);
    bind_text(st, 1, kind);
    bind_text(st, 2, id);
    (void)sqlite3_bind_int64(st, 3, generation);
    RW_TRY(run(s, st, "document", err));
    return require_changed(s, kind, id, generation, err);
}

static RW_RC doc_get(void *ctx, const char *kind, const char *id, struct rw_buf *body,
                     int64_t *generation, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = fresh(s, SQL_DOC_GET);
    bind_text(st, 1, kind);
    bind_text(st, 2, id);
    int step = sqlite3_step(st);
    struct rw_rc rc;
    if (step == SQLITE_ROW) {
        *generation = sqlite3_column_int64(st, 0);
        rc = rw_buf_append(body, column_blob(st, 1), err);
    } else if (step == SQLITE_DONE) {
        rc = rw_fail(err, RW_E_NOT_FOUND, "there is no %s '%s'", kind, id);
    } else {
        rc = sql_failed(s->db, "reading a document", err);
    }
    (void)sqlite3_reset(st);
    return rc;
}

static RW_RC doc_each(void *ctx, const struct store_docs *which,
                      RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err),
                      void *arg, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = fresh(s, SQL_DOC_EACH);
    struct rw_rc rc = RW_OK;
    int step = SQLITE_ROW;
    bind_text(st, 1, which->kind);
    bind_text(st, 2, which->after);
    (void)sqlite3_bind_int64(st, 3, which->limit);
    while (rw_is_ok(rc) && (step = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_doc doc = {.generation = sqlite3_column_int64(st, 1),
                                .body = column_blob(st, 2)};
        rc = rw_span_to_str(doc.id, sizeof(doc.id), column_blob(st, 0), "document id", err);
        if (rw_is_ok(rc)) { rc = each(arg, &doc, err); }
    }
    if (rw_is_ok(rc) && step != SQLITE_DONE) { rc = sql_failed(s->db, "documents", err); }
    (void)sqlite3_reset(st);
    return rc;
}

static RW_RC doc_count(void *ctx, const char *kind, int64_t *out, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = fresh(s, SQL_DOC_COUNT);
    bind_text(st, 1, kind);
    bool found = sqlite3_step(st) == SQLITE_ROW;
    struct rw_rc rc = found ? RW_OK : sql_failed(s->db, "counting documents", err);
    if (found) { *out = sqlite3_column_int64(st, 0); }
    (void)sqlite3_reset(st);
    return rc;
}

static RW_RC journal_append(void *ctx, struct rw_span batch, int64_t *row, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    RW_TRY(inside(s, err));
    sqlite3_stmt *st = fresh(s, SQL_JOURNAL_APPEND);
    bind_blob(st, 1, batch);
    RW_TRY(run(s, st, "journal", err));
    *row = sqlite3_last_insert_rowid(s->db);
    return RW_OK;
}

static RW_RC journal_each(void *ctx, int64_t after,
                          RW_RC (*each)(void *arg, int64_t row, struct rw_span batch,
                                        struct rw_err *err),
                          void *arg, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = fresh(s, SQL_JOURNAL_EACH);
    struct rw_rc rc = RW_OK;
    int step = SQLITE_ROW;
    (void)sqlite3_bind_int64(st, 1, after);
    while (rw_is_ok(rc) && (step = sqlite3_step(st)) == SQLITE_ROW) {
        rc = each(arg, sqlite3_column_int64(st, 0), column_blob(st, 1), err);
    }
    if (rw_is_ok(rc) && step != SQLITE_DONE) { rc = sql_failed(s->db, "journal", err); }
    (void)sqlite3_reset(st);
    return rc;
}

static RW_RC journal_drop(void *ctx, int64_t upto, int64_t limit, bool *more, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = fresh(s, SQL_JOURNAL_DROP);
    (void)sqlite3_bind_int64(st, 1, upto);
    (void)sqlite3_bind_int64(st, 2, limit);
    RW_TRY(run(s, st, "journal", err));
    *more = sqlite3_changes(s->db) >= limit;
    return RW_OK;
}

static RW_RC fold(void *ctx, int64_t mark, struct rw_span head, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    RW_TRY(inside(s, err));
    sqlite3_stmt *st = fresh(s, SQL_FOLD_PUT);
    (void)sqlite3_bind_int64(st, 1, mark);
    bind_blob(st, 2, head);
    return run(s, st, "fold", err);
}

static RW_RC fold_load(void *ctx, int64_t *mark, struct rw_buf *image, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = fresh(s, SQL_FOLD_GET);
    int step = sqlite3_step(st);
    struct rw_rc rc = RW_OK;
    *mark = 0;
    if (step == SQLITE_ROW) {
        *mark = sqlite3_column_int64(st, 0);
        rc = rw_buf_append(image, column_blob(st, 1), err);
    } else if (step != SQLITE_DONE) {
        rc = sql_failed(s->db, "reading the fold", err);
    }
    (void)sqlite3_reset(st);
    return rc;
}

static RW_RC fold_mark(void *ctx, int64_t *mark, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = fresh(s, SQL_FOLD_MARK);
    int step = sqlite3_step(st);
    bool read = step == SQLITE_ROW || step == SQLITE_DONE;
    struct rw_rc rc = read ? RW_OK : sql_failed(s->db, "reading the fold", err);
    if (read) { *mark = step == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0; }
    (void)sqlite3_reset(st);
    return rc;
}

static RW_RC slice_put(void *ctx, int64_t number, int64_t mark, struct rw_span bytes,
                       struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = fresh(s, SQL_SLICE_PUT);
    (void)sqlite3_bind_int64(st, 1, number);
    (void)sqlite3_bind_int64(st, 2, mark);
    bind_blob(st, 3, bytes);
    return run(s, st, "slice", err);
}

static RW_RC slice_get(void *ctx, int64_t number, int64_t *mark, struct rw_buf *into,
                       struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = fresh(s, SQL_SLICE_GET);
    struct rw_rc rc;
    (void)sqlite3_bind_int64(st, 1, number);
    int step = sqlite3_step(st);
    if (step == SQLITE_ROW) {
        *mark = sqlite3_column_int64(st, 0);
        rc = rw_buf_append(into, column_blob(st, 1), err);
    } else if (step == SQLITE_DONE) {
        rc = rw_fail(err, RW_E_NOT_FOUND, "there is no slice %lld", (long long)number);
    } else {
        rc = sql_failed(s->db, "reading a slice", err);
    }
    (void)sqlite3_reset(st);
    return rc;
}

static RW_RC
slice_each(void *ctx, RW_RC (*each)(void *arg, const struct store_slice *slice, struct rw_err *err),
           void *arg, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = fresh(s, SQL_SLICE_EACH);
    struct rw_rc rc = RW_OK;
    int step = SQLITE_ROW;
    while (rw_is_ok(rc) && (step = sqlite3_step(st)) == SQLITE_ROW) {
        const struct store_slice slice = {.number = sqlite3_column_int64(st, 0),
                                          .mark = sqlite3_column_int64(st, 1),
                                          .bytes = sqlite3_column_int64(st, 2)};
        rc = each(arg, &slice, err);
    }
    if (rw_is_ok(rc) && step != SQLITE_DONE) { rc = sql_failed(s->db, "slices", err); }
    (void)sqlite3_reset(st);
    return rc;
}

static RW_RC audit_append(void *ctx, const struct store_audit *a, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    RW_TRY(inside(s, err));
    sqlite3_stmt *st = fresh(s, SQL_AUDIT_APPEND);
    (void)sqlite3_bind_int64(st, 1, a->seq);
    (void)sqlite3_bind_int64(st, 2, a->at_s);
    bind_blob(st, 3, a->record);
    bind_blob(st, 4, rw_span_of(a->hash, sizeof(a->hash)));
    return run(s, st, "audit", err);
}

static RW_RC audit_drop(void *ctx, int64_t up_to, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    RW_TRY(inside(s, err));
    sqlite3_stmt *st = fresh(s, SQL_AUDIT_DROP);
    (void)sqlite3_bind_int64(st, 1, up_to);
    return run(s, st, "audit", err);
}

static RW_RC read_hash(sqlite3_stmt *st, int at, int64_t seq, uint8_t hash[static 32],
                       struct rw_err *err)
{
    struct rw_span blob = column_blob(st, at);
    if (blob.n != 32) {
        return rw_fail(err, RW_E_STORE, "audit record %lld has no hash", (long long)seq);
    }
    rw_copy(hash, 32, blob.p, blob.n);
    return RW_OK;
}

static RW_RC audit_tip(void *ctx, struct store_audit_tip *out, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = fresh(s, SQL_AUDIT_TIP);
    struct store_audit_tip tip = {.seq = 0};
    int step = sqlite3_step(st);
    struct rw_rc rc = RW_OK;
    if (step == SQLITE_ROW) {
        tip.seq = sqlite3_column_int64(st, 0);
        rc = read_hash(st, 1, tip.seq, tip.hash, err);
    } else if (step != SQLITE_DONE) {
        rc = sql_failed(s->db, "end of the audit log", err);
    }
    (void)sqlite3_reset(st);
    if (rw_is_ok(rc)) { *out = tip; }
    return rc;
}

static RW_RC audit_each(void *ctx, int64_t after, int64_t limit,
                        RW_RC (*each)(void *arg, const struct store_audit *a, struct rw_err *err),
                        void *arg, struct rw_err *err)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = fresh(s, SQL_AUDIT_EACH);
    struct rw_rc rc = RW_OK;
    int step = SQLITE_ROW;
    (void)sqlite3_bind_int64(st, 1, after);
    (void)sqlite3_bind_int64(st, 2, limit);
    while (rw_is_ok(rc) && (step = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_audit a = {.seq = sqlite3_column_int64(st, 0),
                                .at_s = sqlite3_column_int64(st, 1),
                                .record = column_blob(st, 2)};
        rc = read_hash(st, 3, a.seq, a.hash, err);
        if (rw_is_ok(rc)) { rc = each(arg, &a, err); }
    }
    if (rw_is_ok(rc) && step != SQLITE_DONE) { rc = sql_failed(s->db, "audit", err); }
    (void)sqlite3_reset(st);
    return rc;
}

static const struct store_backend sqlite_backend = {
    .close = close_store,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .doc_put = doc_put,
    .doc_remove = doc_remove,
    .doc_get = doc_get,
    .doc_each = doc_each,
    .doc_count = doc_count,
    .journal_append = journal_append,
    .journal_each = journal_each,
    .journal_drop = journal_drop,
    .fold = fold,
    .fold_load = fold_load,
    .fold_mark = fold_mark,
    .slice_put = slice_put,
    .slice_get = slice_get,
    .slice_each = slice_each,
    .audit_append = audit_append,
    .audit_drop = audit_drop,
    .audit_tip = audit_tip,
    .audit_each = audit_each,
};

static RW_RC prepare_all(struct sqlite_store *s, struct rw_err *err)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        if (sqlite3_prepare_v3(s->db, store_sqlite_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &s->prepared[i], NULL) != SQLITE_OK) {
            return sql_failed(s->db, store_sqlite_sql[i], err);
        }
    }
    return RW_OK;
}

RW_RC store_sqlite_open(const char *path, struct store *out, struct rw_err *err)
{
    struct sqlite_store *s = rw_mem_new(sizeof(*s));
    if (s == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the store"); }
    struct rw_rc rc = RW_OK;
    if (sqlite3_open_v2(path, &s->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                            SQLITE_OPEN_NOFOLLOW,
                        NULL) != SQLITE_OK) {
        rc = sql_failed(s->db, path, err);
    }
    /* FULL: a commit that was answered survives power loss; NORMAL was measured to lose some (INV-8). The limit gives
     * back what one fold of a large fleet left the log of writes with: it would stay that large for good. */
    if (rw_is_ok(rc)) {
        rc = exec(s->db,
                  "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                  "PRAGMA wal_autocheckpoint = 2000; PRAGMA journal_size_limit = 67108864;"
                  "PRAGMA foreign_keys = ON;"
                  "PRAGMA trusted_schema = OFF; PRAGMA busy_timeout = 2000;",
                  "opening", err);
    }
    if (rw_is_ok(rc)) { rc = store_sqlite_schema_migrate(s->db, err); }
    if (rw_is_ok(rc)) { rc = prepare_all(s, err); }
    if (!rw_is_ok(rc)) {
        close_store(s);
        return rc;
    }
    *out = (struct store){.backend = &sqlite_backend, .ctx = s};
    return RW_OK;
}
