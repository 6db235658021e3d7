/* Goal: a token is renewed long before it ends, and whoever missed that is refused at a known moment. */
#include "server/api/token_rule.h"

#include "tests/harness.h"

enum { DAY = 86400 };

static const struct life_case {
    const char *id;
    int64_t life_s, since_s, overlap_s, issued_s, now_s;
    enum token_rule_state want;
} lives[] = {
    {"new", 90 * DAY, 0, 0, 1000, 1000, TOKEN_GOOD},
    {"last second of its first half", 90 * DAY, 0, 0, 0, 45 * DAY - 1, TOKEN_GOOD},
    {"second half", 90 * DAY, 0, 0, 0, 45 * DAY, TOKEN_RENEW},
    {"last second", 90 * DAY, 0, 0, 0, 90 * DAY - 1, TOKEN_RENEW},
    {"over", 90 * DAY, 0, 0, 0, 90 * DAY, TOKEN_OVER},
    {"no ageing", 0, 0, 0, 0, 4000 * (int64_t)DAY, TOKEN_GOOD},
    {"of the future", 90 * DAY, 0, 0, 100 * DAY, 1, TOKEN_GOOD},
    {"called in", 0, 10 * DAY, 7 * DAY, 9 * DAY, 10 * DAY, TOKEN_RENEW},
    {"called in, last second of the overlap", 0, 10 * DAY, 7 * DAY, 9 * DAY, 17 * DAY - 1,
     TOKEN_RENEW},
    {"called in, overlap over", 0, 10 * DAY, 7 * DAY, 9 * DAY, 17 * DAY, TOKEN_OVER},
    {"issued after the call", 0, 10 * DAY, 7 * DAY, 10 * DAY, 900 * DAY, TOKEN_GOOD},
    {"called in for a later day", 0, 10 * DAY, 0, 9 * DAY, 9 * DAY, TOKEN_RENEW},
    {"no overlap", 0, 10 * DAY, 0, 9 * DAY, 10 * DAY, TOKEN_OVER},
};

TEST_EACH(age_and_call_decide, lives)
{
    const struct token_rule_life l = {
        .life_s = it->life_s, .since = {it->since_s}, .overlap_s = it->overlap_s};
    assert_int_equal(
        token_rule_judge(&l, (struct rw_wall){it->issued_s}, (struct rw_wall){it->now_s}),
        it->want);
}

RUN_TESTS(cmocka_unit_test(age_and_call_decide))
