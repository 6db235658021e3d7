/* Goal: INV-1 and INV-2 under random interleavings of permits, beacons (also forged ones), deadlines, lost commits,
 * restarts without commit, failed signatures, pauses and halts, in several cohorts. A model beside the server keeps
 * only what endpoints were told; after every step
 *     exposed - survived <= U + k * survived      in each ring and in each cohort of it, and
 *     exposed - alive <= U' + k' * alive          with those that proved it again some time after their permit
 * must hold in the model, no permit may follow a halt, and whatever was acknowledged must be there after a restart.
 * What was lost when a person resumed a full window takes no place under the first law of the ring any more. */
#include "common/base/num.h"
#include "server/rollout/rollout_evidence.h"
#include "server/rollout/rollout_live.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"
#include "tests/sim/sim_release.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    RINGS = 2,
    COHORTS = 3,
    ENDPOINTS = 90,
    RUNS = 6,
    STEPS = 500,
    RING_START = 6,
    COHORT_START = 3,
    ALIVE_START = 9,
    ALIVE_AFTER_S = 1200,
    NO_COHORT = -1,
    DEADLINE_S = 900,
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

/* What is known of one endpoint and the release. */
struct known {
    int cohort; /* where it was exposed; NO_COHORT: it was not */
    bool confirmed;
    bool marked; /* failed or refused: never confirms any more */
    bool late;   /* crashed after it had confirmed */
    bool
        dark; /* was silent beyond its deadline once: a permit that it is told again changes nothing */
    bool alive; /* proved it so long after its permit */
    int64_t granted_s;
    uint64_t permit;
};

struct world {
    char dir[64];
    char path[96];
    unsigned seed;
    struct store store;
    struct store_backend faulty;
    const struct store_backend *real;
    bool commits_fail;
    bool signing_fails;
    struct fleet_state *fleet;
    struct rollout_run *run;
    struct ring_policy policy;
    struct rw_wall now;
    uint64_t next_id;
    bool halted;
    int64_t resumes;                  /* of the evidence in force */
    int64_t resumes_seen;             /* times that it began anew */
    int64_t set_aside[RINGS];         /* lost when it began anew */
    uint64_t highest_permit;          /* acknowledged */
    struct known memory[ENDPOINTS];   /* with what was answered only if the next commit holds */
    struct known promised[ENDPOINTS]; /* acknowledged */
};

static struct world *the_world; /* of the store's wrapper, which has the back end's context only */

static unsigned draw(struct world *w, unsigned below)
{
    w->seed = w->seed * 1664525U + 1013904223U;
    return (w->seed >> 8) % below;
}

static RW_RC commit_or_fail(void *ctx, struct rw_err *err)
{
    if (the_world->commits_fail) { return rw_fail(err, RW_E_FULL, "store: the disk is full"); }
    return the_world->real->commit(ctx, err);
}

static RW_RC point(void *ctx, const char *ring, const char *family, int64_t release, bool hold,
                   struct rw_err *err)
{
    const struct world *w = ctx;
    (void)ring;
    (void)family;
    (void)release;
    (void)hold;
    return w->signing_fails ? rw_fail(err, RW_E_PROCESS, "the signer is away") : RW_OK;
}

/* Everything that was not committed is gone, as after a crash. */
static void reopen(struct world *w)
{
    struct rw_err err;
    rollout_run_drop(&w->run);
    fleet_state_drop(&w->fleet);
    store_close(&w->store);
    MUST(store_sqlite_open(w->path, &w->store, &err));
    w->real = w->store.backend;
    w->faulty = *w->real;
    w->faulty.commit = commit_or_fail;
    w->store.backend = &w->faulty;
    MUST(fleet_state_open(&w->store, &w->fleet, &err));
    const struct rollout_run_effects effects = {
        .point = point, .release_info = info, .release_sha256 = bytes_of, .gone = gone, .ctx = w};
    MUST(rollout_run_open(&w->store, w->fleet, &w->policy, effects, &w->run, &err));
    rw_copy(w->memory, sizeof(w->memory), w->promised, sizeof(w->promised));
}

static size_t ring_of(size_t endpoint)
{
    return endpoint % RINGS;
}

/* Exposed, and neither survived nor waited for. */
static int64_t lost_of(const struct world *w, size_t ring)
{
    int64_t lost = 0;
    for (size_t i = ring; i < ENDPOINTS; i += RINGS) {
        const struct known *k = &w->memory[i];
        if (k->cohort == NO_COHORT || k->confirmed) { continue; }
        lost += k->marked || k->dark;
    }
    return lost;
}

/* INV-1 in the model's own numbers, for a ring or a cohort of it. */
static void check_scope(const struct world *w, size_t ring, int cohort)
{
    int64_t exposed = 0;
    int64_t survived = 0;
    int64_t alive = 0;
    for (size_t i = ring; i < ENDPOINTS; i += RINGS) {
        const struct known *k = &w->memory[i];
        if (k->cohort == NO_COHORT || (cohort != NO_COHORT && k->cohort != cohort)) { continue; }
        exposed++;
        survived += k->confirmed;
        alive += k->alive;
    }
    int64_t start = cohort == NO_COHORT ? RING_START : COHORT_START;
    int64_t taken = exposed;
    if (cohort == NO_COHORT) { /* cohorts that nobody knew at the start keep their windows */
        int64_t lost = lost_of(w, ring);
        taken -= lost < w->set_aside[ring] ? lost : w->set_aside[ring];
    }
    if (2 * (taken - survived) > 2 * start + survived || exposed > ALIVE_START + 2 * alive) {
        fail_msg("INV-1: ring %zu cohort %d: %lld exposed, %lld survived, %lld alive", ring, cohort,
                 (long long)exposed, (long long)survived, (long long)alive);
    }
}

static void check_law(const struct world *w)
{
    for (size_t ring = 0; ring < RINGS; ring++) {
        for (int cohort = NO_COHORT; cohort < COHORTS; cohort++) {
            check_scope(w, ring, cohort);
        }
    }
}

static struct fleet_who who(size_t endpoint)
{
    struct fleet_who me = {.endpoint = {(uint8_t)endpoint, 7}};
    (void)snprintf(me.tenant, sizeof(me.tenant), "acme");
    return me;
}

static struct beacon_cohort cohort_named(int number)
{
    struct beacon_cohort c = {.arch = "x86_64", .engine = "yara-4.2"};
    (void)snprintf(c.os, sizeof(c.os), "os-%d", number);
    return c;
}

static void ask(struct world *w)
{
    struct rw_err err;
    size_t i = draw(w, ENDPOINTS);
    int cohort = (int)(draw(w, 20) == 0 ? draw(w, COHORTS) : i / RINGS % COHORTS); /* some lie */
    struct fleet_who me = who(i);
    struct beacon_permit_answer a;
    struct beacon_permit_request q = {
        .family = "yara", .release = 1, .cohort = cohort_named(cohort)};
    (void)snprintf(q.ring, sizeof(q.ring), "%s", ring_names[ring_of(i)]);
    MUST(bytes_of(NULL, "yara", 1, q.sha256, &err));
    MUST(rollout_run_permit(w->run, &me, &q, w->now, &a, &err));
    if (a.decision != BEACON_PERMIT_GRANTED) { return; }
    assert_false(w->halted);
    assert_false(w->memory[i].marked);
    assert_true(a.permit != 0);
    if (w->memory[i].cohort == NO_COHORT) { w->memory[i].cohort = cohort; }
    if (w->memory[i].permit != a.permit) {
        /* A new number is above every one that anybody was told. */
        assert_true(a.permit > w->highest_permit);
        w->memory[i].granted_s = w->now.s;
    }
    w->memory[i].permit = a.permit;
}

static void beacon(struct world *w)
{
    static const enum beacon_kind kinds[] = {BEACON_HEALTHY, BEACON_HEALTHY, BEACON_HEALTHY,
                                             BEACON_HEALTHY, BEACON_HEALTHY, BEACON_ALIVE,
                                             BEACON_FAILED,  BEACON_CRASH,   BEACON_REVERTED,
                                             BEACON_REFUSED, BEACON_HEALTHY, BEACON_ALIVE};
    struct rw_err err;
    bool duplicate = false;
    size_t i = draw(w, ENDPOINTS);
    enum beacon_kind kind = kinds[draw(w, RW_LEN(kinds))];
    /* Bad news is rare, else every run ends with a halt at once. */
    if (kind >= BEACON_REFUSED && draw(w, 20) != 0) { kind = BEACON_ALIVE; }
    for (int tries = 0; tries < 3 && w->memory[i].cohort == NO_COHORT; tries++) {
        i = draw(w, ENDPOINTS); /* mostly those with something to tell */
    }
    bool right_bytes = draw(w, 10) != 0;
    struct fleet_who me = who(i);
    struct known *k = &w->memory[i];
    struct beacon b = {.kind = kind,
                       .family = "yara",
                       .release = 1,
                       .trust = "ok",
                       .cohort = cohort_named((int)(i / RINGS % COHORTS))};
    uint64_t id = w->next_id++;
    rw_copy(b.id, sizeof(b.id), &id, sizeof(id));
    (void)snprintf(b.ring, sizeof(b.ring), "%s", ring_names[ring_of(i)]);
    MUST(bytes_of(NULL, "yara", right_bytes ? 1 : 2, b.sha256, &err));
    MUST(fleet_state_beacon(w->fleet, &me, &b, w->now, &duplicate, &err));
    if (!right_bytes) { return; }
    bool exposed = k->cohort != NO_COHORT;
    if (kind == BEACON_HEALTHY && exposed && !k->marked) { k->confirmed = true; }
    if (kind == BEACON_REFUSED) { k->marked = true; }
    if ((kind == BEACON_FAILED || kind == BEACON_CRASH) && exposed) {
        k->late = k->late || k->confirmed;
        k->marked = k->marked || !k->confirmed;
    }
    bool proof = kind == BEACON_HEALTHY || kind == BEACON_ALIVE;
    if (proof && k->confirmed && !k->late && w->now.s - k->granted_s >= ALIVE_AFTER_S) {
        k->alive = true;
    }
}

static void note_dark(const struct world *w, struct known *all)
{
    for (size_t i = 0; i < ENDPOINTS; i++) {
        struct known *k = &all[i];
        bool waits = k->cohort != NO_COHORT && !k->confirmed && !k->marked;
        k->dark = k->dark || (waits && w->now.s >= k->granted_s + DEADLINE_S);
    }
}

/* A commit that was lost takes the new beginning back. */
static void note_resume(struct world *w)
{
    const struct rollout *ro = rollout_live_find(w->run, "yara", 1);
    if (ro == NULL || ro->evidence == NULL) { return; }
    assert_int_equal(ro->cohort_count, 0);
    if (ro->evidence->resumes > w->resumes) {
        w->resumes_seen++;
        for (size_t ring = 0; ring < RINGS; ring++) {
            w->set_aside[ring] = lost_of(w, ring);
        }
    }
    w->resumes = ro->evidence->resumes;
}

static void tick(struct world *w)
{
    struct rw_err err;
    w->commits_fail = draw(w, 12) == 0;
    w->signing_fails = draw(w, 5) == 0;
    struct rw_rc rc = rollout_run_tick(w->run, w->now, &err);
    /* The fleet was reloaded then; nothing of the model was waiting. */
    if (!w->commits_fail) { assert_int_equal(rc.code, RW_E_NONE); }
    w->commits_fail = false;
    note_dark(w, w->memory);
    note_dark(w, w->promised);
    note_resume(w);
}

static void settle(struct world *w, bool fails)
{
    struct rw_err err;
    w->commits_fail = fails;
    MUST(store_begin(&w->store, &err));
    MUST(fleet_state_flush(w->fleet, &err));
    struct rw_rc rc = store_commit(&w->store, &err);
    w->commits_fail = false;
    if (fails) {
        assert_int_equal(rc.code, RW_E_FULL);
        MUST(fleet_state_reload(w->fleet, &err));
        rw_copy(w->memory, sizeof(w->memory), w->promised, sizeof(w->promised));
        return;
    }
    rw_copy(w->promised, sizeof(w->promised), w->memory, sizeof(w->memory));
    for (size_t i = 0; i < ENDPOINTS; i++) {
        if (w->promised[i].permit > w->highest_permit) {
            w->highest_permit = w->promised[i].permit;
        }
    }
}

/* INV-2, INV-8: what endpoints were told is what the server knows. */
static void check_promises(struct world *w)
{
    struct rw_err err;
    for (size_t i = 0; i < ENDPOINTS; i++) {
        struct fleet_permit p;
        struct fleet_who me = who(i);
        struct beacon_permit_request q = {.family = "yara", .release = 1};
        const struct fleet_ask look = {&me, &q, w->now, 900};
        MUST(fleet_state_permit_look(w->fleet, &look, &p, &err));
        bool exposed = w->promised[i].cohort != NO_COHORT;
        if (exposed && !w->promised[i].marked) { assert_true(p.past != FLEET_PERMIT_FRESH); }
        if (w->promised[i].marked) { assert_int_equal(p.past, FLEET_PERMIT_NEVER); }
        if (exposed && p.past == FLEET_PERMIT_OPEN) {
            assert_true(p.number == w->promised[i].permit);
        }
    }
}

static void steer(struct world *w)
{
    static const enum rollout_rule_command commands[] = {
        ROLLOUT_PAUSE, ROLLOUT_RESUME, ROLLOUT_RESUME, ROLLOUT_PROMOTE, ROLLOUT_RESUME};
    const struct rollout_run_actor ada = {.name = "ada", .reason = "why not"};
    struct rw_err err;
    enum rollout_rule_command what =
        draw(w, 40) == 0 ? ROLLOUT_HALT : commands[draw(w, RW_LEN(commands))];
    bool fails = draw(w, 6) == 0;
    MUST(store_begin(&w->store, &err));
    struct rw_rc rc = rollout_run_command(w->run, "yara", 1, what, 0, &ada, w->now, &err);
    if (!rw_is_ok(rc) || fails) {
        store_rollback(&w->store);
        return;
    }
    MUST(store_commit(&w->store, &err));
}

static void note_halt(struct world *w)
{
    const struct rollout *ro = rollout_live_find(w->run, "yara", 1);
    if (ro == NULL) { return; }
    /* Once it is in the store it is for good. */
    struct rw_err err;
    int64_t generation = 0;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(1 << 18);
    MUST(store_doc_get(&w->store, ROLLOUT_DOC_KIND, "yara/0000000001", &body, &generation, &err));
    w->halted = w->halted || strstr(rw_buf_str(&body), "\"halt\"") != NULL;
}

static void step(struct world *w)
{
    struct rw_err err;
    unsigned what = draw(w, 100);
    if (what < 78) {
        unsigned requests = 1 + draw(w, 6);
        for (unsigned i = 0; i < requests; i++) {
            if (draw(w, 2) == 0) {
                ask(w);
            } else {
                beacon(w);
            }
            check_law(w);
        }
        if (draw(w, 15) == 0) {
            reopen(w); /* killed before the commit */
        } else {
            settle(w, draw(w, 10) == 0);
        }
    } else if (what < 92) {
        w->now.s += 5 + draw(w, draw(w, 8) == 0 ? 900 : 60);
        tick(w);
    } else if (what < 95) {
        steer(w);
    } else if (what < 97) {
        bool more = true;
        MUST(store_begin(&w->store, &err));
        MUST(fleet_state_fold(w->fleet, &more, &err));
        MUST(store_commit(&w->store, &err));
    } else {
        reopen(w);
    }
    check_law(w);
    check_promises(w);
    note_halt(w);
}

static void begin(struct world *w, unsigned seed)
{
    struct rw_err err;
    *w = (struct world){.seed = seed, .now = {1000000}, .next_id = 1};
    the_world = w;
    for (size_t i = 0; i < ENDPOINTS; i++) {
        w->promised[i].cohort = NO_COHORT;
    }
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/rw-window-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof(w->path), "%s/db", w->dir);
    MUST(ring_policy_parse(rw_span_str(policy_text), &w->policy, &err));
    reopen(w);
    MUST(rollout_run_tick(w->run, w->now, &err));
    const struct rollout_run_actor ada = {.name = "ada", .reason = ""};
    MUST(store_begin(&w->store, &err));
    MUST(rollout_run_start(w->run, "yara", 1, &ada, w->now, &err));
    MUST(fleet_state_flush(w->fleet, &err));
    MUST(store_commit(&w->store, &err));
    MUST(rollout_run_tick(w->run, w->now, &err));
}

static void end(struct world *w)
{
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

TEST(inv_1_and_inv_2_hold_over_random_interleavings)
{
    struct rw_err err;
    const char *given = getenv("RW_TEST_SEED");
    int64_t number = 20261126;
    if (given != NULL) {
        MUST(rw_parse_i64(rw_span_str(given), 0, INT32_MAX, "RW_TEST_SEED", &number, &err));
    }
    unsigned seed = (unsigned)number;
    size_t exposed = 0;
    int64_t resumes = 0;
    for (unsigned run = 0; run < RUNS; run++) {
        struct world w;
        print_message("           seed %u (RW_TEST_SEED)\n", seed + run);
        begin(&w, seed + run);
        for (int i = 0; i < STEPS; i++) {
            step(&w);
        }
        for (size_t i = 0; i < ENDPOINTS; i++) {
            exposed += w.promised[i].cohort != NO_COHORT;
        }
        resumes += w.resumes_seen;
        print_message("           %zu exposed so far, %lld times begun anew\n", exposed,
                      (long long)resumes);
        end(&w);
    }
    /* Else the test has looked at nothing. */
    assert_true((exposed > (size_t)20 * RUNS && resumes > 0) || given != NULL);
}

RUN_TESTS(cmocka_unit_test(inv_1_and_inv_2_hold_over_random_interleavings))
