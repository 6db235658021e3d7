#include "server/store/store.h"

void store_close(struct store *s)
{
    if (s->backend != NULL) {
        store_rollback(s);
        s->backend->close(s->ctx);
    }
    *s = (struct store){.backend = NULL};
}

bool store_is_shared(const struct store *s)
{
    return s->backend->look != NULL;
}

RW_RC store_begin(struct store *s, struct rw_err *err)
{
    RW_ASSERT(!s->in_transaction);
    RW_TRY(s->backend->begin(s->ctx, s->term, &s->now, err));
    s->in_transaction = true;
    s->spoilt = false;
    if (s->follow == NULL) { return RW_OK; }
    struct rw_rc rc = s->follow(s->follow_arg, err);
    if (!rw_is_ok(rc)) { store_rollback(s); }
    return rc;
}

/* INV-9: also before each write, since a back end may have rolled back by itself, and would keep what comes now. */
static RW_RC whole(const struct store *s, struct rw_err *err)
{
    RW_ASSERT(s->in_transaction);
    if (!s->spoilt) { return RW_OK; }
    return rw_fail(err, RW_E_STORE,
                   "store: a write of this transaction failed: none of it is kept");
}

/* What did not meet the state that its caller knew is an answer, and has changed nothing. */
static RW_RC wrote(struct store *s, struct rw_rc rc)
{
    bool answer = rc.code == RW_E_STALE || rc.code == RW_E_EXISTS;
    s->spoilt = s->spoilt || (!rw_is_ok(rc) && !answer);
    return rc;
}

void store_spoil(struct store *s)
{
    s->spoilt = true;
}

RW_RC store_commit(struct store *s, struct rw_err *err)
{
    RW_ASSERT(s->in_transaction);
    struct rw_rc rc = whole(s, err);
    if (rw_is_ok(rc)) { rc = s->backend->commit(s->ctx, err); }
    if (!rw_is_ok(rc)) { s->backend->rollback(s->ctx); }
    s->in_transaction = false;
    return rc;
}

void store_rollback(struct store *s)
{
    if (s->in_transaction) { s->backend->rollback(s->ctx); }
    s->in_transaction = false;
}

RW_RC store_doc_put(struct store *s, const char *kind, const struct store_doc *doc,
                    struct rw_err *err)
{
    RW_ASSERT(doc->generation >= 1);
    RW_TRY(whole(s, err));
    if (doc->body.n > STORE_DOC_BYTES_MAX) {
        return wrote(s, rw_fail(err, RW_E_TOO_BIG, "%s '%s' of %zu bytes, at most %d are allowed",
                                kind, doc->id, doc->body.n, STORE_DOC_BYTES_MAX));
    }
    return wrote(s, s->backend->doc_put(s->ctx, kind, doc, err));
}

RW_RC store_doc_remove(struct store *s, const char *kind, const char *id, int64_t generation,
                       struct rw_err *err)
{
    RW_ASSERT(generation >= 1);
    RW_TRY(whole(s, err));
    return wrote(s, s->backend->doc_remove(s->ctx, kind, id, generation, err));
}

RW_RC store_doc_get(struct store *s, const char *kind, const char *id, struct rw_buf *body,
                    int64_t *generation_out, struct rw_err *err)
{
    return s->backend->doc_get(s->ctx, kind, id, body, generation_out, err);
}

RW_RC store_doc_each(struct store *s, const char *kind,
                     RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err),
                     void *arg, struct rw_err *err)
{
    const struct store_docs all = {.kind = kind, .after = "", .limit = INT64_MAX};
    return store_doc_some(s, &all, each, arg, err);
}

RW_RC store_doc_some(struct store *s, const struct store_docs *which,
                     RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err),
                     void *arg, struct rw_err *err)
{
    RW_ASSERT(which->limit >= 1);
    return s->backend->doc_each(s->ctx, which, each, arg, err);
}

RW_RC store_doc_count(struct store *s, const char *kind, int64_t *out, struct rw_err *err)
{
    return s->backend->doc_count(s->ctx, kind, out, err);
}

RW_RC store_journal_append(struct store *s, struct rw_span batch, int64_t *row_out,
                           struct rw_err *err)
{
    RW_TRY(whole(s, err));
    return wrote(s, s->backend->journal_append(s->ctx, batch, row_out, err));
}

RW_RC store_journal_each(struct store *s, int64_t after,
                         RW_RC (*each)(void *arg, int64_t row, struct rw_span batch,
                                       struct rw_err *err),
                         void *arg, struct rw_err *err)
{
    return s->backend->journal_each(s->ctx, after, each, arg, err);
}

RW_RC store_journal_drop(struct store *s, int64_t upto, int64_t limit, bool *more_out,
                         struct rw_err *err)
{
    RW_ASSERT(limit >= 1);
    RW_TRY(whole(s, err));
    return wrote(s, s->backend->journal_drop(s->ctx, upto, limit, more_out, err));
}

RW_RC store_fold(struct store *s, int64_t mark, struct rw_span head, struct rw_err *err)
{
    RW_TRY(whole(s, err));
    return wrote(s, s->backend->fold(s->ctx, mark, head, err));
}

RW_RC store_fold_load(struct store *s, int64_t *mark_out, struct rw_buf *head, struct rw_err *err)
{
    return s->backend->fold_load(s->ctx, mark_out, head, err);
}

RW_RC store_fold_mark(struct store *s, int64_t *mark_out, struct rw_err *err)
{
    return s->backend->fold_mark(s->ctx, mark_out, err);
}

RW_RC store_slice_put(struct store *s, int64_t number, int64_t mark, struct rw_span bytes,
                      struct rw_err *err)
{
    RW_ASSERT(number >= 0);
    RW_TRY(whole(s, err));
    return wrote(s, s->backend->slice_put(s->ctx, number, mark, bytes, err));
}

RW_RC store_slice_get(struct store *s, int64_t number, int64_t *mark_out, struct rw_buf *into,
                      struct rw_err *err)
{
    return s->backend->slice_get(s->ctx, number, mark_out, into, err);
}

RW_RC store_slice_each(struct store *s,
                       RW_RC (*each)(void *arg, const struct store_slice *slice,
                                     struct rw_err *err),
                       void *arg, struct rw_err *err)
{
    return s->backend->slice_each(s->ctx, each, arg, err);
}

RW_RC store_audit_append(struct store *s, const struct store_audit *a, struct rw_err *err)
{
    RW_TRY(whole(s, err));
    return wrote(s, s->backend->audit_append(s->ctx, a, err));
}

RW_RC store_audit_drop(struct store *s, int64_t up_to, struct rw_err *err)
{
    struct store_audit_tip tip;
    RW_TRY(whole(s, err));
    RW_TRY(s->backend->audit_tip(s->ctx, &tip, err));
    RW_ASSERT(up_to < tip.seq);
    return wrote(s, s->backend->audit_drop(s->ctx, up_to, err));
}

RW_RC store_audit_tip(struct store *s, struct store_audit_tip *out, struct rw_err *err)
{
    return s->backend->audit_tip(s->ctx, out, err);
}

RW_RC store_audit_each(struct store *s, int64_t after, int64_t limit,
                       RW_RC (*each)(void *arg, const struct store_audit *a, struct rw_err *err),
                       void *arg, struct rw_err *err)
{
    return s->backend->audit_each(s->ctx, after, limit, each, arg, err);
}

RW_RC store_look(struct store *s, struct rw_err *err)
{
    RW_ASSERT(!s->in_transaction && store_is_shared(s));
    return s->backend->look(s->ctx, &s->now, err);
}

RW_RC store_doc_changed(struct store *s, int64_t after,
                        RW_RC (*each)(void *arg, const char *kind, const struct store_doc *doc,
                                      struct rw_err *err),
                        void *arg, struct rw_err *err)
{
    RW_ASSERT(store_is_shared(s));
    return s->backend->doc_changed(s->ctx, after, each, arg, err);
}

RW_RC store_lease_get(struct store *s, struct store_lease *out, struct rw_err *err)
{
    RW_ASSERT(s->in_transaction && store_is_shared(s));
    return s->backend->lease_get(s->ctx, out, err);
}

RW_RC store_lease_put(struct store *s, const struct store_lease *lease, struct rw_err *err)
{
    RW_ASSERT(s->in_transaction && store_is_shared(s));
    RW_TRY(whole(s, err));
    return wrote(s, s->backend->lease_put(s->ctx, lease, err));
}
