/* Goal: only what is over for long enough goes; what is in force, listed, wanted or of unknown age stays. */
#include "server/report/forget_rule.c"

#include "tests/harness.h"

enum { NOW = 1000000, AGE = 1000, OLD = NOW - AGE, YOUNG = OLD + 1 };

static const struct forget_limits limits = {.now_s = NOW, .age_s = AGE};

static const struct token_case {
    const char *id;
    struct forget_token t;
    bool want;
} tokens[] = {
    {"revoked_long_ago_goes", {true, OLD, false, 0}, true},
    {"revoked_lately_stays", {true, YOUNG, false, 0}, false},
    {"revoked_nobody_knows_when_stays", {true, 0, false, 0}, false},
    {"revoked_nobody_knows_when_but_over_for_long_goes", {true, 0, true, OLD}, true},
    {"one_time_and_over_for_long_goes", {false, 0, true, OLD}, true},
    {"one_time_and_over_lately_stays", {false, 0, true, YOUNG}, false},
    {"one_time_and_good_stays", {false, 0, true, NOW + 1}, false},
    {"in_force_stays", {false, 0, false, 0}, false},
    {"revoked_in_the_future_stays", {true, NOW + AGE, false, 0}, false},
};

TEST_EACH(a_token, tokens)
{
    assert_int_equal(forget_rule_token(&limits, &it->t), it->want);
}

static const struct order_case {
    const char *id;
    struct forget_order o;
    bool want;
} orders[] = {
    {"done_long_ago_goes", {true, OLD, 0}, true},
    {"done_lately_stays", {true, YOUNG, 0}, false},
    {"that_waits_for_signatures_stays", {false, 0, 0}, false},
    {"an_expedite_in_force_stays", {true, OLD, NOW + 1}, false},
    {"an_expedite_that_lapsed_goes", {true, OLD, NOW}, true},
};

TEST_EACH(an_order, orders)
{
    assert_int_equal(forget_rule_order(&limits, &it->o), it->want);
}

static const struct request_case {
    const char *id;
    struct forget_request r;
    bool want;
} requests[] = {
    {"decided_long_ago_goes", {true, OLD, NOW + 1}, true},
    {"decided_lately_stays", {true, YOUNG, OLD}, false},
    {"lapsed_long_ago_goes", {false, 0, OLD}, true},
    {"lapsed_lately_stays", {false, 0, YOUNG}, false},
    {"that_waits_stays", {false, 0, NOW + 1}, false},
};

TEST_EACH(a_request, requests)
{
    assert_int_equal(forget_rule_request(&limits, &it->r), it->want);
}

static const struct release_case {
    const char *id;
    struct forget_release r;
    bool want;
} releases[] = {
    {"over_and_old_goes", {true, false, OLD}, true},
    {"young_stays", {true, false, YOUNG}, false},
    {"on_its_way_stays", {false, false, OLD}, false},
    {"listed_stays", {true, true, OLD}, false},
};

TEST_EACH(a_release, releases)
{
    assert_int_equal(forget_rule_release(&limits, &it->r), it->want);
}

static const struct rollout_case {
    const char *id;
    struct forget_rollout r;
    bool want;
} rollouts[] = {
    {"over_and_followed_by_many_goes", {true, OLD, 64}, true},
    {"followed_by_few_stays", {true, OLD, 63}, false},
    {"under_way_stays", {false, OLD, 64}, false},
    {"not_ended_stays", {true, 0, 64}, false},
    {"young_stays", {true, YOUNG, 64}, false},
};

TEST_EACH(a_rollout, rollouts)
{
    assert_int_equal(forget_rule_rollout(&limits, &it->r), it->want);
}

TEST(age_zero_keeps_everything)
{
    const struct forget_limits none = {.now_s = NOW, .age_s = 0};
    const struct forget_token t = {true, 1, true, 1};
    const struct forget_rollout r = {true, 1, 1000};
    assert_false(forget_rule_token(&none, &t));
    assert_false(forget_rule_rollout(&none, &r));
}

RUN_TESTS(cmocka_unit_test(a_token), cmocka_unit_test(an_order), cmocka_unit_test(a_request),
          cmocka_unit_test(a_release), cmocka_unit_test(a_rollout),
          cmocka_unit_test(age_zero_keeps_everything))
