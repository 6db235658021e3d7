/* Goal: patterns mean what they say, waiting grows and has a ceiling, only what is too much is given up. */
#include "server/report/webhook_rule.h"
#include "tests/harness.h"

static const struct want_case {
    const char *id, *events, *action;
    bool wants;
} wants[] = {
    {"all", "*", "rollout.halt", true},
    {"exact", "rollout.halt", "rollout.halt", true},
    {"prefix_is_not_enough", "rollout.h", "rollout.halt", false},
    {"longer_is_not_it", "rollout.halted", "rollout.halt", false},
    {"star", "rollout.*", "rollout.halt", true},
    {"another", "release.*", "rollout.halt", false},
    {"second_of_the_list", "alarm.raise,rollout.*", "rollout.halt", true},
    {"none_of_the_list", "alarm.raise,release.*", "rollout.halt", false},
};

TEST_EACH(a_target_gets_what_it_asked_for, wants)
{
    assert_int_equal(webhook_rule_wants(it->events, it->action), it->wants);
}

static const struct list_case {
    const char *id, *events;
    bool ok;
} lists[] = {
    {"all", "*", true},          {"two", "a.b,c.*", true},          {"empty", "", false},
    {"hole", "a.b,,c", false},   {"trailing_comma", "a.b,", false}, {"star_in_front", "*.b", false},
    {"two_stars", "a**", false}, {"blank", "a.b, c", false},        {"capital", "Rollout.*", false},
};

TEST_EACH(a_list_that_would_match_nothing_is_refused, lists)
{
    assert_int_equal(webhook_rule_list_ok(it->events), it->ok);
}

TEST(waiting_doubles_with_jitter_up_to_its_ceiling)
{
    assert_int_equal(webhook_rule_wait_ms(1, 0, -1), 500);
    assert_int_equal(webhook_rule_wait_ms(1, UINT32_MAX, -1), 1000);
    assert_int_equal(webhook_rule_wait_ms(4, UINT32_MAX, -1), 8000);
    assert_int_equal(webhook_rule_wait_ms(1000000, UINT32_MAX, -1), WEBHOOK_RULE_WAIT_MAX_MS);
    assert_int_equal(webhook_rule_wait_ms(1000000, 0, -1), WEBHOOK_RULE_WAIT_MAX_MS / 2);
}

TEST(a_receiver_may_ask_for_more_time_but_not_for_ever)
{
    assert_int_equal(webhook_rule_wait_ms(1, 0, 30), 30000);
    assert_int_equal(webhook_rule_wait_ms(5, UINT32_MAX, 1), 16000);
    assert_int_equal(webhook_rule_wait_ms(1, 0, INT64_MAX), WEBHOOK_RULE_WAIT_MAX_MS);
}

TEST(only_what_is_too_much_is_given_up)
{
    assert_int_equal(webhook_rule_drop(90, 100, 10), 0);
    assert_int_equal(webhook_rule_drop(89, 100, 10), 1);
    assert_int_equal(webhook_rule_drop(100, 100, 10), 0);
}

RUN_TESTS(cmocka_unit_test(a_target_gets_what_it_asked_for),
          cmocka_unit_test(a_list_that_would_match_nothing_is_refused),
          cmocka_unit_test(waiting_doubles_with_jitter_up_to_its_ceiling),
          cmocka_unit_test(a_receiver_may_ask_for_more_time_but_not_for_ever),
          cmocka_unit_test(only_what_is_too_much_is_given_up))
