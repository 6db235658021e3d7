/* Goal: kill -9 at any durable step of a change, and the next start still has a complete, proven set (INV-6).
 *
 * This program defines the very calls that make a step durable (fsync, renameat, linkat, mkdirat, symlinkat,
 * unlinkat): a child performs the change and is killed right before the n-th of them, for all n. (Right after one
 * is right before the next: nothing else reaches the disk between.) Then the parent starts anew and looks.
 */
#include "agent/activate/activate.h"

#include "tests/unit/activate_fixture.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const char sensor[] = RW_FAKE_DIR "/fake_sensor";

enum { STEPS_MAX = 400, NEVER = 0 };

static int armed_at = NEVER; /* kill right before this step */
static int step;

static void pass(void)
{
    step++;
    if (armed_at != NEVER && step == armed_at) { (void)raise(SIGKILL); }
}

int fsync(int fd)
{
    pass();
    return (int)syscall(SYS_fsync, fd);
}
int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    pass();
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}
int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    pass();
    return (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}
int mkdirat(int dir, const char *name, mode_t mode)
{
    pass();
    return (int)syscall(SYS_mkdirat, dir, name, mode);
}
int symlinkat(const char *target, int dir, const char *name)
{
    pass();
    return (int)syscall(SYS_symlinkat, target, dir, name);
}
int unlinkat(int dir, const char *name, int flags)
{
    pass();
    return (int)syscall(SYS_unlinkat, dir, name, flags);
}

static struct manifest_entry one;
static struct manifest_entry two;

static void begin(const struct manifest_entry *e, enum slot_change change)
{
    struct rw_err err;
    struct activate_plan plan = bench_plan(change, e);
    MUST(activate_begin(&bench.a, &plan, &err));
}

/* A state with yara/1 proven, both contents in the store, stopped cleanly. */
static void prepare(const char *behaviour_of_two)
{
    struct rw_err err;
    bench_make(sensor);
    bench_start();
    bench_until(ACTIVATE_STEADY);
    one = bench_content("yara", 1, "ok");
    begin(&one, SLOT_TRIAL);
    bench_until(ACTIVATE_STEADY);
    two = bench_content("yara", 2, behaviour_of_two);
    MUST(activate_stop(&bench.a, &err));
    bench_close();
}

static void go_up(void)
{
    begin(&two, SLOT_TRIAL);
    bench_until(ACTIVATE_STEADY);
}

static void go_up_and_back(void)
{
    begin(&two, SLOT_TRIAL);
    bench_until(ACTIVATE_STARTING);
    bench_until(ACTIVATE_STEADY);
}

static void go_up_and_revert(void)
{
    begin(&two, SLOT_TRIAL);
    bench_until(ACTIVATE_STEADY);
    begin(&one, SLOT_REVERT);
    bench_until(ACTIVATE_STEADY);
}

/* Runs the whole life of one agent in a child that dies at the step. True: it lived to the end. */
static bool life(void (*change)(void), int kill_at)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        bench_open_again(sensor);
        step = 0;
        armed_at = kill_at;
        bench_start();
        bench_until(ACTIVATE_STEADY);
        change();
        armed_at = NEVER;
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) { return true; }
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    return false;
}

/* What the sensor would load if it were started by something else right now. */
static int64_t bare_release(void)
{
    struct rw_err err;
    struct set_store sets = {.sets = -1, .store = -1};
    struct manifest m;
    int64_t set = -1;
    RW_AUTO(rw_fd) rw_fd dir = -1;
    MUST(rw_dir_open(bench.path, &dir, &err));
    sets.state = dir;
    MUST(rw_dir_open_at(dir, "sets", &sets.sets, &err));
    MUST(rw_dir_open_at(dir, "store", &sets.store, &err));
    MUST(set_store_active(&sets, &set, &err));
    MUST(set_store_check(&sets, set, &m, &err)); /* complete at every instant */
    set_store_drop(&sets);
    return m.count == 0 ? 0 : m.content[0].release;
}

static const struct crash_case {
    const char *id, *behaviour;
    void (*change)(void);
    bool good; /* two may be what remains */
} cases[] = {
    {"good_content", "ok", go_up, true},
    {"content_that_crashes_on_load", "crash-on-load", go_up_and_back, false},
    {"content_with_another_hash", "wrong-hash", go_up_and_back, false},
    {"a_revert_after_it", "ok", go_up_and_revert, true},
};

/* One try: killed at the step, looked at bare, started anew, lived to rest. True: nothing was left to kill. */
static bool one_try(const struct crash_case *c, int kill_at)
{
    prepare(c->behaviour);
    bool lived = life(c->change, kill_at);
    int64_t bare = bare_release();
    assert_true(bare == 1 || bare == 2);
    bench_open_again(sensor);
    bench_start();
    bench_until(ACTIVATE_STEADY);
    int64_t rest = bench_active_release("yara");
    assert_true(rest == 1 || (c->good && rest == 2));
    if (!c->good && slot_is_abandoned(&bench.a.slots, two.sha256)) {
        assert_int_equal(rest, 1);
        assert_true(bench_beacons(BEACON_FAILED, NULL) >= 1); /* given up means told */
    }
    assert_int_equal(bench.a.slots.trial.change, SLOT_NO_CHANGE);
    bench_remove();
    return lived;
}

TEST_EACH(killed_anywhere_a_proven_set_remains, cases)
{
    int tried = 0;
    for (int kill_at = 1; kill_at < STEPS_MAX; kill_at++) {
        tried++;
        if (one_try(it, kill_at)) { break; }
    }
    print_message("           %d kills\n", tried - 1);
    assert_in_range(tried, 20, STEPS_MAX - 1); /* the change has many steps, and all were tried */
}

RUN_TESTS(cmocka_unit_test(killed_anywhere_a_proven_set_remains))
