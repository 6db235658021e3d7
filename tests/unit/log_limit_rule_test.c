/* Goal: strangers cannot fill the log, and what was left out is told. */
#include "server/api/log_limit_rule.h"
#include "tests/harness.h"

TEST(so_many_lines_in_an_interval_and_the_others_are_counted)
{
    struct log_limit_rule l = {.lines = 0};
    uint64_t left_out = 7;
    for (int64_t i = 0; i < 1000; i++) {
        bool may = log_limit_rule_next(&l, (struct rw_mono){50 + i}, &left_out);
        assert_int_equal(may, i < LOG_LIMIT_RULE_LINES);
        assert_int_equal(left_out, 0);
    }
    struct rw_mono next = {50 + LOG_LIMIT_RULE_INTERVAL_MS};
    assert_true(log_limit_rule_next(&l, next, &left_out));
    assert_int_equal(left_out, 1000 - LOG_LIMIT_RULE_LINES);
    assert_true(log_limit_rule_next(&l, next, &left_out));
    assert_int_equal(left_out, 0);
}

RUN_TESTS(cmocka_unit_test(so_many_lines_in_an_interval_and_the_others_are_counted))
