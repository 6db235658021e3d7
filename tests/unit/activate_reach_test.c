/* Goal: content that cuts the network goes back by itself; the boot guard leaves what kills starts, and blames only
 * what changed (INV-6). */
#include "agent/activate/activate.h"

#include "tests/unit/activate_fixture.h"

static const char sensor[] = RW_FAKE_DIR "/fake_sensor";

/* The process ends without activate_stop: power cut, kill -9. */
static void end_uncleanly(void)
{
    bench_close();
    bench_open_again(sensor);
}

static void contact_now(void)
{
    struct rw_clock clock = rw_clock_system();
    activate_contact(&bench.a, rw_clock_mono(&clock));
}

TEST(content_that_cuts_the_network_goes_back_by_itself)
{
    struct beacon b;
    bench_reach_ms = 300;
    bench_steady_on_one(sensor);
    contact_now(); /* the permit came from the server */
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 1);
    bench_until(ACTIVATE_PROBATION);
    assert_false(activate_wants_contact(&bench.a));
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_int_equal(bench_beacons(BEACON_FAILED, &b), 1);
    assert_int_equal(b.stage, BEACON_STAGE_PROBATION);
    assert_non_null(strstr(b.detail, "reachable"));
    assert_false(slot_is_abandoned(&bench.a.slots, two.sha256)); /* it may have been an outage */
    assert_int_equal(bench.a.slots.left_count, 1);
    bench_reach_ms = 0;
    bench_remove();
}

TEST(an_answer_late_in_probation_commits)
{
    struct rw_clock clock = rw_clock_system();
    bench_reach_ms = 5000;
    bench_steady_on_one(sensor);
    contact_now();
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 1);
    bench_until(ACTIVATE_PROBATION);
    int64_t end_ms = rw_clock_mono(&clock).ms + 5000;
    while (!activate_wants_contact(&bench.a) && rw_clock_mono(&clock).ms < end_ms) {
        activate_step(&bench.a);
        assert_int_equal(bench.a.phase, ACTIVATE_PROBATION);
        (void)usleep(10000);
    }
    contact_now();
    assert_false(activate_wants_contact(&bench.a));
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 2);
    assert_int_equal(bench.a.slots.current, bench.a.active.set);
    bench_reach_ms = 0;
    bench_remove();
}

TEST(an_endpoint_that_never_saw_the_server_in_this_life_is_not_held_to_it)
{
    bench_reach_ms = 100;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 1);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 2);
    bench_reach_ms = 0;
    bench_remove();
}

/* A start with the proven set that lasts. */
static void start_and_last(void)
{
    bench_stable_ms = 100;
    end_uncleanly();
    bench_start();
    bench_until(ACTIVATE_STEADY);
    for (int i = 0; i < 300 && !bench.a.slots.stable; i++) {
        (void)usleep(10000);
        activate_step(&bench.a);
    }
    bench_stable_ms = 300000;
}

TEST(a_set_that_started_well_before_is_left_but_neither_blamed_nor_forgotten)
{
    struct beacon b;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 1);
    bench_until(ACTIVATE_STEADY);
    assert_false(bench.a.slots.stable); /* it came in the middle of this life */
    start_and_last();
    assert_true(bench.a.slots.stable);
    assert_int_equal(bench.a.slots.boot.unclean, 0);
    end_uncleanly();
    bench_start();
    end_uncleanly();
    bench_start();
    assert_int_equal(bench_active_release("yara"), 1); /* INV-6 holds all the same */
    assert_false(slot_is_abandoned(&bench.a.slots, two.sha256));
    assert_int_equal(bench_beacons(BEACON_FAILED, NULL), 0);
    assert_int_equal(bench_beacons(BEACON_ALIVE, &b), 1);
    assert_non_null(strstr(b.detail, "yara/2 left"));
    assert_non_null(strstr(b.detail, "not blamed"));
    bench_remove();
}

TEST(a_long_life_is_no_start)
{
    bench_stable_ms = 50;
    bench_steady_on_one(sensor); /* this life began with the empty set */
    for (int i = 0; i < 20; i++) {
        (void)usleep(10000);
        activate_step(&bench.a);
    }
    assert_int_equal(bench.a.phase, ACTIVATE_STEADY);
    assert_false(bench.a.slots.stable);
    bench_stable_ms = 300000;
    bench_remove();
}

TEST(a_set_that_never_saw_a_start_last_is_blamed)
{
    struct beacon b;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 1);
    bench_until(ACTIVATE_STEADY);
    end_uncleanly();
    bench_start();
    end_uncleanly();
    bench_start();
    assert_int_equal(bench_active_release("yara"), 1);
    assert_true(slot_is_abandoned(&bench.a.slots, two.sha256));
    assert_int_equal(bench_beacons(BEACON_FAILED, &b), 1);
    assert_int_equal(b.release, 2);
    assert_int_equal(b.stage, BEACON_STAGE_ACTIVE);
    bench_remove();
}

TEST(after_a_way_back_the_set_before_is_no_third_try_of_the_same_content)
{
    bench_steady_on_one(sensor);
    struct manifest_entry one = *activate_installed(&bench.a, "yara");
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 0);
    bench_until(ACTIVATE_STEADY);
    bench_begin(SLOT_REVERT, &one, 0);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1); /* and so does the set before */
    end_uncleanly();
    bench_start();
    end_uncleanly();
    bench_start();
    assert_int_equal(bench_active_release("yara"), 0);
    bench_remove();
}

RUN_TESTS(cmocka_unit_test(a_long_life_is_no_start),
          cmocka_unit_test(after_a_way_back_the_set_before_is_no_third_try_of_the_same_content),
          cmocka_unit_test(content_that_cuts_the_network_goes_back_by_itself),
          cmocka_unit_test(an_answer_late_in_probation_commits),
          cmocka_unit_test(an_endpoint_that_never_saw_the_server_in_this_life_is_not_held_to_it),
          cmocka_unit_test(a_set_that_started_well_before_is_left_but_neither_blamed_nor_forgotten),
          cmocka_unit_test(a_set_that_never_saw_a_start_last_is_blamed))
