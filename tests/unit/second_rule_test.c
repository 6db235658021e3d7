/* Goal: who asked never confirms, a lapsed or decided request moves nothing, everyone may refuse. */
#include "server/rollout/second_rule.h"
#include "tests/harness.h"

static const struct decide_case {
    const char *id;
    enum second_rule_state state;
    const char *who;
    bool confirms;
    enum second_rule_answer want;
} cases[] = {
    {"another_person_confirms", SECOND_OPEN, "bob", true, SECOND_MAY},
    {"the_asker_does_not", SECOND_OPEN, "ada", true, SECOND_SAME_PERSON},
    {"nobody_does_not", SECOND_OPEN, "", true, SECOND_SAME_PERSON},
    {"the_asker_takes_it_back", SECOND_OPEN, "ada", false, SECOND_MAY},
    {"another_person_refuses", SECOND_OPEN, "bob", false, SECOND_MAY},
    {"too_late", SECOND_EXPIRED, "bob", true, SECOND_TOO_LATE},
    {"too_late_to_refuse", SECOND_EXPIRED, "bob", false, SECOND_TOO_LATE},
    {"confirmed_once_only", SECOND_CONFIRMED, "bob", true, SECOND_DECIDED},
    {"refused_stays_refused", SECOND_REFUSED, "bob", true, SECOND_DECIDED},
};

TEST_EACH(a_second_person_decides, cases)
{
    assert_int_equal(second_rule_decide(it->state, "ada", it->who, it->confirms), it->want);
}

static const struct now_case {
    const char *id;
    enum second_rule_state stored;
    int64_t now_s;
    enum second_rule_state want;
} times[] = {
    {"before_the_end", SECOND_OPEN, 99, SECOND_OPEN},
    {"at_the_end", SECOND_OPEN, 100, SECOND_EXPIRED},
    {"confirmed_never_lapses", SECOND_CONFIRMED, 1000, SECOND_CONFIRMED},
    {"refused_never_lapses", SECOND_REFUSED, 1000, SECOND_REFUSED},
};

TEST_EACH(a_request_lapses_by_itself, times)
{
    assert_int_equal(
        second_rule_now(it->stored, (struct rw_wall){100}, (struct rw_wall){it->now_s}), it->want);
}

RUN_TESTS(cmocka_unit_test(a_second_person_decides), cmocka_unit_test(a_request_lapses_by_itself))
