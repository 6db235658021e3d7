/* Goal: the policy that people edit is read strictly, and refused with the place that is wrong. */
#include "common/base/file.h"
#include "common/policy/ring_policy.h"
#include "tests/harness.h"

#include <math.h>

#define RINGS                                                                                      \
    "{\"name\":\"canary\",\"share\":\"1%\",\"bake\":\"1h\"},{\"name\":\"broad\",\"share\":"        \
    "\"rest\"}"
#define REST                                                                                       \
    "\"classes\":{\"data\":{\"min_bake\":{\"broad\":\"3h\"}}},"                                    \
    "\"window\":{\"confirm\":{\"start\":8,\"deadline\":\"15m\",\"probation\":\"10m\"}}}"
#define POLICY(rings) "{\"format\":1,\"rings\":[" rings "]," REST

#define WITH(member) "{\"format\":1,\"rings\":[" RINGS "]," member "," REST

static const struct refused {
    const char *id, *text, *says;
} refused[] = {
    {"no rings", "{\"format\":1,\"rings\":[]," REST, "0 rings"},
    {"last not rest", POLICY("{\"name\":\"a\",\"share\":\"1%\"}"), "rest"},
    {"ring behind rest", POLICY("{\"name\":\"a\",\"share\":\"rest\"}," RINGS), "no ring can"},
    {"share and select", POLICY("{\"name\":\"a\",\"share\":\"1%\",\"select\":\"local\"}," RINGS),
     "either"},
    {"neither", POLICY("{\"name\":\"a\"}," RINGS), "either"},
    {"shares beyond 100", POLICY("{\"name\":\"a\",\"share\":\"99.5%\"}," RINGS), "100.50%"},
    {"nothing left for rest",
     POLICY("{\"name\":\"a\",\"share\":\"98%\"},{\"name\":\"b\",\"share\":\"2%\"},{\"name\":\"c\","
            "\"share\":\"rest\"}"),
     "nothing for"},
    {"a ring that is no object", POLICY("7," RINGS), "rings[0]"},
    {"select of another kind", POLICY("{\"name\":\"a\",\"select\":\"all\"}," RINGS), "local"},
    {"negative bake", POLICY("{\"name\":\"a\",\"share\":\"1%\",\"bake\":\"-1h\"}," RINGS), "bake"},
    {"bake of years", POLICY("{\"name\":\"a\",\"share\":\"1%\",\"bake\":\"400d\"}," RINGS),
     "limit"},
    {"unknown member of a gate",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"gate\":{\"limits\":\"1%\"}}," RINGS), "'limits'"},
    {"gate without endpoints",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"gate\":{\"min_healthy\":0}}," RINGS),
     "min_healthy"},
    {"member twice", POLICY("{\"name\":\"a\",\"share\":\"1%\",\"share\":\"2%\"}," RINGS), "twice"},
    {"unknown member at the top", "{\"format\":1,\"ring\":[]," REST, "'ring'"},
    {"no classes", "{\"format\":1,\"rings\":[" RINGS "],\"window\":{\"confirm\":{}}}",
     "'classes' is missing"},
    {"empty classes",
     "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{},\"window\":{\"confirm\":{}}}",
     "0 classes"},
    {"no window", "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{\"data\":{}}}",
     "'window' is missing"},
    {"closed window",
     "{\"format\":1,\"rings\":[" RINGS
     "],\"classes\":{\"data\":{}},\"window\":{\"confirm\":{\"start\":0}}}",
     "'start'"},
    {"no health budget",
     "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{\"data\":{}},\"window\":{\"confirm\":{}},"
     "\"health\":{\"false_halts_per_year\":0}}",
     "false_halts_per_year"},
    {"not JSON", "rings:", "JSON line 1"},
    {"zero share", POLICY("{\"name\":\"a\",\"share\":\"0%\"}," RINGS), "add up"},
    {"name twice", POLICY("{\"name\":\"broad\",\"share\":\"1%\"}," RINGS), "twice"},
    {"odd name", POLICY("{\"name\":\"A\",\"share\":\"1%\"}," RINGS), "ring 'A'"},
    {"number as name", POLICY("{\"name\":\"1\",\"share\":\"1%\"}," RINGS), "letter"},
    {"unknown member", POLICY("{\"name\":\"a\",\"share\":\"1%\",\"bakes\":\"1h\"}," RINGS),
     "unknown member"},
    {"shorter later bake", POLICY("{\"name\":\"a\",\"share\":\"1%\",\"bake\":\"2h\"}," RINGS),
     "rings[1]"},
    {"no unit", POLICY("{\"name\":\"a\",\"share\":\"1%\",\"bake\":\"60\"}," RINGS), "unit"},
    {"share without %", POLICY("{\"name\":\"a\",\"share\":\"1\"}," RINGS), "share"},
    {"gate limit zero",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"gate\":{\"limit\":\"0%\"}}," RINGS), "above 0%"},
    {"format 2", "{\"format\":2,\"rings\":[" RINGS "]," REST, "format"},
    {"class for no ring",
     "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{\"data\":{\"min_bake\":{\"x\":\"1h\"}}},"
     "\"window\":{\"confirm\":{}}}",
     "no ring 'x'"},
    {"probation too long",
     "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{\"data\":{}},"
     "\"window\":{\"confirm\":{\"deadline\":\"5m\",\"probation\":\"10m\"}}}",
     "longer than"},
    {"hard minimum of nothing", WITH("\"expedite\":{\"hard_min\":\"0s\"}"), "hard_min"},
    {"expedite shorter than its hard minimum", WITH("\"expedite\":{\"longest\":\"10m\"}"),
     "longest"},
    {"unknown member of expedite", WITH("\"expedite\":{\"skip_gate\":true}"), "unknown member"},
    {"unknown limit of controls", WITH("\"controls\":{\"hold\":\"1d\"}"), "unknown member"},
    {"limit of controls without unit", WITH("\"controls\":{\"hold_longest\":\"30\"}"), "unit"},
    {"negative engine skew", WITH("\"engine_skew\":-1"), "engine_skew"},
    {"second person for a stop", WITH("\"second_person\":{\"verbs\":[\"halt\"]}"),
     "want 'promote' or 'resume'"},
    {"second person twice", WITH("\"second_person\":{\"verbs\":[\"resume\",\"resume\"]}"),
     "'resume' stands there twice"},
    {"second person without verbs", WITH("\"second_person\":{\"within\":\"1h\"}"), "verbs"},
    {"second person at once", WITH("\"second_person\":{\"verbs\":[\"resume\"],\"within\":\"0s\"}"),
     "at least 1s"},
    {"second person of next week",
     WITH("\"second_person\":{\"verbs\":[\"resume\"],\"within\":\"7d\"}"), "within"},
    {"third person", WITH("\"second_person\":{\"verbs\":[],\"third\":true}"), "unknown member"},
    {"engine skew as text", WITH("\"engine_skew\":\"9\""), "engine_skew"},
};

TEST_EACH(a_wrong_policy_is_refused_with_its_place, refused)
{
    struct ring_policy p;
    struct rw_err err = {0};
    struct rw_rc rc = ring_policy_parse(rw_span_str(it->text), &p, &err);
    assert_false(rw_is_ok(rc));
    if (strstr(err.text, it->says) == NULL) { fail_msg("'%s' lacks '%s'", err.text, it->says); }
}

TEST(buckets_belong_to_exactly_one_ring)
{
    struct ring_policy p;
    struct rw_err err = {0};
    size_t members[2] = {0};
    MUST(ring_policy_parse(rw_span_str(POLICY(RINGS)), &p, &err));
    for (int64_t b = 0; b < RING_POLICY_BUCKETS; b++) {
        members[ring_policy_of_bucket(&p, b)]++;
    }
    assert_int_equal(members[0], 100);
    assert_int_equal(members[1], 9900);
}

TEST(minimum_bake_is_never_before_the_earlier_rings_have_baked)
{
    struct ring_policy p;
    struct rw_err err = {0};
    MUST(ring_policy_parse(rw_span_str(POLICY(RINGS)), &p, &err));
    assert_int_equal(ring_policy_min_bake_s(&p, 0, 0), 0);
    assert_int_equal(ring_policy_min_bake_s(&p, 0, 1), 3 * 3600); /* class minimum above 1h */
    p.classes[0].min_bake_s[1] = 60;
    assert_int_equal(ring_policy_min_bake_s(&p, 0, 1), 3600); /* canary's bake */
}

TEST(expedite_and_engine_skew_have_safe_defaults)
{
    struct ring_policy p;
    struct rw_err err = {0};
    MUST(ring_policy_parse(rw_span_str(POLICY(RINGS)), &p, &err));
    assert_int_equal(p.hard_min_s, 1800);
    assert_int_equal(p.expedite_longest_s, 72 * 3600);
    assert_int_equal(p.engine_skew_max, -1);
    MUST(
        ring_policy_parse(rw_span_str(WITH("\"expedite\":{\"hard_min\":\"5m\",\"longest\":\"24h\"},"
                                           "\"engine_skew\":0")),
                          &p, &err));
    assert_int_equal(p.hard_min_s, 300);
    assert_int_equal(p.expedite_longest_s, 24 * 3600);
    assert_int_equal(p.engine_skew_max, 0);
}

TEST(a_second_person_is_wanted_for_marked_verbs_only)
{
    struct ring_policy p;
    struct rw_err err = {0};
    MUST(ring_policy_parse(rw_span_str(POLICY(RINGS)), &p, &err));
    assert_false(p.second.verbs[SECOND_PERSON_PROMOTE] || p.second.verbs[SECOND_PERSON_RESUME]);
    MUST(ring_policy_parse(
        rw_span_str(WITH("\"second_person\":{\"verbs\":[\"promote\"],\"within\":\"1h\"}")), &p,
        &err));
    assert_true(p.second.verbs[SECOND_PERSON_PROMOTE]);
    assert_false(p.second.verbs[SECOND_PERSON_RESUME]);
    assert_int_equal(p.second.within_s, 3600);
}

TEST(controls_have_limits_and_classes_may_be_unpausable)
{
    struct ring_policy p;
    struct rw_err err = {0};
    MUST(ring_policy_parse(rw_span_str(POLICY(RINGS)), &p, &err));
    assert_int_equal(p.controls.delay_longest_s, 72 * 3600);
    assert_int_equal(p.controls.hold_longest_s, 30 * 86400);
    assert_int_equal(p.controls.pin_longest_s, 90 * 86400);
    assert_int_equal(p.controls.pause_longest_s, 86400);
    assert_false(p.classes[0].unpausable);
    MUST(ring_policy_parse(
        rw_span_str("{\"format\":1,\"rings\":[" RINGS
                    "],\n\"classes\":{\n\"data\":{\"unpausable\":true}},"
                    "\"window\":{\"confirm\":{}},\"controls\":{\"pin_longest\":\"7d\"}}"),
        &p, &err));
    assert_true(p.classes[0].unpausable);
    assert_int_equal(p.classes[0].unpausable_line, 3);
    assert_int_equal(p.controls.pin_longest_s, 7 * 86400);
}

/* Consecutive ranges without a gap, in listed order, whatever the shares are. */
static const struct range_row {
    const char *id;
    const char *shares[4]; /* of rings before the rest; "local": joined by hand */
    int64_t hi[4];
} ranges[] = {
    {"rest alone", {NULL}, {0}},
    {"one hundredth of a percent", {"0.01%"}, {1}},
    {"default", {"local", "1%", "10%"}, {0, 100, 1100}},
    {"a hundredth of a percent is left", {"50%", "49.99%"}, {5000, 9999}},
    {"by hand in between", {"1%", "local", "2%"}, {100, 0, 300}},
};

TEST_EACH(ranges_are_consecutive_and_leave_no_gap, ranges)
{
    struct ring_policy p;
    struct rw_err err = {0};
    char text[1024];
    size_t n = (size_t)snprintf(text, sizeof(text), "{\"format\":1,\"rings\":[");
    size_t rings = 0;
    for (; rings < 4 && it->shares[rings] != NULL; rings++) {
        bool by_hand = strcmp(it->shares[rings], "local") == 0;
        n += (size_t)snprintf(text + n, sizeof(text) - n, "{\"name\":\"r%zu\",\"%s\":\"%s\"},",
                              rings, by_hand ? "select" : "share", it->shares[rings]);
    }
    (void)snprintf(text + n, sizeof(text) - n,
                   "{\"name\":\"last\",\"share\":\"rest\"}],"
                   "\"classes\":{\"data\":{}},\"window\":{\"confirm\":{}}}");
    MUST(ring_policy_parse(rw_span_str(text), &p, &err));
    int64_t next = 0;
    for (size_t i = 0; i < p.ring_count; i++) {
        const struct ring_policy_ring *r = &p.rings[i];
        if (r->select == RING_BY_HAND) {
            assert_int_equal(r->bucket_lo, r->bucket_hi);
            continue;
        }
        assert_int_equal(r->bucket_lo, next);
        if (i < rings) { assert_int_equal(r->bucket_hi, it->hi[i]); }
        next = r->bucket_hi;
    }
    assert_int_equal(next, RING_POLICY_BUCKETS);
    for (int64_t b = 0; b < RING_POLICY_BUCKETS; b++) {
        const struct ring_policy_ring *r = &p.rings[ring_policy_of_bucket(&p, b)];
        assert_true(r->bucket_lo <= b && b < r->bucket_hi);
    }
}

static const struct budget_case {
    const char *id;
    int64_t halts;
    int64_t releases;
    double alpha;
} budgets[] = {
    {"the_default_is_what_the_windows_were_measured_for", 1, 7300, 1e-4},
    {"a_budget_of_few_halts_makes_it_patient", 1, 50000, 2e-5},
    {"a_generous_budget_does_not_make_it_hasty", 1000, 1, 1e-4},
};

TEST_EACH(the_budget_of_a_year_bounds_the_chance_of_a_false_halt, budgets)
{
    const struct ring_policy p = {.false_halts_per_year = it->halts,
                                  .releases_per_year = it->releases};
    assert_true(fabs(ring_policy_alpha(&p) - it->alpha) < 1e-12);
}

TEST(the_shipped_default_is_valid)
{
    struct ring_policy p;
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    MUST(rw_file_read(RW_TEST_DATA "/../../rings.json", RING_POLICY_BYTES_MAX, &text, &err));
    MUST(ring_policy_parse(rw_buf_span(&text), &p, &err));
    assert_int_equal(p.ring_count, 4);
}

RUN_TESTS(cmocka_unit_test(a_wrong_policy_is_refused_with_its_place),
          cmocka_unit_test(buckets_belong_to_exactly_one_ring),
          cmocka_unit_test(minimum_bake_is_never_before_the_earlier_rings_have_baked),
          cmocka_unit_test(controls_have_limits_and_classes_may_be_unpausable),
          cmocka_unit_test(expedite_and_engine_skew_have_safe_defaults),
          cmocka_unit_test(a_second_person_is_wanted_for_marked_verbs_only),
          cmocka_unit_test(ranges_are_consecutive_and_leave_no_gap),
          cmocka_unit_test(the_budget_of_a_year_bounds_the_chance_of_a_false_halt),
          cmocka_unit_test(the_shipped_default_is_valid))
