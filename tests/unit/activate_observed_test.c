/* Goal: a sensor that somebody else starts must prove each load like one of ours; it is neither started nor killed
 * here, and its ends count as crashes of what it had proven (INV-6). */
#include "agent/activate/activate.h"

#include "tests/unit/activate_observed_fixture.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>

enum { PATIENCE_MS = 10000 };

static void steady_on_one(void)
{
    make_by_pid_file();
    make();
    commit(1, "ok");
    assert_int_equal(bench_active_release("yara"), 1);
}

static bool a_crash_is_told(void)
{
    return bench_beacons(BEACON_CRASH, NULL) > 0;
}
static bool the_set_is_left(void)
{
    return bench_active_release("yara") != 2;
}
static bool a_message_is_refused(void)
{
    return bench.a.sensor.foreign > 0;
}

static void watch_until(bool (*there)(void))
{
    const struct rw_clock clock = rw_clock_system();
    int64_t end = rw_clock_mono(&clock).ms + PATIENCE_MS;
    while (!there()) {
        if (rw_clock_mono(&clock).ms >= end) { fail_msg("it did not come true"); }
        if (bench_between != NULL) { bench_between(); }
        activate_step(&bench.a);
        (void)poll(NULL, 0, 10);
    }
}

TEST(a_good_release_is_proven_by_a_process_that_is_not_ours)
{
    steady_on_one();
    pid_t pid = fake.pid;
    commit(2, "ok");
    assert_int_equal(starts, 1);
    assert_int_equal(bench_beacons(BEACON_HEALTHY, NULL), 2);
    bench_close(); /* the agent ends, the sensor goes on */
    assert_int_equal(kill(pid, 0), 0);
    assert_false(proc_has_ended(&fake));
    bench_open_again(
        NULL); /* and is found again, and told to load, since what it has is not known */
    bench_start();
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench.a.sensor.proc.pid, pid);
    assert_int_equal(starts, 1);
    finish();
}

TEST(one_that_dies_as_it_loads_means_going_back)
{
    struct beacon b = {.release = 0};
    steady_on_one();
    begin(2, "crash-on-load", 5);
    bench_until(ACTIVATE_STARTING);
    assert_int_equal(bench_active_release("yara"), 1);
    bench_until(ACTIVATE_STEADY);
    assert_true(starts >= 2); /* once more when it was quicker than the way back */
    assert_int_equal(bench_beacons(BEACON_FAILED, &b), 1);
    assert_int_equal(b.release, 2);
    assert_int_equal(b.stage, BEACON_STAGE_LOAD);
    assert_non_null(strstr(b.detail, "process ended during load"));
    finish();
}

/* What proves that content works on this host is the sensor's own word, whoever started it. */
TEST(one_whose_self_test_fails_means_going_back)
{
    struct beacon b = {.release = 0};
    steady_on_one();
    begin(2, "bad-selftest", 5);
    bench_until(ACTIVATE_STARTING);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_int_equal(bench_beacons(BEACON_MUTE, &b), 1);
    assert_int_equal(b.release, 2);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(starts, 1);
    finish();
}

TEST(one_that_hangs_is_told_of_and_not_killed)
{
    struct beacon b = {.release = 0};
    steady_on_one();
    pid_t pid = fake.pid;
    begin(2, "hang-on-load", 5);
    bench_until(ACTIVATE_STARTING);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_int_equal(bench_beacons(BEACON_FAILED, &b), 1);
    assert_non_null(strstr(b.detail, "no proof of load"));
    watch_until(a_crash_is_told);
    assert_int_equal(bench_beacons(BEACON_CRASH, &b), 1);
    assert_non_null(strstr(b.detail, "not killed"));
    assert_int_equal(fake.pid, pid);
    assert_false(proc_has_ended(&fake));
    proc_signal(&fake, SIGKILL); /* a person, or its own watchdog */
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(starts, 2);
    finish();
}

TEST(its_ends_count_as_crashes_and_three_of_them_leave_the_set)
{
    struct beacon b = {.release = 0};
    steady_on_one();
    commit(2, "crash-later");
    watch_until(the_set_is_left);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_true(bench_beacons(BEACON_CRASH, &b) >= 3); /* started once more before the way back */
    assert_int_equal(b.release, 2);
    assert_int_equal(bench_beacons(BEACON_FAILED, &b), 1);
    assert_int_equal(b.release, 2);
    finish();
}

/* Runs and says nothing; a signal would end it. */
static void start_sleeper(struct proc *out)
{
    char text[32];
    struct rw_err err;
    char *argv[] = {(char *)(uintptr_t) "/bin/sleep", (char *)(uintptr_t) "60", NULL};
    const struct proc_spec spec = {.path = argv[0], .argv = argv, .die_with_parent = true};
    MUST(proc_start(&spec, out, &err));
    (void)snprintf(text, sizeof(text), "%d\n", (int)out->pid);
    write_file(pid_file, 0644, text);
}

TEST(another_process_of_the_same_user_vouches_for_nothing)
{
    struct proc sleeper;
    make_by_pid_file();
    bench_make(NULL);
    start_fake();
    start_sleeper(&sleeper);
    bench_start();
    watch_until(a_message_is_refused);
    assert_int_equal(bench.a.phase, ACTIVATE_STARTING);
    assert_int_equal(bench.a.sensor.generation, 0);
    proc_drop(&sleeper);
    finish();
}

/* --- the pid file --- */

static void writable(void)
{
    assert_int_equal(chmod(pid_file, 0666), 0);
}
static void old(void)
{
    const struct timeval times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimes(pid_file, times), 0);
}
static void linked(void)
{
    char other[128];
    (void)snprintf(other, sizeof(other), "%s.other", pid_file);
    assert_int_equal(rename(pid_file, other), 0);
    assert_int_equal(symlink(other, pid_file), 0);
}
static void our_own(void)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%d\n", (int)getpid());
    write_file(pid_file, 0644, text);
}
static void missing(void)
{
    assert_int_equal(unlink(pid_file), 0);
}

static const struct file_case {
    const char *id;
    void (*spoil)(void);
    enum rw_code want;
} files[] = {
    {"writable_by_others", writable, RW_E_CONFIG},
    {"of_an_earlier_process", old, RW_E_NOT_FOUND},
    {"a_link", linked, RW_E_CONFIG},
    {"the_agent_itself", our_own, RW_E_CONFIG},
    {"missing", missing, RW_E_NOT_FOUND},
};

TEST_EACH(a_pid_file_that_could_lie_is_not_believed, files)
{
    char other[128];
    struct rw_err err;
    struct observe_found found = {.pidfd = -1};
    struct observe_rule_unit unit;
    make_by_pid_file();
    bench_make(NULL);
    starts = 0;
    start_fake();
    MUST(observe_find(&bench_way.observed, &found, &unit, &err));
    assert_int_equal(found.pid, fake.pid);
    assert_true(observe_is_same(found.pid, found.start_ticks));
    assert_false(observe_is_same(found.pid, found.start_ticks - 1));
    rw_fd_drop(&found.pidfd);
    it->spoil();
    MUST_FAIL(observe_find(&bench_way.observed, &found, &unit, &err), it->want);
    (void)snprintf(other, sizeof(other), "%s.other", pid_file);
    (void)unlink(other);
    finish();
}

TEST(a_signal_that_would_end_it_is_not_sent)
{
    make_by_pid_file();
    bench_make(NULL);
    start_sleeper(&fake);
    bench_start();
    assert_true(sensor_running(&bench.a.sensor));
    sensor_reload(&bench.a.sensor, activate_wake(&bench.a));
    assert_true(bench.a.sensor.ask_due);
    (void)poll(NULL, 0, 50);
    assert_false(proc_has_ended(&fake));
    finish();
}

/* --- other ways of the order to load --- */

TEST(an_order_can_be_a_message)
{
    make_by_pid_file();
    bench_way.reload = SENSOR_BY_MESSAGE;
    make();
    commit(1, "ok");
    commit(2, "ok");
    assert_int_equal(bench_active_release("yara"), 2);
    assert_int_equal(starts, 1);
    finish();
}

static const struct command_case {
    const char *id, *command, *says; /* says NULL: it loads */
} commands[] = {
    {"that_tells_it", "kill -HUP $RINGWARD_PID", NULL},
    {"that_fails", "exit 3", "sensor_reload_command exited with status 3"},
    {"that_hangs", "sleep 60 & sleep 60", "did not end within 2500 ms"},
    {"that_has_no_secrets", "test -z \"$RINGWARD_TEST_SECRET\" && kill -HUP $RINGWARD_PID", NULL},
};

TEST_EACH(an_order_can_be_a_command, commands)
{
    char script[96];
    char command[128];
    struct beacon b = {.release = 0};
    make_by_pid_file();
    (void)setenv("RINGWARD_TEST_SECRET", "x", 1);
    (void)snprintf(script, sizeof(script), "/tmp/rw-observed-%d.cmd", getpid());
    (void)snprintf(command, sizeof(command), "/bin/sh %s", script);
    write_file(script, 0600, "kill -HUP $RINGWARD_PID\n");
    bench_way.reload = SENSOR_BY_COMMAND;
    bench_way.reload_command = command;
    make();
    commit(1, "ok");
    write_file(script, 0600, it->command);
    begin(2, "ok", 0);
    if (it->says != NULL) {
        bench_until(ACTIVATE_STARTING);
        assert_int_equal(bench_active_release("yara"), 1);
        assert_int_equal(bench_beacons(BEACON_FAILED, &b), 1);
        if (strstr(b.detail, it->says) == NULL) { fail_msg("'%s'", b.detail); }
        write_file(script, 0600, "kill -HUP $RINGWARD_PID\n");
    }
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), it->says == NULL ? 2 : 1);
    (void)unlink(script);
    finish();
}

RUN_TESTS(cmocka_unit_test(a_good_release_is_proven_by_a_process_that_is_not_ours),
          cmocka_unit_test(one_that_dies_as_it_loads_means_going_back),
          cmocka_unit_test(one_whose_self_test_fails_means_going_back),
          cmocka_unit_test(one_that_hangs_is_told_of_and_not_killed),
          cmocka_unit_test(its_ends_count_as_crashes_and_three_of_them_leave_the_set),
          cmocka_unit_test(another_process_of_the_same_user_vouches_for_nothing),
          cmocka_unit_test(a_pid_file_that_could_lie_is_not_believed),
          cmocka_unit_test(a_signal_that_would_end_it_is_not_sent),
          cmocka_unit_test(an_order_can_be_a_message), cmocka_unit_test(an_order_can_be_a_command))
