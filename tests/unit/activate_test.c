/* Goal: with a real sensor process, new content becomes the proven set only by proof of load and a lived probation;
 * every failure leaves the old set active, remembered and reported (INV-6). */
#include "agent/activate/activate.h"

#include "tests/unit/activate_fixture.h"

#include <signal.h>

static const char sensor[] = RW_FAKE_DIR "/fake_sensor";

TEST(an_empty_endpoint_proves_the_empty_set)
{
    bench_make(sensor);
    bench_start();
    bench_until(ACTIVATE_STEADY);
    assert_true(bench.a.settled);
    assert_int_equal(bench.a.active.set, 0);
    activate_report_alive(&bench.a);
    struct beacon b;
    assert_int_equal(bench_beacons(BEACON_ALIVE, &b), 1);
    assert_int_equal(b.release, 0);
    bench_remove();
}

TEST(good_content_passes_probation_and_is_told_healthy)
{
    struct beacon b;
    bench_steady_on_one(sensor);
    int64_t first = bench.a.active.set;
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 1);
    bench_until(ACTIVATE_PROBATION);
    assert_int_equal(bench.a.slots.current, first); /* not proven yet */
    assert_int_equal(bench_active_release("yara"), 2);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench.a.slots.trial.change, SLOT_NO_CHANGE);
    assert_int_equal(bench.a.slots.previous, first);
    assert_int_equal(bench_beacons(BEACON_HEALTHY, &b), 2);
    assert_int_equal(b.release, 2);
    assert_memory_equal(b.sha256, two.sha256, DIGEST_BYTES);
    assert_true(b.generation >= 3);
    bench_remove();
}

static const struct bad_case {
    const char *id, *behaviour;
    enum beacon_stage stage;
    int64_t signal;
} bad[] = {
    {"crash_on_load", "crash-on-load", BEACON_STAGE_LOAD, SIGSEGV},
    {"hang_on_load", "hang-on-load", BEACON_STAGE_LOAD, 0},
    {"wrong_hash", "wrong-hash", BEACON_STAGE_LOAD, 0},
    {"load_error", "error", BEACON_STAGE_LOAD, 0},
    {"hang_in_probation", "hang", BEACON_STAGE_PROBATION, 0},
    {"crash_in_probation", "crash-later", BEACON_STAGE_PROBATION, SIGSEGV},
    {"exit_in_probation", "exit", BEACON_STAGE_PROBATION, 0},
};

TEST_EACH(bad_content_goes_back_and_is_remembered_and_told, bad)
{
    struct beacon b;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, it->behaviour);
    bench_begin(SLOT_TRIAL, &two, 5);
    bench_until(ACTIVATE_STARTING); /* went back */
    assert_int_equal(bench_active_release("yara"), 1);
    bench_until(ACTIVATE_STEADY); /* and the old set is proven again */
    assert_true(sensor_proves(&bench.a.sensor, &bench.a.active) == SENSOR_PROVEN);
    assert_true(slot_is_abandoned(&bench.a.slots, two.sha256));
    assert_int_equal(bench.a.slots.trial.change, SLOT_NO_CHANGE);
    assert_int_equal(bench_beacons(BEACON_FAILED, &b), 1);
    assert_int_equal(b.release, 2);
    assert_int_equal(b.stage, it->stage);
    assert_int_equal(b.signal, it->signal);
    assert_int_equal(bench_beacons(BEACON_HEALTHY, NULL), 1);
    bench_remove();
}

/* What the mark of the active set says: the family on trial; "": the trial is over; "-": there was none. */
static const char *trial_mark(void)
{
    static char mark[64];
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(60);
    RW_AUTO(rw_fd) rw_fd set = openat(bench.dir, "current", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!rw_is_ok(rw_file_read_at(set, "trial", 50, &text, &err))) { return "-"; }
    (void)snprintf(mark, sizeof(mark), "%s", rw_buf_str(&text));
    return mark;
}

TEST(a_storm_goes_back_is_remembered_and_told_by_its_name)
{
    struct beacon b;
    bench_steady_on_one(sensor);
    assert_string_equal(trial_mark(), "");
    struct manifest_entry two = bench_content("yara", 2, "storm");
    bench_begin(SLOT_TRIAL, &two, 5);
    assert_string_equal(trial_mark(), "yara");
    bench_until(ACTIVATE_STARTING);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_string_equal(trial_mark(), ""); /* what was proven acts without a budget again */
    bench_until(ACTIVATE_STEADY);
    assert_true(slot_is_abandoned(&bench.a.slots, two.sha256));
    assert_int_equal(bench_beacons(BEACON_FAILED, NULL), 0);
    assert_int_equal(bench_beacons(BEACON_STORM, &b), 1);
    assert_int_equal(b.release, 2);
    assert_int_equal(b.stage, BEACON_STAGE_PROBATION);
    assert_memory_equal(b.sha256, two.sha256, DIGEST_BYTES);
    assert_non_null(strstr(b.detail, "rule greedy"));
    bench_remove();
}

TEST(slowness_is_told_once_and_lived_with)
{
    struct beacon b;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "slow");
    bench_begin(SLOT_TRIAL, &two, 1);
    bench_until(ACTIVATE_PROBATION);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 2);
    assert_int_equal(bench_beacons(BEACON_SLOW, &b), 1);
    assert_int_equal(b.release, 2);
    assert_int_equal(b.stage, BEACON_STAGE_PROBATION);
    assert_int_equal(bench_beacons(BEACON_HEALTHY, NULL), 2);
    bench_remove();
}

TEST(going_back_to_what_is_slower_is_not_slowness)
{
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "slow");
    bench_begin(SLOT_TRIAL, &two, 0);
    bench_until(ACTIVATE_STEADY);
    struct manifest_entry three = bench_content("yara", 3, "ok");
    bench_begin(SLOT_TRIAL, &three, 1);
    bench_until(ACTIVATE_PROBATION);
    bench_until(ACTIVATE_STEADY);
    int before = bench_beacons(BEACON_SLOW, NULL);
    bench_begin(SLOT_REVERT, &two, 0);
    bench_until(ACTIVATE_STEADY);
    for (int i = 0; i < 10; i++) {
        (void)poll(NULL, 0, 30);
        activate_step(&bench.a);
    }
    assert_int_equal(bench_beacons(BEACON_SLOW, NULL), before);
    assert_string_equal(trial_mark(), "-"); /* a way back is no trial */
    bench_remove();
}

TEST(an_entry_that_goes_back_ends_the_trial)
{
    struct beacon b;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 60);
    bench_until(ACTIVATE_PROBATION);
    activate_abort(&bench.a, "other");
    activate_step(&bench.a);
    assert_int_equal(bench.a.phase, ACTIVATE_PROBATION);
    activate_abort(&bench.a, "yara");
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_int_equal(bench_beacons(BEACON_REVERTED, &b), 1);
    assert_int_equal(b.release, 2);
    assert_int_equal(bench_beacons(BEACON_FAILED, NULL), 0);
    bench_remove();
}

TEST(a_revert_needs_no_probation_and_leaves_no_way_back_to_the_bad_one)
{
    struct beacon b;
    bench_steady_on_one(sensor);
    struct manifest_entry one = *activate_installed(&bench.a, "yara");
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 0);
    bench_until(ACTIVATE_STEADY);
    bench_begin(SLOT_REVERT, &one, 0);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_int_equal(bench_beacons(BEACON_REVERTED, &b), 1);
    assert_int_equal(b.release, 2);
    assert_memory_equal(b.sha256, two.sha256, DIGEST_BYTES);
    assert_int_equal(bench.a.slots.left_count, 1); /* by order: no fault was seen */
    assert_memory_equal(bench.a.slots.left[0], two.sha256, DIGEST_BYTES);
    assert_false(slot_is_abandoned(&bench.a.slots, two.sha256));
    struct rw_err err;
    struct manifest m;
    MUST(set_store_read(&bench.a.sets, bench.a.slots.previous, &m, &err));
    assert_true(manifest_find(&m, "yara") == NULL || manifest_find(&m, "yara")->release != 2);
    bench_remove();
}

TEST(a_change_of_ring_reverts_without_condemning_the_release)
{
    bench_steady_on_one(sensor);
    struct manifest_entry one = *activate_installed(&bench.a, "yara");
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 0);
    bench_until(ACTIVATE_STEADY);
    activate_set_ring(&bench.a, "broad");
    bench_begin(SLOT_REVERT, &one, 0);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_false(slot_is_abandoned(&bench.a.slots, two.sha256));
    assert_int_equal(bench.a.slots.left_count, 0);
    bench_remove();
}

TEST(a_family_without_an_entry_leaves_the_set_alone)
{
    bench_steady_on_one(sensor);
    struct manifest_entry other = bench_content("template", 1, "ok");
    bench_begin(SLOT_TRIAL, &other, 0);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench.a.active.count, 2);
    bench_begin(SLOT_REMOVE, &other, 0);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("template"), 0);
    assert_int_equal(bench_active_release("yara"), 1);
    bench_remove();
}

TEST(a_permit_that_has_run_out_begins_nothing)
{
    struct rw_err err;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "ok");
    struct activate_plan plan = bench_plan(SLOT_TRIAL, &two);
    plan.valid_until = rw_clock_mono(&bench.a.clock);
    MUST_FAIL(activate_begin(&bench.a, &plan, &err), RW_E_POLICY);
    assert_int_equal(bench.a.phase, ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    bench_remove();
}

/* The first look passes, the one right before the switch does not. */
static int looks;
static RW_RC refuse_second(void *ctx, struct rw_err *err)
{
    (void)ctx;
    return ++looks < 2 ? RW_OK : rw_fail(err, RW_E_TUF_EXPIRED, "expired meanwhile");
}

TEST(the_last_look_before_the_switch_can_still_refuse)
{
    struct rw_err err;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "ok");
    struct activate_plan plan = bench_plan(SLOT_TRIAL, &two);
    looks = 0;
    plan.recheck = refuse_second;
    MUST_FAIL(activate_begin(&bench.a, &plan, &err), RW_E_TUF_EXPIRED);
    assert_int_equal(looks, 2);
    assert_int_equal(bench.a.phase, ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_int_equal(bench.a.slots.trial.change, SLOT_NO_CHANGE);
    bench_remove();
}

TEST(content_that_is_not_in_the_store_begins_nothing)
{
    struct rw_err err;
    bench_steady_on_one(sensor);
    struct manifest_entry two = *activate_installed(&bench.a, "yara");
    two.release = 2;
    two.sha256[0] ^= 1;
    struct activate_plan plan = bench_plan(SLOT_TRIAL, &two);
    MUST_FAIL(activate_begin(&bench.a, &plan, &err), RW_E_IO);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_int_equal(bench.a.phase, ACTIVATE_STEADY);
    bench_remove();
}

TEST(a_sensor_that_dies_is_told_and_started_again)
{
    struct beacon b;
    bench_steady_on_one(sensor);
    proc_signal(&bench.a.sensor.proc, SIGABRT);
    bench_until(ACTIVATE_STARTING);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_beacons(BEACON_CRASH, &b), 1);
    assert_int_equal(b.signal, SIGABRT);
    assert_int_equal(b.stage, BEACON_STAGE_ACTIVE);
    assert_int_equal(b.release, 1);
    bench_remove();
}

TEST(a_sensor_that_hangs_on_the_way_back_died_of_what_it_held)
{
    struct beacon b;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 60);
    bench_until(ACTIVATE_PROBATION);
    proc_signal(&bench.a.sensor.proc, SIGSTOP); /* takes nothing any more */
    activate_abort(&bench.a, "yara");
    bench_until(ACTIVATE_STARTING);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_int_equal(bench_beacons(BEACON_CRASH, &b), 1);
    assert_int_equal(b.release, 2); /* a vote against 1 would halt what everybody goes back to */
    bench_remove();
}

TEST(three_crashes_after_the_commit_lead_to_the_set_before)
{
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 0);
    bench_until(ACTIVATE_STEADY);
    for (int i = 0; i < 3; i++) {
        proc_signal(&bench.a.sensor.proc, SIGABRT);
        bench_until(ACTIVATE_STARTING);
        bench_until(ACTIVATE_STEADY);
    }
    assert_int_equal(bench_active_release("yara"), 1);
    assert_true(slot_is_abandoned(&bench.a.slots, two.sha256));
    assert_int_equal(bench_beacons(BEACON_CRASH, NULL), 3);
    bench_remove();
}

TEST(a_change_under_way_goes_on_after_a_clean_restart)
{
    struct rw_err err;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 1);
    bench_until(ACTIVATE_PROBATION);
    MUST(activate_stop(&bench.a, &err));
    bench_close();
    bench_open_again(sensor);
    bench_start();
    assert_int_equal(bench.a.phase, ACTIVATE_LOADING);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 2);
    assert_int_equal(bench.a.slots.boot.unclean, 0);
    assert_int_equal(bench_beacons(BEACON_HEALTHY, NULL), 2);
    bench_remove();
}

/* The process ends without activate_stop: power cut, kill -9. */
static void end_uncleanly(void)
{
    bench_close();
    bench_open_again(sensor);
}

TEST(a_trial_that_ends_two_starts_uncleanly_is_given_up)
{
    struct beacon b;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 60);
    bench_until(ACTIVATE_PROBATION);
    end_uncleanly();
    bench_start();
    assert_int_equal(bench_active_release("yara"), 2); /* one more try */
    bench_until(ACTIVATE_PROBATION);
    end_uncleanly();
    bench_start();
    assert_int_equal(bench_active_release("yara"), 1);
    bench_until(ACTIVATE_STEADY);
    assert_true(slot_is_abandoned(&bench.a.slots, two.sha256));
    assert_int_equal(bench_beacons(BEACON_FAILED, &b), 1);
    assert_int_equal(b.release, 2);
    end_uncleanly();
    bench_start(); /* third: the empty set, and it can be lived with */
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 0);
    bench_remove();
}

TEST(a_guard_of_its_own_counts_a_start_once)
{
    struct rw_err err;
    bench_steady_on_one(sensor);
    end_uncleanly();
    MUST(activate_guard(&bench.a, &err));
    assert_int_equal(bench.a.slots.boot.unclean, 1);
    bench_close();
    bench_open_again(sensor);
    bench_start();
    assert_int_equal(bench.a.slots.boot.unclean, 1);
    bench_remove();
}

/* INV-6: a sensor that something else starts comes behind the guard's unit. When it stops the kernel each time before
 * the agent's run begins, the guard alone must see that the starts are many. */
TEST(inv_6_starts_that_end_before_a_run_begins_count_as_well)
{
    static const char *const ids[] = {"two", "three", "four"};
    static const int64_t left_for[] = {2, 1, 0};
    struct rw_err err;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 0);
    bench_until(ACTIVATE_STEADY);
    for (size_t i = 0; i < RW_LEN(ids); i++) {
        bench_close();
        bench_boot_id = ids[i];
        bench_open_again(sensor);
        MUST(activate_guard(&bench.a, &err));
        MUST(activate_guard(
            &bench.a, &err)); /* the unit started anew by hand: the same start of the kernel */
        assert_int_equal(bench.a.slots.boot.unclean, i + 1);
        assert_int_equal(bench_active_release("yara"), left_for[i]);
    }
    bench_boot_id = "one";
    bench_remove();
}

/* The guard and the run are two processes: the run must not take the guard's way back for a reason to go on. */
TEST(a_guard_of_its_own_goes_back_one_set_only)
{
    struct rw_err err;
    struct beacon b;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "ok");
    bench_begin(SLOT_TRIAL, &two, 0);
    bench_until(ACTIVATE_STEADY);
    for (int i = 0; i < 2; i++) {
        end_uncleanly();
        MUST(activate_guard(&bench.a, &err));
        bench_close();
        bench_open_again(sensor);
        bench_start();
        bench_until(ACTIVATE_STEADY);
    }
    assert_int_equal(bench_active_release("yara"), 1);
    assert_false(slot_is_abandoned(&bench.a.slots, bench.a.active.content[0].sha256));
    assert_true(slot_is_abandoned(&bench.a.slots, two.sha256));
    assert_int_equal(bench_beacons(BEACON_FAILED, &b), 1);
    assert_int_equal(b.release, 2);
    bench_remove();
}

TEST(what_nobody_needs_is_collected_and_nothing_else)
{
    struct rw_err err;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "ok");
    struct manifest_entry waste = bench_content("yara", 8, "ok");
    struct manifest_entry ahead = bench_content("yara", 9, "ok");
    bench_begin(SLOT_TRIAL, &two, 0);
    bench_until(ACTIVATE_STEADY);
    MUST(activate_collect(&bench.a, (const uint8_t(*)[DIGEST_BYTES])ahead.sha256, 1, &err));
    assert_true(content_store_has(bench.a.sets.store, two.sha256, two.bytes));
    assert_true(content_store_has(bench.a.sets.store, ahead.sha256, ahead.bytes));
    assert_false(content_store_has(bench.a.sets.store, waste.sha256, waste.bytes));
    assert_int_equal(bench_active_release("yara"), 2);
    struct manifest m;
    MUST(set_store_check(&bench.a.sets, bench.a.slots.previous, &m, &err));
    assert_int_equal(m.content[0].release, 1);
    bench_remove();
}

RUN_TESTS(cmocka_unit_test(an_empty_endpoint_proves_the_empty_set),
          cmocka_unit_test(good_content_passes_probation_and_is_told_healthy),
          cmocka_unit_test(bad_content_goes_back_and_is_remembered_and_told),
          cmocka_unit_test(a_storm_goes_back_is_remembered_and_told_by_its_name),
          cmocka_unit_test(slowness_is_told_once_and_lived_with),
          cmocka_unit_test(going_back_to_what_is_slower_is_not_slowness),
          cmocka_unit_test(an_entry_that_goes_back_ends_the_trial),
          cmocka_unit_test(a_revert_needs_no_probation_and_leaves_no_way_back_to_the_bad_one),
          cmocka_unit_test(a_change_of_ring_reverts_without_condemning_the_release),
          cmocka_unit_test(a_family_without_an_entry_leaves_the_set_alone),
          cmocka_unit_test(a_permit_that_has_run_out_begins_nothing),
          cmocka_unit_test(the_last_look_before_the_switch_can_still_refuse),
          cmocka_unit_test(content_that_is_not_in_the_store_begins_nothing),
          cmocka_unit_test(a_sensor_that_dies_is_told_and_started_again),
          cmocka_unit_test(a_sensor_that_hangs_on_the_way_back_died_of_what_it_held),
          cmocka_unit_test(three_crashes_after_the_commit_lead_to_the_set_before),
          cmocka_unit_test(a_change_under_way_goes_on_after_a_clean_restart),
          cmocka_unit_test(a_trial_that_ends_two_starts_uncleanly_is_given_up),
          cmocka_unit_test(a_guard_of_its_own_counts_a_start_once),
          cmocka_unit_test(inv_6_starts_that_end_before_a_run_begins_count_as_well),
          cmocka_unit_test(a_guard_of_its_own_goes_back_one_set_only),
          cmocka_unit_test(what_nobody_needs_is_collected_and_nothing_else))
