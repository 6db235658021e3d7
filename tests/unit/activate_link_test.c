/* Goal: whatever happens to the link's rename, no sensor starts on a set that was left or never begun, and the way back
 * still ends on the previous set when that is whole (INV-6). */
#include "agent/activate/activate.h"

#include "tests/unit/activate_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

static const char sensor[] = RW_FAKE_DIR "/fake_sensor";

/* What becomes of renames to "current", one after the other; the last one stays. */
enum fate {
    DONE,
    REFUSED,
    DONE_BUT_FAILED /* as when the power of the disk goes between the rename and its answer */
};
static enum fate fates[2];

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    enum fate fate = DONE;
    if (strcmp(to, "current") == 0) {
        fate = fates[0];
        fates[0] = fates[1];
    }
    int rc = fate == REFUSED ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
    if (fate == DONE) { return rc; }
    errno = EIO;
    return -1;
}

static void next_renames(enum fate first, enum fate later)
{
    fates[0] = first;
    fates[1] = later;
}

static void begin_two(struct rw_err *err, struct rw_rc *rc)
{
    struct manifest_entry e = bench_content("yara", 2, "ok");
    struct activate_plan plan = bench_plan(SLOT_TRIAL, &e);
    *rc = activate_begin(&bench.a, &plan, err);
}

/* A run with yara/1 proven. */
static void run_on_one(void)
{
    struct rw_err err;
    next_renames(DONE, DONE);
    bench_make(sensor);
    bench_start();
    bench_until(ACTIVATE_STEADY);
    struct manifest_entry e = bench_content("yara", 1, "ok");
    struct activate_plan plan = bench_plan(SLOT_TRIAL, &e);
    MUST(activate_begin(&bench.a, &plan, &err));
    bench_until(ACTIVATE_STEADY);
}

/* And yara/2 active, yara/1 before it; the host then panicked in two starts. */
static void panicked_twice_on_two(void)
{
    struct rw_err err;
    struct rw_rc rc;
    run_on_one();
    begin_two(&err, &rc);
    assert_true(rw_is_ok(rc));
    bench_until(ACTIVATE_STEADY);
    bench_close();
    bench_open_again(sensor);
    bench_start(); /* one more try */
    assert_int_equal(bench_active_release("yara"), 2);
    bench_close();
    bench_open_again(sensor);
}

static void finish(void)
{
    next_renames(DONE, DONE);
    bench_remove();
}

static void look_around(void)
{
    for (int i = 0; i < 3; i++) {
        bench.a.restart_at.ms = 0;
        activate_step(&bench.a);
    }
}

TEST(a_rename_that_failed_when_it_was_done_names_the_old_set_again)
{
    struct rw_err err;
    struct rw_rc rc;
    run_on_one();
    next_renames(DONE_BUT_FAILED, DONE);
    begin_two(&err, &rc);
    assert_int_equal(rc.code, RW_E_IO);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_true(activate_idle(&bench.a));
    finish();
}

TEST(a_link_that_stayed_wrong_is_mended_while_the_sensor_runs)
{
    struct rw_err err;
    struct rw_rc rc;
    run_on_one();
    next_renames(DONE_BUT_FAILED, REFUSED);
    begin_two(&err, &rc);
    assert_true(bench.a.link_owed);
    assert_false(activate_idle(&bench.a));
    next_renames(DONE, DONE);
    assert_true(activate_wake(&bench.a).ms <= bench.a.link_at.ms);
    bench.a.link_at.ms = 0;
    activate_step(&bench.a);
    assert_int_equal(bench_active_release("yara"), 1);
    bench_until(ACTIVATE_STEADY);
    assert_true(activate_idle(&bench.a));
    finish();
}

/* The link names a set that is on no trial: nobody would go back from it. */
TEST(a_sensor_that_dies_waits_until_the_old_set_is_named_again)
{
    struct rw_err err;
    struct rw_rc rc;
    run_on_one();
    next_renames(DONE_BUT_FAILED, REFUSED);
    begin_two(&err, &rc);
    assert_int_equal(rc.code, RW_E_IO);
    assert_int_equal(bench_active_release("yara"), 2);
    assert_int_equal(kill(bench.a.sensor.proc.pid, SIGKILL), 0);
    bench_until(ACTIVATE_STARTING);
    look_around();
    assert_false(sensor_running(&bench.a.sensor));
    MUST(activate_collect(&bench.a, NULL, 0, &err));
    assert_int_equal(bench_active_release("yara"), 2); /* the link does not dangle */
    next_renames(DONE, DONE);
    look_around();
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    finish();
}

TEST(a_way_back_is_done_although_its_rename_says_that_it_failed)
{
    struct rw_err err;
    panicked_twice_on_two();
    next_renames(DONE_BUT_FAILED, REFUSED);
    MUST(activate_guard(&bench.a, &err));
    activate_start(&bench.a);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    finish();
}

TEST(one_refused_rename_does_not_end_a_way_back)
{
    struct rw_err err;
    panicked_twice_on_two();
    next_renames(REFUSED, DONE);
    MUST(activate_guard(&bench.a, &err));
    assert_int_equal(bench_active_release("yara"), 1);
    finish();
}

TEST(a_way_back_that_cannot_flip_the_link_waits_and_ends_on_the_previous_set)
{
    struct rw_err err;
    struct beacon b;
    panicked_twice_on_two();
    next_renames(REFUSED, REFUSED);
    MUST_FAIL(activate_guard(&bench.a, &err), RW_E_IO);
    activate_start(&bench.a);
    look_around();
    assert_false(sensor_running(&bench.a.sensor));
    assert_false(activate_idle(&bench.a));
    next_renames(DONE, DONE);
    look_around();
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_int_equal(bench.a.slots.current, bench.a.active.set);
    assert_true(bench_beacons(BEACON_FAILED, &b) >= 1);
    assert_int_equal(b.release, 2);
    finish();
}

/* The set to come has had no try: starts in which nothing could load do not count against it. */
TEST(starts_without_a_link_do_not_use_up_the_previous_set)
{
    struct rw_err err;
    panicked_twice_on_two();
    next_renames(REFUSED, REFUSED);
    for (int i = 0; i < 3; i++) {
        struct rw_rc rc = activate_guard(&bench.a, &err);
        assert_true(!rw_is_ok(rc) || bench.a.link_owed);
        activate_start(&bench.a);
        look_around();
        assert_false(sensor_running(&bench.a.sensor));
        bench_close();
        bench_open_again(sensor);
    }
    next_renames(DONE, DONE);
    bench_start();
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    finish();
}

TEST(a_guard_whose_host_dies_behind_it_has_counted)
{
    struct rw_err err;
    run_on_one();
    bench_close();
    bench_open_again(sensor);
    MUST(activate_guard(&bench.a, &err));
    bench_close(); /* no run began */
    bench_open_again(sensor);
    assert_true(bench.a.slots.boot.open);
    assert_true(bench.a.slots.boot.guarded);
    assert_int_equal(bench.a.slots.boot.unclean, 1);
    finish();
}

RUN_TESTS(cmocka_unit_test(a_rename_that_failed_when_it_was_done_names_the_old_set_again),
          cmocka_unit_test(a_link_that_stayed_wrong_is_mended_while_the_sensor_runs),
          cmocka_unit_test(a_sensor_that_dies_waits_until_the_old_set_is_named_again),
          cmocka_unit_test(a_way_back_is_done_although_its_rename_says_that_it_failed),
          cmocka_unit_test(one_refused_rename_does_not_end_a_way_back),
          cmocka_unit_test(a_way_back_that_cannot_flip_the_link_waits_and_ends_on_the_previous_set),
          cmocka_unit_test(starts_without_a_link_do_not_use_up_the_previous_set),
          cmocka_unit_test(a_guard_whose_host_dies_behind_it_has_counted))
