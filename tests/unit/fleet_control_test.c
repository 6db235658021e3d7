/* Goal: control is observed like the treated endpoints, counted once, and out of the comparison the moment that it is
 * exposed; all of it follows from the journal (INV-4, INV-8, INV-11). */
#include "server/health/fleet_permit.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

enum { WINDOW_S = 900, WIDTH_S = 60, START_S = 600000 };

static const uint8_t old_bytes[32] = {1};
static const uint8_t new_bytes[32] = {2};
static const struct beacon_cohort cohorts[2] = {{"debian-12", "x86_64", "yara-4.2"},
                                                {"ubuntu-24", "x86_64", "yara-4.2"}};

struct world {
    struct harness_dir dir;
    char path[128];
    struct store store;
    struct fleet_state *fleet;
    struct rw_wall now;
    uint64_t next_id;
};

static void reopen(struct world *w)
{
    struct rw_err err;
    fleet_state_drop(&w->fleet);
    store_close(&w->store);
    MUST(store_sqlite_open(w->path, &w->store, &err));
    MUST(fleet_state_open(&w->store, &w->fleet, &err));
}

static void commit(struct world *w)
{
    struct rw_err err;
    MUST(store_begin(&w->store, &err));
    MUST(fleet_state_flush(w->fleet, &err));
    MUST(store_commit(&w->store, &err));
}

static void watch(struct world *w, int64_t release)
{
    struct rw_err err;
    const struct fleet_watch watched = {.family = "yara",
                                        .release = release,
                                        .sha256 = release == 1 ? old_bytes : new_bytes,
                                        .now = w->now,
                                        .window_s = WINDOW_S,
                                        .after_s = 7200};
    MUST(fleet_state_watch(w->fleet, &watched, &err));
}

static void begin(struct world *w)
{
    struct rw_err err;
    *w = (struct world){.dir = harness_dir(), .now = {START_S}, .next_id = 1};
    (void)snprintf(w->path, sizeof(w->path), "%s/db", w->dir.path);
    reopen(w);
    MUST(fleet_state_know_ring(w->fleet, "canary", &err));
    MUST(fleet_state_know_ring(w->fleet, "broad", &err));
    watch(w, 1);
    watch(w, 2);
}

static void end(struct world *w)
{
    fleet_state_drop(&w->fleet);
    store_close(&w->store);
    harness_dir_drop(&w->dir);
}

static struct fleet_who who(unsigned number)
{
    struct fleet_who me = {.endpoint = {(uint8_t)number, 3}};
    (void)snprintf(me.tenant, sizeof(me.tenant), "tenant-%u", number % 2);
    return me;
}

static void say_in(struct world *w, unsigned number, const char *ring, enum beacon_kind kind,
                   int64_t release)
{
    struct rw_err err;
    bool duplicate = false;
    struct fleet_who me = who(number);
    struct beacon b = {.kind = kind, .cohort = cohorts[0], .trust = "ok", .release = release};
    uint64_t id = w->next_id++;
    rw_copy(b.id, sizeof(b.id), &id, sizeof(id));
    (void)snprintf(b.ring, sizeof(b.ring), "%s", ring);
    (void)snprintf(b.family, sizeof(b.family), "%s", release > 0 ? "yara" : "");
    rw_copy(b.sha256, sizeof(b.sha256), release == 2 ? new_bytes : old_bytes, 32);
    MUST(fleet_state_beacon(w->fleet, &me, &b, w->now, &duplicate, &err));
}

static void say(struct world *w, unsigned number, enum beacon_kind kind, int64_t release)
{
    say_in(w, number, "canary", kind, release);
}

static void expose(struct world *w, unsigned number)
{
    struct rw_err err;
    uint64_t permit = 0;
    struct fleet_who me = who(number);
    struct beacon_permit_request q = {.family = "yara", .release = 2, .cohort = cohorts[0]};
    (void)snprintf(q.ring, sizeof(q.ring), "canary");
    const struct fleet_ask ask = {&me, &q, w->now, WINDOW_S};
    MUST(fleet_state_permit_grant(w->fleet, &ask, &permit, &err));
}

static const struct fleet_place place = {"yara", 2, "canary"};

/* What closed in the bucket of windows that were opened at this time. */
static struct fleet_bucket bucket(const struct world *w, int64_t opened_s)
{
    struct fleet_bucket b = {.id = 0};
    (void)fleet_state_bucket(w->fleet, &place, NULL, (opened_s + WINDOW_S) / WIDTH_S, &b);
    return b;
}

static int64_t control_open(const struct world *w)
{
    return fleet_state_observed(w->fleet, &place, NULL, w->now).control_open;
}

static const struct heard_case {
    const char *id;
    int64_t again_s; /* heard again so long after the window was opened */
    uint32_t seen;
} heard[] = {
    {"at once", 1, 0},
    {"before the last third", 599, 0},
    {"from the last third on", 600, 1},
    {"just in time", 899, 1},
    {"too late", 900, 0},
};

TEST_EACH(a_control_window_is_seen_when_heard_of_in_its_last_third, heard)
{
    struct world w;
    begin(&w);
    say(&w, 1, BEACON_ALIVE, 1);
    assert_int_equal(control_open(&w), 1);
    w.now.s += it->again_s;
    say(&w, 1, BEACON_ALIVE, 1);
    say(&w, 1, BEACON_ALIVE, 1);
    struct fleet_bucket b = bucket(&w, START_S);
    assert_int_equal(b.control, 1);
    assert_int_equal(b.control_seen, it->seen);
    assert_int_equal(b.treated, 0);
    end(&w);
}

TEST(silence_of_control_closes_its_window_dark_and_leaves_the_risk_set)
{
    struct world w;
    begin(&w);
    for (unsigned i = 0; i < 5; i++) {
        say(&w, i, BEACON_ALIVE, 1);
    }
    assert_int_equal(control_open(&w), 5);
    w.now.s += WINDOW_S + WIDTH_S;
    assert_int_equal(control_open(&w), 0);
    struct fleet_bucket b = bucket(&w, START_S);
    assert_int_equal(b.control, 5);
    assert_int_equal(b.control_seen, 0);
    end(&w);
}

TEST(an_endpoint_that_is_exposed_is_control_no_more)
{
    struct world w;
    struct rw_err err;
    size_t expired = 0;
    begin(&w);
    say(&w, 1, BEACON_ALIVE, 1);
    say(&w, 2, BEACON_ALIVE, 1);
    w.now.s += 650;
    say(&w, 1, BEACON_ALIVE, 1); /* seen already */
    expose(&w, 1);
    expose(&w, 2);
    struct fleet_bucket b = bucket(&w, START_S);
    assert_int_equal(b.control, 0);
    assert_int_equal(b.control_seen, 0);
    b = bucket(&w, START_S + 650);
    assert_int_equal(b.treated, 2);
    assert_int_equal(control_open(&w), 0);
    /* From now on it opens no window about this release. */
    w.now.s += (int64_t)2 * WINDOW_S;
    say(&w, 1, BEACON_HEALTHY, 2);
    assert_int_equal(control_open(&w), 0);
    MUST(fleet_state_expire(w.fleet, w.now, &expired, &err));
    assert_int_equal(expired, 1);
    b = bucket(&w, START_S + 650);
    assert_int_equal(b.treated_dark, 1); /* INV-4 */
    end(&w);
}

TEST(moving_to_another_ring_takes_the_window_along_to_nowhere)
{
    struct world w;
    begin(&w);
    say(&w, 1, BEACON_ALIVE, 1);
    w.now.s += 10;
    say_in(&w, 1, "broad", BEACON_ALIVE, 1);
    assert_int_equal(bucket(&w, START_S).control, 0);
    end(&w);
}

TEST(inv_11_a_control_endpoint_crashes_once_however_often)
{
    struct world w;
    begin(&w);
    for (int i = 0; i < 5; i++) {
        say(&w, 1, BEACON_CRASH, 1);
    }
    say(&w, 2, BEACON_CRASH, 1);
    expose(&w, 3);
    say(&w, 3, BEACON_CRASH, 1); /* not control any more; and not the release's crash */
    struct fleet_counts c = fleet_state_counts(w.fleet, "yara", 2, "canary", NULL);
    assert_int_equal(c.control_crash, 2);
    assert_int_equal(c.failed, 0);
    end(&w);
}

TEST(everything_is_the_same_after_a_restart_and_after_a_fold)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    for (unsigned i = 0; i < 20; i++) {
        say(&w, i, BEACON_ALIVE, 1);
        w.now.s += 20;
    }
    for (unsigned i = 0; i < 6; i++) {
        expose(&w, i);
    }
    w.now.s += 600;
    for (unsigned i = 0; i < 20; i++) {
        say(&w, i, i < 6 ? BEACON_HEALTHY : BEACON_ALIVE, i < 6 ? 2 : 1);
    }
    say(&w, 9, BEACON_CRASH, 1);
    MUST(fleet_state_mute(w.fleet, "yara", 2, "tenant-1", &err));
    MUST(fleet_state_mute(w.fleet, "yara", 2, "tenant-1", &err)); /* once is enough */
    commit(&w);
    struct fleet_counts counts = fleet_state_counts(w.fleet, "yara", 2, "canary", NULL);
    int64_t open = control_open(&w);
    assert_int_equal(counts.muted, 3);
    assert_true(open > 0);
    for (int round = 0; round < 2; round++) {
        for (int64_t opened_s = START_S; opened_s < START_S + 1100; opened_s += WIDTH_S) {
            struct fleet_bucket before = bucket(&w, opened_s);
            reopen(&w);
            struct fleet_bucket after = bucket(&w, opened_s);
            assert_memory_equal(&before, &after, sizeof(before));
        }
        struct fleet_counts again = fleet_state_counts(w.fleet, "yara", 2, "canary", NULL);
        assert_memory_equal(&counts, &again, sizeof(counts));
        assert_int_equal(control_open(&w), open);
        bool more = true;
        MUST(store_begin(&w.store, &err));
        MUST(fleet_state_fold(w.fleet, &more, &err));
        MUST(store_commit(&w.store, &err));
    }
    end(&w);
}

TEST(inv_11_a_muted_tenants_votes_are_listed_and_its_places_kept)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    for (unsigned i = 0; i < 8; i++) {
        expose(&w, i);
        if (i < 4) { say(&w, i, BEACON_FAILED, 2); }
    }
    MUST(fleet_state_mute(w.fleet, "yara", 2, "tenant-0", &err));
    struct fleet_counts c = fleet_state_counts(w.fleet, "yara", 2, "canary", NULL);
    assert_int_equal(c.exposed, 8); /* INV-1: they take their places */
    assert_int_equal(c.failed, 2);
    assert_int_equal(c.muted, 4);
    assert_int_equal(c.muted_votes, 2);
    say(&w, 4, BEACON_FAILED, 2);
    say(&w, 5, BEACON_FAILED, 2);
    c = fleet_state_counts(w.fleet, "yara", 2, "canary", NULL);
    assert_int_equal(c.failed, 3);
    assert_int_equal(c.muted_votes, 3);
    MUST_FAIL(fleet_state_mute(w.fleet, "yara", 2, "nobody", &err), RW_E_NOT_FOUND);
    MUST_FAIL(fleet_state_mute(w.fleet, "yara", 9, "tenant-1", &err), RW_E_NOT_FOUND);
    end(&w);
}

static const struct again_case {
    const char *id;
    int64_t after_s; /* the deadline: asked again */
    uint32_t first;  /* what stands where the first window was booked, behind the hold */
} agains[] = {
    {"at once", 0, 0}, {"while the first bucket is kept", 960, 0}, {"much later", 7200, 1}};

/* INV-4, INV-11: a window stands where it was booked. Who asks again has a later deadline, and other endpoints' windows
 * close there: these keep their darkness when the first one's votes are taken out, and its own goes with them. */
TEST_EACH(inv_4_votes_that_are_taken_out_take_no_darkness_of_others_along, agains)
{
    struct world w;
    struct rw_err err;
    size_t expired = 0;
    begin(&w);
    expose(&w, 2);
    w.now.s += WINDOW_S;
    MUST(fleet_state_expire(w.fleet, w.now, &expired, &err));
    w.now.s += it->after_s;
    int64_t second_s = w.now.s;
    expose(&w, 2); /* once more, now together with another tenant's */
    expose(&w, 1);
    w.now.s += WINDOW_S;
    MUST(fleet_state_expire(w.fleet, w.now, &expired, &err));
    MUST(fleet_state_mute(w.fleet, "yara", 2, "tenant-0", &err));
    commit(&w);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(bucket(&w, START_S).treated, it->first);
        assert_int_equal(bucket(&w, START_S).treated_dark, it->first);
        assert_int_equal(bucket(&w, second_s).treated, 1);
        assert_int_equal(bucket(&w, second_s).treated_dark, 1);
        reopen(&w);
    }
    end(&w);
}

TEST(aged_are_those_that_prove_it_hours_after_their_permit)
{
    struct world w;
    begin(&w);
    expose(&w, 1);
    expose(&w, 2);
    expose(&w, 3);
    w.now.s += 600;
    say(&w, 1, BEACON_HEALTHY, 2);
    say(&w, 2, BEACON_HEALTHY, 2);
    w.now.s += 6599;
    say(&w, 1, BEACON_ALIVE, 2);
    assert_int_equal(fleet_state_counts(w.fleet, "yara", 2, "canary", NULL).aged, 0);
    w.now.s += 1;
    say(&w, 1, BEACON_ALIVE, 2);
    say(&w, 2, BEACON_CRASH, 2);
    say(&w, 2, BEACON_ALIVE, 2); /* alive again, but not unharmed */
    say(&w, 3, BEACON_ALIVE, 2); /* never confirmed */
    assert_int_equal(fleet_state_counts(w.fleet, "yara", 2, "canary", NULL).aged, 1);
    end(&w);
}

static const struct size_case {
    const char *id;
    unsigned endpoints;
} sizes[] = {{"one short", 63}, {"full arrays", 64}, {"one more", 65}, {"full again", 128}};

/* Open permits are gathered anew after a load while the arrays may grow (found by the address sanitizer). */
TEST_EACH(open_permits_are_found_again_at_every_size_of_the_arrays, sizes)
{
    struct world w;
    struct rw_err err;
    size_t expired = 0;
    begin(&w);
    for (unsigned i = 0; i < it->endpoints; i++) {
        expose(&w, i);
    }
    commit(&w);
    bool more = true;
    MUST(store_begin(&w.store, &err));
    MUST(fleet_state_fold(w.fleet, &more, &err));
    MUST(store_commit(&w.store, &err));
    reopen(&w);
    w.now.s += WINDOW_S;
    MUST(fleet_state_expire(w.fleet, w.now, &expired, &err));
    assert_int_equal(expired, it->endpoints);
    end(&w);
}

/* Buckets that were not read in time are forgotten, never mixed up with later ones. */
TEST(old_windows_do_not_come_back_in_new_buckets)
{
    struct world w;
    begin(&w);
    say(&w, 1, BEACON_ALIVE, 1);
    for (unsigned minute = 0; minute < 40; minute++) {
        w.now.s += 60;
        say(&w, 2 + minute, BEACON_ALIVE, 1);
    }
    struct fleet_bucket b;
    assert_false(fleet_state_bucket(w.fleet, &place, NULL, (START_S + WINDOW_S) / WIDTH_S, &b));
    assert_int_equal(control_open(&w), 15);
    end(&w);
}

/* Who left the release because the server was out of reach was silent, no more: it is dark in the windows, once, and
 * no failure. The journal keeps what the beacon said. */
TEST(inv_4_out_of_reach_on_trial_is_darkness_and_no_failure)
{
    struct rw_err err;
    bool duplicate = false;
    struct world w;
    begin(&w);
    expose(&w, 1);
    w.now.s += 780;
    struct fleet_who me = who(1);
    struct beacon b = {.id = {77},
                       .kind = BEACON_FAILED,
                       .ring = "canary",
                       .cohort = cohorts[0],
                       .family = "yara",
                       .release = 2,
                       .stage = BEACON_STAGE_PROBATION,
                       .trust = "ok",
                       .detail = BEACON_UNREACHED "the server was reachable before"};
    rw_copy(b.sha256, sizeof(b.sha256), new_bytes, sizeof(new_bytes));
    MUST(fleet_state_beacon(w.fleet, &me, &b, w.now, &duplicate, &err));
    commit(&w);
    for (int again = 0; again < 2; again++) {
        struct fleet_counts c = fleet_state_counts(w.fleet, "yara", 2, "canary", NULL);
        assert_int_equal(c.failed, 0);
        assert_int_equal(c.dark, 1);
        assert_int_equal(c.marked, 1);
        assert_int_equal(c.pending, 0);
        assert_int_equal(bucket(&w, START_S).treated_dark, 1);
        reopen(&w);
    }
    end(&w);
}

RUN_TESTS(cmocka_unit_test(a_control_window_is_seen_when_heard_of_in_its_last_third),
          cmocka_unit_test(silence_of_control_closes_its_window_dark_and_leaves_the_risk_set),
          cmocka_unit_test(an_endpoint_that_is_exposed_is_control_no_more),
          cmocka_unit_test(moving_to_another_ring_takes_the_window_along_to_nowhere),
          cmocka_unit_test(inv_11_a_control_endpoint_crashes_once_however_often),
          cmocka_unit_test(everything_is_the_same_after_a_restart_and_after_a_fold),
          cmocka_unit_test(inv_11_a_muted_tenants_votes_are_listed_and_its_places_kept),
          cmocka_unit_test(inv_4_votes_that_are_taken_out_take_no_darkness_of_others_along),
          cmocka_unit_test(aged_are_those_that_prove_it_hours_after_their_permit),
          cmocka_unit_test(open_permits_are_found_again_at_every_size_of_the_arrays),
          cmocka_unit_test(old_windows_do_not_come_back_in_new_buckets),
          cmocka_unit_test(inv_4_out_of_reach_on_trial_is_darkness_and_no_failure))
