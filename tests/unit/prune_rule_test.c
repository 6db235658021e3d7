/* Goal: only what is proven to be of no use goes; a root, what is in force, young or unknown stays. */
#include "server/prune_rule.c"

#include "tests/harness.h"

enum { NOW = 1000000, AGE = 1000 };

static const struct prune_limits limits = {.now_s = NOW, .age_s = AGE, .keep = 3};

static const struct metadata_case {
    const char *id;
    struct prune_metadata m;
    enum prune_verdict want;
} metadata[] = {
    {"old_and_replaced_long_ago_goes", {false, true, 1, 9, 3, NOW - AGE}, PRUNE_GO},
    {"a_root_stays_whatever_its_age", {true, true, 1, 9, 8, 0}, PRUNE_REFERRED},
    {"a_root_needs_no_list", {true, false, 1, 0, 8, 0}, PRUNE_REFERRED},
    {"the_version_in_force_stays", {false, true, 9, 9, 5, 0}, PRUNE_REFERRED},
    {"one_that_is_being_published_stays", {false, true, 10, 9, 5, 0}, PRUNE_REFERRED},
    {"a_role_that_is_not_listed_is_unknown", {false, false, 1, 0, 8, 0}, PRUNE_UNKNOWN},
    {"the_newest_few_stay", {false, true, 1, 9, 2, 0}, PRUNE_FEW},
    {"replaced_a_second_too_late_stays", {false, true, 1, 9, 3, NOW - AGE + 1}, PRUNE_YOUNG},
    {"replaced_in_the_future_stays", {false, true, 1, 9, 3, NOW + 5 * AGE}, PRUNE_YOUNG},
};

TEST_EACH(a_version_of_metadata, metadata)
{
    assert_int_equal(prune_rule_metadata(&limits, &it->m), it->want);
}

static const struct staging_case {
    const char *id;
    struct prune_staging s;
    enum prune_verdict want;
} staging[] = {
    {"published_and_overtaken_goes", {{true, RELEASE_PUBLISHED}, false, false, 3, 0}, PRUNE_GO},
    {"refused_goes", {{true, RELEASE_REFUSED}, false, false, 0, 0}, PRUNE_GO},
    {"withdrawn_goes", {{true, RELEASE_WITHDRAWN}, false, false, 0, NOW - AGE}, PRUNE_GO},
    {"the_measure_of_the_next_stays", {{true, RELEASE_PUBLISHED}, false, false, 2, 0}, PRUNE_FEW},
    {"a_draft_stays", {{true, RELEASE_DRAFT}, false, false, 9, 0}, PRUNE_OPEN},
    {"one_that_is_checked_now_stays", {{true, RELEASE_CHECKING}, false, true, 9, 0}, PRUNE_OPEN},
    {"one_that_waits_for_signatures_stays",
     {{true, RELEASE_CHECKED}, false, false, 9, 0},
     PRUNE_OPEN},
    {"one_that_waits_for_publishing_stays",
     {{true, RELEASE_APPROVED}, false, false, 9, 0},
     PRUNE_OPEN},
    {"a_check_beside_it_keeps_it", {{true, RELEASE_PUBLISHED}, false, true, 9, 0}, PRUNE_OPEN},
    {"young_stays", {{true, RELEASE_WITHDRAWN}, false, false, 9, NOW - AGE + 1}, PRUNE_YOUNG},
    {"without_a_record_it_is_unknown",
     {{false, RELEASE_PUBLISHED}, false, false, 9, 0},
     PRUNE_UNKNOWN},
    {"the_release_in_place_stays", {{true, RELEASE_PUBLISHED}, true, false, 9, 0}, PRUNE_REFERRED},
    {"withdrawn_goes_though_old_ones_list_it",
     {{true, RELEASE_WITHDRAWN}, true, false, 0, 0},
     PRUNE_GO},
};

TEST_EACH(a_folder_of_staging, staging)
{
    assert_int_equal(prune_rule_staging(&limits, &it->s), it->want);
}

static const struct payload_case {
    const char *id;
    struct prune_payload p;
    enum prune_verdict want;
} payloads[] = {
    {"published_once_and_not_listed_goes", {{true, RELEASE_PUBLISHED}, false, 0}, PRUNE_GO},
    {"withdrawn_goes", {{true, RELEASE_WITHDRAWN}, false, NOW - AGE}, PRUNE_GO},
    {"listed_stays", {{true, RELEASE_PUBLISHED}, true, 0}, PRUNE_REFERRED},
    {"listed_stays_without_a_record", {{false, 0}, true, 0}, PRUNE_REFERRED},
    {"about_to_be_listed_stays", {{true, RELEASE_APPROVED}, false, 0}, PRUNE_OPEN},
    {"young_stays", {{true, RELEASE_WITHDRAWN}, false, NOW - AGE + 1}, PRUNE_YOUNG},
    {"without_a_record_it_is_unknown", {{false, RELEASE_PUBLISHED}, false, 0}, PRUNE_UNKNOWN},
};

TEST_EACH(a_payload, payloads)
{
    assert_int_equal(prune_rule_payload(&limits, &it->p), it->want);
}

static const struct delta_case {
    const char *id;
    struct prune_delta d;
    enum prune_verdict want;
} deltas[] = {
    {"to_nothing_goes", {false, 0}, PRUNE_GO},
    {"to_what_stays_stays", {true, 0}, PRUNE_REFERRED},
    {"young_stays", {false, NOW}, PRUNE_YOUNG},
};

TEST_EACH(a_difference, deltas)
{
    assert_int_equal(prune_rule_delta(&limits, &it->d), it->want);
}

static const struct policy_case {
    const char *id;
    struct prune_policy p;
    enum prune_verdict want;
} policies[] = {
    {"that_nothing_lists_goes", {false, NOW - AGE}, PRUNE_GO},
    {"that_a_version_lists_stays", {true, 0}, PRUNE_REFERRED},
    {"that_targets_are_about_to_list_stays", {false, NOW - AGE + 1}, PRUNE_YOUNG},
};

TEST_EACH(a_policy, policies)
{
    assert_int_equal(prune_rule_policy(&limits, &it->p), it->want);
}

static void age_zero_takes_what_is_not_ahead(void **state)
{
    const struct prune_limits none = {.now_s = NOW, .age_s = 0, .keep = 1};
    (void)state;
    assert_int_equal(prune_rule_delta(&none, &(struct prune_delta){false, NOW}), PRUNE_GO);
    assert_int_equal(prune_rule_delta(&none, &(struct prune_delta){false, NOW + 1}), PRUNE_YOUNG);
}

static void every_verdict_has_words(void **state)
{
    (void)state;
    for (enum prune_verdict v = PRUNE_GO; v < PRUNE_VERDICTS; v++) {
        assert_non_null(prune_rule_why(v));
    }
}

RUN_TESTS(cmocka_unit_test(a_version_of_metadata), cmocka_unit_test(a_folder_of_staging),
          cmocka_unit_test(a_payload), cmocka_unit_test(a_difference), cmocka_unit_test(a_policy),
          cmocka_unit_test(age_zero_takes_what_is_not_ahead),
          cmocka_unit_test(every_verdict_has_words))
