/* Goal: counts are held against the load that they belong to, and against the one before; each load tells once. */
#include "agent/activate/detect.h"

#include "tests/harness.h"

static char detail[DETECT_DETAIL_BYTES];

static struct detect fresh(void)
{
    const struct detect_options o = {.budget = storm_rule_defaults(),
                                     .slow_factor = SLOW_RULE_FACTOR};
    return detect_make(&o);
}

static void report(struct detect *d, int64_t generation, int64_t detections, int64_t scanned,
                   int64_t of_rule)
{
    struct sensor_message m = {.type = SENSOR_STATS,
                               .generation = generation,
                               .detections = detections,
                               .scanned = scanned,
                               .scan_us = scanned * 1000,
                               .rss_kib = 50000,
                               .rule = "greedy",
                               .rule_detections = of_rule};
    detect_take(d, &m);
}

TEST(a_storm_is_told_once_with_what_people_need)
{
    struct detect d = fresh();
    report(&d, 1, 3, 500, 2);
    assert_false(detect_storm_on_trial(&d, detail));
    report(&d, 2, 9, 520, 6); /* of the load: 6 in 20 */
    assert_true(detect_storm_on_trial(&d, detail));
    assert_non_null(strstr(detail, "rule greedy 6, all 6 detections in 20 scans"));
    assert_non_null(strstr(detail, "before 3 in 500"));
    assert_false(detect_storm_on_trial(&d, detail));
    report(&d, 3, 200, 600, 120);
    assert_true(detect_storm_on_trial(&d, detail)); /* another load */
}

TEST(reports_of_an_earlier_load_are_ignored)
{
    struct detect d = fresh();
    report(&d, 2, 0, 100, 0);
    report(&d, 1, 900, 900, 900);
    assert_false(detect_storm_on_trial(&d, detail));
}

TEST(an_endpoint_full_of_what_is_bad_has_no_storm)
{
    struct detect d = fresh();
    report(&d, 1, 100, 200, 60);
    report(&d, 2, 200, 400, 60); /* 100 in 200 again */
    assert_false(detect_storm_on_trial(&d, detail));
}

TEST(a_new_process_counts_from_zero_and_remembers_the_load_before)
{
    struct detect d = fresh();
    report(&d, 4, 100, 200, 60);
    detect_restart(&d);
    assert_false(detect_storm_on_trial(&d, detail));
    report(&d, 1, 100, 200, 60); /* as many as before */
    assert_false(detect_storm_on_trial(&d, detail));
    report(&d, 1, 500, 210, 90);
    assert_true(detect_storm_on_trial(&d, detail));
}

TEST(slowness_is_held_against_the_load_before)
{
    struct detect d = fresh();
    report(&d, 1, 0, 100, 0);
    struct sensor_message m = d.now;
    m.generation = 2;
    m.scanned += 10;
    m.scan_us += 10 * 20000;
    detect_take(&d, &m);
    assert_true(detect_slow(&d, detail));
    assert_non_null(strstr(detail, "20000 us of processor time per scan in 10 scans"));
    assert_false(detect_slow(&d, detail));
}

TEST(nothing_is_known_before_the_first_report)
{
    struct detect d = fresh();
    assert_false(detect_storm_on_trial(&d, detail));
    assert_false(detect_slow(&d, detail));
    assert_false(detect_storm_of_proven(&d, (struct rw_mono){1000}, detail));
}

TEST(proven_content_storms_by_the_hour)
{
    struct detect d = fresh();
    report(&d, 1, 60, 100, 60);
    assert_false(detect_storm_of_proven(&d, (struct rw_mono){1000}, detail));
    report(&d, 1, 160, 300, 160);
    assert_true(detect_storm_of_proven(&d, (struct rw_mono){2000}, detail));
    assert_false(detect_storm_of_proven(&d, (struct rw_mono){3000}, detail));
}

TEST(a_sensor_cannot_put_bytes_into_beacons)
{
    struct detect d = fresh();
    report(&d, 1, 0, 100, 0);
    struct sensor_message m = d.now;
    m.generation = 2;
    m.rule_detections = 90;
    (void)snprintf(m.rule, sizeof(m.rule), "a\x1b[2J\xff");
    detect_take(&d, &m);
    assert_true(detect_storm_on_trial(&d, detail));
    for (const char *p = detail; *p != '\0'; p++) {
        assert_true(*p >= ' ' && *p <= '~');
    }
}

RUN_TESTS(cmocka_unit_test(a_storm_is_told_once_with_what_people_need),
          cmocka_unit_test(reports_of_an_earlier_load_are_ignored),
          cmocka_unit_test(an_endpoint_full_of_what_is_bad_has_no_storm),
          cmocka_unit_test(a_new_process_counts_from_zero_and_remembers_the_load_before),
          cmocka_unit_test(slowness_is_held_against_the_load_before),
          cmocka_unit_test(nothing_is_known_before_the_first_report),
          cmocka_unit_test(proven_content_storms_by_the_hour),
          cmocka_unit_test(a_sensor_cannot_put_bytes_into_beacons))
