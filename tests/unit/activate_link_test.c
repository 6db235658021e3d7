/* Goal: whatever happens to the link's rename, no sensor starts on a set that was left or never begun, the set that is
 * proven protects meanwhile, and the way back still ends on the previous set when that is whole (INV-6). */
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
static int refusal = EIO;

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    enum fate fate = DONE;
    if (strcmp(to, "current") == 0) {
        fate = fates[0];
        fates[0] = fates[1];
    }
    int rc = fate == REFUSED ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
    if (fate == DONE) { return rc; }
    errno = fate == REFUSED ? refusal : EIO;
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
    refusal = EIO;
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

/* The link names another set than the one that protects: yara/1 is loaded all the same. */
static void protects_by_name(void)
{
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 2);
    assert_true(bench.a.link_owed);
    assert_true(sensor_running(&bench.a.sensor));
    assert_int_equal(bench.a.sensor.loaded_count, 1);
    assert_int_equal(bench.a.sensor.loaded[0].release, 1);
    assert_false(activate_idle(&bench.a));
}

/* And once the link can be switched it is what the sensor follows, so that the next change reaches it. */
static void follows_the_mended_link(void)
{
    next_renames(DONE, DONE);
    bench.a.link_at.ms = 0;
    bench_until(ACTIVATE_STARTING);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 1);
    assert_false(bench.a.sensor.named);
    assert_true(activate_idle(&bench.a));
}

/* The link names a set that is on no trial: nobody would go back from it. */
TEST(a_sensor_that_dies_comes_back_with_the_old_set)
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
    protects_by_name();
    MUST(activate_collect(&bench.a, NULL, 0, &err));
    assert_int_equal(bench_active_release("yara"), 2); /* the link does not dangle */
    follows_the_mended_link();
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

TEST(a_way_back_that_cannot_flip_the_link_protects_with_the_previous_set)
{
    struct rw_err err;
    struct beacon b;
    panicked_twice_on_two();
    next_renames(REFUSED, REFUSED);
    MUST_FAIL(activate_guard(&bench.a, &err), RW_E_IO);
    activate_start(&bench.a);
    protects_by_name();
    assert_true(bench_beacons(BEACON_FAILED, &b) >= 1);
    assert_int_equal(b.release, 2);
    follows_the_mended_link();
    assert_int_equal(bench.a.slots.current, bench.a.active.set);
    finish();
}

/* It is loaded by its name in each of these starts, so each of them counts as every other one does. */
TEST(starts_without_a_link_count_for_the_set_that_is_loaded)
{
    struct rw_err err;
    panicked_twice_on_two();
    next_renames(REFUSED, REFUSED);
    MUST_FAIL(activate_guard(&bench.a, &err), RW_E_IO);
    for (int i = 0; i < 3; i++) { /* clean ends use nothing up */
        activate_start(&bench.a);
        protects_by_name();
        MUST(activate_stop(&bench.a, &err));
        bench_close();
        bench_open_again(sensor);
        MUST(activate_guard(&bench.a, &err));
        assert_int_equal(bench.a.active.set, bench.a.slots.current);
    }
    activate_start(&bench.a);
    bench_close(); /* the host panics, again and again */
    bench_open_again(sensor);
    bench_start();
    protects_by_name(); /* one more try */
    bench_close();
    bench_open_again(sensor);
    MUST_FAIL(activate_guard(&bench.a, &err), RW_E_IO);
    assert_int_equal(bench.a.slots.current, 0);
    activate_start(&bench.a);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench.a.sensor.loaded[0].release, 0);
    finish();
}

/* A run in which yara/2 failed on trial, and which ended right behind the first durable step of the way back. */
static void failed_on_two(int number)
{
    struct rw_err err;
    run_on_one();
    struct manifest_entry e = bench_content("yara", 2, "ok");
    struct activate_plan plan = bench_plan(SLOT_TRIAL, &e);
    plan.probation_s = 600;
    MUST(activate_begin(&bench.a, &plan, &err));
    bench_until(ACTIVATE_PROBATION);
    bench.a.slots.trial.failed = true;
    bench.a.slots.trial.stage = BEACON_STAGE_PROBATION;
    slot_abandon(&bench.a.slots, e.sha256);
    MUST(slot_save(bench.dir, &bench.a.slots, &err));
    bench_close();
    next_renames(REFUSED, REFUSED);
    refusal = number;
}

static const struct refusal_case {
    const char *id;
    int number;
} refusals[] = {{"immutable", EPERM}, {"read_only", EROFS}, {"broken", EIO}};

/* INV-6: the start of an agent whose last trial failed, with a link that cannot be switched. */
TEST_EACH(a_stuck_link_behind_a_failed_trial_does_not_end_the_agent, refusals)
{
    struct rw_err err;
    struct beacon b;
    failed_on_two(it->number);
    for (int i = 0; i < 2; i++) {
        bench_open_again(sensor);
        bench_start();
        protects_by_name();
        assert_int_equal(bench_beacons(BEACON_FAILED, &b), 1);
        assert_int_equal(b.release, 2);
        activate_report_alive(&bench.a);
        assert_true(bench_beacons(BEACON_ALIVE, &b) >= 1);
        assert_non_null(strstr(b.detail, ACTIVATE_LINK_STUCK)); /* INV-12 */
        if (i > 0) { break; }
        MUST(activate_stop(&bench.a, &err));
        bench_close();
    }
    follows_the_mended_link();
    activate_report_alive(&bench.a);
    assert_true(bench_beacons(BEACON_ALIVE, &b) >= 1);
    assert_null(strstr(b.detail, ACTIVATE_LINK_STUCK));
    struct rw_rc rc;
    begin_two(&err, &rc); /* the next change reaches the sensor */
    assert_true(rw_is_ok(rc));
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), 2);
    finish();
}

/* Such a sensor follows the link alone: it is not taken hold of before, and the agent goes on trying. */
TEST(an_observed_sensor_waits_for_the_link)
{
    char nobody[96];
    failed_on_two(EPERM);
    (void)snprintf(nobody, sizeof(nobody), "%s/no.pid", bench.path);
    bench_way = (struct sensor_way){.observed = {.pid_file = nobody}};
    bench_open_again(NULL);
    bench_start();
    look_around();
    assert_true(bench.a.link_owed);
    assert_false(bench.a.sensor.named);
    assert_int_equal(bench_active_release("yara"), 2);
    next_renames(DONE, DONE);
    look_around();
    assert_false(bench.a.link_owed);
    assert_int_equal(bench_active_release("yara"), 1);
    bench_way = (struct sensor_way){.reload = SENSOR_BY_SIGNAL};
    finish();
}

TEST(a_trial_that_fails_with_a_stuck_link_gives_way_to_the_old_set)
{
    struct rw_err err;
    struct beacon b;
    run_on_one();
    struct manifest_entry e = bench_content("yara", 2, "bad-selftest");
    struct activate_plan plan = bench_plan(SLOT_TRIAL, &e);
    plan.probation_s = 600;
    next_renames(DONE, REFUSED);
    MUST(activate_begin(&bench.a, &plan, &err));
    bench_until(ACTIVATE_STARTING);
    protects_by_name();
    assert_int_equal(bench_beacons(BEACON_MUTE, &b), 1);
    assert_int_equal(b.release, 2);
    follows_the_mended_link();
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
          cmocka_unit_test(a_sensor_that_dies_comes_back_with_the_old_set),
          cmocka_unit_test(a_way_back_is_done_although_its_rename_says_that_it_failed),
          cmocka_unit_test(one_refused_rename_does_not_end_a_way_back),
          cmocka_unit_test(a_way_back_that_cannot_flip_the_link_protects_with_the_previous_set),
          cmocka_unit_test(starts_without_a_link_count_for_the_set_that_is_loaded),
          cmocka_unit_test(a_stuck_link_behind_a_failed_trial_does_not_end_the_agent),
          cmocka_unit_test(an_observed_sensor_waits_for_the_link),
          cmocka_unit_test(a_trial_that_fails_with_a_stuck_link_gives_way_to_the_old_set),
          cmocka_unit_test(a_guard_whose_host_dies_behind_it_has_counted))
