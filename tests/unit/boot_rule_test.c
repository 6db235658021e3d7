/* Goal: whatever crashes, the endpoint is back on a set that works within two restarts (INV-6). */
#include "agent/activate/boot_rule.h"

#include "tests/harness.h"

static const struct boot_case {
    const char *id;
    struct boot_rule_evidence e;
    int64_t unclean;
    enum boot_rule_slot slot;
    int64_t set;
} cases[] = {
    /* open, guarded, unclean, active, valid, fallback, valid, trial, stable, uncounted */
    {"first_start_ever",
     {false, false, 0, 0, true, 0, true, false, false, false},
     0,
     BOOT_ACTIVE,
     0},
    {"clean_start_forgets",
     {false, false, 2, 7, true, 6, true, false, false, false},
     0,
     BOOT_ACTIVE,
     7},
    {"first_unclean_start_tries_once_more",
     {true, false, 0, 7, true, 6, true, false, false, false},
     1,
     BOOT_ACTIVE,
     7},
    {"second_unclean_start_goes_back",
     {true, false, 1, 7, true, 6, true, false, false, false},
     2,
     BOOT_FALLBACK,
     6},
    {"third_unclean_start_goes_to_the_empty_set",
     {true, false, 2, 6, true, 5, true, false, false, false},
     3,
     BOOT_EMPTY,
     0},
    {"and_stays_there", {true, false, 9, 0, true, 0, true, false, false, false}, 10, BOOT_EMPTY, 0},
    {"a_start_that_was_guarded_counts_once",
     {true, true, 1, 7, true, 6, true, false, false, false},
     1,
     BOOT_ACTIVE,
     7},
    {"what_the_guard_went_back_to_stays",
     {true, true, 2, 6, true, 5, true, false, false, false},
     2,
     BOOT_ACTIVE,
     6},
    {"the_empty_set_that_the_guard_chose_stays",
     {true, true, 3, 0, true, 0, true, false, false, false},
     3,
     BOOT_ACTIVE,
     0},
    {"what_the_guard_chose_and_is_damaged_since_is_not_loaded",
     {true, true, 1, 6, false, 5, true, false, false, false},
     1,
     BOOT_FALLBACK,
     5},
    {"a_damaged_active_set_is_not_loaded",
     {false, false, 0, 7, false, 6, true, false, false, false},
     0,
     BOOT_FALLBACK,
     6},
    {"two_damaged_sets_leave_the_empty_one",
     {false, false, 0, 7, false, 6, false, false, false, false},
     0,
     BOOT_EMPTY,
     0},
    {"a_damaged_fallback_is_not_used",
     {true, false, 1, 7, true, 6, false, false, false, false},
     2,
     BOOT_EMPTY,
     0},
    {"the_active_set_is_no_fallback_of_itself",
     {true, false, 1, 7, true, 7, true, false, false, false},
     2,
     BOOT_EMPTY,
     0},
    {"uncounted_behind_an_unclean_start_goes_back_at_once",
     {true, false, 0, 7, true, 6, true, false, true, true},
     1,
     BOOT_FALLBACK,
     6},
    {"uncounted_without_a_fallback_goes_to_the_empty_set",
     {true, false, 0, 7, true, 6, false, false, false, true},
     1,
     BOOT_EMPTY,
     0},
    {"uncounted_is_not_what_a_guard_has_chosen_already",
     {true, true, 1, 7, true, 6, true, false, false, true},
     1,
     BOOT_FALLBACK,
     6},
    {"uncounted_behind_a_clean_end_tries",
     {false, false, 0, 7, true, 6, true, false, false, true},
     0,
     BOOT_ACTIVE,
     7},
    {"uncounted_does_not_go_on_with_a_trial",
     {false, false, 0, 7, true, 6, true, true, false, true},
     0,
     BOOT_FALLBACK,
     6},
    {"uncounted_leaves_the_empty_set_alone",
     {true, false, 0, 0, true, 0, true, false, false, true},
     1,
     BOOT_ACTIVE,
     0},
};

TEST_EACH(starts_choose_the_set, cases)
{
    struct boot_rule_result r = boot_rule_decide(&it->e);
    assert_int_equal(r.unclean, it->unclean);
    assert_int_equal(r.slot, it->slot);
    assert_int_equal(r.set, it->set);
    assert_true(r.reason[0] != '\0');
}

static const struct blame_case {
    const char *id;
    struct boot_rule_evidence e;
    bool blame;
} blames[] = {
    /* open, guarded, unclean, active, valid, fallback, valid, trial, stable, uncounted */
    {"what_stays_is_not_blamed", {true, false, 0, 7, true, 6, true, false, false, false}, false},
    {"uncounted_with_a_try_left_is_not_blamed",
     {true, false, 0, 7, true, 6, true, true, false, true},
     false},
    {"a_set_that_never_saw_a_start_last",
     {true, false, 1, 7, true, 6, true, false, false, false},
     true},
    {"the_first_set_of_all", {true, false, 1, 7, true, 0, false, false, false, false}, true},
    {"a_set_that_started_well_before",
     {true, false, 1, 7, true, 6, true, false, true, false},
     false},
    {"a_set_on_trial", {true, false, 1, 7, true, 6, true, true, false, false}, true},
    {"a_set_on_trial_that_is_damaged",
     {false, false, 0, 7, false, 6, true, true, false, false},
     true},
    {"damage_of_the_disk", {false, false, 0, 7, false, 6, true, false, false, false}, false},
    {"what_a_third_start_left", {true, false, 2, 6, true, 5, true, false, false, false}, false},
};

TEST_EACH(only_what_changed_is_blamed, blames)
{
    struct boot_rule_result r = boot_rule_decide(&it->e);
    assert_int_equal(r.blame, it->blame);
    bool told = strstr(r.reason, "not blamed") != NULL;
    assert_int_equal(told, it->e.active_stable);
}

TEST(three_starts_in_a_row_never_load_a_killer_three_times)
{
    struct boot_rule_evidence e = {true, false, 0, 7, true, 6, true, false, false, false};
    int loads = 0;
    for (int start = 0; start < 3; start++) {
        struct boot_rule_result r = boot_rule_decide(&e);
        loads += r.set == 7 ? 1 : 0;
        e.unclean = r.unclean;
        e.active = r.set;
        e.fallback = r.slot == BOOT_ACTIVE ? e.fallback : 0;
    }
    assert_int_equal(loads, 1);
    assert_int_equal(e.active, 0);
}

static const struct loop_case {
    const char *id;
    int64_t ages[BOOT_RULE_CRASHES];
    int64_t commit_age_ms;
    bool want;
} loops[] = {
    {"three_in_ten_minutes", {0, 300000, 600000}, 3600000, true},
    {"two_are_not_three", {0, 300000, -1}, 1000, false},
    {"spread_over_more_than_ten_minutes", {0, 300000, 600001}, 1000, false},
    {"long_after_the_commit", {0, 1, 2}, 3600001, false},
    {"commit_unknown", {0, 1, 2}, -1, false},
};

TEST_EACH(crash_loops_are_told_from_bad_luck, loops)
{
    assert_int_equal(boot_rule_crash_loop(it->ages, it->commit_age_ms), it->want);
}

RUN_TESTS(cmocka_unit_test(starts_choose_the_set), cmocka_unit_test(only_what_changed_is_blamed),
          cmocka_unit_test(three_starts_in_a_row_never_load_a_killer_three_times),
          cmocka_unit_test(crash_loops_are_told_from_bad_luck))
