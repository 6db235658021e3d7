/* Goal: a set that kills the host is left within two restarts although the disk is full, as a kernel's dump may have
 * left it (INV-3, INV-6): the count needs no room, and where it cannot be written the set is not risked again. */
#include "agent/activate/activate.h"

#include "common/base/alt.h"
#include "tests/unit/activate_fixture.h"

#include <errno.h>
#include <sys/syscall.h>

static const char sensor[] = RW_FAKE_DIR "/fake_sensor";

/* No new file gets its name, as on a full disk; a link, which needs no room, does unless it is stuck too. */
static bool disk_is_full;
static bool link_is_stuck;

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    if (strcmp(to, "current") == 0 ? link_is_stuck : disk_is_full) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

static void install(int64_t release, int64_t probation_s, enum activate_phase until)
{
    struct rw_err err;
    struct manifest_entry e = bench_content("yara", release, "ok");
    struct activate_plan plan = bench_plan(SLOT_TRIAL, &e);
    plan.probation_s = probation_s;
    MUST(activate_begin(&bench.a, &plan, &err));
    bench_until(until);
}

/* A run with yara/1 proven and before it, yara/2 active. */
static void run_on_two(int64_t probation_s, enum activate_phase until)
{
    disk_is_full = false;
    bench_make(sensor);
    bench_start();
    bench_until(ACTIVATE_STEADY);
    install(1, 0, ACTIVATE_STEADY);
    install(2, probation_s, until);
    assert_int_equal(bench_active_release("yara"), 2);
}

/* The process ends without activate_stop: the host has panicked. */
static void panic(void)
{
    bench_close();
    bench_open_again(sensor);
}

/* Copies as older agents wrote them: to be replaced by new files, for which there is no room. */
static void make_unsaveable(void)
{
    struct rw_err err;
    struct slot_state s;
    bool fresh = false;
    disk_is_full = false;
    MUST(slot_load(bench.dir, &s, &fresh, &err));
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(32768);
    MUST(slot_write(&s, &text, &err));
    MUST(rw_alt_save(bench.dir, "slots", rw_buf_span(&text), &err));
    MUST(rw_alt_save(bench.dir, "slots", rw_buf_span(&text), &err));
    disk_is_full = true;
    MUST_FAIL(slot_save(bench.dir, &s, &err), RW_E_FULL);
}

static void finish(void)
{
    disk_is_full = false;
    bench_remove();
}

TEST(starts_are_counted_on_a_full_disk)
{
    run_on_two(0, ACTIVATE_STEADY);
    disk_is_full = true;
    panic();
    bench_start();
    assert_int_equal(bench_active_release("yara"), 2); /* one more try */
    panic();
    bench_start();
    assert_int_equal(bench_active_release("yara"), 1);
    panic();
    bench_start();
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 0);
    finish();
}

TEST(an_uncounted_start_leaves_the_set_at_once_and_for_good)
{
    struct rw_err err;
    run_on_two(0, ACTIVATE_STEADY);
    make_unsaveable();
    panic();
    bench_start();
    assert_int_equal(bench_active_release("yara"), 1);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench.a.active.content[0].release, 1);
    bench_close();
    bench_open_again(sensor); /* the slots still name yara/2 */
    assert_int_equal(bench_active_release("yara"), 1);
    bench_start();
    assert_int_equal(bench_active_release("yara"), 0);
    disk_is_full = false;
    panic();
    assert_int_equal(bench_active_release("yara"), 0);
    bench_start();
    bench_until(ACTIVATE_STEADY);
    MUST(activate_stop(&bench.a, &err));
    bench_close();
    bench_open_again(sensor);
    assert_int_equal(bench.a.slots.current, 0); /* saved as soon as there was room */
    finish();
}

/* What it leaves for had no try: the empty set would be one step too far. */
TEST(an_uncounted_start_whose_link_is_stuck_ends_on_the_previous_set)
{
    run_on_two(0, ACTIVATE_STEADY);
    make_unsaveable();
    link_is_stuck = true;
    panic();
    struct rw_err err;
    MUST_FAIL(activate_guard(&bench.a, &err), RW_E_FULL);
    activate_start(&bench.a);
    assert_false(sensor_running(&bench.a.sensor));
    link_is_stuck = false;
    bench.a.restart_at.ms = 0;
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    finish();
}

/* The same when the guard could count and the run that follows cannot. */
TEST(a_run_that_can_neither_tell_nor_link_ends_on_the_previous_set)
{
    struct rw_err err;
    run_on_two(60, ACTIVATE_PROBATION);
    panic();
    MUST(activate_guard(&bench.a, &err));
    make_unsaveable();
    link_is_stuck = true;
    activate_start(&bench.a);
    assert_false(sensor_running(&bench.a.sensor));
    link_is_stuck = false;
    bench.a.restart_at.ms = 0;
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    finish();
}

TEST(an_uncounted_start_leaves_a_trial)
{
    run_on_two(60, ACTIVATE_PROBATION);
    make_unsaveable();
    panic();
    bench_start();
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    panic();
    assert_int_equal(bench_active_release("yara"), 1);
    bench_start();
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 0);
    finish();
}

/* The guard's word on the disk would make the next start count for nothing. */
TEST(a_run_that_cannot_tell_that_it_begins_leaves_the_set)
{
    struct rw_err err;
    run_on_two(60, ACTIVATE_PROBATION);
    panic();
    MUST(activate_guard(&bench.a, &err));
    make_unsaveable();
    assert_int_equal(bench_active_release("yara"), 2);
    activate_start(&bench.a);
    assert_int_equal(bench_active_release("yara"), 1);
    bench_until(ACTIVATE_STEADY);
    assert_false(bench.a.uncounted);
    finish();
}

TEST(a_full_disk_alone_is_no_reason_to_leave_a_proven_set)
{
    struct rw_err err;
    run_on_two(0, ACTIVATE_STEADY);
    MUST(activate_stop(&bench.a, &err));
    bench_close();
    bench_open_again(sensor);
    make_unsaveable();
    bench_start();
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 2);
    finish();
}

/* Not a way back: the link was lost, and names the empty set only since this start. */
TEST(a_lost_link_comes_back)
{
    run_on_two(0, ACTIVATE_STEADY);
    assert_int_equal(unlinkat(bench.dir, "current", 0), 0);
    panic();
    assert_int_equal(bench_active_release("yara"), 2);
    finish();
}

RUN_TESTS(cmocka_unit_test(starts_are_counted_on_a_full_disk),
          cmocka_unit_test(an_uncounted_start_leaves_the_set_at_once_and_for_good),
          cmocka_unit_test(an_uncounted_start_whose_link_is_stuck_ends_on_the_previous_set),
          cmocka_unit_test(a_run_that_can_neither_tell_nor_link_ends_on_the_previous_set),
          cmocka_unit_test(an_uncounted_start_leaves_a_trial),
          cmocka_unit_test(a_run_that_cannot_tell_that_it_begins_leaves_the_set),
          cmocka_unit_test(a_full_disk_alone_is_no_reason_to_leave_a_proven_set),
          cmocka_unit_test(a_lost_link_comes_back))
