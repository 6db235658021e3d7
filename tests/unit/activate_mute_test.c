/* Goal: a sensor that lives and has lost its function is told as mute: on trial the endpoint goes back, proven content
 * goes on. */
#include "agent/activate/activate.h"

#include "tests/unit/activate_fixture.h"

static const char sensor[] = RW_FAKE_DIR "/fake_sensor";

static const struct mute_case {
    const char *id;
    const char *content;
    const char *detail;
} mutes[] = {
    {"a failed self-test", "bad-selftest", "self-test failed"},
    {"one that fails later", "mute-later", "mute: the sensor's self-test failed"},
    {"no self-test any more", "untested", "mute: no self-test of the sensor within 600 ms"},
    {"no counts any more", "uncounted", "mute: no counts of the sensor within 600 ms"},
};

TEST_EACH(a_sensor_that_lost_its_function_goes_back_and_is_told_as_mute, mutes)
{
    struct beacon b;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, it->content);
    bench_begin(SLOT_TRIAL, &two, 5);
    bench_until(ACTIVATE_STARTING);
    assert_int_equal(bench_active_release("yara"), 1);
    bench_until(ACTIVATE_STEADY);
    assert_true(slot_is_abandoned(&bench.a.slots, two.sha256));
    assert_int_equal(bench_beacons(BEACON_FAILED, NULL), 0);
    assert_int_equal(bench_beacons(BEACON_MUTE, &b), 1);
    assert_int_equal(b.release, 2);
    assert_memory_equal(b.sha256, two.sha256, DIGEST_BYTES);
    assert_non_null(strstr(b.detail, it->detail));
    bench_remove();
}

/* The server decides what becomes of it: the endpoint may have nothing better. */
TEST(proven_content_that_falls_mute_is_told_once_and_goes_on)
{
    struct beacon b;
    bench_steady_on_one(sensor);
    struct manifest_entry two = bench_content("yara", 2, "mute-later");
    bench_begin(SLOT_TRIAL, &two, 0);
    bench_until(ACTIVATE_STEADY);
    for (int i = 0; i < 200 && bench_beacons(BEACON_MUTE, NULL) == 0; i++) {
        (void)poll(NULL, 0, 30);
        activate_step(&bench.a);
    }
    for (int i = 0; i < 10; i++) {
        (void)poll(NULL, 0, 30);
        activate_step(&bench.a);
    }
    assert_int_equal(bench_active_release("yara"), 2);
    assert_int_equal(bench_beacons(BEACON_MUTE, &b), 1);
    assert_int_equal(b.release, 2);
    assert_int_equal(b.stage, BEACON_STAGE_ACTIVE);
    assert_int_equal(bench_beacons(BEACON_HEALTHY, NULL), 2);
    bench_remove();
}

RUN_TESTS(cmocka_unit_test(a_sensor_that_lost_its_function_goes_back_and_is_told_as_mute),
          cmocka_unit_test(proven_content_that_falls_mute_is_told_once_and_goes_on))
