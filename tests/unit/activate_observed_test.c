/* Goal: a sensor that somebody else starts must prove each load like one of ours; it is neither started nor killed
 * here, and its ends count as crashes of what it had proven (INV-6). */
#include "agent/activate/activate.h"

#include "tests/unit/activate_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>

enum { LOAD_MS = 2500, PATIENCE_MS = 10000 };

static char pid_file[96];
static char systemctl[128];
static struct proc fake; /* what its own supervisor runs */
static int starts;
static int by_hand; /* starts that systemd does not count */
static bool ended_well;

static void write_file(const char *path, mode_t mode, const char *text)
{
    struct rw_err err;
    MUST(rw_file_replace(path, mode, rw_span_str(text), &err));
}

/* What a service manager would say of it. */
static void write_systemctl(void)
{
    char text[512];
    RW_AUTO(rw_buf) struct rw_buf group = rw_buf_make(4096);
    char at[64];
    struct rw_err err;
    (void)snprintf(at, sizeof(at), "/proc/%d/cgroup", getpid());
    int fd = open(at, O_RDONLY | O_CLOEXEC);
    uint8_t *to = NULL;
    MUST(rw_buf_reserve(&group, 2048, &to, &err));
    ssize_t n = read(fd, to, 2047);
    (void)close(fd);
    rw_buf_commit(&group, n > 0 ? (size_t)n : 0);
    const char *begin = strstr(rw_buf_str(&group), "0::");
    (void)snprintf(text, sizeof(text),
                   "#!/bin/sh\necho LoadState=loaded\necho MainPID=%d\necho NRestarts=%d\n"
                   "echo Result=%s\necho ControlGroup=%.*s\n",
                   fake.pid, starts - 1 - by_hand, ended_well ? "success" : "signal",
                   begin == NULL ? 0 : (int)strcspn(begin + 3, "\n"),
                   begin == NULL ? "" : begin + 3);
    write_file(systemctl, 0700, text);
}

static void start_fake(void)
{
    char active[96];
    char agent[96];
    char text[32];
    struct rw_err err;
    (void)snprintf(active, sizeof(active), "RINGWARD_ACTIVE=%s/current", bench.path);
    (void)snprintf(agent, sizeof(agent), "RINGWARD_SOCKET=%s/sensor.sock", bench.path);
    char *argv[] = {(char *)(uintptr_t)RW_FAKE_DIR "/fake_sensor", NULL};
    char *envp[] = {active, agent, NULL};
    const struct proc_spec spec = {
        .path = argv[0], .argv = argv, .envp = envp, .die_with_parent = true};
    MUST(proc_start(&spec, &fake, &err));
    starts++;
    ended_well = true;
    (void)snprintf(text, sizeof(text), "%d\n", (int)fake.pid);
    write_file(pid_file, 0644, text);
    write_systemctl();
}

static void reap_fake(void)
{
    struct rw_err err;
    struct proc_exit gone;
    MUST(proc_wait(&fake, 5000, &gone, &err));
    ended_well = false;
    write_systemctl();
}

/* Its own supervisor: starts it again when it has ended. */
static void supervise(void)
{
    if (!proc_has_ended(&fake)) { return; }
    reap_fake();
    start_fake();
}

static void make(void)
{
    starts = 0;
    by_hand = 0;
    bench_make(NULL);
    start_fake();
    bench_between = supervise;
    bench_start();
    bench_until(ACTIVATE_STEADY);
}

static void make_by_pid_file(void)
{
    /* The path is known only once the bench is made: the same for all, since one runs at a time. */
    (void)snprintf(pid_file, sizeof(pid_file), "/tmp/rw-observed-%d.pid", getpid());
    (void)snprintf(systemctl, sizeof(systemctl), "/tmp/rw-observed-%d.sh", getpid());
    bench_way = (struct sensor_way){.observed = {.pid_file = pid_file}};
    bench_load_ms = LOAD_MS;
    bench_alive_ms = 10 * LOAD_MS; /* a busy machine is no hang */
}

static void finish(void)
{
    bench_remove();
    proc_drop(&fake);
    bench_between = NULL;
    (void)unlink(pid_file);
    (void)unlink(systemctl);
}

static void begin(int64_t release, const char *behaviour, int64_t probation_s)
{
    struct rw_err err;
    struct manifest_entry e = bench_content("yara", release, behaviour);
    struct activate_plan plan = bench_plan(SLOT_TRIAL, &e);
    plan.probation_s = probation_s;
    MUST(activate_begin(&bench.a, &plan, &err));
}

static void commit(int64_t release, const char *behaviour)
{
    begin(release, behaviour, 0);
    bench_until(ACTIVATE_STEADY);
}

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

/* --- a unit --- */

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

RUN_TESTS(cmocka_unit_test(a_good_release_is_proven_by_a_process_that_is_not_ours),
          cmocka_unit_test(one_that_dies_as_it_loads_means_going_back),
          cmocka_unit_test(one_whose_self_test_fails_means_going_back),
          cmocka_unit_test(one_that_hangs_is_told_of_and_not_killed),
          cmocka_unit_test(its_ends_count_as_crashes_and_three_of_them_leave_the_set),
          cmocka_unit_test(another_process_of_the_same_user_vouches_for_nothing),
          cmocka_unit_test(a_pid_file_that_could_lie_is_not_believed),
          cmocka_unit_test(a_signal_that_would_end_it_is_not_sent),
          cmocka_unit_test(an_order_can_be_a_message), cmocka_unit_test(an_order_can_be_a_command),
          cmocka_unit_test(a_unit_that_is_restarted_by_hand_did_not_crash),
          cmocka_unit_test(a_unit_that_nobody_can_tell_of_has_crashed_when_the_time_is_over))
