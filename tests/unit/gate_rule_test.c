/* Goal: only PASS opens (INV-3): whatever is missing, late, suspicious or not a number holds the gate. */
#include "common/policy/gate_rule.h"
#include "tests/harness.h"

#include <math.h>

static struct gate_rule_input passing(void)
{
    return (struct gate_rule_input){.bake_left_s = 0,
                                    .exposed = 100,
                                    .healthy = 100,
                                    .limit = 0.10,
                                    .min_healthy = 10,
                                    .log_e = -1.0,
                                    .log_threshold = 9.21,
                                    .telemetry_fresh = true};
}

static enum gate_rule_verdict decide(const struct gate_rule_input *in)
{
    char reason[GATE_RULE_REASON_BYTES] = "";
    enum gate_rule_verdict v = gate_rule_decide(in, reason);
    assert_true(reason[0] != '\0');
    return v;
}

TEST(a_clean_baked_ring_passes)
{
    struct gate_rule_input in = passing();
    assert_int_equal(decide(&in), GATE_PASS);
}

TEST(nothing_seen_never_passes)
{
    struct gate_rule_input in = passing();
    in.healthy = in.exposed = 0;
    assert_int_equal(decide(&in), GATE_NONE);
    in.min_healthy = 0;
    assert_int_equal(decide(&in), GATE_NONE); /* an empty ring is not a finished ring */
}

TEST(stale_unbaked_or_suspicious_evidence_holds)
{
    struct gate_rule_input in = passing();
    in.telemetry_fresh = false;
    assert_int_equal(decide(&in), GATE_NONE);
    in = passing();
    in.bake_left_s = 1;
    assert_int_equal(decide(&in), GATE_NONE);
    in = passing();
    in.log_e = 3.1; /* above ln 20, below the threshold */
    assert_int_equal(decide(&in), GATE_NONE);
    in = passing();
    in.failed = 20;
    assert_int_equal(decide(&in), GATE_NONE);
}

TEST(the_halt_threshold_fails_before_anything_else)
{
    struct gate_rule_input in = passing();
    in.log_e = in.log_threshold;
    in.bake_left_s = 1000;
    in.telemetry_fresh = false;
    assert_int_equal(decide(&in), GATE_FAIL);
}

TEST(not_a_number_never_opens)
{
    const double bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < RW_LEN(bad); i++) {
        struct gate_rule_input in = passing();
        in.log_e = bad[i];
        assert_int_equal(decide(&in), GATE_NONE);
        in = passing();
        in.limit = bad[i];
        assert_int_equal(decide(&in), GATE_NONE);
        in = passing();
        in.log_threshold = bad[i];
        assert_int_equal(decide(&in), GATE_NONE);
    }
}

TEST(more_endpoints_that_cannot_try_it_than_healthy_ones_hold)
{
    struct gate_rule_input in = passing();
    in.unable = in.healthy;
    assert_int_equal(decide(&in), GATE_PASS); /* broken hosts do not speak against a release */
    in.unable = in.healthy + 1;
    assert_int_equal(decide(&in), GATE_NONE); /* INV-3: what most cannot try has proven little */
}

RUN_TESTS(cmocka_unit_test(a_clean_baked_ring_passes), cmocka_unit_test(nothing_seen_never_passes),
          cmocka_unit_test(stale_unbaked_or_suspicious_evidence_holds),
          cmocka_unit_test(the_halt_threshold_fails_before_anything_else),
          cmocka_unit_test(not_a_number_never_opens),
          cmocka_unit_test(more_endpoints_that_cannot_try_it_than_healthy_ones_hold))
