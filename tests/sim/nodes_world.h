/* nodes_world.h: three nodes, their endpoints, and the model that looks on; for nodes_property_test.c. */
#ifndef RINGWARD_TEST_NODES_WORLD_H
#define RINGWARD_TEST_NODES_WORLD_H

#include "server/api/api_core.h"
#include "server/rollout/rollout_evidence.h"
#include "server/rollout/rollout_live.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"
#include "tests/sim/sim_release.h"

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
    bool two_tenants;
    bool all_known; /* every endpoint was there when the rollout began */
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
    unsigned limited; /* requests of a tenant that had its share */
    unsigned grown;   /* looks at a scope that the second law has let grow */
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

static struct tally tally(const struct known *all, size_t ring, size_t cohort)
{
    struct tally t = {.exposed = 0};
    for (size_t i = ring; i < ENDPOINTS; i += RINGS) {
        const struct known *k = &all[i];
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
    const struct tally t = tally(w->truth, ring, cohort);
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

static bool is_initech(const struct world *w, size_t endpoint)
{
    return w->two_tenants && endpoint % 3 == 2;
}

/* INV-11: whether the tenant of this endpoint has all that it may have in its ring beside the other tenant. */
static bool has_its_share(const struct world *w, const struct known *all, size_t endpoint)
{
    size_t ring = ring_of(endpoint);
    const struct tally t = tally(all, ring, COHORTS);
    int64_t unproven = 0;
    int64_t survived = 0;
    int64_t lost = 0;
    int64_t aside = w->set_aside[ring][COHORTS] < t.lost ? w->set_aside[ring][COHORTS] : t.lost;
    for (size_t i = ring; i < ENDPOINTS; i += RINGS) {
        if (is_initech(w, i) != is_initech(w, endpoint)) { continue; }
        unproven += all[i].exposed && !all[i].confirmed;
        lost += all[i].exposed && !all[i].confirmed && (all[i].failed || all[i].dark);
        survived += all[i].confirmed;
    }
    bool waited_for = w->two_tenants && t.exposed - t.survived - t.lost > 0;
    unproven -= lost < aside ? lost : aside;
    return waited_for && 2 * unproven >= RING_START + survived;
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

/* --- endpoints --- */

static struct fleet_who who(const struct world *w, size_t endpoint)
{
    struct fleet_who me = {.endpoint = {(uint8_t)endpoint, 7}};
    (void)snprintf(me.tenant, sizeof(me.tenant), "%s",
                   is_initech(w, endpoint) ? "initech" : "acme");
    return me;
}

static struct beacon_cohort cohort_named(size_t number)
{
    struct beacon_cohort c = {.arch = "x86_64", .engine = "yara-4.2"};
    (void)snprintf(c.os, sizeof(c.os), "os-%zu", number);
    return c;
}

static void ask(struct node *n, size_t i)
{
    struct rw_err err;
    struct fleet_who me = who(n->w, i);
    struct beacon_permit_answer a;
    struct beacon_permit_request q = {
        .family = "yara", .release = 1, .cohort = cohort_named(cohort_of(i))};
    (void)snprintf(q.ring, sizeof(q.ring), "%s", ring_names[ring_of(i)]);
    MUST(bytes_of(NULL, "yara", 1, q.sha256, &err));
    bool limited = n->w->all_known && !n->memory[i].exposed && has_its_share(n->w, n->memory, i);
    MUST(rollout_run_permit(n->core.rollouts, &me, &q, wall(n->w), &a, &err));
    assert_false(limited && a.decision == BEACON_PERMIT_GRANTED);
    n->w->limited += limited;
    if (a.decision != BEACON_PERMIT_GRANTED) { return; }
    assert_false(n->w->halted); /* committed before this transaction began, at whichever node */
    assert_false(n->memory[i].failed);
    n->memory[i].exposed = true;
    if (n->memory[i].permit != a.permit) { n->memory[i].granted_s = wall(n->w).s; }
    n->memory[i].permit = a.permit;
    n->w->permits++;
}

static void send(struct node *n, size_t i, enum beacon_kind kind, uint64_t id)
{
    struct rw_err err;
    bool duplicate = false;
    struct fleet_who me = who(n->w, i);
    struct known *k = &n->memory[i];
    struct beacon b = {.kind = kind,
                       .family = "yara",
                       .release = 1,
                       .trust = "ok",
                       .cohort = cohort_named(cohort_of(i))};
    rw_copy(b.id, sizeof(b.id), &id, sizeof(id));
    (void)snprintf(b.ring, sizeof(b.ring), "%s", ring_names[ring_of(i)]);
    MUST(bytes_of(NULL, "yara", 1, b.sha256, &err));
    MUST(fleet_state_beacon(n->fleet, &me, &b, wall(n->w), &duplicate, &err));
    /* A beacon of a permit that was lost with its transaction may be sent again: it counts for nothing. */
    if (kind == BEACON_HEALTHY && k->exposed && !k->failed) { k->confirmed = true; }
    if (kind == BEACON_FAILED && k->exposed && !k->confirmed) { k->failed = true; }
    if (kind == BEACON_FAILED && k->confirmed) { k->late = true; }
    bool proof = kind != BEACON_FAILED && !duplicate && k->confirmed && !k->late;
    if (proof && wall(n->w).s - k->granted_s >= ALIVE_AFTER_S) { k->alive = true; }
}

static void check_counts(struct node *n, size_t ring, size_t cohort)
{
    const struct tally want = tally(n->w->truth, ring, cohort);
    const struct beacon_cohort named = cohort_named(cohort);
    struct fleet_counts c =
        fleet_state_counts(n->fleet, "yara", 1, ring_names[ring], cohort < COHORTS ? &named : NULL);
    assert_int_equal(c.exposed, want.exposed);
    assert_int_equal(c.survived, want.survived);
    assert_int_equal(c.failed, want.failed);
    assert_int_equal(c.aged, want.alive);
}

/* INV-2, INV-8: what anybody was told stands in the store. */
static void check_promises(struct node *n)
{
    struct rw_err err;
    for (size_t i = 0; i < ENDPOINTS; i++) {
        const struct known *k = &n->w->promised[i];
        struct fleet_permit p;
        struct fleet_who me = who(n->w, i);
        struct beacon_permit_request q = {.family = "yara", .release = 1};
        const struct fleet_ask look = {&me, &q, wall(n->w), DEADLINE_S};
        if (!k->exposed) { continue; }
        MUST(fleet_state_permit_look(n->fleet, &look, &p, &err));
        assert_true(p.past != FLEET_PERMIT_FRESH);
        if (k->failed) { assert_int_equal(p.past, FLEET_PERMIT_NEVER); }
        if (p.past == FLEET_PERMIT_OPEN) { assert_true(p.number >= k->permit); }
        assert_true(n->w->truth[i].exposed);
        assert_true(!k->confirmed || n->w->truth[i].confirmed);
    }
}

#endif
