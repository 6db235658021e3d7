/* Goal: evidence stops what it is about: one tenant's votes stop that tenant, one cohort's that cohort, and absolute
 * terms stop nobody for good while control fails too (INV-11). */
#include "server/health/verdict_rule.h"
#include "tests/harness.h"

#include <math.h>

static const struct verdict_rule_votes everybody = {
    .top = 5, .top_exposed = 20, .rest = 5, .rest_exposed = 20, .others = true, .top_max = 8};

static struct verdict_rule_input usual(void)
{
    return (struct verdict_rule_input){.threshold = 10.0,
                                       .total = 11.0,
                                       .relative = -1.0,
                                       .whole = 11.0,
                                       .best_cohort = 3.0,
                                       .control = -3.0,
                                       .p0_crash = 0.005,
                                       .votes = everybody};
}

static const struct verdict_case {
    const char *id;
    double total;
    double relative;
    double whole;
    double best_cohort;
    double control;
    enum verdict_rule want;
} cases[] = {
    {"below the threshold", 9.99, -1, 9.9, 9.9, -3, VERDICT_NONE},
    {"at the threshold", 10, -1, 10, 3, -3, VERDICT_RELEASE},
    {"one cohort's own part", 11, -1, 5, 10.5, -3, VERDICT_COHORT},
    {"cohort and whole", 12, -1, 10, 11, -3, VERDICT_RELEASE},
    {"the sum alone", 10, -1, 9.5, 9.5, -3, VERDICT_RELEASE},
    {"control fails too", 30, -1, 30, 20, 2.4, VERDICT_HOLD},
    {"control fails less than treated", 30, 10, 30, 20, 2.4, VERDICT_RELEASE},
    {"control a little worse", 30, -1, 30, 20, 2.2, VERDICT_RELEASE},
    {"not a number", NAN, -1, 30, 20, -3, VERDICT_HOLD},
    {"control not a number", 30, -1, 30, 20, NAN, VERDICT_HOLD},
};

TEST_EACH(evidence_stops_what_it_is_about, cases)
{
    struct verdict_rule_input in = usual();
    in.total = it->total;
    in.relative = it->relative;
    in.whole = it->whole;
    in.best_cohort = it->best_cohort;
    in.control = it->control;
    assert_int_equal(verdict_rule_decide(&in), it->want);
}

static const struct vote_case {
    const char *id;
    struct verdict_rule_votes votes;
    enum verdict_rule want;
} votes[] = {
    {"one tenant, others healthy", {5, 20, 0, 200, true, 8}, VERDICT_TENANT},
    {"one tenant, others not exposed yet", {5, 20, 0, 0, true, 8}, VERDICT_TENANT},
    {"one tenant, and one failure of the others in many",
     {5, 20, 1, 2000, true, 8},
     VERDICT_TENANT},
    {"one tenant, and one failure of the others in few", {5, 20, 1, 4, true, 8}, VERDICT_RELEASE},
    {"as many of the others", {3, 20, 3, 100000, true, 8}, VERDICT_RELEASE},
    {"above the cap, others not exposed", {9, 20, 0, 0, true, 8}, VERDICT_RELEASE},
    {"above the cap, others unknown", {9, 20, 0, 20, true, 8}, VERDICT_RELEASE},
    {"above the cap, others surely healthy", {90, 900, 1, 2000, true, 8}, VERDICT_TENANT},
    {"above the cap, others a little better", {90, 900, 60, 2000, true, 8}, VERDICT_RELEASE},
    {"there is only one tenant", {5, 20, 0, 0, false, 8}, VERDICT_RELEASE},
};

TEST_EACH(inv_11_votes_of_one_tenant_stop_that_tenant_only, votes)
{
    struct verdict_rule_input in = usual();
    in.votes = it->votes;
    assert_int_equal(verdict_rule_decide(&in), it->want);
}

static const struct held_case {
    const char *id;
    struct verdict_rule_votes votes; /* of who is not held */
    enum verdict_rule want;
} held[] = {
    {"nobody else is there", {0, 0, 0, 0, false, 8}, VERDICT_HOLD},
    {"all others are healthy", {0, 0, 0, 500, false, 8}, VERDICT_HOLD},
    {"one of the others failed", {1, 500, 0, 0, false, 8}, VERDICT_RELEASE},
    {"two others failed", {2, 20, 2, 20, true, 8}, VERDICT_RELEASE},
};

TEST_EACH(inv_11_evidence_of_a_held_tenant_is_none_for_all_until_another_fails, held)
{
    struct verdict_rule_input in = usual();
    in.votes = it->votes;
    in.held = true;
    assert_int_equal(verdict_rule_decide(&in), it->want);
}

static const struct speak_case {
    const char *id;
    struct late_rule_bucket cohort;
    struct late_rule_bucket ring;
    struct late_rule_bucket all;
    bool want;
} speaking[] = {
    {"own control", {4, 20, 4, 10}, {10, 600, 5, 300}, {10, 600, 5, 300}, true},
    {"too little control, quiet ring", {4, 19, 4, 0}, {10, 600, 5, 30}, {10, 600, 5, 30}, true},
    {"too little control, dark ring", {4, 19, 4, 0}, {10, 600, 5, 31}, {10, 9000, 5, 31}, false},
    {"no control anywhere", {4, 0, 4, 0}, {10, 19, 5, 19}, {10, 19, 5, 19}, true},
    {"none in its ring, dark rings", {4, 0, 4, 0}, {10, 19, 5, 0}, {10, 600, 5, 31}, false},
    {"none in its ring, quiet rings", {4, 0, 4, 0}, {10, 19, 5, 0}, {10, 600, 5, 30}, true},
};

TEST_EACH(an_incident_is_not_blamed_on_a_cohort_without_control, speaking)
{
    struct late_rule s = late_rule_begin();
    const struct late_rule begun = s;
    late_rule_take_bucket_cohort(&s, 1.5, &it->cohort, &it->ring, &it->all);
    bool weighed =
        s.windows > 0 || late_rule_mix_log_e(&s.dark) != late_rule_mix_log_e(&begun.dark);
    assert_int_equal(weighed, it->want);
    /* INV-12: what says nothing is told of. */
    assert_int_equal(s.unjudged, it->want ? 0 : it->cohort.treated);
    assert_int_equal(s.unjudged_dark, it->want ? 0 : it->cohort.treated_dark);
    assert_true(s.control_windows == (it->want ? it->cohort.control : 0) && s.borrowed == 0);
}

static const struct beside_case {
    const char *id;
    struct late_rule_bucket ring;
    struct late_rule_bucket all;
    int64_t absolute; /* treated windows that are judged by an absolute share */
    bool harm;
    int64_t borrowed; /* INV-12: control that it was held against and that is not its own */
} besides[] = {
    {"quiet rings: absolute", {1000, 0, 200, 0}, {1000, 9000, 200, 450}, 1000, false, 0},
    {"dark rings: as dark as they", {1000, 0, 200, 0}, {1000, 9000, 200, 1800}, 0, false, 9000},
    {"dark rings: darker than they", {1000, 19, 600, 0}, {1000, 9000, 600, 1800}, 0, true, 9000},
    {"control of its own: that", {1000, 20, 200, 4}, {1000, 9000, 200, 1800}, 0, false, 0},
    {"its own control is not dark", {1000, 500, 200, 5}, {1000, 9000, 200, 1800}, 0, true, 0},
    {"nothing of its own closed", {0, 3, 0, 3}, {1000, 9000, 200, 1800}, 0, false, 0},
};

TEST_EACH(a_ring_without_control_is_held_against_all_control_in_an_incident, besides)
{
    struct late_rule s = late_rule_begin();
    late_rule_take_bucket_beside(&s, 1.5, &it->ring, &it->all);
    assert_int_equal(s.windows, it->absolute);
    assert_int_equal(late_rule_mix_log_e(&s.dark) > 9.2, it->harm);
    assert_true(s.control_windows <= it->ring.control);
    assert_int_equal(s.borrowed, it->borrowed);
    assert_int_equal(s.borrowed_dark, it->borrowed > 0 ? it->all.control_dark : 0);
}

static struct late_rule late;

static double control_log_e(int64_t crashes, int64_t open)
{
    struct health_rule_norm norm = health_rule_cold_start();
    const struct verdict_rule_control_counts c = {.crashes = crashes, .open = open};
    return verdict_rule_control(&norm, &c, &late);
}

TEST(control_is_abnormal_by_storms_and_slowness_too)
{
    struct health_rule_norm norm = health_rule_cold_start();
    struct verdict_rule_control_counts c = {.noise = 5};
    late = late_rule_begin();
    late.control_windows = 1000;
    assert_false(verdict_rule_control_abnormal(verdict_rule_control(&norm, &c, &late)));
    c.noise = 60; /* an outbreak: what is really bad is found with the release before as well */
    assert_true(verdict_rule_control_abnormal(verdict_rule_control(&norm, &c, &late)));
}

TEST(control_is_abnormal_by_crashes_or_by_darkness)
{
    late = late_rule_begin();
    late.control_windows = 1000;
    assert_false(verdict_rule_control_abnormal(control_log_e(5, 0)));
    assert_true(verdict_rule_control_abnormal(control_log_e(40, 0)));
    late.control_dark = 50;
    assert_false(verdict_rule_control_abnormal(control_log_e(5, 0)));
    late.control_dark = 200;
    assert_true(verdict_rule_control_abnormal(control_log_e(5, 0)));
    /* The first minutes: no window has closed, and a few of many control endpoints have crashed as ever. */
    late = late_rule_begin();
    assert_false(verdict_rule_control_abnormal(control_log_e(30, 100000)));
    assert_true(verdict_rule_control_abnormal(control_log_e(30, 100)));
    assert_true(isfinite(control_log_e(3, 0))); /* more crashes than windows */
}

TEST(strikes_mute_and_clean_releases_bring_back)
{
    struct verdict_rule_strikes s = {0};
    for (int i = 0; i < 2; i++) {
        s = verdict_rule_strike(s, true);
        assert_false(s.muted);
    }
    s = verdict_rule_strike(s, true);
    assert_true(s.muted);
    for (int i = 0; i < 100; i++) {
        s = verdict_rule_strike(s, true); /* does not take for ever to make good */
    }
    int clean = 0;
    while (s.muted) {
        s = verdict_rule_strike(s, false);
        clean++;
    }
    assert_true(clean >= 3 && clean <= 8);
    s = verdict_rule_strike(s, true);
    assert_false(s.muted);
}

/* INV-4: content that fails for more than one in twenty is no matter of those that it failed for. */
TEST(who_fails_alone_fails_among_twenty_healthy_ones)
{
    assert_true(verdict_rule_alone(0, 0));
    assert_false(verdict_rule_alone(1, 0));
    assert_false(verdict_rule_alone(1, 19));
    assert_true(verdict_rule_alone(1, 20));
    assert_false(verdict_rule_alone(500, 9999));
    assert_true(verdict_rule_alone(500, 10000));
    assert_false(verdict_rule_alone(-1, 10000)); /* counts that cannot be */
    assert_false(verdict_rule_alone(1, -20));
    assert_false(verdict_rule_alone(INT64_MAX, INT64_MAX));
}

/* alpha of a release is not multiplied by the number of its rings. */
TEST(the_budget_of_a_release_is_split_over_its_rings)
{
    for (size_t rings = 1; rings <= 16; rings++) {
        double sum = 0;
        for (size_t i = 0; i < rings; i++) {
            sum += exp(-health_rule_threshold(1e-4, false, rings));
        }
        assert_true(fabs(sum - 1e-4) < 1e-12);
    }
    assert_true(fabs(exp(-health_rule_threshold(1e-4, true, 1)) - 1e-2) < 1e-12);
    assert_true(fabs(exp(-health_rule_threshold(1e-4, false, 0)) - 1e-4) < 1e-12);
}

static const struct history_case {
    const char *id;
    int64_t failures;
    int64_t exposures;
    int64_t releases;
    double least;
    double most;
} histories[] = {
    {"no history", 0, 0, 0, 0.005, 0.005},
    {"too few releases", 0, 1000000, 19, 0.005, 0.005},
    {"a clean history", 0, 1000000, 20, 0.0005, 0.0005},
    {"a usual one", 100, 100000, 20, 0.003, 0.005},
    {"a bad one", 5000, 100000, 20, 0.02, 0.02},
    {"small and clean", 0, 400, 20, 0.02, 0.03},
};

TEST_EACH(history_sets_the_share_that_is_normal, histories)
{
    double p0 = health_rule_p0(HEALTH_CRASH, it->failures, it->exposures, it->releases);
    assert_true(p0 >= it->least && p0 <= it->most);
    assert_true(p0 <= 0.02);
}

TEST(history_sets_what_is_normal_of_storms_and_slowness_too)
{
    static const enum health_rule_term noise[] = {HEALTH_STORM, HEALTH_SLOW};
    for (size_t i = 0; i < RW_LEN(noise); i++) {
        assert_true(health_rule_p0(noise[i], 900, 10000, 19) == 0.01); /* too few releases */
        assert_true(health_rule_p0(noise[i], 0, 1000000, 20) == 0.01); /* never below */
        double usual = health_rule_p0(noise[i], 10000, 1000000, 20);
        assert_true(usual > 0.03 && usual < 0.032);
        assert_true(health_rule_p0(noise[i], 90000, 1000000, 20) == 0.05); /* never above */
    }
    /* Not from history, whatever it was. */
    assert_true(health_rule_p0(HEALTH_REFUSE, 90000, 1000000, 20) == 1e-4);
    assert_true(health_rule_p0(HEALTH_DARK, 90000, 1000000, 20) == 0.05);
}

/* A fleet where 2 % of the endpoints always tell of slowness: the fixed share would stop good releases. */
TEST(a_fleet_that_is_used_to_slowness_is_not_stopped_for_it)
{
    struct health_rule_grid cold = health_rule_grid_of(0.01);
    struct health_rule_grid known =
        health_rule_grid_of(health_rule_p0(HEALTH_SLOW, 20000, 1000000, 50));
    assert_true(health_rule_log_e(&cold, 2000, 100000) > 200.0);
    assert_true(health_rule_log_e(&known, 2000, 100000) < 0.0);
}

TEST(the_ratio_that_nobody_cares_about_grows_where_history_is_quiet)
{
    assert_true(health_rule_rho_crash(0.0) == 1.25);
    assert_true(health_rule_rho_crash(1e-6) == 1.25);
    assert_true(health_rule_rho_crash(1e-8) > 5.0);
    assert_true(health_rule_history_hazard(9, 1e6) == 0.0);
    assert_true(fabs(health_rule_history_hazard(10, 1e6) - 1.5e-5) < 1e-12);
}

RUN_TESTS(cmocka_unit_test(evidence_stops_what_it_is_about),
          cmocka_unit_test(inv_11_evidence_of_a_held_tenant_is_none_for_all_until_another_fails),
          cmocka_unit_test(inv_11_votes_of_one_tenant_stop_that_tenant_only),
          cmocka_unit_test(an_incident_is_not_blamed_on_a_cohort_without_control),
          cmocka_unit_test(a_ring_without_control_is_held_against_all_control_in_an_incident),
          cmocka_unit_test(control_is_abnormal_by_storms_and_slowness_too),
          cmocka_unit_test(control_is_abnormal_by_crashes_or_by_darkness),
          cmocka_unit_test(strikes_mute_and_clean_releases_bring_back),
          cmocka_unit_test(who_fails_alone_fails_among_twenty_healthy_ones),
          cmocka_unit_test(the_budget_of_a_release_is_split_over_its_rings),
          cmocka_unit_test(history_sets_the_share_that_is_normal),
          cmocka_unit_test(history_sets_what_is_normal_of_storms_and_slowness_too),
          cmocka_unit_test(a_fleet_that_is_used_to_slowness_is_not_stopped_for_it),
          cmocka_unit_test(the_ratio_that_nobody_cares_about_grows_where_history_is_quiet))
