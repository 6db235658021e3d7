/* rollout_world.h: a controller on a virtual clock, its store, a fake publisher and a fleet of endpoints, for the
 * tests of server/rollout. */
#ifndef RINGWARD_TEST_ROLLOUT_WORLD_H
#define RINGWARD_TEST_ROLLOUT_WORLD_H

#include "server/health/fleet_permit.h"
#include "server/report/audit_log.h"
#include "server/rollout/rollout_live.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <unistd.h>

enum { RINGS = 2, PER_RING = 60 };

/* Who the endpoints are: by number, in turns. Tests that change them change them back. */
static unsigned world_tenants = 1;     /* the last one is "initech", the others "acme" */
static unsigned world_cohort_step = 2; /* the last one of as many is os-1, the others os-0 */

static const char *const ring_names[RINGS] = {"canary", "broad"};
static const char policy_text[] =
    "{\"format\":1,\"rings\":["
    "{\"name\":\"canary\",\"share\":\"10%\",\"bake\":\"30m\",\"gate\":{\"limit\":\"20%\","
    "\"min_healthy\":20}},"
    "{\"name\":\"broad\",\"share\":\"rest\",\"bake\":\"40m\",\"gate\":{\"limit\":\"20%\","
    "\"min_healthy\":20}}],"
    "\"classes\":{\"rules\":{\"min_bake\":{\"broad\":\"1h\"}}},"
    "\"window\":{\"confirm\":{\"start\":8,\"per_survivor_thousandths\":1000,\"deadline\":\"15m\","
    "\"probation\":\"10m\"},\"cohort\":{\"start\":4}},"
    "\"health\":{\"false_halts_per_year\":1,\"releases_per_year\":7300},"
    "\"poll\":{\"rollout\":\"1m\"}}";

struct endpoint {
    int64_t granted_s;
    bool done;
};

struct world {
    char dir[64];
    char path[96];
    struct store store;
    struct fleet_state *fleet;
    struct rollout_run *run;
    struct ring_policy policy;
    struct rw_wall now;
    int64_t pointer[RINGS];
    bool hold[RINGS];
    bool signing_fails;
    struct rw_wall expedited[RINGS]; /* 0: none */
    int64_t drill;                   /* the release that was signed as one; 0: none */
    int points;
    int infos; /* how often a release was asked for, which may read the repository */
    uint64_t next_id;
    struct endpoint endpoints[RINGS][PER_RING];
};

static inline RW_RC point(void *ctx, const char *ring, const char *family, int64_t release,
                          bool hold, struct rw_err *err)
{
    struct world *w = ctx;
    assert_false(w->store.in_transaction); /* effects come after the commit */
    assert_string_equal(family, "yara");
    /* A halt closes permits before anything is signed (INV-1). */
    for (int64_t halted = 1; halted < 10; halted++) {
        const struct rollout *ro = rollout_live_find(w->run, family, halted);
        for (size_t i = 0; ro != NULL && ro->halt.there && i < ro->ring_count; i++) {
            assert_false(ro->rings[i].open);
        }
    }
    if (w->signing_fails) { return rw_fail(err, RW_E_PROCESS, "the signer is away"); }
    for (size_t i = 0; i < RINGS; i++) {
        if (strcmp(ring_names[i], ring) == 0) {
            w->pointer[i] = release;
            w->hold[i] = hold;
        }
    }
    w->points++;
    return RW_OK;
}

static inline RW_RC info(void *ctx, const char *family, int64_t release,
                         char class_out[static RING_POLICY_NAME_BYTES],
                         struct rw_wall not_before[static RING_POLICY_RINGS_MAX],
                         struct rw_err *err)
{
    struct world *w = ctx;
    w->infos++;
    if (release > 9) { return rw_fail(err, RW_E_NOT_FOUND, "there is no %s/9", family); }
    (void)snprintf(class_out, RING_POLICY_NAME_BYTES, "rules");
    not_before[0] = w->now;
    not_before[1] = (struct rw_wall){w->now.s + 3600};
    return RW_OK;
}

static inline bool gone(void *ctx, const char *family, int64_t release)
{
    (void)ctx;
    (void)family;
    return release > 9;
}

static inline RW_RC expedited(void *ctx, const char *family, int64_t release, struct rw_wall now,
                              struct rw_wall out[static RING_POLICY_RINGS_MAX], struct rw_err *err)
{
    const struct world *w = ctx;
    (void)family;
    (void)release;
    (void)now;
    (void)err;
    for (size_t i = 0; i < RING_POLICY_RINGS_MAX; i++) {
        out[i] = i < RINGS ? w->expedited[i] : (struct rw_wall){0};
    }
    return RW_OK;
}

static inline RW_RC is_drill(void *ctx, const char *family, int64_t release, bool *out,
                             struct rw_err *err)
{
    const struct world *w = ctx;
    (void)family;
    (void)err;
    *out = w->drill != 0 && release == w->drill;
    return RW_OK;
}

static inline RW_RC bytes_of(void *ctx, const char *family, int64_t release,
                             uint8_t sha256_out[static 32], struct rw_err *err)
{
    (void)ctx;
    (void)family;
    (void)err;
    for (size_t i = 0; i < 32; i++) {
        sha256_out[i] = (uint8_t)release;
    }
    return RW_OK;
}

static inline void restart(struct world *w)
{
    struct rw_err err;
    rollout_run_drop(&w->run);
    fleet_state_drop(&w->fleet);
    store_close(&w->store);
    MUST(store_sqlite_open(w->path, &w->store, &err));
    MUST(fleet_state_open(&w->store, &w->fleet, &err));
    const struct rollout_run_effects effects = {.point = point,
                                                .release_info = info,
                                                .release_sha256 = bytes_of,
                                                .expedited = expedited,
                                                .gone = gone,
                                                .is_drill = is_drill,
                                                .ctx = w};
    MUST(rollout_run_open(&w->store, w->fleet, &w->policy, effects, &w->run, &err));
}

static inline void begin(struct world *w)
{
    struct rw_err err;
    world_tenants = 1; /* whatever a test before has left */
    world_cohort_step = 2;
    *w = (struct world){.now = {1000000}, .next_id = 1};
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/rw-rollout-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof(w->path), "%s/db", w->dir);
    MUST(ring_policy_parse(rw_span_str(policy_text), &w->policy, &err));
    restart(w);
    MUST(rollout_run_tick(w->run, w->now, &err)); /* names the rings */
}

static inline void end(struct world *w)
{
    struct rw_err err;
    int64_t records = 0;
    MUST(audit_log_verify(&w->store, &records, &err));
    rollout_run_drop(&w->run);
    fleet_state_drop(&w->fleet);
    store_close(&w->store);
    static const char *const tails[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < RW_LEN(tails); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s%s", w->path, tails[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(w->dir), 0);
}

static inline void commit(struct world *w)
{
    struct rw_err err;
    if (!w->store.in_transaction) { MUST(store_begin(&w->store, &err)); }
    MUST(fleet_state_flush(w->fleet, &err));
    MUST(store_commit(&w->store, &err));
}

static inline void tick(struct world *w)
{
    struct rw_err err;
    MUST(rollout_run_tick(w->run, w->now, &err));
}

static const struct rollout_run_actor ada = {.name = "ada", .reason = "because"};

static inline void start(struct world *w, int64_t release)
{
    struct rw_err err;
    MUST(store_begin(&w->store, &err));
    MUST(rollout_run_start(w->run, "yara", release, &ada, w->now, &err));
    commit(w);
}

/* In a transaction of its own, as the server does it. */
static inline struct rw_rc command(struct world *w, int64_t release, enum rollout_rule_command what,
                                   int64_t generation, struct rw_err *err_out)
{
    struct rw_err err;
    MUST(store_begin(&w->store, &err));
    struct rw_rc rc =
        rollout_run_command(w->run, "yara", release, what, generation, &ada, w->now, err_out);
    if (rw_is_ok(rc)) {
        commit(w);
    } else {
        store_rollback(&w->store);
    }
    return rc;
}

static inline struct fleet_who who(size_t ring, size_t number)
{
    struct fleet_who me = {.endpoint = {(uint8_t)ring, (uint8_t)number, 1}};
    bool other = world_tenants > 1 && number % world_tenants == world_tenants - 1;
    (void)snprintf(me.tenant, sizeof(me.tenant), "%s", other ? "initech" : "acme");
    return me;
}

static inline struct beacon_cohort cohort_of(size_t number)
{
    struct beacon_cohort c = {.arch = "x86_64", .engine = "yara-4.2"};
    (void)snprintf(c.os, sizeof(c.os), "os-%d",
                   number % world_cohort_step == world_cohort_step - 1);
    return c;
}

static inline struct beacon_permit_answer ask(struct world *w, size_t ring, size_t number,
                                              int64_t release)
{
    struct rw_err err;
    struct fleet_who me = who(ring, number);
    struct beacon_permit_answer a;
    struct beacon_permit_request q = {
        .family = "yara", .release = release, .cohort = cohort_of(number)};
    (void)snprintf(q.ring, sizeof(q.ring), "%s", ring_names[ring]);
    MUST(bytes_of(NULL, "yara", release, q.sha256, &err));
    /* Who asks why is told what a request is answered, and it costs nothing. */
    struct beacon_permit_answer look;
    struct beacon_permit_request same = q;
    size_t pending_bytes = fleet_state_pending_bytes(w->fleet);
    MUST(rollout_run_permit_look(w->run, &me, &same, w->now, &look, &err));
    assert_int_equal(fleet_state_pending_bytes(w->fleet), pending_bytes);
    MUST(rollout_run_permit(w->run, &me, &q, w->now, &a, &err));
    assert_int_equal(look.decision, a.decision);
    assert_string_equal(look.reason, a.reason);
    commit(w);
    return a;
}

static inline void send(struct world *w, size_t ring, size_t number, enum beacon_kind kind,
                        int64_t release)
{
    struct rw_err err;
    bool duplicate = false;
    struct fleet_who me = who(ring, number);
    struct beacon b = {.kind = kind, .cohort = cohort_of(number), .trust = "ok"};
    uint64_t id = w->next_id++;
    rw_copy(b.id, sizeof(b.id), &id, sizeof(id));
    (void)snprintf(b.ring, sizeof(b.ring), "%s", ring_names[ring]);
    if (release > 0) {
        (void)snprintf(b.family, sizeof(b.family), "yara");
        b.release = release;
        MUST(bytes_of(NULL, "yara", release, b.sha256, &err));
    }
    MUST(fleet_state_beacon(w->fleet, &me, &b, w->now, &duplicate, &err));
    assert_false(duplicate);
}

static inline void all_alive(struct world *w, int64_t release)
{
    for (size_t ring = 0; ring < RINGS; ring++) {
        for (size_t i = 0; i < PER_RING; i++) {
            send(w, ring, i, BEACON_ALIVE, release);
        }
    }
    commit(w);
}

/* One minute of a fleet whose endpoints ask, live through probation and confirm; `bad` of 100 fail instead. */
static inline void minute(struct world *w, int64_t release, size_t bad)
{
    w->now.s += 60;
    for (size_t ring = 0; ring < RINGS; ring++) {
        if (w->pointer[ring] != release) { continue; }
        for (size_t i = 0; i < PER_RING; i++) {
            struct endpoint *e = &w->endpoints[ring][i];
            if (e->done) { continue; }
            if (e->granted_s == 0) {
                if (ask(w, ring, i, release).decision == BEACON_PERMIT_GRANTED) {
                    e->granted_s = w->now.s;
                }
            } else if (i * 37 % 100 < bad) {
                send(w, ring, i, BEACON_FAILED, release);
                e->done = true;
            } else if (w->now.s - e->granted_s >= 600) {
                send(w, ring, i, BEACON_HEALTHY, release);
                e->done = true;
            }
        }
    }
    send(w, 0, 0, BEACON_ALIVE, 0);
    send(w, 1, 0, BEACON_ALIVE, 0);
    commit(w);
    tick(w);
}

static const struct rollout *the(const struct world *w, int64_t release)
{
    const struct rollout *ro = rollout_live_find(w->run, "yara", release);
    assert_non_null(ro);
    return ro;
}

static inline int state(const struct world *w, int64_t release, size_t ring)
{
    return the(w, release)->rings[ring].state;
}

static inline enum rollout_rule_state overall(const struct world *w, int64_t release)
{
    return rollout_doc_overall(the(w, release));
}

static inline int64_t exposed(const struct world *w, int64_t release, size_t ring)
{
    return fleet_state_counts(w->fleet, "yara", release, ring_names[ring], NULL).exposed;
}

/* After begin, with w->policy as the test wants it: a rollout under way, where endpoints of so many tenants take
 * turns. */
static inline void under_way(struct world *w, unsigned tenants, unsigned cohort_step)
{
    world_tenants = tenants;
    world_cohort_step = cohort_step;
    rollout_run_set_policy(w->run, &w->policy);
    all_alive(w, 0);
    start(w, 1);
    tick(w);
}

static inline void run_good(struct world *w, int64_t release)
{
    memset(w->endpoints, 0, sizeof(w->endpoints));
    start(w, release);
    tick(w);
    for (int i = 0; i < 240 && overall(w, release) != ROLLOUT_COMPLETE; i++) {
        minute(w, release, 0);
        if (!(state(w, release, 0) == ROLLOUT_PASSED || state(w, release, 0) == ROLLOUT_COMPLETE)) {
            assert_int_equal(exposed(w, release, 1), 0);
        }
    }
    assert_int_equal(overall(w, release), ROLLOUT_COMPLETE);
}

#endif
