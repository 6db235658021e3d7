/* Goal: what an endpoint did counts once and for the right thing (INV-11), whatever order it comes in; silence counts
 * until the release is proven, and stays for the detector (INV-4). */
#include "server/health/fleet_outcome_rule.h"
#include "tests/harness.h"

enum { STEPS_MAX = 6 };

static const struct outcome_case {
    const char *id;
    enum fleet_signal steps[STEPS_MAX];
    size_t count;
    struct fleet_counts want;
} outcomes[] = {
    {"silent: dark, for gate and detector",
     {FLEET_ON_PERMIT, FLEET_ON_DEADLINE},
     2,
     {.exposed = 1, .dark = 1, .marked = 1, .still_on = 1}},
    {"there again with other content: nothing is proven",
     {FLEET_ON_PERMIT, FLEET_ON_DEADLINE, FLEET_ON_ELSEWHERE_LATE},
     3,
     {.exposed = 1, .dark = 1, .marked = 1}},
    {"proven late: the gate has nothing against it, the detector still has",
     {FLEET_ON_PERMIT, FLEET_ON_DEADLINE, FLEET_ON_HEALTHY},
     3,
     {.exposed = 1, .dark = 1, .survived = 1, .healthy = 1, .at_risk = 1, .still_on = 1}},
    {"proven late, then crashed",
     {FLEET_ON_PERMIT, FLEET_ON_DEADLINE, FLEET_ON_HEALTHY, FLEET_ON_CRASH},
     4,
     {.exposed = 1, .dark = 1, .survived = 1, .late_crash = 1, .marked = 1, .still_on = 1}},
    {"dark, then failed: `healthy` afterwards makes nothing of it",
     {FLEET_ON_PERMIT, FLEET_ON_DEADLINE, FLEET_ON_FAILED, FLEET_ON_HEALTHY},
     4,
     {.exposed = 1, .dark = 1, .failed = 1, .marked = 1, .still_on = 1}},
    {"dark, then slow: goes on, is no survivor",
     {FLEET_ON_PERMIT, FLEET_ON_DEADLINE, FLEET_ON_SLOW, FLEET_ON_HEALTHY},
     4,
     {.exposed = 1, .dark = 1, .slow = 1, .marked = 1, .still_on = 1}},
    {"out of reach and told of it in time: dark, not failed",
     {FLEET_ON_PERMIT, FLEET_ON_ALIVE, FLEET_ON_UNREACHED, FLEET_ON_DEADLINE},
     4,
     {.exposed = 1, .dark = 1, .marked = 1}},
    {"out of reach and told of it late: one vote",
     {FLEET_ON_PERMIT, FLEET_ON_DEADLINE, FLEET_ON_UNREACHED},
     3,
     {.exposed = 1, .dark = 1, .marked = 1}},
    {"out of reach after it had confirmed: no vote",
     {FLEET_ON_PERMIT, FLEET_ON_HEALTHY, FLEET_ON_UNREACHED},
     3,
     {.exposed = 1, .survived = 1, .healthy = 1}},
    {"in time",
     {FLEET_ON_PERMIT, FLEET_ON_HEALTHY, FLEET_ON_DEADLINE},
     3,
     {.exposed = 1, .survived = 1, .healthy = 1, .at_risk = 1, .still_on = 1}},
};

TEST_EACH(an_endpoint_counts_for_what_it_did, outcomes)
{
    unsigned marks = 0;
    struct fleet_counts got = {.exposed = 0};
    for (size_t i = 0; i < it->count; i++) {
        marks = fleet_outcome_rule_next(marks, it->steps[i]);
    }
    fleet_outcome_rule_tally(&got, marks, 1);
    assert_memory_equal(&got, &it->want, sizeof(got));
    /* Taking away what was added leaves nothing behind. */
    fleet_outcome_rule_tally(&got, marks, -1);
    assert_memory_equal(&got, &(struct fleet_counts){.exposed = 0}, sizeof(got));
}

static const struct silence_case {
    const char *id;
    enum fleet_signal steps[STEPS_MAX];
    size_t count;
    bool silent;
} silences[] = {
    {"never asked", {FLEET_ON_ALIVE}, 1, false},
    {"on probation", {FLEET_ON_PERMIT}, 1, false},
    {"nothing came", {FLEET_ON_PERMIT, FLEET_ON_DEADLINE}, 2, true},
    {"talks, and proves nothing",
     {FLEET_ON_PERMIT, FLEET_ON_DEADLINE, FLEET_ON_ELSEWHERE_LATE},
     3,
     true},
    {"a new permit of a dark one", {FLEET_ON_PERMIT, FLEET_ON_DEADLINE, FLEET_ON_PERMIT}, 3, true},
    {"proven late", {FLEET_ON_PERMIT, FLEET_ON_DEADLINE, FLEET_ON_HEALTHY}, 3, false},
    {"told of its failure", {FLEET_ON_PERMIT, FLEET_ON_DEADLINE, FLEET_ON_FAILED}, 3, false},
    {"came back by the ring", {FLEET_ON_PERMIT, FLEET_ON_DEADLINE, FLEET_ON_REVERTED}, 3, false},
    {"failed without silence", {FLEET_ON_PERMIT, FLEET_ON_CRASH}, 2, false},
};

TEST_EACH(dark_is_who_fell_silent_and_did_not_tell_since, silences)
{
    unsigned marks = 0;
    for (size_t i = 0; i < it->count; i++) {
        marks = fleet_outcome_rule_next(marks, it->steps[i]);
    }
    assert_int_equal(fleet_outcome_rule_silent(marks), it->silent);
}

RUN_TESTS(cmocka_unit_test(an_endpoint_counts_for_what_it_did),
          cmocka_unit_test(dark_is_who_fell_silent_and_did_not_tell_since))
