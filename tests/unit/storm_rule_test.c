/* Goal: what an endpoint calls a storm, and what content on trial may act on. */
#include "common/policy/storm_rule.h"

#include "tests/harness.h"

enum { HOUR_MS = 3600 * 1000 };

static const struct {
    const char *id;
    int64_t of_rule;
    struct storm_rule_counts trial;
    struct storm_rule_counts before;
    bool want;
} trials[] = {
    {"nothing found", 0, {0, 500}, {0, 500}, false},
    {"within the budget", 5, {20, 500}, {0, 500}, false},
    {"one rule beyond it", 6, {6, 500}, {0, 500}, true},
    {"all together beyond it", 1, {21, 500}, {0, 500}, true},
    {"matches everything", 40, {40, 40}, {0, 40}, true},
    {"the endpoint is full of what is bad", 40, {40, 40}, {10, 40}, false},
    {"more than four times as much", 41, {41, 160}, {10, 160}, true},
    {"four times as much", 40, {40, 160}, {10, 160}, false},
    {"the release before saw too little", 6, {6, 40}, {19, 19}, true},
    {"no release before", 6, {6, 6}, {0, 0}, true},
    {"a lying sensor", INT64_MAX, {INT64_MAX, INT64_MAX}, {INT64_MAX, 20}, false},
};

TEST_EACH(a_storm_is_beyond_the_budget_and_beyond_the_release_before, trials)
{
    const struct storm_rule_evidence e = {.budget = storm_rule_defaults(),
                                          .of_rule = it->of_rule,
                                          .trial = it->trial,
                                          .before = it->before};
    assert_int_equal(storm_rule_trial(&e), it->want);
}

static const struct {
    const char *id;
    int64_t of_rule;
    int64_t acted;
    bool want;
} acts[] = {
    {"the first", 1, 0, true},
    {"the rule's last", 5, 4, true},
    {"beyond the rule's budget", 6, 5, false},
    {"the last of all", 1, 19, true},
    {"beyond the budget of all", 1, 20, false},
};

TEST_EACH(content_on_trial_acts_within_its_budget, acts)
{
    struct storm_rule_budget b = storm_rule_defaults();
    assert_int_equal(storm_rule_may_act(&b, it->of_rule, it->acted), it->want);
}

TEST(a_budget_of_nothing_only_watches)
{
    const struct storm_rule_budget b = {.per_rule = 0, .in_all = 0};
    assert_false(storm_rule_may_act(&b, 1, 0));
}

TEST(proven_content_is_held_against_its_own_busiest_hour)
{
    struct storm_rule_budget b = storm_rule_defaults();
    struct storm_rule_hours h = {0};
    assert_false(storm_rule_hours_take(&h, &b, 1000, 0));
    assert_false(storm_rule_hours_take(&h, &b, 2000, 100)); /* the budget itself */
    assert_true(storm_rule_hours_take(&h, &b, 3000, 101));
    h = (struct storm_rule_hours){0};
    assert_false(storm_rule_hours_take(&h, &b, 1000, 50));
    assert_false(storm_rule_hours_take(&h, &b, 1000 + HOUR_MS, 50)); /* that hour had 50 */
    assert_false(storm_rule_hours_take(&h, &b, 2000 + HOUR_MS, 250));
    assert_true(storm_rule_hours_take(&h, &b, 3000 + HOUR_MS, 251)); /* more than four times 50 */
}

TEST(counts_that_begin_anew_are_no_storm)
{
    struct storm_rule_budget b = storm_rule_defaults();
    struct storm_rule_hours h = {0};
    assert_false(storm_rule_hours_take(&h, &b, 1000, 90));
    assert_false(storm_rule_hours_take(&h, &b, 3 * HOUR_MS, 5000)); /* slept: nobody knows when */
    assert_false(storm_rule_hours_take(&h, &b, 2000 + 3 * HOUR_MS, 3));
    assert_false(storm_rule_hours_take(&h, &b, 3000 + 3 * HOUR_MS, 60));
}

RUN_TESTS(cmocka_unit_test(a_storm_is_beyond_the_budget_and_beyond_the_release_before),
          cmocka_unit_test(content_on_trial_acts_within_its_budget),
          cmocka_unit_test(a_budget_of_nothing_only_watches),
          cmocka_unit_test(proven_content_is_held_against_its_own_busiest_hour),
          cmocka_unit_test(counts_that_begin_anew_are_no_storm))
