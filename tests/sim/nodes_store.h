/* nodes_store.h: the store that three nodes share: SQLite below, and the row that all transactions lock; commits fail,
 * or hold although nobody is told. The model learns of each commit here. */
#ifndef RINGWARD_TEST_NODES_STORE_H
#define RINGWARD_TEST_NODES_STORE_H

#include "tests/sim/nodes_world.h"

static RW_RC begin(void *ctx, int64_t term, struct store_now *now, struct rw_err *err)
{
    struct node *n = ctx;
    struct world *w = n->w;
    struct store_now unused;
    if (n->cut) { return rw_fail(err, RW_E_STORE, "cut off"); }
    if (term > 0 && w->cluster.lease.term != term) {
        w->stale_refused++;
        return rw_fail(err, RW_E_STALE, "term %lld has ended", (long long)term);
    }
    RW_TRY(n->base.backend->begin(n->base.ctx, 0, &unused, err));
    n->staged = w->cluster;
    n->documents = false;
    note_dark(w);
    rw_copy(n->memory, sizeof(n->memory), w->truth, sizeof(w->truth));
    *now = (struct store_now){w->cluster.tip, w->cluster.change};
    return RW_OK;
}

static void rollback(void *ctx)
{
    struct node *n = ctx;
    n->base.backend->rollback(n->base.ctx);
    /* Changes of documents that were noted for this transaction. */
    while (n->w->change_count > 0 &&
           n->w->changes[n->w->change_count - 1].change > n->w->cluster.change) {
        n->w->change_count--;
    }
}

static void note_halt(struct node *n)
{
    struct rw_err err;
    int64_t generation = 0;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(1 << 18);
    struct rw_rc rc = n->base.backend->doc_get(n->base.ctx, ROLLOUT_DOC_KIND, "yara/0000000001",
                                               &body, &generation, &err);
    bool halted = rw_is_ok(rc) && strstr(rw_buf_str(&body), "\"halt\"") != NULL;
    if (n->w->halted && !halted) { fail_msg("INV-9: a halt that was committed is lost"); }
    n->w->halted = halted;
}

/* Evidence that began anew is in force from the commit that stores it. */
static void note_resume(struct node *n)
{
    struct rw_err err;
    struct world *w = n->w;
    const struct rollout *ro =
        n->core.rollouts == NULL ? NULL : rollout_live_find(n->core.rollouts, "yara", 1);
    struct rollout_evidence *e = NULL;
    if (ro == NULL) { return; }
    MUST(rollout_evidence_open(&n->base, ro, wall(w), &e, &err));
    bool anew = e->resumes > w->resumes;
    w->resumes = e->resumes;
    rollout_evidence_drop(&e);
    for (size_t ring = 0; anew && ring < RINGS; ring++) {
        w->set_aside[ring][COHORTS] = tally(w->truth, ring, COHORTS).lost;
        for (size_t i = 0; i < COHORTS; i++) { /* one that nobody knew at the start keeps all */
            if (ro->cohort_count > 0) { w->set_aside[ring][i] = tally(w->truth, ring, i).lost; }
        }
    }
}

static RW_RC commit(void *ctx, struct rw_err *err)
{
    struct node *n = ctx;
    struct world *w = n->w;
    unsigned chance = w->calm ? 100 : draw(w, 100);
    enum fate fate = chance < 6 ? FATE_FAILS : chance < 10 ? FATE_ANSWER_LOST : FATE_HOLDS;
    if (fate == FATE_FAILS) { return rw_fail(err, RW_E_STORE, "the connection was lost"); }
    RW_TRY(n->base.backend->commit(n->base.ctx, err));
    n->staged.change += n->documents ? 1 : 0;
    assert_true(n->staged.lease.term >= w->cluster.lease.term);
    w->takeovers += n->staged.lease.term > w->cluster.lease.term;
    w->cluster = n->staged;
    rw_copy(w->truth, sizeof(w->truth), n->memory, sizeof(n->memory));
    note_dark(w);
    note_resume(n);
    check_law(w);
    note_halt(n);
    if (fate == FATE_HOLDS) { return RW_OK; }
    return rw_fail(err, RW_E_STORE, "the connection was lost behind the commit");
}

static RW_RC look(void *ctx, struct store_now *now, struct rw_err *err)
{
    const struct node *n = ctx;
    if (n->cut) { return rw_fail(err, RW_E_STORE, "cut off"); }
    *now = (struct store_now){n->w->cluster.tip, n->w->cluster.change};
    return RW_OK;
}

static RW_RC doc_put(void *ctx, const char *kind, const struct store_doc *doc, struct rw_err *err)
{
    struct node *n = ctx;
    struct world *w = n->w;
    RW_TRY(n->base.backend->doc_put(n->base.ctx, kind, doc, err));
    assert_true(w->change_count < CHANGES_MAX);
    struct changed *c = &w->changes[w->change_count++];
    *c = (struct changed){.change = n->staged.change + 1};
    (void)snprintf(c->kind, sizeof(c->kind), "%s", kind);
    (void)snprintf(c->id, sizeof(c->id), "%s", doc->id);
    n->documents = true;
    return RW_OK;
}

static RW_RC doc_get(void *ctx, const char *kind, const char *id, struct rw_buf *body,
                     int64_t *generation, struct rw_err *err)
{
    const struct node *n = ctx;
    if (n->cut) { return rw_fail(err, RW_E_STORE, "cut off"); }
    return n->base.backend->doc_get(n->base.ctx, kind, id, body, generation, err);
}

static RW_RC doc_each(void *ctx, const struct store_docs *which,
                      RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err),
                      void *arg, struct rw_err *err)
{
    const struct node *n = ctx;
    if (n->cut) { return rw_fail(err, RW_E_STORE, "cut off"); }
    return n->base.backend->doc_each(n->base.ctx, which, each, arg, err);
}

static RW_RC doc_count(void *ctx, const char *kind, int64_t *out, struct rw_err *err)
{
    const struct node *n = ctx;
    if (n->cut) { return rw_fail(err, RW_E_STORE, "cut off"); }
    return n->base.backend->doc_count(n->base.ctx, kind, out, err);
}

static RW_RC doc_changed(void *ctx, int64_t after,
                         RW_RC (*each)(void *arg, const char *kind, const struct store_doc *doc,
                                       struct rw_err *err),
                         void *arg, struct rw_err *err)
{
    const struct node *n = ctx;
    for (size_t i = 0; i < n->w->change_count; i++) {
        const struct changed *c = &n->w->changes[i];
        struct store_doc doc = {.generation = 0};
        RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORE_DOC_BYTES_MAX);
        if (c->change <= after) { continue; }
        (void)snprintf(doc.id, sizeof(doc.id), "%s", c->id);
        RW_TRY(doc_get(ctx, c->kind, c->id, &body, &doc.generation, err));
        doc.body = rw_buf_span(&body);
        RW_TRY(each(arg, c->kind, &doc, err));
    }
    return RW_OK;
}

static RW_RC journal_append(void *ctx, struct rw_span batch, int64_t *row, struct rw_err *err)
{
    struct node *n = ctx;
    RW_TRY(n->base.backend->journal_append(n->base.ctx, batch, row, err));
    assert_int_equal(*row, n->staged.tip + 1);
    n->staged.tip = *row;
    return RW_OK;
}

static RW_RC journal_each(void *ctx, int64_t after,
                          RW_RC (*each)(void *arg, int64_t row, struct rw_span batch,
                                        struct rw_err *err),
                          void *arg, struct rw_err *err)
{
    const struct node *n = ctx;
    if (n->cut) { return rw_fail(err, RW_E_STORE, "cut off"); }
    return n->base.backend->journal_each(n->base.ctx, after, each, arg, err);
}

static RW_RC fold(void *ctx, int64_t mark, struct rw_span image, struct rw_err *err)
{
    const struct node *n = ctx;
    return n->base.backend->fold(n->base.ctx, mark, image, err);
}

static RW_RC fold_load(void *ctx, int64_t *mark, struct rw_buf *image, struct rw_err *err)
{
    const struct node *n = ctx;
    if (n->cut) { return rw_fail(err, RW_E_STORE, "cut off"); }
    return n->base.backend->fold_load(n->base.ctx, mark, image, err);
}

static RW_RC fold_mark(void *ctx, int64_t *mark, struct rw_err *err)
{
    const struct node *n = ctx;
    if (n->cut) { return rw_fail(err, RW_E_STORE, "cut off"); }
    return n->base.backend->fold_mark(n->base.ctx, mark, err);
}

static RW_RC journal_drop(void *ctx, int64_t upto, int64_t limit, bool *more, struct rw_err *err)
{
    const struct node *n = ctx;
    return n->base.backend->journal_drop(n->base.ctx, upto, limit, more, err);
}

static RW_RC slice_put(void *ctx, int64_t number, int64_t mark, struct rw_span bytes,
                       struct rw_err *err)
{
    const struct node *n = ctx;
    return n->base.backend->slice_put(n->base.ctx, number, mark, bytes, err);
}

static RW_RC slice_get(void *ctx, int64_t number, int64_t *mark, struct rw_buf *into,
                       struct rw_err *err)
{
    const struct node *n = ctx;
    if (n->cut) { return rw_fail(err, RW_E_STORE, "cut off"); }
    return n->base.backend->slice_get(n->base.ctx, number, mark, into, err);
}

static RW_RC
slice_each(void *ctx, RW_RC (*each)(void *arg, const struct store_slice *slice, struct rw_err *err),
           void *arg, struct rw_err *err)
{
    const struct node *n = ctx;
    if (n->cut) { return rw_fail(err, RW_E_STORE, "cut off"); }
    return n->base.backend->slice_each(n->base.ctx, each, arg, err);
}

static RW_RC audit_append(void *ctx, const struct store_audit *a, struct rw_err *err)
{
    const struct node *n = ctx;
    return n->base.backend->audit_append(n->base.ctx, a, err);
}

static RW_RC audit_tip(void *ctx, struct store_audit_tip *out, struct rw_err *err)
{
    const struct node *n = ctx;
    return n->base.backend->audit_tip(n->base.ctx, out, err);
}

static RW_RC lease_get(void *ctx, struct store_lease *out, struct rw_err *err)
{
    const struct node *n = ctx;
    (void)err;
    *out = n->staged.lease;
    out->left_ms -= n->w->now_ms;
    return RW_OK;
}

static RW_RC lease_put(void *ctx, const struct store_lease *lease, struct rw_err *err)
{
    struct node *n = ctx;
    (void)err;
    n->staged.lease = *lease;
    n->staged.lease.left_ms += n->w->now_ms;
    return RW_OK;
}

static const struct store_backend shared = {
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .doc_put = doc_put,
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
    .audit_tip = audit_tip,
    .look = look,
    .doc_changed = doc_changed,
    .lease_get = lease_get,
    .lease_put = lease_put,
};

#endif
