/* Goal: a clock that cannot be believed is told apart from expiry, and nothing but time that has passed
 * moves the floor. */
#include "agent/fetch/clock_rule.h"

#include "tests/harness.h"

enum { DAY_S = 86400, NOW_S = 1800000000 };

static const struct judge_case {
    const char *id;
    struct clock_rule_evidence e;
    enum clock_rule_state want;
} cases[] = {
    /* wall, floor, answered, root expires, timestamp expires */
    {"all_is_well", {{NOW_S}, {NOW_S}, true, {NOW_S + DAY_S}, {NOW_S + DAY_S}}, CLOCK_RULE_OK},
    {"no_floor", {{NOW_S}, {0}, true, {NOW_S + DAY_S}, {NOW_S + DAY_S}}, CLOCK_RULE_OK},
    {"a_step_back_of_time_synchronisation",
     {{NOW_S - 60}, {NOW_S}, true, {NOW_S + 9}, {NOW_S + 9}},
     CLOCK_RULE_OK},
    {"behind_the_floor",
     {{NOW_S - 61}, {NOW_S}, true, {NOW_S + 9}, {NOW_S + 9}},
     CLOCK_RULE_BEHIND},
    {"behind_without_a_server", {{0}, {NOW_S}, false, {0}, {0}}, CLOCK_RULE_BEHIND},
    {"root_and_timestamp_long_expired",
     {{NOW_S}, {NOW_S - 9}, true, {NOW_S - DAY_S - 1}, {NOW_S - DAY_S - 1}},
     CLOCK_RULE_AHEAD},
    {"expired_for_just_a_day",
     {{NOW_S}, {NOW_S - 9}, true, {NOW_S - DAY_S}, {NOW_S - DAY_S}},
     CLOCK_RULE_OK},
    {"a_timestamp_that_is_not_renewed",
     {{NOW_S}, {NOW_S - 9}, true, {NOW_S + DAY_S}, {NOW_S - 9 * DAY_S}},
     CLOCK_RULE_OK},
    {"a_root_that_is_not_renewed",
     {{NOW_S}, {NOW_S - 9}, true, {NOW_S - 9 * DAY_S}, {NOW_S + DAY_S}},
     CLOCK_RULE_OK},
    {"off_the_network_for_a_year",
     {{NOW_S}, {NOW_S - 9}, false, {NOW_S - 9 * DAY_S}, {NOW_S - 9 * DAY_S}},
     CLOCK_RULE_OK},
    {"nothing_that_could_be_read",
     {{NOW_S}, {NOW_S - 9}, true, {NOW_S - 9 * DAY_S}, {0}},
     CLOCK_RULE_OK},
};

TEST_EACH(clocks_are_judged, cases)
{
    assert_int_equal(clock_rule_judge(&it->e), it->want);
}

TEST(expiry_is_judged_by_the_later_time)
{
    assert_int_equal(clock_rule_now((struct rw_wall){5}, (struct rw_wall){9}).s, 9);
    assert_int_equal(clock_rule_now((struct rw_wall){9}, (struct rw_wall){5}).s, 9);
}

TEST(states_have_names)
{
    assert_string_equal(clock_rule_name(CLOCK_RULE_OK), "ok");
    assert_string_equal(clock_rule_name(CLOCK_RULE_BEHIND), "behind");
    assert_string_equal(clock_rule_name(CLOCK_RULE_AHEAD), "ahead");
}

RUN_TESTS(cmocka_unit_test(clocks_are_judged), cmocka_unit_test(expiry_is_judged_by_the_later_time),
          cmocka_unit_test(states_have_names))
