/* Goal: agents spread over time, back off, and obey Retry-After within sane limits. */
#include "agent/poll/poll_rule.h"

#include "tests/harness.h"

static const uint32_t draws[] = {0, 1, 0x7fffffff, 0xfffffffe, 0xffffffff};

TEST(the_next_poll_is_between_half_and_one_and_a_half_intervals)
{
    for (size_t i = 0; i < RW_LEN(draws); i++) {
        int64_t ms = poll_rule_next_ms(300000, draws[i]);
        assert_in_range(ms, 150000, 450000);
    }
    assert_int_equal(poll_rule_next_ms(300000, 0), 150000);
    assert_int_equal(poll_rule_next_ms(300000, 0xffffffff), 450000);
    assert_int_equal(poll_rule_next_ms(10, 0), 100);
}

TEST(the_first_poll_is_soon_but_not_at_once_for_all)
{
    assert_int_equal(poll_rule_first_ms(300000, 0xffffffff), 30000);
    assert_int_equal(poll_rule_first_ms(1000, 0xffffffff), 1000);
    assert_int_equal(poll_rule_first_ms(1000, 0), 0);
}

static const struct back_off_case {
    const char *id;
    int64_t failures;
    int64_t lo;
    int64_t hi;
} back_offs[] = {
    {"first", 1, 500, 1000},      {"second", 2, 1000, 2000},          {"fifth", 5, 8000, 16000},
    {"capped", 20, 30000, 60000}, {"endless", 1000000, 30000, 60000},
};

TEST_EACH(back_off_doubles_up_to_its_cap, back_offs)
{
    assert_int_equal(poll_rule_back_off_ms(1000, 60000, it->failures, 0), it->lo);
    assert_int_equal(poll_rule_back_off_ms(1000, 60000, it->failures, 0xffffffff), it->hi);
}

static const struct self_case {
    const char *id;
    int64_t interval_ms;
    int64_t failures;
    int64_t lo;
    int64_t hi;
} self_tests[] = {
    {"first", 300000, 1, 150000, 300000},
    {"third", 300000, 3, 600000, 1200000},
    {"an_hour", 300000, 5, 1800000, 3600000},
    {"endless", 300000, 1000000, 1800000, 3600000},
    {"a_long_interval", 7200000, 1, 3600000, 7200000},
    {"a_long_interval_again", 7200000, 9, 3600000, 7200000},
};

TEST_EACH(a_box_that_fails_is_asked_again_and_ever_more_seldom, self_tests)
{
    assert_int_equal(poll_rule_self_ms(it->interval_ms, it->failures, 0), it->lo);
    assert_int_equal(poll_rule_self_ms(it->interval_ms, it->failures, 0xffffffff), it->hi);
}

static const struct failed_case {
    const char *id;
    int64_t interval_ms;
    int64_t failures;
    int64_t lo;
    int64_t hi;
} failed_polls[] = {
    {"first", 300000, 1, 150000, 450000},         {"second", 300000, 2, 150000, 450000},
    {"endless", 300000, 1000000, 150000, 450000}, {"an_hour", 3600000, 9, 1800000, 5400000},
    {"a_minute", 60000, 9, 30000, 90000},         {"short_first", 1000, 1, 500, 1500},
    {"short_third", 1000, 3, 2000, 6000},         {"short_endless", 1000, 1000000, 30000, 90000},
};

TEST_EACH(a_fleet_asks_no_more_often_in_an_outage, failed_polls)
{
    assert_int_equal(poll_rule_failed_ms(it->interval_ms, it->failures, 0), it->lo);
    assert_int_equal(poll_rule_failed_ms(it->interval_ms, it->failures, 0xffffffff), it->hi);
    for (size_t i = 0; i < RW_LEN(draws); i++) {
        assert_true(poll_rule_failed_ms(it->interval_ms, it->failures, draws[i]) >=
                    poll_rule_next_ms(it->interval_ms, draws[i]));
    }
}

static const struct retry_case {
    const char *id;
    int64_t asked_s;
    int64_t lo;
    int64_t hi;
} retries[] = {
    {"nothing_asked", -1, 0, 0},
    {"at_least_a_second", 0, 1000, 1100},
    {"as_asked_and_a_little", 60, 60000, 66000},
    {"at_most_six_hours", 86400, 21600000, 23760000},
};

TEST_EACH(retry_after_is_obeyed_within_limits, retries)
{
    assert_int_equal(poll_rule_retry_after_ms(it->asked_s, 0), it->lo);
    assert_int_equal(poll_rule_retry_after_ms(it->asked_s, 0xffffffff), it->hi);
}

TEST(the_server_may_shorten_the_interval_never_lengthen_it)
{
    assert_int_equal(poll_rule_interval_ms(300000, 0), 300000);
    assert_int_equal(poll_rule_interval_ms(300000, 5), 5000);
    assert_int_equal(poll_rule_interval_ms(300000, 3600), 300000);
    assert_int_equal(poll_rule_interval_ms(1000, 1), 1000);
}

RUN_TESTS(cmocka_unit_test(the_next_poll_is_between_half_and_one_and_a_half_intervals),
          cmocka_unit_test(the_first_poll_is_soon_but_not_at_once_for_all),
          cmocka_unit_test(back_off_doubles_up_to_its_cap),
          cmocka_unit_test(a_box_that_fails_is_asked_again_and_ever_more_seldom),
          cmocka_unit_test(a_fleet_asks_no_more_often_in_an_outage),
          cmocka_unit_test(retry_after_is_obeyed_within_limits),
          cmocka_unit_test(the_server_may_shorten_the_interval_never_lengthen_it))
