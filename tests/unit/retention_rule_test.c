/* Goal: retention comes as often as the settings say, sooner after what kept it from it, and never all the time. */
#include "server/retention_rule.c"

#include "tests/harness.h"

enum { DAY_MS = 86400000 };

static const struct wait_case {
    const char *id;
    int64_t every_ms;
    enum retention_outcome outcome;
    int64_t want_ms;
} waits[] = {
    {"done_comes_again_as_the_settings_say", DAY_MS, RETENTION_DONE, DAY_MS},
    {"a_start_lets_everything_else_go_first", DAY_MS, RETENTION_BEGUN, 300000},
    {"a_backup_is_waited_for", DAY_MS, RETENTION_LATER, 60000},
    {"a_failure_is_not_tried_all_the_time", DAY_MS, RETENTION_FAILED, 3600000},
    {"the_other_node_is_watched", DAY_MS, RETENTION_FOREIGN, 1000},
    {"never_later_than_the_settings_say", 2000, RETENTION_FAILED, 2000},
    {"a_start_too", 2000, RETENTION_BEGUN, 2000},
    {"a_short_time_is_kept_for_a_foreign_node", 500, RETENTION_FOREIGN, 500},
};

TEST_EACH(the_wait, waits)
{
    assert_int_equal(retention_rule_wait_ms(it->every_ms, it->outcome), it->want_ms);
}

RUN_TESTS(cmocka_unit_test(the_wait))
