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

#define WINDOW(members)                                                                            \
    "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{\"data\":{}},\"window\":{" members "}}"

static const struct refused {
    const char *id;
    const char *path; /* NULL: it is no JSON, which has a line and column only */
    const char *text, *says;
} refused[] = {
    {"no rings", "rings", "{\"format\":1,\"rings\":[]," REST, "0 rings"},
    {"last not rest", "rings[0]", POLICY("{\"name\":\"a\",\"share\":\"1%\"}"), "rest"},
    {"ring behind rest", "rings[1]", POLICY("{\"name\":\"a\",\"share\":\"rest\"}," RINGS),
     "no ring can"},
    {"share and select", "rings[0]",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"select\":\"local\"}," RINGS), "either"},
    {"neither", "rings[0]", POLICY("{\"name\":\"a\"}," RINGS), "either"},
    {"shares beyond 100", "rings[1].share", POLICY("{\"name\":\"a\",\"share\":\"99.5%\"}," RINGS),
     "100.50%"},
    {"nothing left for rest", "rings[2].share",
     POLICY("{\"name\":\"a\",\"share\":\"98%\"},{\"name\":\"b\",\"share\":\"2%\"},{\"name\":\"c\","
            "\"share\":\"rest\"}"),
     "nothing for"},
    {"a ring that is no object", "rings[0]", POLICY("7," RINGS), "want an object"},
    {"select of another kind", "rings[0].select",
     POLICY("{\"name\":\"a\",\"select\":\"all\"}," RINGS), "local"},
    {"negative bake", "rings[0].bake",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"bake\":\"-1h\"}," RINGS), "bake"},
    {"bake of years", "rings[0].bake",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"bake\":\"400d\"}," RINGS), "limit"},
    {"unknown member of a gate", "rings[0].gate.limits",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"gate\":{\"limits\":\"1%\"}}," RINGS),
     "unknown member 'limits'"},
    {"gate without endpoints", "rings[0].gate.min_healthy",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"gate\":{\"min_healthy\":0}}," RINGS),
     "min_healthy"},
    {"member twice", NULL, POLICY("{\"name\":\"a\",\"share\":\"1%\",\"share\":\"2%\"}," RINGS),
     "twice"},
    {"unknown member at the top", "ring", "{\"format\":1,\"ring\":[]," REST, "'ring'"},
    {"no classes", "classes", "{\"format\":1,\"rings\":[" RINGS "],\"window\":{\"confirm\":{}}}",
     "is missing"},
    {"empty classes", "classes",
     "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{},\"window\":{\"confirm\":{}}}",
     "0 classes"},
    {"no window", "window", "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{\"data\":{}}}",
     "is missing"},
    {"closed window", "window.confirm.start",
     "{\"format\":1,\"rings\":[" RINGS
     "],\"classes\":{\"data\":{}},\"window\":{\"confirm\":{\"start\":0}}}",
     "want 1..1000000"},
    {"no health budget", "health.false_halts_per_year",
     "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{\"data\":{}},\"window\":{\"confirm\":{}},"
     "\"health\":{\"false_halts_per_year\":0}}",
     "want 1..1000"},
    {"not JSON", NULL, "rings:", "JSON line 1"},
    {"zero share", "rings[0].share", POLICY("{\"name\":\"a\",\"share\":\"0%\"}," RINGS),
     "want 0.01%"},
    {"name twice", "rings[2].name", POLICY("{\"name\":\"broad\",\"share\":\"1%\"}," RINGS),
     "twice"},
    {"odd name", "rings[0].name", POLICY("{\"name\":\"A\",\"share\":\"1%\"}," RINGS),
     "'A': want 1 to 32"},
    {"number as name", "rings[0].name", POLICY("{\"name\":\"1\",\"share\":\"1%\"}," RINGS),
     "letter"},
    {"unknown member", "rings[0].bakes",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"bakes\":\"1h\"}," RINGS), "unknown member"},
    {"shorter later bake", "rings[1].bake",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"bake\":\"2h\"}," RINGS), "rings[1]"},
    {"no unit", "rings[0].bake", POLICY("{\"name\":\"a\",\"share\":\"1%\",\"bake\":\"60\"}," RINGS),
     "unit"},
    {"share without %", "rings[0].share", POLICY("{\"name\":\"a\",\"share\":\"1\"}," RINGS),
     "share"},
    {"gate limit zero", "rings[0].gate.limit",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"gate\":{\"limit\":\"0%\"}}," RINGS),
     "want 0.01% to 100.00%"},
    {"format 2", "format", "{\"format\":2,\"rings\":[" RINGS "]," REST, "format"},
    {"class for no ring", "classes.data.min_bake",
     "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{\"data\":{\"min_bake\":{\"x\":\"1h\"}}},"
     "\"window\":{\"confirm\":{}}}",
     "no ring 'x'"},
    {"probation too long", "window.confirm.deadline",
     "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{\"data\":{}},"
     "\"window\":{\"confirm\":{\"deadline\":\"5m\",\"probation\":\"10m\"}}}",
     "longer than"},
    {"a poll without a pause", "poll.rollout", WITH("\"poll\":{\"rollout\":\"0s\"}"),
     "at least 1s"},
    {"hard minimum of nothing", "expedite.hard_min", WITH("\"expedite\":{\"hard_min\":\"0s\"}"),
     "hard_min"},
    {"expedite shorter than its hard minimum", "expedite.longest",
     WITH("\"expedite\":{\"longest\":\"10m\"}"), "longest"},
    {"unknown member of expedite", "expedite.skip_gate", WITH("\"expedite\":{\"skip_gate\":true}"),
     "unknown member"},
    {"unknown limit of controls", "controls.hold", WITH("\"controls\":{\"hold\":\"1d\"}"),
     "unknown member"},
    {"limit of controls without unit", "controls.hold_longest",
     WITH("\"controls\":{\"hold_longest\":\"30\"}"), "unit"},
    {"negative engine skew", "engine_skew", WITH("\"engine_skew\":-1"), "engine_skew"},
    {"second person for a stop", "second_person.verbs[0]",
     WITH("\"second_person\":{\"verbs\":[\"halt\"]}"), "want 'promote' or 'resume'"},
    {"second person twice", "second_person.verbs[1]",
     WITH("\"second_person\":{\"verbs\":[\"resume\",\"resume\"]}"), "'resume' stands there twice"},
    {"second person without verbs", "second_person.verbs",
     WITH("\"second_person\":{\"within\":\"1h\"}"), "verbs"},
    {"second person at once", "second_person.within",
     WITH("\"second_person\":{\"verbs\":[\"resume\"],\"within\":\"0s\"}"), "at least 1s"},
    {"second person of next week", "second_person.within",
     WITH("\"second_person\":{\"verbs\":[\"resume\"],\"within\":\"7d\"}"), "within"},
    {"third person", "second_person.third", WITH("\"second_person\":{\"verbs\":[],\"third\":true}"),
     "unknown member"},
    {"engine skew as text", "engine_skew", WITH("\"engine_skew\":\"9\""), "engine_skew"},
    {"hold-back of everybody", "rings[0].hold_back.share",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"hold_back\":{\"share\":\"100%\"}}," RINGS),
     "want less"},
    {"hold-back of a number", "rings[0].hold_back.share",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"hold_back\":{\"share\":2}}," RINGS),
     "want a share"},
    {"hold-back of a text", "rings[0].hold_back",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"hold_back\":\"2%\"}," RINGS), "want an object"},
    {"no name", "rings[0].name", POLICY("{\"share\":\"1%\"}," RINGS), "is missing"},
    {"a name of 33", "rings[0].name",
     POLICY("{\"name\":\"abcdefghijklmnopqrstuvwxyz0123456\",\"share\":\"1%\"}," RINGS),
     "want 1 to 32"},
    {"a bake in seconds", "rings[0].bake",
     POLICY("{\"name\":\"a\",\"share\":\"1%\",\"bake\":60}," RINGS), "want a duration"},
    {"rings that are no list", "rings", "{\"format\":1,\"rings\":{}," REST, "want an array"},
    {"no format", "format", "{\"rings\":[" RINGS "]," REST, "is missing"},
    {"a policy that is a list", "the policy", "[]", "want an object"},
    {"a class with a capital", "classes.Data",
     "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{\"Data\":{}},\"window\":{\"confirm\":{}}}",
     "1 to 32"},
    {"a class that is true", "classes.data",
     "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{\"data\":true},\"window\":{\"confirm\":{}}}",
     "want an object"},
    {"unpausable as text", "classes.data.unpausable",
     "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{\"data\":{\"unpausable\":\"yes\"}},"
     "\"window\":{\"confirm\":{}}}",
     "true or false"},
    {"a minimum bake without unit", "classes.data.min_bake.broad",
     "{\"format\":1,\"rings\":[" RINGS "],\"classes\":{\"data\":{\"min_bake\":{\"broad\":\"6\"}}},"
     "\"window\":{\"confirm\":{}}}",
     "unit"},
    {"no confirm", "window.confirm", WINDOW("\"cohort\":{}"), "is missing"},
    {"a law that nobody knows", "window.dark", WINDOW("\"confirm\":{},\"dark\":{}"),
     "unknown member"},
    {"alive before it survived", "window.alive.after",
     WINDOW("\"confirm\":{},\"alive\":{\"after\":\"5m\"}"), "want at least 10m"},
    {"probation beyond alive's default", "window.alive.after",
     WINDOW("\"confirm\":{\"probation\":\"3h\",\"deadline\":\"4h\"}"), "want at least 3h"},
    {"k in both spellings", "window.confirm.per_survivor_thousandths",
     WINDOW("\"confirm\":{\"per_survivor\":1.0,\"per_survivor_thousandths\":1000}"), "one of them"},
    {"a negative k", "window.confirm.per_survivor", WINDOW("\"confirm\":{\"per_survivor\":-0.5}"),
     "from 0 to 100"},
    {"a tenant without places", "window.tenant.share",
     WINDOW("\"confirm\":{},\"tenant\":{\"share\":\"0%\"}"), "0"},
    {"unknown member of a tenant", "window.tenant.shares",
     WINDOW("\"confirm\":{},\"tenant\":{\"shares\":\"50%\"}"), "unknown member"},
    {"a k beyond its limit", "window.alive.per_survivor",
     WINDOW("\"confirm\":{},\"alive\":{\"per_survivor\":1000.001}"), "from 0 to 1000"},
    {"k as text", "window.confirm.per_survivor", WINDOW("\"confirm\":{\"per_survivor\":\"1.0\"}"),
     "want a number"},
    {"a k of four decimals", NULL, WINDOW("\"confirm\":{\"per_survivor\":1.0001}"),
     "three decimals"},
    {"a start with decimals", "window.confirm.start", WINDOW("\"confirm\":{\"start\":16.0}"),
     "want a whole number"},
    {"an unknown start of cohorts", "window.cohort.begin",
     WINDOW("\"confirm\":{},\"cohort\":{\"begin\":4}"), "unknown member"},
    {"an unknown budget", "health.budget", WITH("\"health\":{\"budget\":1}"), "unknown member"},
    {"polls of another time", "poll.always", WITH("\"poll\":{\"always\":\"1m\"}"),
     "unknown member"},
    {"cohorts of our own", "cohorts", WITH("\"cohorts\":[\"os\",\"arch\",\"region\"]"),
     "\"os\", \"arch\" and \"engine\""},
    {"too few cohorts", "cohorts", WITH("\"cohorts\":[\"os\"]"), "each once"},
    {"cohorts twice", "cohorts", WITH("\"cohorts\":[\"os\",\"os\",\"engine\"]"), "each once"},
    {"cohorts of numbers", "cohorts", WITH("\"cohorts\":[1,2,3]"), "each once"},
    {"expedite without end", "expedite.longest", WITH("\"expedite\":{\"longest\":\"91d\"}"),
     "limit of 90d"},
    {"delays without end", "controls.delay_longest",
     WITH("\"controls\":{\"delay_longest\":\"91d\"}"), "limit of 90d"},
    {"verbs that are no list", "second_person.verbs",
     WITH("\"second_person\":{\"verbs\":\"resume\"}"), "want an array"},
};

TEST_EACH(a_wrong_policy_is_refused_with_its_place, refused)
{
    struct ring_policy p;
    struct rw_err err = {0};
    struct rw_rc rc = ring_policy_parse(rw_span_str(it->text), &p, &err);
    assert_false(rw_is_ok(rc));
    char place[128] = "JSON line 1";
    if (it->path != NULL) { (void)snprintf(place, sizeof(place), "line 1: %s: ", it->path); }
    if (strstr(err.text, it->says) == NULL) { fail_msg("'%s' lacks '%s'", err.text, it->says); }
    if (strstr(err.text, place) == NULL) { fail_msg("'%s' lacks '%s'", err.text, place); }
    assert_true(it->path == NULL || strstr(err.text, place) == err.text);
    if (err.hint[0] == '\0') { fail_msg("'%s' has no hint", err.text); }
}

TEST(the_line_is_that_of_the_member)
{
    struct ring_policy p;
    struct rw_err err = {0};
    const char *text = "{\"format\":1,\n\"rings\":[" RINGS "],\n\"classes\":{\"data\":{}},\n"
                       "\"window\":{\"confirm\":{\n\"start\":0}}}";
    assert_false(rw_is_ok(ring_policy_parse(rw_span_str(text), &p, &err)));
    assert_string_equal(err.text, "line 5: window.confirm.start: is 0, want 1..1000000");
}

TEST(a_member_that_stands_twice_is_told_with_its_path)
{
    struct ring_policy p;
    struct rw_err err = {0};
    const char *text = WINDOW("\"confirm\":{\"start\":1,\"start\":2}");
    assert_false(rw_is_ok(ring_policy_parse(rw_span_str(text), &p, &err)));
    assert_string_equal(err.text,
                        "window.confirm: JSON line 1: the object has member 'start' twice");
    assert_true(err.hint[0] != '\0');
}

TEST(what_is_no_json_is_told_with_the_path_of_what_is_open_there)
{
    struct ring_policy p;
    struct rw_err err = {0};
    const char *text = WINDOW("\"confirm\":{\"start\":1,,}");
    assert_false(rw_is_ok(ring_policy_parse(rw_span_str(text), &p, &err)));
    assert_non_null(strstr(err.text, "window.confirm: JSON line 1, column "));
    assert_false(
        rw_is_ok(ring_policy_parse(rw_span_str("{\"rings\":[{},\n{\"name\" 1}]}"), &p, &err)));
    assert_string_equal(err.text, "rings[1]: JSON line 2, column 9: want ':'");
}

/* As the design has it: k as a number with decimals, and the cohorts' fields written down. */
TEST(k_may_be_a_number_and_the_fields_of_cohorts_may_be_written_down)
{
    struct ring_policy p;
    struct rw_err err = {0};
    const char *text =
        "{ \"format\": 1,\n"
        "  \"rings\": [\n"
        "    {\"name\": \"internal\", \"select\": \"local\", \"bake\": \"30m\"},\n"
        "    {\"name\": \"canary\",   \"share\": \"1%\",     \"bake\": \"1h\"},\n"
        "    {\"name\": \"early\",    \"share\": \"10%\",    \"bake\": \"2h\"},\n"
        "    {\"name\": \"broad\",    \"share\": \"rest\",   \"hold_back\": {\"share\": \"2%\", "
        "\"for\": \"24h\"}} ],\n"
        "  \"classes\": {\"data\": {\"min_bake\": {\"broad\": \"1h\"}}, \"rules\": {\"min_bake\": "
        "{\"broad\": \"6h\"}}, \"engine\": {\"min_bake\": {\"broad\": \"24h\"}}},\n"
        "  \"window\":  {\"confirm\": {\"start\": 16, \"per_survivor\": 1.0, \"deadline\": "
        "\"15m\"},\n"
        "              \"alive\":   {\"after\": \"2h\", \"start\": 10000, \"per_survivor\": "
        "99.0},\n"
        "              \"cohort\":  {\"start\": 4}},\n"
        "  \"health\":  {\"false_halts_per_year\": 1, \"releases_per_year\": 7300},\n"
        "  \"cohorts\": [\"os\", \"arch\", \"engine\"] }\n";
    MUST(ring_policy_parse(rw_span_str(text), &p, &err));
    assert_int_equal(p.confirm_per_survivor_m, 1000);
    assert_int_equal(p.alive_per_survivor_m, 99000);
    assert_int_equal(p.tenant_share_bp, 5000);
    assert_int_equal(p.ring_count, 4);
    MUST(ring_policy_parse(rw_span_str(WINDOW("\"confirm\":{\"per_survivor\":0.25},\"alive\":{"
                                              "\"per_survivor\":7}")),
                           &p, &err));
    assert_int_equal(p.confirm_per_survivor_m, 250);
    assert_int_equal(p.alive_per_survivor_m, 7000);
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
          cmocka_unit_test(the_line_is_that_of_the_member),
          cmocka_unit_test(a_member_that_stands_twice_is_told_with_its_path),
          cmocka_unit_test(what_is_no_json_is_told_with_the_path_of_what_is_open_there),
          cmocka_unit_test(k_may_be_a_number_and_the_fields_of_cohorts_may_be_written_down),
          cmocka_unit_test(buckets_belong_to_exactly_one_ring),
          cmocka_unit_test(minimum_bake_is_never_before_the_earlier_rings_have_baked),
          cmocka_unit_test(controls_have_limits_and_classes_may_be_unpausable),
          cmocka_unit_test(expedite_and_engine_skew_have_safe_defaults),
          cmocka_unit_test(a_second_person_is_wanted_for_marked_verbs_only),
          cmocka_unit_test(ranges_are_consecutive_and_leave_no_gap),
          cmocka_unit_test(the_budget_of_a_year_bounds_the_chance_of_a_false_halt),
          cmocka_unit_test(the_shipped_default_is_valid))
