/* Goal: an error about content that was proven before is heard and counts as a crash; alone it is no reason to leave
 * the set. */
#include "agent/activate/activate.h"

#include "tests/unit/activate_fixture.h"

static const char sensor[] = RW_FAKE_DIR "/fake_sensor";

static void commit(int64_t release, const char *behaviour)
{
    struct rw_err err;
    struct manifest_entry e = bench_content("yara", release, behaviour);
    struct activate_plan plan = bench_plan(SLOT_TRIAL, &e);
    MUST(activate_begin(&bench.a, &plan, &err));
    bench_until(ACTIVATE_STEADY);
}

TEST(content_that_was_proven_and_cannot_be_loaded_counts_as_a_crash)
{
    struct beacon b = {.release = 0};
    struct rw_clock clock = rw_clock_system();
    bench_steady_on_one(sensor);
    commit(2, "error-later");
    int64_t end = rw_clock_mono(&clock).ms + 10000;
    while (bench_beacons(BEACON_CRASH, &b) == 0 && rw_clock_mono(&clock).ms < end) {
        activate_step(&bench.a);
        (void)poll(NULL, 0, 10);
    }
    assert_int_equal(b.release, 2);
    assert_non_null(strstr(b.detail, "could not load the proven content: out of memory"));
    assert_true(bench.a.crashes[0].ms > 0);
    assert_int_equal(bench.a.crashes[1].ms, 0);
    assert_int_equal(bench_active_release("yara"), 2);
    bench_remove();
}

RUN_TESTS(cmocka_unit_test(content_that_was_proven_and_cannot_be_loaded_counts_as_a_crash))
