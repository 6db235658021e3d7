/* Goal: approval counts distinct public keys; the author's vote never suffices alone; a threshold of nothing
 * approves nothing. */
#include "server/release/approval_rule.h"
#include "tests/harness.h"

/* Signers by letter, one per public key; capital: handed in by the author. */
static const struct approval_case {
    const char *id;
    const char *signers;
    int64_t threshold;
    bool approved;
    int64_t votes;
    int64_t needed;
} approval_cases[] = {
    {"two_of_two_approve", "ab", 2, true, 2, 2},
    {"one_of_two_does_not", "a", 2, false, 1, 2},
    {"nobody_does_not", "", 1, false, 0, 1},
    {"the_same_key_twice_votes_once", "aa", 2, false, 1, 2},
    {"one_of_one_approves", "a", 1, true, 1, 1},
    {"the_author_alone_does_not_even_where_one_suffices", "A", 1, false, 1, 2},
    {"the_author_twice_is_still_alone", "AA", 1, false, 1, 2},
    {"the_author_and_another_approve", "Ab", 1, true, 2, 2},
    {"the_author_counts_towards_the_threshold", "Ab", 2, true, 2, 2},
    {"the_author_does_not_lower_a_higher_threshold", "Ab", 3, false, 2, 3},
    {"three_of_three_approve", "abc", 3, true, 3, 3},
    {"more_than_enough_approve", "abcd", 2, true, 4, 2},
    {"a_threshold_of_zero_never_approves", "ab", 0, false, 2, 0},
    {"a_negative_threshold_never_approves", "ab", -1, false, 2, -1},
};

TEST_EACH(approval_counts_distinct_people, approval_cases)
{
    struct approval_rule_signature signatures[8];
    size_t n = strlen(it->signers);
    for (size_t i = 0; i < n; i++) {
        char c = it->signers[i];
        bool author = c >= 'A' && c <= 'Z';
        signatures[i] = (struct approval_rule_signature){
            .voter = (size_t)(author ? c - 'A' : c - 'a'), .by_author = author};
    }
    const struct approval_rule_result r = approval_rule_decide(signatures, n, it->threshold);
    assert_int_equal(r.approved, it->approved);
    assert_int_equal(r.votes, it->votes);
    assert_int_equal(r.needed, it->needed);
}

RUN_TESTS(cmocka_unit_test(approval_counts_distinct_people))
