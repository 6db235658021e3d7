/* Goal: what an agent writes the server reads back to the same values; every member that is missing, wrong, unknown or
 * out of range is named; nothing of a bad batch is taken. */
#include "common/wire/beacon_codec.h"

#include "tests/harness.h"

static struct beacon full(void)
{
    struct beacon b = {.at = {1795325656},
                       .kind = BEACON_CRASH,
                       .ring = "canary",
                       .cohort = {"debian-12", "x86_64", "yara-4.2"},
                       .family = "yara",
                       .release = 2,
                       .generation = 7,
                       .stage = BEACON_STAGE_PROBATION,
                       .signal = 11,
                       .detail = "died \"here\"",
                       .grade = "full",
                       .clock = "behind",
                       .trust = "development"};
    memset(b.id, 0xa1, sizeof(b.id));
    memset(b.sha256, 0xb2, sizeof(b.sha256));
    return b;
}

static struct rw_buf write_batch(const struct beacon *b, size_t n)
{
    struct rw_err err = {0};
    struct rw_buf out = rw_buf_make(200000);
    struct json_writer w = json_begin(&out);
    json_open_object(&w, NULL);
    json_open_array(&w, "beacons");
    for (size_t i = 0; i < n; i++) {
        beacon_write(&w, NULL, b);
    }
    json_close_array(&w);
    json_close_object(&w);
    MUST(json_done(&w, &err));
    return out;
}

TEST(every_member_survives_writing_and_reading)
{
    struct rw_err err = {0};
    struct beacon all[BEACON_BATCH_MAX];
    size_t n = 0;
    struct beacon b = full();
    for (int kind = BEACON_ALIVE; kind <= BEACON_UNABLE; kind++) {
        b.kind = (enum beacon_kind)kind;
        RW_AUTO(rw_buf) struct rw_buf text = write_batch(&b, 1);
        MUST(beacon_read_batch(rw_buf_span(&text), all, &n, &err));
        assert_int_equal(n, 1);
        assert_memory_equal(all[0].id, b.id, sizeof(b.id));
        assert_memory_equal(all[0].sha256, b.sha256, sizeof(b.sha256));
        assert_memory_equal(&all[0].cohort, &b.cohort, sizeof(b.cohort));
        assert_int_equal(all[0].at.s, b.at.s);
        assert_int_equal(all[0].kind, b.kind);
        assert_int_equal(all[0].release, 2);
        assert_int_equal(all[0].generation, 7);
        assert_int_equal(all[0].stage, BEACON_STAGE_PROBATION);
        assert_int_equal(all[0].signal, 11);
        assert_string_equal(all[0].ring, "canary");
        assert_string_equal(all[0].family, "yara");
        assert_string_equal(all[0].detail, "died \"here\"");
        assert_string_equal(all[0].grade, "full");
        assert_string_equal(all[0].clock, "behind");
        assert_string_equal(all[0].trust, "development");
        assert_true(strlen(beacon_kind_name(b.kind)) > 3);
    }
}

TEST(what_does_not_apply_is_left_out_and_read_as_nothing)
{
    struct rw_err err = {0};
    struct beacon all[BEACON_BATCH_MAX];
    size_t n = 0;
    struct beacon b = {.kind = BEACON_ALIVE, .ring = "broad", .trust = "ok"};
    RW_AUTO(rw_buf) struct rw_buf text = write_batch(&b, 1);
    MUST(beacon_read_batch(rw_buf_span(&text), all, &n, &err));
    assert_null(strstr(rw_buf_str(&text), "release"));
    assert_null(strstr(rw_buf_str(&text), "detail"));
    assert_int_equal(all[0].release, 0);
    assert_int_equal(all[0].stage, BEACON_STAGE_NONE);
    assert_string_equal(all[0].grade, "");
    assert_string_equal(all[0].clock, "");
}

/* A text cut in the middle of a character, or a label from a strange host, must not cost the whole batch. */
TEST(what_an_agent_writes_can_always_be_read)
{
    struct rw_err err = {0};
    struct beacon all[BEACON_BATCH_MAX];
    size_t n = 0;
    struct beacon b = full();
    memset(b.detail, 'x', sizeof(b.detail) - 1);
    b.detail[sizeof(b.detail) - 2] = (char)0xc3;
    (void)snprintf(b.cohort.os, sizeof(b.cohort.os),
                   "d\xc3\xa9"
                   "bian\x1f\n");
    RW_AUTO(rw_buf) struct rw_buf text = write_batch(&b, BEACON_BATCH_MAX);
    MUST(beacon_read_batch(rw_buf_span(&text), all, &n, &err));
    assert_int_equal(n, BEACON_BATCH_MAX);
    assert_string_equal(all[31].cohort.os, "d?"
                                           "?bian?"
                                           "?");
    assert_int_equal(strlen(all[31].detail), 200);
}

#define ID      "\"id\":\"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1\""
#define AT      "\"at\":\"2026-11-22T05:34:16Z\""
#define COHORT  "\"cohort\":{\"os\":\"d\",\"arch\":\"x\",\"engine\":\"y\"}"
#define HASH    "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"
#define CONTENT "\"family\":\"yara\",\"release\":2,\"sha256\":\"" HASH "\",\"generation\":7"
#define KIND    "\"kind\":\"healthy\""
#define RING    "\"ring\":\"canary\""
#define TRUST   "\"trust\":\"ok\""

static const struct member_row {
    const char *id;
    const char *text;
    enum rw_code want;
    const char *named; /* must stand in the error */
} members[] = {
    {"good", "{" ID "," AT "," KIND "," RING "," COHORT "," CONTENT "," TRUST "}", RW_E_NONE, ""},
    {"no_id", "{" AT "," KIND "," RING "," COHORT "," CONTENT "," TRUST "}", RW_E_SCHEMA, "'id'"},
    {"no_at", "{" ID "," KIND "," RING "," COHORT "," CONTENT "," TRUST "}", RW_E_SCHEMA, "'at'"},
    {"no_kind", "{" ID "," AT "," RING "," COHORT "," CONTENT "," TRUST "}", RW_E_SCHEMA, "'kind'"},
    {"no_ring", "{" ID "," AT "," KIND "," COHORT "," CONTENT "," TRUST "}", RW_E_SCHEMA, "'ring'"},
    {"no_cohort", "{" ID "," AT "," KIND "," RING "," CONTENT "," TRUST "}", RW_E_SCHEMA,
     "'cohort'"},
    {"no_trust", "{" ID "," AT "," KIND "," RING "," COHORT "," CONTENT "}", RW_E_SCHEMA,
     "'trust'"},
    {"no_release", "{" ID "," AT "," KIND "," RING "," COHORT "," TRUST "}", RW_E_SCHEMA,
     "'release'"},
    {"no_family",
     "{" ID "," AT "," KIND "," RING "," COHORT ",\"release\":2,\"sha256\":\"" HASH
     "\",\"generation\":7," TRUST "}",
     RW_E_SCHEMA, "'family'"},
    {"no_sha256",
     "{" ID "," AT "," KIND "," RING "," COHORT
     ",\"family\":\"y\",\"release\":2,\"generation\":7," TRUST "}",
     RW_E_SCHEMA, "'sha256'"},
    {"no_generation",
     "{" ID "," AT "," KIND "," RING "," COHORT ",\"family\":\"y\",\"release\":2,\"sha256\":\"" HASH
     "\"," TRUST "}",
     RW_E_SCHEMA, "'generation'"},
    {"unknown_member",
     "{" ID "," AT "," KIND "," RING "," COHORT "," CONTENT "," TRUST ",\"extra\":1}", RW_E_SCHEMA,
     "'extra'"},
    {"unknown_member_in_the_cohort",
     "{" ID "," AT "," KIND "," RING
     ",\"cohort\":{\"os\":\"d\",\"arch\":\"x\",\"engine\":\"y\",\"cpu\":\"z\"}," CONTENT "," TRUST
     "}",
     RW_E_SCHEMA, "'cpu'"},
    {"cohort_without_arch",
     "{" ID "," AT "," KIND "," RING ",\"cohort\":{\"os\":\"d\",\"engine\":\"y\"}," CONTENT
     "," TRUST "}",
     RW_E_SCHEMA, "'arch'"},
    {"id_too_short", "{\"id\":\"a1\"," AT "," KIND "," RING "," COHORT "," CONTENT "," TRUST "}",
     RW_E_SYNTAX, "id"},
    {"id_in_capitals",
     "{\"id\":\"A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1\"," AT "," KIND "," RING "," COHORT "," CONTENT
     "," TRUST "}",
     RW_E_SYNTAX, "id"},
    {"at_of_another_form",
     "{" ID ",\"at\":\"2026-11-22\"," KIND "," RING "," COHORT "," CONTENT "," TRUST "}",
     RW_E_SYNTAX, "at"},
    {"at_as_a_number", "{" ID ",\"at\":5," KIND "," RING "," COHORT "," CONTENT "," TRUST "}",
     RW_E_SCHEMA, "'at'"},
    {"unknown_kind", "{" ID "," AT ",\"kind\":\"fine\"," RING "," COHORT "," CONTENT "," TRUST "}",
     RW_E_SCHEMA, "'kind'"},
    {"empty_kind", "{" ID "," AT ",\"kind\":\"\"," RING "," COHORT "," CONTENT "," TRUST "}",
     RW_E_SCHEMA, "'kind'"},
    {"ring_too_long",
     "{" ID "," AT "," KIND ",\"ring\":\"123456789012345678901234567890123\"," COHORT "," CONTENT
     "," TRUST "}",
     RW_E_RANGE, "'ring'"},
    {"separator_in_the_os",
     "{" ID "," AT "," KIND "," RING
     ",\"cohort\":{\"os\":\"d\\u001f\",\"arch\":\"x\",\"engine\":\"y\"}," CONTENT "," TRUST "}",
     RW_E_SCHEMA, "'os'"},
    {"escape_sequence_in_the_ring",
     "{" ID "," AT "," KIND ",\"ring\":\"\\u001b[2J\"," COHORT "," CONTENT "," TRUST "}",
     RW_E_SCHEMA, "'ring'"},
    {"release_0",
     "{" ID "," AT "," KIND "," RING "," COHORT ",\"family\":\"y\",\"release\":0,\"sha256\":\"" HASH
     "\",\"generation\":7," TRUST "}",
     RW_E_RANGE, "'release'"},
    {"release_as_text",
     "{" ID "," AT "," KIND "," RING "," COHORT
     ",\"family\":\"y\",\"release\":\"2\",\"sha256\":\"" HASH "\",\"generation\":7," TRUST "}",
     RW_E_SCHEMA, "'release'"},
    {"sha256_too_short",
     "{" ID "," AT "," KIND "," RING "," COHORT
     ",\"family\":\"y\",\"release\":2,\"sha256\":\"b2\",\"generation\":7," TRUST "}",
     RW_E_SYNTAX, "sha256"},
    {"generation_negative",
     "{" ID "," AT "," KIND "," RING "," COHORT ",\"family\":\"y\",\"release\":2,\"sha256\":\"" HASH
     "\",\"generation\":-1," TRUST "}",
     RW_E_RANGE, "'generation'"},
    {"unknown_stage",
     "{" ID "," AT "," KIND "," RING "," COHORT "," CONTENT "," TRUST ",\"stage\":\"late\"}",
     RW_E_SCHEMA, "'stage'"},
    {"empty_stage",
     "{" ID "," AT "," KIND "," RING "," COHORT "," CONTENT "," TRUST ",\"stage\":\"\"}",
     RW_E_SCHEMA, "'stage'"},
    {"signal_too_great",
     "{" ID "," AT "," KIND "," RING "," COHORT "," CONTENT "," TRUST ",\"signal\":129}",
     RW_E_RANGE, "'signal'"},
    {"unknown_clock",
     "{" ID "," AT "," KIND "," RING "," COHORT "," CONTENT "," TRUST ",\"clock\":\"late\"}",
     RW_E_SCHEMA, "'clock'"},
    {"unknown_grade",
     "{" ID "," AT "," KIND "," RING "," COHORT "," CONTENT "," TRUST ",\"grade\":\"best\"}",
     RW_E_SCHEMA, "'grade'"},
    {"unknown_trust", "{" ID "," AT "," KIND "," RING "," COHORT "," CONTENT ",\"trust\":\"sure\"}",
     RW_E_SCHEMA, "'trust'"},
    {"detail_as_a_list",
     "{" ID "," AT "," KIND "," RING "," COHORT "," CONTENT "," TRUST ",\"detail\":[]}",
     RW_E_SCHEMA, "'detail'"},
    {"no_object", "[]", RW_E_SCHEMA, "an array"},
};

TEST_EACH(a_wrong_member_is_named, members)
{
    struct rw_err err = {0};
    struct beacon b = {.release = 99};
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST(json_parse(rw_span_str(it->text), &json_limits_small, &tree, &err));
    MUST_FAIL(beacon_read(tree, &b, &err), it->want);
    assert_int_equal(b.release, it->want == RW_E_NONE ? 2 : 99);
    if (it->want != RW_E_NONE) { assert_non_null(strstr(err.text, it->named)); }
}

TEST(a_detail_above_200_bytes_is_refused)
{
    struct rw_err err = {0};
    struct beacon b;
    for (int n = 200; n <= 201; n++) {
        RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(4000);
        RW_AUTO(json_tree) json_tree tree = NULL;
        MUST(rw_buf_appendf(&text, &err,
                            "{" ID "," AT "," KIND "," RING "," COHORT "," CONTENT "," TRUST
                            ",\"detail\":\"%0*d\"}",
                            n, 0));
        MUST(json_parse(rw_buf_span(&text), &json_limits_small, &tree, &err));
        MUST_FAIL(beacon_read(tree, &b, &err), n == 200 ? RW_E_NONE : RW_E_RANGE);
    }
}

static const struct batch_row {
    const char *id;
    const char *text;
    enum rw_code want;
} batches[] = {
    {"empty_list", "{\"beacons\":[]}", RW_E_RANGE},
    {"no_list", "{}", RW_E_SCHEMA},
    {"list_is_an_object", "{\"beacons\":{}}", RW_E_SCHEMA},
    {"unknown_member_beside_it", "{\"beacons\":[],\"x\":1}", RW_E_SCHEMA},
    {"bare_list", "[]", RW_E_SCHEMA},
    {"no_json", "beacons", RW_E_SYNTAX},
    {"nothing", "", RW_E_SYNTAX},
    {"element_is_a_number", "{\"beacons\":[1]}", RW_E_SCHEMA},
};

TEST_EACH(a_batch_has_its_one_form, batches)
{
    struct rw_err err = {0};
    struct beacon all[BEACON_BATCH_MAX];
    size_t n = 77;
    MUST_FAIL(beacon_read_batch(rw_span_str(it->text), all, &n, &err), it->want);
    assert_int_equal(n, 77);
}

TEST(a_batch_is_bounded_and_names_its_bad_element)
{
    struct rw_err err = {0};
    struct beacon all[BEACON_BATCH_MAX];
    size_t n = 0;
    struct beacon b = full();
    RW_AUTO(rw_buf) struct rw_buf many = write_batch(&b, BEACON_BATCH_MAX + 1);
    MUST_FAIL(beacon_read_batch(rw_buf_span(&many), all, &n, &err), RW_E_RANGE);
    RW_AUTO(rw_buf) struct rw_buf text = write_batch(&b, 3);
    char *third =
        strstr(strstr(strstr((char *)text.p, "\"crash\"") + 1, "\"crash\"") + 1, "\"crash\"");
    third[1] = 'k';
    MUST_FAIL(beacon_read_batch(rw_buf_span(&text), all, &n, &err), RW_E_SCHEMA);
    assert_true(strncmp(err.text, "beacons[2]: ", 12) == 0);
}

RUN_TESTS(cmocka_unit_test(every_member_survives_writing_and_reading),
          cmocka_unit_test(what_does_not_apply_is_left_out_and_read_as_nothing),
          cmocka_unit_test(what_an_agent_writes_can_always_be_read),
          cmocka_unit_test(a_wrong_member_is_named),
          cmocka_unit_test(a_detail_above_200_bytes_is_refused),
          cmocka_unit_test(a_batch_has_its_one_form),
          cmocka_unit_test(a_batch_is_bounded_and_names_its_bad_element))
