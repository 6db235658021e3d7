/* Goal: content on trial acts within its budget, whatever rules it names; only the agent ends a trial. */
#include "agent/sensor/sensor_tally.h"

#include "common/base/file.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <unistd.h>

static struct rw_err err;
static struct sensor_tally t;

static void begin(int set, const char *trial)
{
    struct storm_rule_budget b = storm_rule_defaults();
    sensor_tally_begin(&t, &b, set, trial);
}

TEST(one_rule_acts_five_times_and_then_only_watches)
{
    struct sensor_message m = {.type = SENSOR_STATS};
    begin(-1, "yara");
    for (int i = 1; i <= 9; i++) {
        assert_int_equal(sensor_tally_hit(&t, "yara", "greedy", true), i <= STORM_RULE_PER_RULE);
        assert_int_equal(t.news, i > STORM_RULE_PER_RULE);
    }
    sensor_tally_tell(&t, &m);
    assert_string_equal(m.rule, "greedy");
    assert_string_equal(m.family, "yara");
    assert_int_equal(m.rule_detections, 9);
    assert_int_equal(m.observed, 4);
}

TEST(many_rules_share_the_budget_of_all)
{
    int acted = 0;
    begin(-1, "yara");
    for (int i = 0; i < 2000; i++) { /* more rules than the table holds */
        char rule[24];
        (void)snprintf(rule, sizeof(rule), "rule%d", i);
        acted += sensor_tally_hit(&t, "yara", rule, true);
    }
    assert_int_equal(acted, STORM_RULE_IN_ALL);
    assert_true(t.told);
}

TEST(alerts_count_and_spend_nothing)
{
    begin(-1, "yara");
    for (int i = 0; i < 4; i++) {
        (void)sensor_tally_hit(&t, "yara", "loud", false);
    }
    assert_int_equal(t.acted, 0);
    assert_true(sensor_tally_hit(&t, "yara", "other", true));
    assert_int_equal(t.acted, 1);
    assert_false(t.told);
}

TEST(proven_families_act_beside_one_on_trial)
{
    struct sensor_message m = {.type = SENSOR_STATS};
    begin(-1, "yara");
    for (int i = 0; i < 50; i++) {
        assert_true(sensor_tally_hit(&t, "template", "proven", true));
    }
    (void)sensor_tally_hit(&t, "yara", "fresh", true);
    sensor_tally_tell(&t, &m);
    assert_string_equal(m.rule, "fresh"); /* only what is on trial is judged by its rules */
    assert_false(t.told);
}

TEST(the_agent_ends_a_trial_by_emptying_its_mark_and_nothing_else_does)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(rw_fd) rw_fd set = open(d.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    begin(set, "yara");
    for (int i = 0; i < STORM_RULE_PER_RULE; i++) {
        assert_true(sensor_tally_hit(&t, "yara", "greedy", true));
    }
    assert_false(sensor_tally_hit(&t, "yara", "greedy", true)); /* the mark is gone with its set */
    MUST(rw_file_replace_at(set, "trial", 0600, rw_span_str("yara"), &err));
    assert_false(sensor_tally_hit(&t, "yara", "greedy", true));
    MUST(rw_file_replace_at(set, "trial", 0600, rw_span_of("", 0), &err));
    assert_true(sensor_tally_hit(&t, "yara", "greedy", true));
    assert_int_equal(t.observed, 2);
}

static const struct budget_case {
    const char *id, *text;
    enum rw_code want;
    int64_t per_rule, in_all;
} budgets[] = {
    {"none", NULL, RW_E_NONE, STORM_RULE_PER_RULE, STORM_RULE_IN_ALL},
    {"given", "0,7", RW_E_NONE, 0, 7},
    {"one number", "7", RW_E_CONFIG, 0, 0},
    {"three", "1,2,3", RW_E_SYNTAX, 0, 0},
    {"negative", "-1,2", RW_E_SYNTAX, 0, 0},
    {"too large", "1,1000001", RW_E_RANGE, 0, 0},
    {"words", "a,b", RW_E_SYNTAX, 0, 0},
};

TEST_EACH(budgets_of_the_environment_are_exact_or_refused, budgets)
{
    struct storm_rule_budget b = {.per_rule = -1};
    MUST_FAIL(sensor_tally_budget(it->text, &b, &err), it->want);
    if (it->want != RW_E_NONE) { return; }
    assert_int_equal(b.per_rule, it->per_rule);
    assert_int_equal(b.in_all, it->in_all);
}

RUN_TESTS(cmocka_unit_test(one_rule_acts_five_times_and_then_only_watches),
          cmocka_unit_test(many_rules_share_the_budget_of_all),
          cmocka_unit_test(alerts_count_and_spend_nothing),
          cmocka_unit_test(proven_families_act_beside_one_on_trial),
          cmocka_unit_test(the_agent_ends_a_trial_by_emptying_its_mark_and_nothing_else_does),
          cmocka_unit_test(budgets_of_the_environment_are_exact_or_refused))
