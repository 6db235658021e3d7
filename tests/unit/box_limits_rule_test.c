/* Goal: the bounds against the release before hold exactly where they are said to, floors included, and grow with the
 * number of releases that lie between. */
#include "agent/prove/box_limits_rule.h"
#include "tests/harness.h"

typedef bool rule(struct box_limits_rule_pair p, char reason[static BOX_LIMITS_REASON_BYTES]);

enum { MIB = 1024 };

static const struct {
    const char *id;
    rule *judge;
    int64_t now, before, steps;
    bool ok;
} cases[] = {
    {"the same size", box_limits_rule_size, 400000, 400000, 1, true},
    {"4 times as large", box_limits_rule_size, 400000, 100000, 1, true},
    {"a byte more than that", box_limits_rule_size, 400001, 100000, 1, false},
    {"any multiple of little", box_limits_rule_size, 65536, 1, 1, true},
    {"16 times over two releases", box_limits_rule_size, 1600000, 100000, 2, true},
    {"a byte more over two releases", box_limits_rule_size, 1600001, 100000, 2, false},
    {"a tenth", box_limits_rule_size, 10000, 100000, 1, true},
    {"less than a tenth", box_limits_rule_size, 9999, 100000, 1, false},
    {"nothing left", box_limits_rule_size, 0, 5000, 1, false},
    {"little to begin with", box_limits_rule_size, 0, 4096, 1, true},
    {"a hundredth over two releases", box_limits_rule_size, 1000, 100000, 2, true},
    {"the largest there is", box_limits_rule_size, INT64_MAX, INT64_MAX / 4, 1, false},
    {"as many rules", box_limits_rule_count, 1000, 1000, 1, true},
    {"twice as many", box_limits_rule_count, 2000, 1000, 1, true},
    {"one more than that", box_limits_rule_count, 2001, 1000, 1, false},
    {"half as many", box_limits_rule_count, 500, 1000, 1, true},
    {"one less than that", box_limits_rule_count, 499, 1000, 1, false},
    {"20 more than one", box_limits_rule_count, 21, 1, 1, true},
    {"21 more than one", box_limits_rule_count, 22, 1, 1, false},
    {"20 fewer", box_limits_rule_count, 1, 21, 1, true},
    {"twice as much memory, but little", box_limits_rule_memory, 32 * MIB, 16 * MIB, 1, true},
    {"16 MiB and a half more", box_limits_rule_memory, 100 * MIB, 67 * MIB, 1, true},
    {"both too much", box_limits_rule_memory, 102 * MIB, 67 * MIB, 1, false},
    {"much more, but not in ratio", box_limits_rule_memory, 600 * MIB, 500 * MIB, 1, true},
    {"CPU 2.5 times", box_limits_rule_cpu, 1000, 400, 1, true},
    {"CPU more than that", box_limits_rule_cpu, 1001, 400, 1, false},
    {"CPU of nothing", box_limits_rule_cpu, 250, 0, 1, true},
    {"a slow sample that was slow", box_limits_rule_slowest, 500000, 100000, 1, true},
    {"a slow sample that was not", box_limits_rule_slowest, 500001, 100000, 1, false},
    {"a sample that is quick enough", box_limits_rule_slowest, 100000, 10, 1, true},
};

TEST_EACH(bounds_hold_where_they_are_said_to, cases)
{
    char reason[BOX_LIMITS_REASON_BYTES];
    bool ok = it->judge((struct box_limits_rule_pair){it->now, it->before, it->steps}, reason);
    assert_int_equal(ok, it->ok);
    assert_int_equal(reason[0] == '\0', it->ok);
    if (!ok) { assert_non_null(strstr(reason, "the release before")); }
}

static const struct {
    const char *id;
    int64_t hits, files;
    bool ok;
} alerts[] = {
    {"none", 0, 0, true},
    {"one of 999", 1, 999, false},
    {"one of 1000", 1, 1000, true},
    {"two of 1900", 2, 1900, false},
    {"more than there are", 5, 1, false},
};

TEST_EACH(alerting_rules_may_be_wrong_once_in_a_thousand, alerts)
{
    char reason[BOX_LIMITS_REASON_BYTES];
    assert_int_equal(box_limits_rule_alerts(it->hits, it->files, reason), it->ok);
}

/* Whatever the release before needs: what is small can fail no comparison. */
TEST(what_is_small_needs_no_second_measure)
{
    char reason[BOX_LIMITS_REASON_BYTES];
    assert_true(box_limits_rule_is_small(16 * MIB, 250, 100000));
    assert_false(box_limits_rule_is_small(16 * MIB + 1, 250, 100000));
    assert_false(box_limits_rule_is_small(16 * MIB, 251, 100000));
    assert_false(box_limits_rule_is_small(16 * MIB, 250, 100001));
    assert_true(box_limits_rule_memory((struct box_limits_rule_pair){16 * MIB, 0, 1}, reason));
    assert_true(box_limits_rule_cpu((struct box_limits_rule_pair){250, 0, 1}, reason));
    assert_true(box_limits_rule_slowest((struct box_limits_rule_pair){100000, 0, 1}, reason));
}

RUN_TESTS(cmocka_unit_test(bounds_hold_where_they_are_said_to),
          cmocka_unit_test(alerting_rules_may_be_wrong_once_in_a_thousand),
          cmocka_unit_test(what_is_small_needs_no_second_measure))
