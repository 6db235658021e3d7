/* Goal: a release becomes public only by way of checked and approved; only a final "accepted" opens (INV-3). */
#include "server/release/release_rule.h"
#include "tests/harness.h"

static const struct verdict_case {
    const char *id;
    const char *verdict;
    bool is_final;
    enum release_state want;
} verdict_cases[] = {
    {"accepted_and_final_opens", "accepted", true, RELEASE_CHECKED},
    {"accepted_but_not_final_does_not", "accepted", false, RELEASE_DRAFT},
    {"refused_is_spent", "refused", true, RELEASE_REFUSED},
    {"crashed_is_spent", "crashed", true, RELEASE_REFUSED},
    {"timed_out_is_spent", "timed_out", true, RELEASE_REFUSED},
    {"a_timeout_that_is_not_final_is_tried_again", "timed_out", false, RELEASE_DRAFT},
    {"no_verdict_is_tried_again", "sandbox_error", false, RELEASE_DRAFT},
    {"a_final_sandbox_error_never_opens", "sandbox_error", true, RELEASE_REFUSED},
    {"an_unknown_word_never_opens", "fine", true, RELEASE_REFUSED},
    {"a_word_that_begins_like_accepted_never_opens", "accepted2", true, RELEASE_REFUSED},
    {"an_empty_word_never_opens", "", true, RELEASE_REFUSED},
};

TEST_EACH(only_a_final_accepted_opens, verdict_cases)
{
    assert_int_equal(release_rule_after_check(release_rule_judge(it->verdict, it->is_final)),
                     it->want);
}

/* Walks the table from draft without passing `without`; true when `goal` can be reached. */
static bool reachable(int goal, int without)
{
    bool seen[RELEASE_WITHDRAWN + 1] = {[RELEASE_DRAFT] = true};
    for (int round = 0; round <= RELEASE_WITHDRAWN; round++) {
        for (int from = 0; from <= RELEASE_WITHDRAWN; from++) {
            for (int to = 0; seen[from] && to <= RELEASE_WITHDRAWN; to++) {
                if (to != without && sm_may(&release_rule_states, from, to)) { seen[to] = true; }
            }
        }
    }
    return seen[goal];
}

TEST(nothing_is_published_around_checked_or_approved)
{
    assert_true(reachable(RELEASE_PUBLISHED, -1));
    assert_false(reachable(RELEASE_PUBLISHED, RELEASE_CHECKED));
    assert_false(reachable(RELEASE_PUBLISHED, RELEASE_APPROVED));
}

TEST(a_refused_or_withdrawn_release_never_comes_back)
{
    for (int to = 0; to < RELEASE_WITHDRAWN; to++) {
        assert_false(sm_may(&release_rule_states, RELEASE_REFUSED, to));
        assert_false(sm_may(&release_rule_states, RELEASE_WITHDRAWN, to));
    }
}

TEST(states_have_the_names_of_the_protocol)
{
    static const char *const names[] = {"draft",    "checking",  "checked",  "refused",
                                        "approved", "published", "withdrawn"};
    for (int i = 0; i <= RELEASE_WITHDRAWN; i++) {
        assert_string_equal(sm_name(&release_rule_states, i), names[i]);
    }
}

RUN_TESTS(cmocka_unit_test(only_a_final_accepted_opens),
          cmocka_unit_test(nothing_is_published_around_checked_or_approved),
          cmocka_unit_test(a_refused_or_withdrawn_release_never_comes_back),
          cmocka_unit_test(states_have_the_names_of_the_protocol))
