/* The store without a journal, for scripts/bench server only: ringward-server-null is linked from the server's own
 * code with store_sqlite_open replaced (-Wl,--wrap), so that what is measured beside it differs in nothing but
 * durability. Journal batches are counted and forgotten, and a transaction that wrote nothing else never reaches
 * SQLite. ringward-server itself has no such switch: it is linked without this file. One store per process. */
#include "server/store/store_sqlite.h"

RW_RC __real_store_sqlite_open(const char *path, struct store *out, struct rw_err *err);
RW_RC __wrap_store_sqlite_open(const char *path, struct store *out, struct rw_err *err);

static const struct store_backend *real;
static bool begun;
static int64_t last_row;

static RW_RC begin(void *ctx, int64_t term, struct store_now *now, struct rw_err *err)
{
    (void)ctx;
    (void)term;
    (void)now;
    (void)err;
    return RW_OK;
}

/* Documents and audit records are kept as ever. */
static RW_RC begin_real(void *ctx, struct rw_err *err)
{
    struct store_now unused;
    if (begun) { return RW_OK; }
    RW_TRY(real->begin(ctx, 0, &unused, err));
    begun = true;
    return RW_OK;
}

static RW_RC commit(void *ctx, struct rw_err *err)
{
    bool needed = begun;
    begun = false;
    return needed ? real->commit(ctx, err) : RW_OK;
}

static void rollback(void *ctx)
{
    if (begun) { real->rollback(ctx); }
    begun = false;
}

static RW_RC doc_put(void *ctx, const char *kind, const struct store_doc *doc, struct rw_err *err)
{
    RW_TRY(begin_real(ctx, err));
    return real->doc_put(ctx, kind, doc, err);
}

static RW_RC doc_remove(void *ctx, const char *kind, const char *id, int64_t generation,
                        struct rw_err *err)
{
    RW_TRY(begin_real(ctx, err));
    return real->doc_remove(ctx, kind, id, generation, err);
}

static RW_RC audit_append(void *ctx, const struct store_audit *a, struct rw_err *err)
{
    RW_TRY(begin_real(ctx, err));
    return real->audit_append(ctx, a, err);
}

static RW_RC audit_drop(void *ctx, int64_t up_to, struct rw_err *err)
{
    RW_TRY(begin_real(ctx, err));
    return real->audit_drop(ctx, up_to, err);
}

static RW_RC journal_append(void *ctx, struct rw_span batch, int64_t *row, struct rw_err *err)
{
    (void)ctx;
    (void)batch;
    (void)err;
    *row = ++last_row;
    return RW_OK;
}

static RW_RC fold(void *ctx, int64_t mark, struct rw_span image, struct rw_err *err)
{
    (void)ctx;
    (void)mark;
    (void)image;
    (void)err;
    return RW_OK;
}

static RW_RC journal_drop(void *ctx, int64_t upto, int64_t limit, bool *more, struct rw_err *err)
{
    (void)ctx;
    (void)upto;
    (void)limit;
    (void)err;
    *more = false;
    return RW_OK;
}

static RW_RC slice_put(void *ctx, int64_t number, int64_t mark, struct rw_span bytes,
                       struct rw_err *err)
{
    (void)ctx;
    (void)number;
    (void)mark;
    (void)bytes;
    (void)err;
    return RW_OK;
}

static RW_RC see_row(void *arg, int64_t row, struct rw_span batch, struct rw_err *err)
{
    (void)arg;
    (void)batch;
    (void)err;
    last_row = row;
    return RW_OK;
}

RW_RC __wrap_store_sqlite_open(const char *path, struct store *out, struct rw_err *err)
{
    static struct store_backend backend;
    RW_TRY(__real_store_sqlite_open(path, out, err));
    RW_TRY(store_journal_each(out, 0, see_row, NULL, err));
    real = out->backend;
    backend = *real;
    backend.begin = begin;
    backend.commit = commit;
    backend.rollback = rollback;
    backend.doc_put = doc_put;
    backend.doc_remove = doc_remove;
    backend.audit_append = audit_append;
    backend.audit_drop = audit_drop;
    backend.journal_append = journal_append;
    backend.journal_drop = journal_drop;
    backend.fold = fold;
    backend.slice_put = slice_put;
    out->backend = &backend;
    return RW_OK;
}
