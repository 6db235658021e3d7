/* Goal: the numbers by which `rings check` warns are the gate's own, and rings that cannot do their work are told. */
#include "common/policy/gate_rule.h"
#include "server/cli/cmd_rings_facts.h"
#include "tests/harness.h"

static const struct needed {
    const char *id;
    int64_t limit_bp;
    int64_t min_healthy;
    bool minimum_rules; /* min_healthy is the larger one */
} needed[] = {
    {"limit of two percent asks for more than 150", 200, 150, false},
    {"a high minimum rules", 200, 1000, true},
    {"a lax limit leaves the minimum", 9000, 10, true},
};

TEST_EACH(a_pass_takes_what_limit_and_minimum_ask_for, needed)
{
    const struct ring_policy_ring ring = {.gate_limit_bp = it->limit_bp,
                                          .gate_min_healthy = it->min_healthy};
    int64_t n = cmd_rings_needed(&ring, 0);
    double limit = (double)it->limit_bp / 10000.0;
    assert_true(n >= it->min_healthy);
    assert_int_equal(n == it->min_healthy, it->minimum_rules);
    /* That many without a failure pass the gate's bound; one fewer would not, or the minimum forbids it. */
    assert_true(gate_rule_upper(0, n, GATE_RULE_ALPHA) <= limit);
    if (!it->minimum_rules) { assert_true(gate_rule_upper(0, n - 1, GATE_RULE_ALPHA) > limit); }
}

TEST(one_failure_asks_for_more_than_a_small_ring_of_staff_has)
{
    const struct ring_policy_ring staff = {.gate_limit_bp = 2500, .gate_min_healthy = 10};
    const struct ring_policy_ring lax = {.gate_limit_bp = 9000, .gate_min_healthy = 10};
    assert_int_equal(cmd_rings_needed(&staff, 0), 11);
    assert_int_equal(cmd_rings_needed(&staff, 1), 27);
    assert_true(gate_rule_upper(1, 27, GATE_RULE_ALPHA) <= 0.25);
    assert_true(gate_rule_upper(1, 26, GATE_RULE_ALPHA) > 0.25);
    assert_int_equal(cmd_rings_needed(&lax, 1), 11); /* ten healthy ones beside it */
}

TEST(members_follow_the_buckets)
{
    const struct ring_policy_ring share = {
        .select = RING_BY_SHARE, .bucket_lo = 0, .bucket_hi = 100};
    const struct ring_policy_ring by_hand = {.select = RING_BY_HAND};
    assert_int_equal(cmd_rings_members(&share, 5000), 50);
    assert_int_equal(cmd_rings_members(&share, 99), 0);
    assert_int_equal(cmd_rings_members(&share, 1000000000), 10000000);
    assert_int_equal(cmd_rings_members(&by_hand, 5000), -1);
}

#define POLICY(first, last, window)                                                                \
    "{\"format\":1,\"rings\":[{\"name\":\"canary\"," first                                         \
    "},{\"name\":\"broad\",\"share\":\"rest\"" last                                                \
    "}],\"classes\":{\"data\":{}},\"window\":{\"confirm\":{" window "}}}"
#define TENTH    "\"share\":\"10%\",\"bake\":\"1h\",\"gate\":{\"limit\":\"2%\"}"
#define BY_HAND  "\"select\":\"local\",\"bake\":\"1h\""
#define HELD(bp) ",\"hold_back\":{\"share\":\"" bp "\",\"for\":\"24h\"}"

static const struct finding {
    const char *id, *policy;
    int64_t hosts;
    int64_t staff;
    const char *says; /* NULL: no warning at all */
} findings[] = {
    {"nothing to say", POLICY(TENTH, "", ""), 100000, -1, NULL},
    {"a ring too small for its limit", POLICY(TENTH, "", ""), 1000, -1,
     "would hold about 100 endpoints; its gate needs 169 healthy: it could never say PASS"},
    {"a last ring too small for its minimum",
     POLICY(TENTH, ",\"gate\":{\"min_healthy\":90001}", ""), 100000, -1,
     "would hold about 90000 endpoints; its gate needs 90001 healthy: the release never completes"},
    {"staff that was told is too few", POLICY(BY_HAND, "", ""), 100000, 3, "would hold about 3"},
    {"staff that nobody has", POLICY(BY_HAND ",\"gate\":{\"min_healthy\":200000}", "", ""), 100000,
     -1, "its gate needs 200000 endpoints that joined by hand (min_healthy 200000)"},
    {"most of a ring is held back", POLICY(TENTH HELD("60%"), "", ""), 100000, -1,
     "keeps most of its endpoints back for 1d: 6000 of 10000"},
    {"what is not held back is too little", POLICY(TENTH HELD("99%"), "", ""), 100000, -1,
     "the gate needs 169 healthy, the others are 100: it cannot say PASS before"},
    {"a bake within the probation", POLICY("\"share\":\"10%\",\"bake\":\"1m\"", "", ""), 100000, -1,
     "bakes shorter than the probation"},
    {"a bake that is over before faults show", POLICY("\"share\":\"10%\",\"bake\":\"59m\"", "", ""),
     100000, -1, "bakes 59m: a fault that takes longer"},
    {"a window as large as a tenth of the last ring", POLICY(TENTH, "", "\"start\":9000"), 100000,
     -1, NULL},
    {"a larger one", POLICY(TENTH, "", "\"start\":9001"), 100000, -1,
     "may lose 9001 of its 90000 endpoints to a release that none survives"},
    {"a window for everybody", POLICY(TENTH, "", "\"start\":1000000"), 100000, -1,
     "may lose 90000 of its 90000 endpoints"},
    {"one ring for everybody",
     "{\"format\":1,\"rings\":[{\"name\":\"all\",\"share\":\"rest\"}],\"classes\":{\"data\":{}},"
     "\"window\":{\"confirm\":{}}}",
     100000, -1, "there is one ring only"},
    {"a window that hardly grows",
     POLICY(TENTH, "", "\"start\":200,\"per_survivor_thousandths\":0"), 100000000, -1,
     "class data: 95 % of the fleet would not have a release within"},
};

TEST_EACH(a_ring_that_cannot_do_its_work_is_warned_of, findings)
{
    struct rw_err err;
    struct ring_policy policy;
    static struct cmd_rings_facts facts;
    const struct cmd_rings_options options = {.hosts = it->hosts, .staff = it->staff};
    bool said = it->says == NULL;
    MUST(ring_policy_parse(rw_span_str(it->policy), &policy, &err));
    MUST(cmd_rings_facts(&policy, &options, &facts, &err));
    for (size_t i = 0; i < facts.finding_count; i++) {
        const struct cmd_rings_finding *f = &facts.findings[i];
        said = said || (f->warning && strstr(f->text, it->says) != NULL);
    }
    if (!said) { fail_msg("%s: %zu warnings, none with it", it->id, facts.warning_count); }
    assert_int_equal(facts.warning_count == 0, it->says == NULL);
}

TEST(a_fleet_that_nobody_told_is_assumed_and_says_so)
{
    struct rw_err err;
    struct ring_policy policy;
    static struct cmd_rings_facts facts;
    const struct cmd_rings_options options = {.staff = -1};
    MUST(ring_policy_parse(rw_span_str(POLICY(BY_HAND, "", "")), &policy, &err));
    MUST(cmd_rings_facts(&policy, &options, &facts, &err));
    assert_true(facts.hosts_assumed && facts.staff_advised);
    assert_int_equal(facts.plan.endpoints, CMD_RINGS_HOSTS_ASSUMED);
    assert_int_equal(facts.plan.staff, cmd_rings_needed(&policy.rings[0], 1));
    assert_int_equal(facts.plan.cohort_count, 4);
    assert_true(facts.pace[0].reach_95_s > 0);
}

RUN_TESTS(cmocka_unit_test(a_pass_takes_what_limit_and_minimum_ask_for),
          cmocka_unit_test(one_failure_asks_for_more_than_a_small_ring_of_staff_has),
          cmocka_unit_test(members_follow_the_buckets),
          cmocka_unit_test(a_ring_that_cannot_do_its_work_is_warned_of),
          cmocka_unit_test(a_fleet_that_nobody_told_is_assumed_and_says_so))
