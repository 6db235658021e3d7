/* Goal: what an endpoint calls slow. */
#include "common/policy/slow_rule.h"

#include "tests/harness.h"

enum { MIB = 1024 };

static const struct {
    const char *id;
    struct slow_rule_counts before;
    struct slow_rule_counts now;
    enum slow_rule want;
} cases[] = {
    {"as before", {100, 100000, 64 * MIB}, {100, 100000, 64 * MIB}, SLOW_NO},
    {"four times, but nobody feels it", {100, 100000, 0}, {100, 400000, 0}, SLOW_NO},
    {"a little more than twice", {100, 1000000, 0}, {100, 2500000, 0}, SLOW_NO},
    {"four times", {100, 1000000, 0}, {100, 4000000, 0}, SLOW_SCAN},
    {"just below", {100, 1000000, 0}, {100, 3999999, 0}, SLOW_NO},
    {"too few scans now", {100, 100000, 0}, {7, 7000000, 0}, SLOW_NO},
    {"too few scans before", {7, 100, 0}, {100, 7000000, 0}, SLOW_NO},
    {"few of each", {8, 8000, 0}, {8, 320000, 0}, SLOW_SCAN},
    {"both sets in memory", {0, 0, 100 * MIB}, {0, 0, 328 * MIB}, SLOW_NO},
    {"more than that", {0, 0, 100 * MIB}, {0, 0, 328 * MIB + 1}, SLOW_MEMORY},
    {"memory before unknown", {0, 0, 0}, {0, 0, 4096 * MIB}, SLOW_NO},
    {"a lying sensor", {INT64_MAX, 0, INT64_MAX}, {INT64_MAX, INT64_MAX, INT64_MAX}, SLOW_NO},
};

TEST_EACH(slow_is_far_dearer_than_the_release_before, cases)
{
    assert_int_equal(slow_rule_decide(SLOW_RULE_FACTOR, &it->before, &it->now), it->want);
}

RUN_TESTS(cmocka_unit_test(slow_is_far_dearer_than_the_release_before))
