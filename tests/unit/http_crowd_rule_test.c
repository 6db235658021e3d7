/* Goal: unfinished handshakes have a bounded share and lose their patience only in a crowd; memory goes back when a
 * crowd has gone, and not for every client that leaves. */
#include "server/api/http_crowd_rule.h"
#include "tests/harness.h"

static const struct share_case {
    const char *id;
    unsigned connections, workers, want;
} share_cases[] = {
    {"a quarter of all", 4000, 1, 1000},
    {"divided among workers", 4000, 4, 250},
    {"never more than the most", 1000000, 1, HTTP_CROWD_RULE_MOST},
    {"never more than the most, divided", 262144, 8, HTTP_CROWD_RULE_MOST / 8},
    {"few connections still let some in", 4, 2, HTTP_CROWD_RULE_LEAST},
};

TEST_EACH(newcomers_have_a_quarter_of_the_connections_within_bounds, share_cases)
{
    assert_int_equal(http_crowd_rule_share(it->connections, it->workers), it->want);
}

TEST(patience_is_short_in_a_crowd_only)
{
    /* 10 s for a head: of the last quarter of the share everybody has 2 s. */
    assert_false(http_crowd_rule_cuts(75, 100, 10000, 1));
    assert_true(http_crowd_rule_cuts(75, 100, 10000, 0));
    assert_false(http_crowd_rule_cuts(76, 100, 10000, 8001));
    assert_true(http_crowd_rule_cuts(76, 100, 10000, 8000));
}

TEST(memory_is_given_back_behind_a_crowd_only)
{
    assert_false(http_crowd_rule_gives_back(0, 0));
    assert_false(http_crowd_rule_gives_back(511, 0));
    assert_true(http_crowd_rule_gives_back(512, 0));
    assert_false(http_crowd_rule_gives_back(10000, 5001));
    assert_true(http_crowd_rule_gives_back(10000, 5000));
    assert_false(http_crowd_rule_gives_back(10, 4000000000U)); /* no wrap */
}

RUN_TESTS(cmocka_unit_test(newcomers_have_a_quarter_of_the_connections_within_bounds),
          cmocka_unit_test(patience_is_short_in_a_crowd_only),
          cmocka_unit_test(memory_is_given_back_behind_a_crowd_only))
