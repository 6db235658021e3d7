/* Goal: files that are being written are let alone, what was tried is not tried again, and an end is told in time. */
#include "server/api/certificate_rule.h"

#include "tests/harness.h"

static struct certificate_rule_stamp stamp(int64_t cert, int64_t key)
{
    return (struct certificate_rule_stamp){.part = {{1, 2, 3, 4, cert}, {1, 3, 3, 4, key}}};
}

static const struct try_case {
    const char *id;
    int64_t tried[2];
    int64_t before[2];
    int64_t now[2];
    bool want;
} tries[] = {
    {"nothing_changed", {1, 1}, {1, 1}, {1, 1}, false},
    {"changed_since_the_last_look", {1, 1}, {1, 1}, {2, 1}, false},
    {"changed_and_lies_still", {1, 1}, {2, 2}, {2, 2}, true},
    {"the_second_file_followed", {1, 1}, {2, 1}, {2, 2}, false},
    {"only_the_key_changed_and_lies_still", {1, 1}, {1, 2}, {1, 2}, true},
    {"what_was_refused_is_not_tried_again", {2, 1}, {2, 1}, {2, 1}, false},
    {"back_to_what_is_in_use_behind_a_refusal", {2, 1}, {1, 1}, {1, 1}, true},
};

TEST_EACH(only_another_pair_that_lies_still_is_tried, tries)
{
    struct certificate_rule_stamp tried = stamp(it->tried[0], it->tried[1]);
    struct certificate_rule_stamp before = stamp(it->before[0], it->before[1]);
    struct certificate_rule_stamp now = stamp(it->now[0], it->now[1]);
    assert_int_equal(certificate_rule_try(&tried, &before, &now), it->want);
}

enum { DAY_S = 86400 };

static const struct end_case {
    const char *id;
    int64_t life_days;
    int64_t left_days;
    bool want;
} ends[] = {
    {"a_year_with_15_days_left", 365, 15, false}, {"a_year_with_14_days_left", 365, 14, true},
    {"a_year_that_is_over", 365, -1, true},       {"six_days_with_three_left", 6, 3, false},
    {"six_days_with_two_left", 6, 2, true},       {"no_life_at_all", 0, 0, true},
};

TEST_EACH(an_end_is_told_some_days_ahead, ends)
{
    const struct rw_wall now = {.s = (int64_t)20000 * DAY_S};
    const struct rw_wall until = {.s = now.s + it->left_days * DAY_S};
    const struct rw_wall from = {.s = until.s - it->life_days * DAY_S};
    assert_int_equal(certificate_rule_ends_soon(from, until, now), it->want);
}

RUN_TESTS(cmocka_unit_test(only_another_pair_that_lies_still_is_tried),
          cmocka_unit_test(an_end_is_told_some_days_ahead))
