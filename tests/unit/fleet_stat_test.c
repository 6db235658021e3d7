/* Goal: percentiles are those of the numbers, at most one class too high; what is no good answer has no latency. */
#include "tests/fleet/fleet_stat.h"

#include "tests/harness.h"

TEST(percentiles_are_at_most_a_class_above_the_true_ones)
{
    static struct fleet_stat s;
    for (int64_t us = 1; us <= 100000; us++) {
        fleet_stat_answer(&s, us % 2 == 0 ? 200 : 304, us);
    }
    static const unsigned parts[] = {1, 100, 5000, 9000, 9900, 9990, 10000};
    for (size_t i = 0; i < RW_LEN(parts); i++) {
        int64_t truth = (int64_t)parts[i] * 10;
        int64_t got = fleet_stat_percentile_us(&s, parts[i]);
        assert_true(got >= truth && got <= truth + truth / 32 + 1);
    }
    assert_int_equal(fleet_stat_percentile_us(&s, 10000), 100000);
    assert_int_equal(s.count, 100000);
}

TEST(numbers_of_any_size_have_a_class)
{
    static struct fleet_stat s;
    static const int64_t all[] = {-5, 0, 63, 64, 65, INT64_C(1) << 40, INT64_MAX};
    for (size_t i = 0; i < RW_LEN(all); i++) {
        fleet_stat_add(&s, all[i]);
    }
    assert_int_equal(s.count, RW_LEN(all));
    assert_true(fleet_stat_percentile_us(&s, 10000) > INT64_C(1) << 40);
}

TEST(errors_are_counted_by_status_and_have_no_latency)
{
    static struct fleet_stat s;
    fleet_stat_answer(&s, 503, 1000000);
    fleet_stat_answer(&s, 503, 1000000);
    fleet_stat_answer(&s, 0, 1000000);
    for (int status = 400; status < 420; status++) {
        fleet_stat_answer(&s, status, 1000000);
    }
    assert_int_equal(s.count, 0);
    assert_int_equal(fleet_stat_percentile_us(&s, 9900), 0);
    assert_int_equal(fleet_stat_errors(&s), 23);
    assert_int_equal(s.others[0].count, 2);
}

RUN_TESTS(cmocka_unit_test(percentiles_are_at_most_a_class_above_the_true_ones),
          cmocka_unit_test(numbers_of_any_size_have_a_class),
          cmocka_unit_test(errors_are_counted_by_status_and_have_no_latency))
