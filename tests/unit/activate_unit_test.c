/* Goal: what systemd says of the unit of an observed sensor decides whether an end was a crash: an order to stop or to
 * restart is none, with or without a change under way, and what nobody can tell of is one (INV-3, INV-6). */
#include "agent/activate/activate.h"

#include "tests/unit/activate_observed_fixture.h"

TEST(a_unit_that_is_restarted_by_hand_did_not_crash)
{
    struct beacon b = {.release = 0};
    make_by_pid_file();
    bench_way = (struct sensor_way){.observed = {.unit = "x.service", .systemctl = systemctl}};
    make();
    commit(1, "ok");
    by_hand++;
    proc_signal(&fake, SIGTERM);
    bench_until(ACTIVATE_STARTING);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(starts, 2);
    assert_int_equal(bench_beacons(BEACON_CRASH, NULL), 0);
    assert_false(bench.a.sensor.ask_due); /* its own load was proof enough */
    proc_signal(&fake, SIGKILL);
    bench_until(ACTIVATE_STARTING);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(starts, 3);
    assert_int_equal(bench_beacons(BEACON_CRASH, &b), 1);
    assert_int_equal(b.release, 1);
    finish();
}

static void on_trial_by_unit(int64_t probation_s)
{
    make_by_pid_file();
    bench_way = (struct sensor_way){.observed = {.unit = "x.service", .systemctl = systemctl}};
    make();
    commit(1, "ok");
    begin(2, "ok", probation_s);
    bench_until(ACTIVATE_PROBATION);
}

/* The content did nothing: the process that is started by hand proves it, and lives through all of the probation. */
TEST(a_restart_by_hand_on_trial_begins_the_trial_anew)
{
    on_trial_by_unit(1);
    struct rw_mono begun = bench.a.since;
    by_hand++;
    proc_signal(&fake, SIGTERM);
    bench_until(ACTIVATE_LOADING);
    bench_until(ACTIVATE_PROBATION);
    assert_true(bench.a.since.ms > begun.ms);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(starts, 2);
    assert_int_equal(bench_active_release("yara"), 2);
    assert_int_equal(bench_beacons(BEACON_HEALTHY, NULL), 2);
    assert_int_equal(bench_beacons(BEACON_FAILED, NULL) + bench_beacons(BEACON_CRASH, NULL), 0);
    finish();
}

/* INV-3: said in its last instant, heard together with its end. */
TEST(what_it_said_on_trial_is_not_forgotten_for_a_restart)
{
    on_trial_by_unit(60);
    bench_between = NULL;
    by_hand++;
    proc_signal(&fake, SIGTERM);
    reap_fake();
    start_fake();
    bench.a.sensor.selftest_failed = true;
    activate_step(&bench.a);
    assert_int_equal(bench.a.phase, ACTIVATE_STARTING);
    assert_int_equal(bench_active_release("yara"), 1);
    finish();
}

/* INV-3: whoever starts it again and again may see what the sensor does not tell. */
TEST(the_third_restart_by_hand_on_trial_means_going_back)
{
    struct beacon b = {.release = 0};
    on_trial_by_unit(60);
    for (int i = 1; i <= 3; i++) {
        by_hand++;
        proc_signal(&fake, SIGTERM);
        bench_until(i < 3 ? ACTIVATE_LOADING : ACTIVATE_STARTING);
        if (i < 3) { bench_until(ACTIVATE_PROBATION); }
    }
    assert_int_equal(bench_active_release("yara"), 1);
    assert_int_equal(bench_beacons(BEACON_FAILED, &b), 1);
    assert_int_equal(b.release, 2);
    finish();
}

TEST(a_crash_of_a_unit_on_trial_means_going_back)
{
    struct beacon b = {.release = 0};
    on_trial_by_unit(60);
    proc_signal(&fake, SIGKILL);
    bench_until(ACTIVATE_STARTING);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_int_equal(bench_beacons(BEACON_FAILED, &b), 1);
    assert_int_equal(b.release, 2);
    assert_int_equal(b.stage, BEACON_STAGE_PROBATION);
    assert_non_null(strstr(b.detail, "process ended during probation"));
    assert_int_equal(bench_beacons(BEACON_CRASH, NULL), 0);
    finish();
}

/* It ends, and systemd does not answer. */
static void end_untold(int signal_number)
{
    struct rw_err err;
    struct proc_exit gone;
    proc_signal(&fake, signal_number);
    MUST(proc_wait(&fake, 5000, &gone, &err));
    write_file(systemctl, 0700, "#!/bin/sh\nexit 1\n");
    bench_until(ACTIVATE_STARTING);
}

static void look_now(void)
{
    bench.a.restart_at.ms = 0;
    activate_step(&bench.a);
}

/* INV-3: nobody can say that it was no crash; but a host under load is slow to say anything. */
TEST(a_unit_that_nobody_can_tell_of_has_crashed_when_the_time_is_over)
{
    make_by_pid_file();
    bench_way = (struct sensor_way){.observed = {.unit = "x.service", .systemctl = systemctl}};
    make();
    commit(1, "ok");
    bench_between = NULL;
    by_hand++;
    end_untold(SIGTERM);
    look_now();
    start_fake();
    look_now();
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_beacons(BEACON_CRASH, NULL), 0);
    end_untold(SIGKILL);
    look_now();
    assert_int_equal(bench_beacons(BEACON_CRASH, NULL), 0);
    bench.a.end_at.ms -= 60000;
    look_now();
    assert_int_equal(bench_beacons(BEACON_CRASH, NULL), 1);
    finish();
}

RUN_TESTS(cmocka_unit_test(a_unit_that_is_restarted_by_hand_did_not_crash),
          cmocka_unit_test(a_restart_by_hand_on_trial_begins_the_trial_anew),
          cmocka_unit_test(what_it_said_on_trial_is_not_forgotten_for_a_restart),
          cmocka_unit_test(the_third_restart_by_hand_on_trial_means_going_back),
          cmocka_unit_test(a_crash_of_a_unit_on_trial_means_going_back),
          cmocka_unit_test(a_unit_that_nobody_can_tell_of_has_crashed_when_the_time_is_over))
