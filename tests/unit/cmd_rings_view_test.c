/* Goal: the numbers by which `rings check` warns are the gate's own. */
#include "common/policy/gate_rule.h"
#include "server/cli/cmd_rings_view.h"
#include "tests/harness.h"

static const struct needed {
    const char *id;
    int64_t limit_bp;
    int64_t min_healthy;
    bool minimum_rules; /* min_healthy is the larger one */
} needed[] = {
    {"limit of two percent asks for more than 150", 200, 150, false},
    {"a high minimum rules", 200, 1000, true},
    {"a lax limit leaves the minimum", 9000, 10, true},
};

TEST_EACH(a_pass_takes_what_limit_and_minimum_ask_for, needed)
{
    const struct ring_policy_ring ring = {.gate_limit_bp = it->limit_bp,
                                          .gate_min_healthy = it->min_healthy};
    int64_t n = cmd_rings_needed(&ring, 0);
    double limit = (double)it->limit_bp / 10000.0;
    assert_true(n >= it->min_healthy);
    assert_int_equal(n == it->min_healthy, it->minimum_rules);
    /* That many without a failure pass the gate's bound; one fewer would not, or the minimum forbids it. */
    assert_true(gate_rule_upper(0, n, GATE_RULE_ALPHA) <= limit);
    if (!it->minimum_rules) { assert_true(gate_rule_upper(0, n - 1, GATE_RULE_ALPHA) > limit); }
}

TEST(one_failure_asks_for_more_than_a_small_ring_of_staff_has)
{
    const struct ring_policy_ring staff = {.gate_limit_bp = 2500, .gate_min_healthy = 10};
    const struct ring_policy_ring lax = {.gate_limit_bp = 9000, .gate_min_healthy = 10};
    assert_int_equal(cmd_rings_needed(&staff, 0), 11);
    assert_int_equal(cmd_rings_needed(&staff, 1), 27);
    assert_true(gate_rule_upper(1, 27, GATE_RULE_ALPHA) <= 0.25);
    assert_true(gate_rule_upper(1, 26, GATE_RULE_ALPHA) > 0.25);
    assert_int_equal(cmd_rings_needed(&lax, 1), 11); /* ten healthy ones beside it */
}

TEST(members_follow_the_buckets)
{
    const struct ring_policy_ring share = {
        .select = RING_BY_SHARE, .bucket_lo = 0, .bucket_hi = 100};
    const struct ring_policy_ring by_hand = {.select = RING_BY_HAND};
    assert_int_equal(cmd_rings_members(&share, 5000), 50);
    assert_int_equal(cmd_rings_members(&share, 99), 0);
    assert_int_equal(cmd_rings_members(&share, 1000000000), 10000000);
    assert_int_equal(cmd_rings_members(&by_hand, 5000), -1);
}

RUN_TESTS(cmocka_unit_test(a_pass_takes_what_limit_and_minimum_ask_for),
          cmocka_unit_test(one_failure_asks_for_more_than_a_small_ring_of_staff_has),
          cmocka_unit_test(members_follow_the_buckets))
