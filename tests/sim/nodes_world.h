/* nodes_world.h: three nodes, what they share, and the model that looks on; for nodes_property_test.c. */
#ifndef RINGWARD_TEST_NODES_WORLD_H
#define RINGWARD_TEST_NODES_WORLD_H

#include "server/api/api_core.h"
#include "server/rollout/rollout_evidence.h"
#include "server/rollout/rollout_live.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

enum {
    NODES = 3,
    RINGS = 2,
    COHORTS = 2,
    ENDPOINTS = 60,
    RUNS = 12,
    STEPS = 700,
    RING_START = 6,
    COHORT_START = 3,
    ALIVE_START = 9,
    ALIVE_AFTER_S = 1200,
    DEADLINE_S = 900,
    CHANGES_MAX = 20000,
    PATH_BYTES = 128,
};

static const char policy_text[] =
    "{\"format\":1,\"rings\":["
    "{\"name\":\"canary\",\"share\":\"10%\",\"bake\":\"20m\",\"gate\":{\"limit\":\"30%\","
    "\"min_healthy\":12}},"
    "{\"name\":\"broad\",\"share\":\"rest\",\"bake\":\"20m\",\"gate\":{\"limit\":\"30%\","
    "\"min_healthy\":12}}],"
    "\"classes\":{\"rules\":{}},"
    "\"window\":{\"confirm\":{\"start\":6,\"per_survivor_thousandths\":500,\"deadline\":\"15m\","
    "\"probation\":\"10m\"},\"cohort\":{\"start\":3},"
    "\"alive\":{\"after\":\"20m\",\"start\":9,\"per_survivor_thousandths\":1000}},"
    "\"health\":{\"false_halts_per_year\":1,\"releases_per_year\":7300},"
    "\"poll\":{\"rollout\":\"1m\"}}";
static const char *const ring_names[RINGS] = {"canary", "broad"};

struct known {
    bool exposed;
    bool confirmed;
    bool failed; /* never confirmed, and never will */
    bool late;   /* failed after it had confirmed */
    bool dark;   /* was silent beyond its deadline once */
    bool alive;  /* proved it so long after its permit */
    int64_t granted_s;
    uint64_t permit;
};

/* What PostgreSQL keeps beside the tables that SQLite has. */
struct cluster {
    int64_t tip;
    int64_t change;
    struct store_lease lease; /* left_ms: the moment of its end */
};

struct changed {
    char kind[16];
    char id[STORE_ID_BYTES];
    int64_t change;
};

struct node {
    struct world *w;
    bool up;
    bool cut;
    struct store store;
    struct store base; /* the same connection, as SQLite's */
    struct cluster staged;
    bool documents;
    struct known memory[ENDPOINTS]; /* the model with what the open transaction adds */
    struct fleet_state *fleet;
    struct api_node lease;
    struct api_core core;
};

enum fate { FATE_HOLDS, FATE_FAILS, FATE_ANSWER_LOST };

struct world {
    uint32_t seed;
    char dir[64];
    char path[PATH_BYTES];
    struct ring_policy policy;
    int64_t now_ms;
    struct cluster cluster;
    struct changed *changes;
    size_t change_count;
    struct node nodes[NODES];
    struct known truth[ENDPOINTS];
    struct known promised[ENDPOINTS];      /* what endpoints were told */
    int64_t set_aside[RINGS][COHORTS + 1]; /* lost when evidence began anew; last: of the ring */
    int64_t resumes;                       /* of the evidence in the store */
    bool halted;
    bool calm;
    void (*meanwhile)(
        struct node *n); /* what others do while this node signs a pointer; NULL: nothing */
    uint64_t next_id;
    struct {
        size_t endpoint;
        enum beacon_kind kind;
        uint64_t id;
    } last; /* beacon, for repeats */
    unsigned stale_refused;
    unsigned takeovers;
    unsigned permits;
    unsigned grown; /* looks at a scope that the second law has let grow */
};

static unsigned draw(struct world *w, unsigned below)
{
    return harness_random(&w->seed) % below;
}

static struct rw_wall wall(void *ctx)
{
    const struct world *w = ctx;
    return (struct rw_wall){1000000 + w->now_ms / 1000};
}

static struct rw_mono mono(void *ctx)
{
    const struct world *w = ctx;
    return (struct rw_mono){w->now_ms};
}

/* --- the model --- */

static size_t ring_of(size_t endpoint)
{
    return endpoint % RINGS;
}

static size_t cohort_of(size_t endpoint)
{
    return endpoint / RINGS % COHORTS;
}

/* What a ring (cohort COHORTS) or a cohort of it counts. */
struct tally {
    int64_t exposed;
    int64_t survived;
    int64_t failed;
    int64_t alive;
    int64_t lost; /* exposed, and neither survived nor waited for */
};

static struct tally tally(const struct world *w, size_t ring, size_t cohort)
{
    struct tally t = {.exposed = 0};
    for (size_t i = ring; i < ENDPOINTS; i += RINGS) {
        const struct known *k = &w->truth[i];
        if (!k->exposed || (cohort < COHORTS && cohort_of(i) != cohort)) { continue; }
        t.exposed++;
        t.survived += k->confirmed;
        t.failed += k->failed;
        t.alive += k->alive;
        t.lost += !k->confirmed && (k->failed || k->dark);
    }
    return t;
}

static void note_dark(struct world *w)
{
    for (size_t i = 0; i < ENDPOINTS; i++) {
        struct known *k = &w->truth[i];
        bool waits = k->exposed && !k->confirmed && !k->failed;
        k->dark = k->dark || (waits && wall(w).s >= k->granted_s + DEADLINE_S);
    }
}

/* INV-1: both laws. What was lost when a person resumed takes no place under the first one any more. */
static void check_scope(struct world *w, size_t ring, size_t cohort, int64_t start)
{
    const struct tally t = tally(w, ring, cohort);
    int64_t aside = w->set_aside[ring][cohort];
    int64_t unproven = t.exposed - t.survived - (t.lost < aside ? t.lost : aside);
    if (2 * unproven > 2 * start + t.survived || t.exposed > ALIVE_START + 2 * t.alive) {
        fail_msg("INV-1: ring %zu cohort %zu: %lld exposed, %lld survived, %lld alive, %lld of %lld"
                 " lost set aside",
                 ring, cohort, (long long)t.exposed, (long long)t.survived, (long long)t.alive,
                 (long long)aside, (long long)t.lost);
    }
    w->grown += t.exposed > ALIVE_START;
}

static void check_law(struct world *w)
{
    note_dark(w);
    for (size_t ring = 0; ring < RINGS; ring++) {
        check_scope(w, ring, COHORTS, RING_START);
        for (size_t cohort = 0; cohort < COHORTS; cohort++) {
            check_scope(w, ring, cohort, COHORT_START);
        }
    }
}

/* --- a store that nodes share --- */

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
        w->set_aside[ring][COHORTS] = tally(w, ring, COHORTS).lost;
        for (size_t i = 0; i < COHORTS; i++) { /* one that nobody knew at the start keeps all */
            if (ro->cohort_count > 0) { w->set_aside[ring][i] = tally(w, ring, i).lost; }
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

static RW_RC doc_each(void *ctx, const char *kind,
                      RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err),
                      void *arg, struct rw_err *err)
{
    const struct node *n = ctx;
    if (n->cut) { return rw_fail(err, RW_E_STORE, "cut off"); }
    return n->base.backend->doc_each(n->base.ctx, kind, each, arg, err);
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
