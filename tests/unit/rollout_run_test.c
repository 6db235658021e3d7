/* Goal: the controller on a virtual clock: a good release goes through ring by ring, a bad one is stopped after a few
 * (INV-1, INV-3), state and audit record are one (INV-9), and a restart or a failed signature in any state neither
 * opens a ring nor loses a halt. */
#include "server/report/audit_log.h"
#include "server/rollout/rollout_live.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <unistd.h>

enum { RINGS = 2, PER_RING = 60 };

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
    int points;
    uint64_t next_id;
    struct endpoint endpoints[RINGS][PER_RING];
};

static RW_RC point(void *ctx, const char *ring, const char *family, int64_t release, bool hold,
                   struct rw_err *err)
{
    struct world *w = ctx;
    assert_false(w->store.in_transaction); /* effects come after the commit */
    assert_string_equal(family, "yara");
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

static RW_RC info(void *ctx, const char *family, int64_t release,
                  char class_out[static RING_POLICY_NAME_BYTES],
                  struct rw_wall not_before[static RING_POLICY_RINGS_MAX], struct rw_err *err)
{
    struct world *w = ctx;
    if (release > 9) { return rw_fail(err, RW_E_NOT_FOUND, "there is no %s/9", family); }
    (void)snprintf(class_out, RING_POLICY_NAME_BYTES, "rules");
    not_before[0] = w->now;
    not_before[1] = (struct rw_wall){w->now.s + 3600};
    return RW_OK;
}

static RW_RC bytes_of(void *ctx, const char *family, int64_t release, uint8_t sha256_out[static 32],
                      struct rw_err *err)
{
    (void)ctx;
    (void)family;
    (void)err;
    for (size_t i = 0; i < 32; i++) {
        sha256_out[i] = (uint8_t)release;
    }
    return RW_OK;
}

static void restart(struct world *w)
{
    struct rw_err err;
    rollout_run_drop(&w->run);
    fleet_state_drop(&w->fleet);
    store_close(&w->store);
    MUST(store_sqlite_open(w->path, &w->store, &err));
    MUST(fleet_state_open(&w->store, &w->fleet, &err));
    const struct rollout_run_effects effects = {
        .point = point, .release_info = info, .release_sha256 = bytes_of, .ctx = w};
    MUST(rollout_run_open(&w->store, w->fleet, &w->policy, effects, &w->run, &err));
}

static void begin(struct world *w)
{
    struct rw_err err;
    *w = (struct world){.now = {1000000}, .next_id = 1};
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/rw-rollout-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof(w->path), "%s/db", w->dir);
    MUST(ring_policy_parse(rw_span_str(policy_text), &w->policy, &err));
    restart(w);
    MUST(rollout_run_tick(w->run, w->now, &err)); /* names the rings */
}

static void end(struct world *w)
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

static void commit(struct world *w)
{
    struct rw_err err;
    if (!w->store.in_transaction) { MUST(store_begin(&w->store, &err)); }
    MUST(fleet_state_flush(w->fleet, &err));
    MUST(store_commit(&w->store, &err));
}

static void tick(struct world *w)
{
    struct rw_err err;
    MUST(rollout_run_tick(w->run, w->now, &err));
}

static const struct rollout_run_actor ada = {.name = "ada", .reason = "because"};

static void start(struct world *w, int64_t release)
{
    struct rw_err err;
    MUST(store_begin(&w->store, &err));
    MUST(rollout_run_start(w->run, "yara", release, &ada, w->now, &err));
    commit(w);
}

/* In a transaction of its own, as the server does it. */
static struct rw_rc command(struct world *w, int64_t release, enum rollout_rule_command what,
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

static struct fleet_who who(size_t ring, size_t number)
{
    struct fleet_who me = {.endpoint = {(uint8_t)ring, (uint8_t)number, 1}};
    (void)snprintf(me.tenant, sizeof(me.tenant), "acme");
    return me;
}

static struct beacon_cohort cohort_of(size_t number)
{
    struct beacon_cohort c = {.arch = "x86_64", .engine = "yara-4.2"};
    (void)snprintf(c.os, sizeof(c.os), "os-%zu", number % 2);
    return c;
}

static struct beacon_permit_answer ask(struct world *w, size_t ring, size_t number, int64_t release)
{
    struct rw_err err;
    struct fleet_who me = who(ring, number);
    struct beacon_permit_answer a;
    struct beacon_permit_request q = {
        .family = "yara", .release = release, .cohort = cohort_of(number)};
    (void)snprintf(q.ring, sizeof(q.ring), "%s", ring_names[ring]);
    MUST(bytes_of(NULL, "yara", release, q.sha256, &err));
    MUST(rollout_run_permit(w->run, &me, &q, w->now, &a, &err));
    commit(w);
    return a;
}

static void send(struct world *w, size_t ring, size_t number, enum beacon_kind kind,
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

static void all_alive(struct world *w, int64_t release)
{
    for (size_t ring = 0; ring < RINGS; ring++) {
        for (size_t i = 0; i < PER_RING; i++) {
            send(w, ring, i, BEACON_ALIVE, release);
        }
    }
    commit(w);
}

/* One minute of a fleet whose endpoints ask, live through probation and confirm; `bad` of 100 fail instead. */
static void minute(struct world *w, int64_t release, size_t bad)
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

static int state(const struct world *w, int64_t release, size_t ring)
{
    return the(w, release)->rings[ring].state;
}

static enum rollout_rule_state overall(const struct world *w, int64_t release)
{
    return rollout_doc_overall(the(w, release));
}

static int64_t exposed(const struct world *w, int64_t release, size_t ring)
{
    return fleet_state_counts(w->fleet, "yara", release, ring_names[ring], NULL).exposed;
}

static void run_good(struct world *w, int64_t release)
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

TEST(a_good_release_passes_ring_by_ring)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    run_good(&w, 1);
    assert_int_equal(w.pointer[0], 1);
    assert_int_equal(w.pointer[1], 1);
    assert_int_equal(the(&w, 1)->previous, 0);
    assert_true(w.now.s - 1000000 >= 3600 + 2400); /* signed bake of broad, then its own */
    run_good(&w, 2);
    assert_int_equal(the(&w, 2)->previous, 1);
    end(&w);
}

TEST(a_crasher_is_halted_after_a_few_and_the_ring_goes_back)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    run_good(&w, 1);
    memset(w.endpoints, 0, sizeof(w.endpoints));
    start(&w, 2);
    tick(&w);
    for (int i = 0; i < 60 && !the(&w, 2)->halt.there; i++) {
        minute(&w, 2, 100);
    }
    const struct rollout *ro = the(&w, 2);
    assert_true(ro->halt.there);
    assert_true(exposed(&w, 2, 0) <= 8);
    assert_int_equal(exposed(&w, 2, 1), 0);
    assert_string_equal(ro->halt.term, "crash");
    assert_string_equal(ro->halt.ring, "canary");
    assert_string_equal(ro->halt.by, "controller");
    assert_true(ro->halt.failures >= 3);
    assert_int_equal(w.pointer[0], 1);
    assert_int_equal(ask(&w, 0, 50, 2).decision, BEACON_PERMIT_REFUSED);
    for (int i = 0; i < 70; i++) {
        minute(&w, 2, 100);
    }
    assert_int_equal(overall(&w, 2), ROLLOUT_ROLLED_BACK);
    MUST_FAIL(rollout_run_start(w.run, "yara", 2, &ada, w.now, &err), RW_E_POLICY);
    restart(&w);
    tick(&w);
    assert_true(the(&w, 2)->halt.there);
    assert_string_equal(the(&w, 2)->halt.term, "crash");
    end(&w);
}

TEST(silence_alone_halts_or_holds_and_never_promotes)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    for (int i = 0; i < 120; i++) {
        w.now.s += 60;
        for (size_t k = 0; k < PER_RING; k++) {
            (void)ask(&w, 0, k, 1);
        }
        tick(&w);
    }
    assert_true(exposed(&w, 1, 0) <= 8);
    assert_true(state(&w, 1, 0) == ROLLOUT_HALTED || state(&w, 1, 0) == ROLLOUT_ROLLING_BACK ||
                state(&w, 1, 0) == ROLLOUT_ROLLED_BACK || state(&w, 1, 0) == ROLLOUT_HELD);
    assert_int_equal(exposed(&w, 1, 1), 0);
    end(&w);
}

TEST(the_window_holds_in_ring_and_cohort_and_waiting_endpoints_are_told_when)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    size_t granted[2] = {0};
    for (size_t i = 0; i < PER_RING; i++) {
        struct beacon_permit_answer a = ask(&w, 0, i, 1);
        if (a.decision == BEACON_PERMIT_GRANTED) {
            granted[i % 2]++;
            assert_int_equal(a.valid_s, 60);
        } else {
            assert_int_equal(a.decision, BEACON_PERMIT_WAIT);
            assert_true(a.retry_after_s >= 1 && a.retry_after_s <= 720);
            assert_non_null(strstr(a.reason, "window"));
        }
    }
    assert_int_equal(granted[0], 4);
    assert_int_equal(granted[1], 4);
    end(&w);
}

TEST(a_lost_answer_costs_no_second_place)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    struct beacon_permit_answer first = ask(&w, 0, 1, 1);
    w.now.s += 30;
    struct beacon_permit_answer second = ask(&w, 0, 1, 1);
    assert_int_equal(second.decision, BEACON_PERMIT_GRANTED);
    assert_true(first.permit == second.permit);
    assert_int_equal(second.deadline_s, first.deadline_s - 30);
    assert_int_equal(exposed(&w, 1, 0), 1);
    end(&w);
}

static const struct refusal_case {
    const char *id;
    int64_t release;
    const char *ring;
    uint8_t first_byte;
    enum beacon_permit_decision want;
} refusals[] = {
    {"the release that is open", 1, "canary", 1, BEACON_PERMIT_GRANTED},
    {"other bytes", 1, "canary", 9, BEACON_PERMIT_REFUSED},
    {"unknown release", 3, "canary", 3, BEACON_PERMIT_REFUSED},
    {"unknown ring", 1, "nowhere", 1, BEACON_PERMIT_REFUSED},
    {"a ring that is not open yet", 1, "broad", 1, BEACON_PERMIT_WAIT},
};

TEST_EACH(only_the_open_release_in_an_open_ring_gets_a_permit, refusals)
{
    struct world w;
    struct rw_err err;
    struct beacon_permit_answer a;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    struct fleet_who me = who(0, 3);
    struct beacon_permit_request q = {
        .family = "yara", .release = it->release, .cohort = cohort_of(3)};
    (void)snprintf(q.ring, sizeof(q.ring), "%s", it->ring);
    MUST(bytes_of(NULL, "yara", it->release, q.sha256, &err));
    q.sha256[0] = it->first_byte;
    MUST(rollout_run_permit(w.run, &me, &q, w.now, &a, &err));
    assert_int_equal(a.decision, it->want);
    end(&w);
}

TEST(permits_are_closed_until_the_first_tick_after_a_start)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_WAIT);
    tick(&w);
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_GRANTED);
    restart(&w);
    assert_int_equal(ask(&w, 0, 2, 1).decision, BEACON_PERMIT_WAIT);
    tick(&w);
    assert_int_equal(ask(&w, 0, 2, 1).decision, BEACON_PERMIT_GRANTED);
    end(&w);
}

TEST(people_pause_resume_promote_and_halt_with_a_fresh_generation)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    int64_t generation = the(&w, 1)->generation;
    MUST_FAIL(command(&w, 1, ROLLOUT_RESUME, 0, &err), RW_E_POLICY);
    MUST_FAIL(command(&w, 1, ROLLOUT_PAUSE, generation - 1, &err), RW_E_STALE);
    MUST_FAIL(command(&w, 2, ROLLOUT_PAUSE, 0, &err), RW_E_NOT_FOUND);
    MUST(command(&w, 1, ROLLOUT_PAUSE, generation, &err));
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_WAIT); /* before any tick */
    tick(&w);
    assert_true(w.hold[0]);
    assert_int_equal(state(&w, 1, 0), ROLLOUT_HELD);
    MUST(command(&w, 1, ROLLOUT_RESUME, 0, &err));
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_WAIT);
    tick(&w);
    assert_false(w.hold[0]);
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_GRANTED);
    MUST(command(&w, 1, ROLLOUT_PROMOTE, 0, &err));
    assert_int_equal(state(&w, 1, 0), ROLLOUT_PASSED);
    MUST(command(&w, 1, ROLLOUT_HALT, 0, &err));
    assert_int_equal(ask(&w, 0, 2, 1).decision, BEACON_PERMIT_REFUSED);
    assert_int_equal(w.pointer[0], 1); /* nothing is signed before the tick */
    tick(&w);
    assert_int_equal(w.pointer[0], 0);
    assert_string_equal(the(&w, 1)->halt.by, "ada");
    MUST_FAIL(command(&w, 1, ROLLOUT_RESUME, 0, &err), RW_E_POLICY);
    end(&w);
}

TEST(a_command_whose_commit_failed_has_not_happened)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    MUST(store_begin(&w.store, &err));
    MUST(rollout_run_command(w.run, "yara", 1, ROLLOUT_PROMOTE, 0, &ada, w.now, &err));
    store_rollback(&w.store);
    tick(&w);
    assert_int_equal(state(&w, 1, 0), ROLLOUT_RAMPING);
    MUST(store_begin(&w.store, &err));
    MUST(rollout_run_start(w.run, "other", 1, &ada, w.now, &err));
    store_rollback(&w.store);
    tick(&w);
    assert_null(rollout_live_find(w.run, "other", 1));
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_GRANTED);
    end(&w);
}

TEST(a_signature_that_fails_keeps_the_ring_closed_and_is_told)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    w.signing_fails = true;
    start(&w, 1);
    tick(&w);
    tick(&w);
    assert_int_equal(state(&w, 1, 0), ROLLOUT_PENDING);
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_WAIT);
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(4096);
    struct json_writer j = json_begin(&out);
    json_open_array(&j, NULL);
    rollout_run_write_alarms(w.run, &j);
    json_close_array(&j);
    MUST(json_done(&j, &err));
    assert_non_null(strstr(rw_buf_str(&out), "the signer is away"));
    w.signing_fails = false;
    tick(&w);
    assert_int_equal(state(&w, 1, 0), ROLLOUT_RAMPING);
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_GRANTED);
    /* A halt that cannot be signed stops permits all the same, and goes back once it can. */
    w.signing_fails = true;
    MUST(command(&w, 1, ROLLOUT_HALT, 0, &err));
    tick(&w);
    assert_int_equal(ask(&w, 0, 2, 1).decision, BEACON_PERMIT_REFUSED);
    assert_int_equal(state(&w, 1, 0), ROLLOUT_HALTED);
    restart(&w);
    w.signing_fails = false;
    tick(&w);
    assert_int_equal(w.pointer[0], 0);
    end(&w);
}

/* A crash between publishing a pointer and storing that it is out must not be forgotten at a halt. */
TEST(a_pointer_that_may_be_out_is_taken_back_after_a_crash)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    w.signing_fails = true;
    start(&w, 1);
    tick(&w);
    w.pointer[0] = 1; /* it was published after all */
    restart(&w);
    MUST(command(&w, 1, ROLLOUT_HALT, 0, &err));
    w.signing_fails = false;
    tick(&w);
    assert_int_equal(w.pointer[0], 0);
    end(&w);
}

TEST(a_restart_every_minute_changes_nothing)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    restart(&w);
    tick(&w);
    int points = 0;
    for (int i = 0; i < 240 && overall(&w, 1) != ROLLOUT_COMPLETE; i++) {
        minute(&w, 1, 0);
        int before = state(&w, 1, 0);
        points = w.points;
        restart(&w);
        assert_int_equal(state(&w, 1, 0), before);
        tick(&w);
        assert_int_equal(w.points, points); /* nothing is signed again */
    }
    assert_int_equal(overall(&w, 1), ROLLOUT_COMPLETE);
    end(&w);
}

TEST(one_rollout_per_family_and_numbers_only_rise)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    run_good(&w, 5);
    MUST_FAIL(rollout_run_start(w.run, "yara", 5, &ada, w.now, &err), RW_E_EXISTS);
    MUST_FAIL(rollout_run_start(w.run, "yara", 4, &ada, w.now, &err), RW_E_POLICY);
    MUST_FAIL(rollout_run_start(w.run, "yara", 11, &ada, w.now, &err), RW_E_NOT_FOUND);
    start(&w, 6);
    MUST_FAIL(rollout_run_start(w.run, "yara", 7, &ada, w.now, &err), RW_E_POLICY);
    MUST_FAIL(command(&w, 5, ROLLOUT_HALT, 0, &err), RW_E_POLICY);
    end(&w);
}

TEST(an_endpoint_that_appears_late_gets_the_release_that_its_ring_still_points_to)
{
    struct world w;
    begin(&w);
    all_alive(&w, 0);
    run_good(&w, 1);
    start(&w, 2);
    tick(&w);
    assert_int_equal(w.pointer[1], 1);
    assert_int_equal(ask(&w, 1, 200, 1).decision, BEACON_PERMIT_GRANTED);
    end(&w);
}

TEST(views_are_json_that_our_own_readers_take)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    all_alive(&w, 0);
    start(&w, 1);
    tick(&w);
    for (int i = 0; i < 15; i++) {
        minute(&w, 1, 30);
    }
    for (int view = 0; view < 3; view++) {
        RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 18);
        RW_AUTO(json_tree) json_tree tree = NULL;
        struct json_writer j = json_begin(&out);
        if (view == 0) {
            MUST(rollout_run_write(w.run, "yara", 1, w.now, &j, &err));
        } else if (view == 1) {
            rollout_run_write_all(w.run, w.now, &j);
        } else {
            MUST(rollout_run_explain(w.run, "yara", 1, &j, &err));
        }
        MUST(json_done(&j, &err));
        MUST(json_parse(rw_buf_span(&out), &json_limits_small, &tree, &err));
        assert_non_null(json_find(tree, view == 1 ? "rollouts" : "rings"));
    }
    RW_AUTO(rw_buf) struct rw_buf metrics = rw_buf_make(1 << 18);
    MUST(rollout_run_metrics(w.run, &metrics, &err));
    assert_non_null(strstr(rw_buf_str(&metrics), "ringward_rollout_evidence{family=\"yara\""));
    assert_int_equal(rollout_run_poll_s(w.run, "canary", "yara"), 60);
    assert_int_equal(rollout_run_poll_s(w.run, "canary", "none"), 0);
    end(&w);
}

RUN_TESTS(
    cmocka_unit_test(a_good_release_passes_ring_by_ring),
    cmocka_unit_test(a_crasher_is_halted_after_a_few_and_the_ring_goes_back),
    cmocka_unit_test(silence_alone_halts_or_holds_and_never_promotes),
    cmocka_unit_test(the_window_holds_in_ring_and_cohort_and_waiting_endpoints_are_told_when),
    cmocka_unit_test(a_lost_answer_costs_no_second_place),
    cmocka_unit_test(only_the_open_release_in_an_open_ring_gets_a_permit),
    cmocka_unit_test(permits_are_closed_until_the_first_tick_after_a_start),
    cmocka_unit_test(people_pause_resume_promote_and_halt_with_a_fresh_generation),
    cmocka_unit_test(a_command_whose_commit_failed_has_not_happened),
    cmocka_unit_test(a_signature_that_fails_keeps_the_ring_closed_and_is_told),
    cmocka_unit_test(a_pointer_that_may_be_out_is_taken_back_after_a_crash),
    cmocka_unit_test(a_restart_every_minute_changes_nothing),
    cmocka_unit_test(one_rollout_per_family_and_numbers_only_rise),
    cmocka_unit_test(an_endpoint_that_appears_late_gets_the_release_that_its_ring_still_points_to),
    cmocka_unit_test(views_are_json_that_our_own_readers_take))
