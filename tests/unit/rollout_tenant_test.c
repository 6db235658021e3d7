/* Goal: one tenant's endpoints fill nothing but their own part of a window (INV-11), over restarts and a resume too. */
#include "server/rollout/rollout_live.h"
#include "tests/unit/rollout_world.h"

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
    for (int round = 0; round < 8 && the(&w, 1)->tenant_count == 0; round++) {
        for (size_t i = 1; i < PER_RING; i += 2) {
            (void)ask(&w, 0, i, 1);
        }
        w.now.s += 15 * 60 + 1;
        commit(&w);
        tick(&w);
    }
    /* The others can go on without a person: all that was dark is the held tenant's, and out of the evidence. */
    assert_int_equal(the(&w, 1)->tenant_count, 1);
    assert_int_equal(ask(&w, 0, 1, 1).decision, BEACON_PERMIT_REFUSED);
    assert_int_equal(overall(&w, 1), ROLLOUT_RAMPING);
    assert_true(exposed(&w, 1, 0) <= 8);
    end(&w);
}

RUN_TESTS(cmocka_unit_test(inv_11_a_flood_of_one_tenant_has_its_share_and_no_more),
          cmocka_unit_test(a_resume_gives_every_tenant_its_places_back),
          cmocka_unit_test(inv_11_a_cohort_is_shared_like_the_ring),
          cmocka_unit_test(inv_3_others_that_never_ask_do_not_keep_a_brick_from_being_found))
