/* Goal: one endpoint and one tenant can take only so many names of cohorts from the others (INV-11), and a fleet of one
 * tenant is not held up by a share. */
#include "server/health/cohort_rule.h"
#include "tests/harness.h"

static const struct rule_case {
    const char *id;
    struct cohort_rule_input in;
    enum cohort_rule want;
} cases[] = {
    {"first_name_of_an_endpoint", {.max = 1024, .others = true}, COHORT_RULE_MAY},
    {"second_name_at_once", {.max = 1024, .brought = true, .brought_s = 0}, COHORT_RULE_OFTEN},
    {"second_name_just_before_its_time",
     {.max = 1024, .brought = true, .brought_s = COHORT_RULE_EVERY_S - 1},
     COHORT_RULE_OFTEN},
    {"second_name_in_time",
     {.max = 1024, .brought = true, .brought_s = COHORT_RULE_EVERY_S},
     COHORT_RULE_MAY},
    {"clock_went_back", {.max = 1024, .brought = true, .brought_s = -5}, COHORT_RULE_MAY},
    {"more_than_a_share_while_there_is_plenty",
     {.max = 1024, .held = 511, .own = 511, .others = true},
     COHORT_RULE_MAY},
    {"a_share_when_half_is_in_use",
     {.max = 1024, .held = 512, .own = 128, .others = true},
     COHORT_RULE_SHARE},
    {"below_its_share_when_half_is_in_use",
     {.max = 1024, .held = 1023, .own = 127, .others = true},
     COHORT_RULE_MAY},
    {"one_tenant_has_all", {.max = 1024, .held = 1023, .own = 1023}, COHORT_RULE_MAY},
};

TEST_EACH(decides, cases)
{
    assert_int_equal(cohort_rule_name(&it->in), it->want);
}

RUN_TESTS(cmocka_unit_test(decides))
