/* Goal: one tenant's endpoints stop, hold and fill nothing but their own (INV-11), over restarts and a resume too, and
 * a fault of everybody is still everybody's. */
#include "server/rollout/rollout_live.h"
#include "tests/unit/rollout_audit.h"
#include "tests/unit/rollout_minutes.h"

static bool everybody(size_t number)
{
    (void)number;
    return true;
}

static bool initech(size_t number)
{
    return strcmp(who(0, number).tenant, "initech") == 0;
}

/* After begin, with w->policy as the test wants it: a rollout under way, where endpoints of so many tenants take
 * turns. */
static void under_way(struct world *w, unsigned tenants, unsigned cohort_step)
{
    world_tenants = tenants;
    world_cohort_step = cohort_step;
    rollout_run_set_policy(w->run, &w->policy);
    all_alive(w, 0);
    start(w, 1);
    tick(w);
}

static const struct signal_case {
    const char *id;
    enum beacon_kind kind;
} signals[] = {{"storm", BEACON_STORM}, {"slow", BEACON_SLOW}, {"mute", BEACON_MUTE}};

TEST_EACH(inv_11_noise_of_one_tenant_holds_that_tenant_alone, signals)
{
    struct world w;
    begin(&w);
    w.policy.tenant_share_bp = 10000; /* so many that the detector is sure */
    failure = it->kind;
    under_way(&w, 4, 2);
    minutes(&w, 1, 12, initech);
    for (int i = 0; i < 40 && overall(&w, 1) != ROLLOUT_HELD; i++) {
        minutes(&w, 1, 1, initech);
    }
    assert_int_equal(overall(&w, 1), ROLLOUT_HELD);
    assert_false(the(&w, 1)->halt.there);
    assert_string_equal(the(&w, 1)->tenants[0], "initech");
    struct fleet_counts c = fleet_state_counts(w.fleet, "yara", 1, "canary", NULL);
    assert_int_equal(c.storm + c.slow + c.mute, 0); /* listed, not counted */
    assert_true(c.muted_votes >= 3);
    failure = BEACON_FAILED;
    end(&w);
}

/* INV-11: an attacker with endpoints of one tenant cannot halt a release for everyone. */
TEST(inv_11_votes_of_one_tenant_hold_that_tenant_alone)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    under_way(&w, 4, 2);
    minutes(&w, 1, 12, initech);
    for (int i = 0; i < 40 && overall(&w, 1) != ROLLOUT_HELD; i++) {
        minutes(&w, 1, 1, initech);
    }
    assert_int_equal(overall(&w, 1), ROLLOUT_HELD);
    assert_false(the(&w, 1)->halt.there);
    assert_int_equal(the(&w, 1)->tenant_count, 1);
    assert_string_equal(the(&w, 1)->tenants[0], "initech");
    expect_cause(&w, "rollout.tenant_held", "tenant initech in ring canary", "crash");
    MUST(command(&w, 1, ROLLOUT_RESUME, 0, &err));
    restart(&w);
    tick(&w);
    assert_int_equal(ask(&w, 0, 59, 1).decision, BEACON_PERMIT_REFUSED);
    struct fleet_counts c = fleet_state_counts(w.fleet, "yara", 1, "canary", NULL);
    assert_int_equal(c.failed, 0); /* listed, not counted */
    assert_true(c.muted_votes >= 3);
    minutes(&w, 1, 60, initech);
    assert_false(the(&w, 1)->halt.there);
    assert_true(state(&w, 1, 0) == ROLLOUT_PASSED || state(&w, 1, 0) == ROLLOUT_COMPLETE);
    end(&w);
}

/* INV-11: one tenant's endpoints take permits and are never heard of again: no halt for the others. */
TEST(inv_11_silence_of_one_tenant_halts_nobody_else)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    w.policy.tenant_share_bp = 10000; /* so many that the detector is sure */
    under_way(&w, 2, 3);
    assert_int_equal(ask(&w, 0, 2, 1).decision, BEACON_PERMIT_GRANTED);
    for (size_t i = 1; i < PER_RING; i += 2) {
        (void)ask(&w, 0, i, 1);
    }
    w.now.s += 11 * 60;
    send(&w, 0, 2, BEACON_HEALTHY, 1);
    w.now.s += 5 * 60;
    commit(&w);
    tick(&w);
    minutes(&w, 1, 3, nobody);
    assert_string_equal(the(&w, 1)->tenants[0], "initech");
    assert_false(the(&w, 1)->halt.there);
    assert_int_equal(overall(&w, 1), ROLLOUT_HELD); /* INV-3 */
    /* Who resumes has looked at that darkness: nothing is held by it again, nor by what is dark later. */
    MUST(command(&w, 1, ROLLOUT_RESUME, 0, &err));
    assert_int_equal(the(&w, 1)->resumes, 1);
    for (int i = 0; i < 20; i++) {
        if (i == 10) { restart(&w); }
        minutes(&w, 1, 1, nobody);
        assert_true(overall(&w, 1) != ROLLOUT_HELD);
        assert_false(the(&w, 1)->halt.there);
    }
    assert_int_equal(ask(&w, 0, 59, 1).decision, BEACON_PERMIT_REFUSED);
    minutes(&w, 1, 60, nobody);
    assert_true(state(&w, 1, 0) == ROLLOUT_PASSED || state(&w, 1, 0) == ROLLOUT_COMPLETE);
    end(&w);
}

/* INV-11: a tenant whose endpoints never say a word has its share of the window, the same after a restart. */
TEST(inv_11_a_flood_of_one_tenant_has_its_share_and_no_more)
{
    struct world w;
    size_t flood = 0;
    begin(&w);
    w.policy.cohort_start = 8;
    under_way(&w, 2, 3);
    for (size_t i = 1; i < PER_RING; i += 2) {
        flood += ask(&w, 0, i, 1).decision == BEACON_PERMIT_GRANTED;
    }
    assert_int_equal(flood, 4); /* half of 8 */
    restart(&w);
    tick(&w);
    struct beacon_permit_answer a = ask(&w, 0, 59, 1);
    assert_int_equal(a.decision, BEACON_PERMIT_WAIT);
    assert_non_null(strstr(a.reason, "for other tenants"));
    for (size_t i = 0; i < 8; i += 2) {
        assert_int_equal(ask(&w, 0, i, 1).decision, BEACON_PERMIT_GRANTED);
    }
    assert_non_null(strstr(ask(&w, 0, 8, 1).reason, "full"));
    w.now.s += 11 * 60;
    for (size_t i = 0; i < 8; i += 2) {
        send(&w, 0, i, BEACON_HEALTHY, 1);
    }
    commit(&w);
    tick(&w);
    /* Four survivors are eight places: for those who survived. */
    for (size_t i = 1; i < PER_RING; i += 2) {
        (void)ask(&w, 0, i, 1);
    }
    assert_int_equal(exposed(&w, 1, 0), 8);
    for (size_t i = 8; i < 24; i += 2) {
        assert_int_equal(ask(&w, 0, i, 1).decision, BEACON_PERMIT_GRANTED);
    }
    end(&w);
}

/* Half of each tenant's endpoints fail or are silent, too few for the detector: behind the resume both begin anew. */
TEST(a_resume_gives_every_tenant_its_places_back)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    w.policy.confirm_start = w.policy.cohort_start = 6;
    under_way(&w, 2, 2);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(ask(&w, 0, i, 1).decision, BEACON_PERMIT_GRANTED);
        if (i < 3) { send(&w, 0, i, BEACON_FAILED, 1); }
    }
    w.now.s += 15 * 60;
    commit(&w);
    tick(&w);
    assert_int_equal(overall(&w, 1), ROLLOUT_HELD);
    MUST(command(&w, 1, ROLLOUT_RESUME, 0, &err));
    tick(&w);
    for (size_t i = 6; i < 30; i++) {
        (void)ask(&w, 0, i, 1);
    }
    const struct fleet_place place = {"yara", 1, "canary"};
    assert_int_equal(fleet_state_tenant_counts(w.fleet, &place, "acme").exposed, 6);
    assert_int_equal(fleet_state_tenant_counts(w.fleet, &place, "initech").exposed, 6);
    end(&w);
}

TEST(inv_11_a_cohort_is_shared_like_the_ring)
{
    struct world w;
    size_t flood = 0;
    begin(&w);
    under_way(&w, 2, 60); /* nearly all are of one cohort, which begins with 4 */
    for (size_t i = 1; i < PER_RING - 1; i += 2) {
        flood += ask(&w, 0, i, 1).decision == BEACON_PERMIT_GRANTED;
    }
    assert_int_equal(flood, 2);
    assert_int_equal(ask(&w, 0, 0, 1).decision, BEACON_PERMIT_GRANTED);
    end(&w);
}

/* Places that nobody came for while everything was open are kept for nobody: else the detector would never be sure. */
TEST(inv_3_others_that_never_ask_do_not_keep_a_brick_from_being_found)
{
    struct world w;
    begin(&w);
    w.policy.cohort_start = 8;
    under_way(&w, 2, 2);
    for (int round = 0; round < 8 && overall(&w, 1) == ROLLOUT_RAMPING; round++) {
        for (size_t i = 1; i < PER_RING; i += 2) {
            (void)ask(&w, 0, i, 1);
        }
        w.now.s += 15 * 60 + 1;
        commit(&w);
        tick(&w);
    }
    assert_true(overall(&w, 1) != ROLLOUT_RAMPING);
    assert_true(exposed(&w, 1, 0) <= 8);
    end(&w);
}

/* How many late crashes of acme stop a ring that is through, when initech told of `before` and is listed since. */
static size_t crashes_until_halt(size_t before)
{
    struct world w;
    struct rw_err err;
    size_t crashed = 0;
    begin(&w);
    world_tenants = 4;
    start(&w, 1);
    tick(&w);
    minutes(&w, 1, 45, nobody);
    for (size_t i = 0, told = 0; told < before; i++) {
        if (!initech(i)) { continue; }
        send(&w, 0, i, BEACON_CRASH, 1);
        told++;
    }
    minutes(&w, 1, 1, nobody);
    MUST(store_begin(&w.store, &err));
    MUST(fleet_state_mute(w.fleet, "yara", 1, "initech", &err));
    commit(&w);
    minutes(&w, 1, 1, nobody);
    assert_false(the(&w, 1)->halt.there);
    for (size_t i = 0; i < PER_RING && !the(&w, 1)->halt.there; i++) {
        if (initech(i)) { continue; }
        send(&w, 0, i, BEACON_CRASH, 1);
        crashed++;
        minutes(&w, 1, 1, nobody);
    }
    assert_true(the(&w, 1)->halt.there);
    end(&w);
    return crashed;
}

static bool two_of_initech(size_t number)
{
    return initech(number) && number < 8;
}

/* How many failures of acme hold it, when `early` ones of initech were set aside by a person before that was listed. */
static size_t failures_until_held(bool (*early)(size_t number))
{
    struct world w;
    struct rw_err err;
    size_t failed = 0;
    begin(&w);
    world_tenants = 4;
    start(&w, 1);
    tick(&w);
    minutes(&w, 1, 14, early);
    w.run->all[0]->resumes++; /* as after a hold of another ring */
    minutes(&w, 1, 1, early);
    MUST(store_begin(&w.store, &err));
    MUST(fleet_state_mute(w.fleet, "yara", 1, "initech", &err));
    commit(&w);
    minutes(&w, 1, 1, early);
    assert_false(the(&w, 1)->halt.there);
    for (size_t i = 8; i < PER_RING && overall(&w, 1) == ROLLOUT_RAMPING; i++) {
        struct endpoint *e = &w.endpoints[0][i];
        if (initech(i) || e->granted_s == 0 || e->done) { continue; }
        send(&w, 0, i, BEACON_FAILED, 1);
        e->done = true;
        failed++;
        minutes(&w, 1, 1, early);
    }
    assert_int_equal(overall(&w, 1), ROLLOUT_HELD);
    assert_string_equal(the(&w, 1)->tenants[0], "acme");
    end(&w);
    return failed;
}

/* INV-4, INV-11: votes that are taken out must not hide as many of others, worked in or set aside before. */
TEST(inv_4_votes_of_a_listed_tenant_hide_none_of_others)
{
    size_t alone = crashes_until_halt(0);
    assert_true(crashes_until_halt(6) <= alone);
    size_t anew = failures_until_held(nobody);
    assert_in_range(failures_until_held(two_of_initech), anew - 1, anew + 1);
}

TEST(a_fault_of_all_tenants_halts_for_all_of_them)
{
    struct world w;
    begin(&w);
    under_way(&w, 2, 2);
    minutes(&w, 1, 3, everybody);
    assert_true(the(&w, 1)->halt.there);
    assert_true(exposed(&w, 1, 0) <= 8); /* INV-1 */
    end(&w);
}

RUN_TESTS(cmocka_unit_test(inv_11_noise_of_one_tenant_holds_that_tenant_alone),
          cmocka_unit_test(inv_11_votes_of_one_tenant_hold_that_tenant_alone),
          cmocka_unit_test(inv_11_silence_of_one_tenant_halts_nobody_else),
          cmocka_unit_test(inv_11_a_flood_of_one_tenant_has_its_share_and_no_more),
          cmocka_unit_test(a_resume_gives_every_tenant_its_places_back),
          cmocka_unit_test(inv_11_a_cohort_is_shared_like_the_ring),
          cmocka_unit_test(inv_3_others_that_never_ask_do_not_keep_a_brick_from_being_found),
          cmocka_unit_test(inv_4_votes_of_a_listed_tenant_hide_none_of_others),
          cmocka_unit_test(a_fault_of_all_tenants_halts_for_all_of_them))
