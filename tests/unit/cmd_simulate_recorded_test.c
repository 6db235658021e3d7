/* Goal: a fleet is simulated as its own releases show it: cohorts, rates and frozen norms come from their counts, and
 * what is no record is refused. */
#include "server/cli/cmd_simulate_recorded.h"
#include "tests/harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[] = "/tmp/rw-recorded-XXXXXX";

#define COUNTS(members, exposed, failed, dark, late, slow, mute)                                   \
    "\"counts\":{\"members\":" #members ",\"exposed\":" #exposed ",\"failed\":" #failed            \
    ",\"dark\":" #dark ",\"late_crash\":" #late ",\"storm\":0,\"slow\":" #slow ",\"mute\":" #mute  \
    "}"
#define COHORT(os, counts)                                                                         \
    "{\"cohort\":{\"os\":\"" os "\",\"arch\":\"x86_64\",\"engine\":\"4\"}," counts                 \
    ",\"risk_s\":6000000}"
#define RELEASE(state, cohorts)                                                                    \
    "{\"state\":\"" state "\",\"rings\":[{\"cohorts\":[" cohorts "]}]}\n"

static const char usual_release[] =
    RELEASE("complete", COHORT("small", COUNTS(1000, 1000, 0, 10, 0, 20, 5)) "," COHORT(
                            "large", COUNTS(9000, 9000, 9, 9, 1, 0, 0)));
static const char halted_release[] =
    RELEASE("halted", COHORT("large", COUNTS(9000, 9000, 9000, 0, 0, 0, 0)));

static struct rw_rc read_text(const char *text, int64_t times, struct sim_plan *plan,
                              int64_t *endpoints, struct rw_err *err)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int64_t i = 0; i < times; i++) {
        assert_true(fputs(text, f) >= 0);
    }
    assert_int_equal(fputs(halted_release, f) >= 0 && fclose(f) == 0, true);
    return cmd_simulate_recorded(path, plan, endpoints, err);
}

static int make_file(void **state)
{
    int fd = mkstemp(path);
    (void)state;
    return fd < 0 || close(fd) != 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static bool about(double got, double want)
{
    return fabs(got - want) < 1e-9 + 1e-6 * want;
}

TEST(cohorts_rates_and_norms_are_those_of_the_complete_releases)
{
    struct rw_err err;
    struct sim_plan plan = {.usual = {.hazard = 1e-6}};
    int64_t endpoints = 0;
    MUST(read_text(usual_release, 25, &plan, &endpoints, &err));
    assert_int_equal(endpoints, 10000); /* of the latest, not of all together */
    assert_int_equal(plan.cohort_count, 2);
    assert_true(about(plan.cohort_share[0], 0.9)); /* the largest first */
    assert_true(about(plan.usual_of[0].apply, 0.001));
    assert_true(about(plan.usual_of[0].dark, 0.001));
    assert_true(about(plan.usual_of[0].hazard, 25.0 / (25 * 100000.0)));
    assert_true(about(plan.usual_of[1].slow, 0.02));
    assert_true(about(plan.usual_of[1].dark, 0.01));
    assert_true(about(plan.usual_of[1].mute, 0.005));
    assert_true(!(plan.usual_of[0].mute > 0.0));
    /* The norms that the controller would freeze. */
    assert_true(plan.norm_of[0].p0[HEALTH_CRASH] == health_rule_p0(HEALTH_CRASH, 225, 225000, 25));
    assert_true(plan.norm_of[1].p0[HEALTH_SLOW] > 0.05 - 1e-9);
    assert_true(plan.norm_of[1].p0[HEALTH_MUTE] == health_rule_p0(HEALTH_MUTE, 125, 25000, 25));
    assert_true(about(plan.norm_of[0].history_hazard, 1.5e-5));
}

TEST(few_releases_leave_the_norms_of_a_fleet_without_history)
{
    struct rw_err err;
    struct sim_plan plan = {.usual = {.hazard = 1e-6}};
    struct health_rule_norm cold = health_rule_cold_start();
    int64_t endpoints = 0;
    MUST(read_text(usual_release, 2, &plan, &endpoints, &err));
    assert_true(plan.norm_of[0].p0[HEALTH_CRASH] == cold.p0[HEALTH_CRASH]);
    assert_true(about(plan.usual_of[0].apply, 0.001));
}

TEST(more_cohorts_than_are_simulated_share_the_last_place)
{
    struct rw_err err;
    struct sim_plan plan = {.usual = {.hazard = 1e-6}};
    char text[4096] = "{\"state\":\"complete\",\"rings\":[{\"cohorts\":[";
    int64_t endpoints = 0;
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof(text) - used,
                       "%s{\"cohort\":{\"os\":\"o%d\",\"arch\":\"a\",\"engine\":\"e\"}," COUNTS(
                           100, 100, 0, 0, 0, 0, 0) ",\"risk_s\":0}",
                       i == 0 ? "" : ",", i);
    }
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "]}]}\n");
    MUST(read_text(text, 1, &plan, &endpoints, &err));
    assert_int_equal(endpoints, 1200);
    assert_int_equal(plan.cohort_count, SIM_COHORTS_MAX);
    for (size_t i = 0; i < plan.cohort_count; i++) {
        sum += plan.cohort_share[i];
    }
    assert_true(about(sum, 1.0));
    assert_true(about(plan.usual_of[0].hazard, 1e-6)); /* nothing is known of it: the usual one */
}

static const struct bad {
    const char *id;
    const char *text;
    enum rw_code code;
} bads[] = {
    {"no complete release", "", RW_E_RANGE},
    {"no JSON", "state,complete\n", RW_E_SYNTAX},
    {"no explain object", "{\"state\":\"complete\"}\n", RW_E_SCHEMA},
    {"a negative count", RELEASE("complete", COHORT("x", COUNTS(5, -5, 0, 0, 0, 0, 0))),
     RW_E_RANGE},
    {"more failures than exposures", RELEASE("complete", COHORT("x", COUNTS(9, 5, 6, 0, 0, 0, 0))),
     RW_E_RANGE},
    {"more silence than exposures", RELEASE("complete", COHORT("x", COUNTS(9, 0, 0, 1, 0, 0, 0))),
     RW_E_RANGE},
    {"more late crashes", RELEASE("complete", COHORT("x", COUNTS(9, 5, 0, 0, 6, 0, 0))),
     RW_E_RANGE},
    {"more slow ones", RELEASE("complete", COHORT("x", COUNTS(9, 5, 0, 0, 0, 6, 0))), RW_E_RANGE},
    {"more mute ones", RELEASE("complete", COHORT("x", COUNTS(9, 5, 0, 0, 0, 0, 6))), RW_E_RANGE},
};

/* Where it stands and why: people write such files together from many. */
TEST(more_outcomes_than_exposures_are_refused_with_file_and_line)
{
    struct rw_err err;
    struct sim_plan plan = {.usual = {.hazard = 1e-6}};
    int64_t endpoints = -1;
    char text[1024];
    char want[64];
    (void)snprintf(text, sizeof(text), "%s%s", usual_release,
                   RELEASE("complete", COHORT("x", COUNTS(9, 5, 6, 0, 0, 0, 0))));
    (void)snprintf(want, sizeof(want), "%s: line 2: ", path);
    MUST_FAIL(read_text(text, 1, &plan, &endpoints, &err), RW_E_RANGE);
    assert_non_null(strstr(err.text, want));
    assert_non_null(strstr(err.text, "failed: 6 of 5 exposed"));
}

TEST_EACH(what_is_no_record_is_refused, bads)
{
    struct rw_err err;
    struct sim_plan plan = {.usual = {.hazard = 1e-6}};
    int64_t endpoints = -1;
    MUST_FAIL(read_text(it->text, 1, &plan, &endpoints, &err), it->code);
    assert_int_equal(endpoints, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cohorts_rates_and_norms_are_those_of_the_complete_releases),
        cmocka_unit_test(few_releases_leave_the_norms_of_a_fleet_without_history),
        cmocka_unit_test(more_cohorts_than_are_simulated_share_the_last_place),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(more_outcomes_than_exposures_are_refused_with_file_and_line)};
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
