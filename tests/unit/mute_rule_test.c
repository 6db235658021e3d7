/* Goal: what an endpoint calls mute: what its sensor says of itself, never how much it finds or scans. */
#include "common/policy/mute_rule.h"

#include "tests/harness.h"

enum { WAIT_MS = 30000 };

static const struct mute_case {
    const char *id;
    struct mute_rule_evidence e;
    enum mute_rule want;
} cases[] = {
    {"all is told",
     {.fresh = true, .tested = true, .tested_before = true, .counted = true},
     MUTE_NO},
    {"the sample is not detected", {.failed = true, .tested = true}, MUTE_SAMPLE},
    {"and that at once, whatever is loaded", {.failed = true, .fresh = true}, MUTE_SAMPLE},
    {"no self-test where there was one",
     {.fresh = true, .tested_before = true, .counted = true, .age_ms = WAIT_MS},
     MUTE_UNTESTED},
    {"not yet",
     {.fresh = true, .tested_before = true, .counted = true, .age_ms = WAIT_MS - 1},
     MUTE_NO},
    {"an engine that never tested itself",
     {.fresh = true, .counted = true, .age_ms = WAIT_MS},
     MUTE_NO},
    {"no counts where there were some",
     {.fresh = true,
      .tested = true,
      .tested_before = true,
      .counted_before = true,
      .age_ms = WAIT_MS},
     MUTE_UNCOUNTED},
    {"an engine that never counted", {.fresh = true, .tested = true, .age_ms = WAIT_MS}, MUTE_NO},
    {"a new process of the same content may be another engine",
     {.tested_before = true, .counted_before = true, .age_ms = 10 * WAIT_MS},
     MUTE_NO},
};

TEST_EACH(mute_is_what_a_sensor_says_of_itself, cases)
{
    struct mute_rule_evidence e = it->e;
    e.wait_ms = WAIT_MS;
    assert_int_equal(mute_rule_decide(&e), it->want);
}

RUN_TESTS(cmocka_unit_test(mute_is_what_a_sensor_says_of_itself))
