/* Goal: permit requests and answers (beacon_codec.h) read back what was written, and nothing that is not a whole, sane
 * grant reads as one (INV-2). */
#include "common/wire/beacon_codec.h"

#include "tests/harness.h"

TEST(a_request_survives_writing_and_reading)
{
    struct rw_err err = {0};
    struct beacon_permit_request got;
    struct beacon_permit_request r = {.family = "yara",
                                      .release = 3,
                                      .ring = "early",
                                      .from = 2,
                                      .cohort = {"debian-12", "x86_64", "yara-4.2"}};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(PERMIT_BODY_BYTES_MAX);
    memset(r.sha256, 0xc3, sizeof(r.sha256));
    MUST(beacon_permit_write_request(&r, &text, &err));
    MUST(beacon_permit_read_request(rw_buf_span(&text), &got, &err));
    assert_memory_equal(got.sha256, r.sha256, sizeof(r.sha256));
    assert_memory_equal(&got.cohort, &r.cohort, sizeof(r.cohort));
    assert_string_equal(got.family, "yara");
    assert_string_equal(got.ring, "early");
    assert_int_equal(got.release, 3);
    assert_int_equal(got.from, 2);
}

#define HASH   "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3"
#define COHORT "\"cohort\":{\"os\":\"d\",\"arch\":\"x\",\"engine\":\"y\"}"

static const struct request_row {
    const char *id;
    const char *text;
    enum rw_code want;
    const char *named;
} requests[] = {
    {"good",
     "{\"family\":\"y\",\"release\":1,\"sha256\":\"" HASH "\",\"ring\":\"r\",\"from\":0," COHORT
     "}",
     RW_E_NONE, ""},
    {"no_family", "{\"release\":1,\"sha256\":\"" HASH "\",\"ring\":\"r\",\"from\":0," COHORT "}",
     RW_E_SCHEMA, "'family'"},
    {"no_release",
     "{\"family\":\"y\",\"sha256\":\"" HASH "\",\"ring\":\"r\",\"from\":0," COHORT "}", RW_E_SCHEMA,
     "'release'"},
    {"no_sha256", "{\"family\":\"y\",\"release\":1,\"ring\":\"r\",\"from\":0," COHORT "}",
     RW_E_SCHEMA, "'sha256'"},
    {"no_ring", "{\"family\":\"y\",\"release\":1,\"sha256\":\"" HASH "\",\"from\":0," COHORT "}",
     RW_E_SCHEMA, "'ring'"},
    {"no_from",
     "{\"family\":\"y\",\"release\":1,\"sha256\":\"" HASH "\",\"ring\":\"r\"," COHORT "}",
     RW_E_SCHEMA, "'from'"},
    {"no_cohort",
     "{\"family\":\"y\",\"release\":1,\"sha256\":\"" HASH "\",\"ring\":\"r\",\"from\":0}",
     RW_E_SCHEMA, "'cohort'"},
    {"release_0",
     "{\"family\":\"y\",\"release\":0,\"sha256\":\"" HASH "\",\"ring\":\"r\",\"from\":0," COHORT
     "}",
     RW_E_RANGE, "'release'"},
    {"from_negative",
     "{\"family\":\"y\",\"release\":1,\"sha256\":\"" HASH "\",\"ring\":\"r\",\"from\":-1," COHORT
     "}",
     RW_E_RANGE, "'from'"},
    {"unknown_member",
     "{\"family\":\"y\",\"release\":1,\"sha256\":\"" HASH
     "\",\"ring\":\"r\",\"from\":0,\"force\":true," COHORT "}",
     RW_E_SCHEMA, "'force'"},
    {"hash_of_31_bytes",
     "{\"family\":\"y\",\"release\":1,\"sha256\":\"c3c3\",\"ring\":\"r\",\"from\":0," COHORT "}",
     RW_E_SYNTAX, "sha256"},
};

TEST_EACH(a_wrong_request_is_named, requests)
{
    struct rw_err err = {0};
    struct beacon_permit_request got = {.release = 99};
    MUST_FAIL(beacon_permit_read_request(rw_span_str(it->text), &got, &err), it->want);
    assert_int_equal(got.release, it->want == RW_E_NONE ? 1 : 99);
    if (it->want != RW_E_NONE) { assert_non_null(strstr(err.text, it->named)); }
}

static const struct answer_row {
    const char *id;
    struct beacon_permit_answer answer;
} answers[] = {
    {"granted",
     {.decision = BEACON_PERMIT_GRANTED,
      .permit = INT64_MAX,
      .valid_s = 60,
      .deadline_s = 900,
      .probation_s = 600}},
    {"granted_without_probation",
     {.decision = BEACON_PERMIT_GRANTED, .permit = 1, .valid_s = 1, .deadline_s = 1}},
    {"wait",
     {.decision = BEACON_PERMIT_WAIT, .retry_after_s = 300, .reason = "the window is full"}},
    {"refused", {.decision = BEACON_PERMIT_REFUSED, .reason = "halted"}},
};

TEST_EACH(an_answer_survives_writing_and_reading, answers)
{
    struct rw_err err = {0};
    struct beacon_permit_answer got;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(PERMIT_BODY_BYTES_MAX);
    MUST(beacon_permit_write_answer(&it->answer, &text, &err));
    MUST(beacon_permit_read_answer(rw_buf_span(&text), &got, &err));
    assert_int_equal(got.decision, it->answer.decision);
    assert_true(got.permit == it->answer.permit);
    assert_int_equal(got.valid_s, it->answer.valid_s);
    assert_int_equal(got.deadline_s, it->answer.deadline_s);
    assert_int_equal(got.probation_s, it->answer.probation_s);
    assert_int_equal(got.retry_after_s, it->answer.retry_after_s);
    assert_string_equal(got.reason, it->answer.reason);
}

static const struct broken_row {
    const char *id;
    const char *text;
} brokens[] = {
    {"nothing", ""},
    {"empty_object", "{}"},
    {"html", "<html>granted</html>"},
    {"unknown_decision", "{\"decision\":\"yes\",\"permit\":\"1\",\"valid_s\":60,\"deadline_s\":900,"
                         "\"probation_s\":600}"},
    {"decision_of_other_case", "{\"decision\":\"Granted\",\"permit\":\"1\",\"valid_s\":60,"
                               "\"deadline_s\":900,\"probation_s\":600}"},
    {"granted_without_permit",
     "{\"decision\":\"granted\",\"valid_s\":60,\"deadline_s\":900,\"probation_s\":600}"},
    {"permit_as_a_number", "{\"decision\":\"granted\",\"permit\":1,\"valid_s\":60,\"deadline_s\":"
                           "900,\"probation_s\":600}"},
    {"permit_0", "{\"decision\":\"granted\",\"permit\":\"0\",\"valid_s\":60,\"deadline_s\":900,"
                 "\"probation_s\":600}"},
    {"permit_beyond_63_bits", "{\"decision\":\"granted\",\"permit\":\"9223372036854775808\","
                              "\"valid_s\":60,\"deadline_s\":900,\"probation_s\":600}"},
    {"valid_for_ever", "{\"decision\":\"granted\",\"permit\":\"1\",\"valid_s\":3601,\"deadline_s\":"
                       "900,\"probation_s\":600}"},
    {"valid_0", "{\"decision\":\"granted\",\"permit\":\"1\",\"valid_s\":0,\"deadline_s\":900,"
                "\"probation_s\":600}"},
    {"no_deadline",
     "{\"decision\":\"granted\",\"permit\":\"1\",\"valid_s\":60,\"probation_s\":600}"},
    {"no_probation",
     "{\"decision\":\"granted\",\"permit\":\"1\",\"valid_s\":60,\"deadline_s\":900}"},
    {"wait_without_time", "{\"decision\":\"wait\",\"reason\":\"x\"}"},
    {"wait_negative", "{\"decision\":\"wait\",\"retry_after_s\":-1,\"reason\":\"x\"}"},
    {"wait_without_reason", "{\"decision\":\"wait\",\"retry_after_s\":1}"},
    {"refused_without_reason", "{\"decision\":\"refused\"}"},
    {"two_decisions", "{\"decision\":\"refused\",\"decision\":\"granted\",\"permit\":\"1\",\"valid_"
                      "s\":60,\"deadline_s\":900,\"probation_s\":600}"},
};

TEST_EACH(nothing_else_reads_as_an_answer, brokens)
{
    struct rw_err err = {0};
    struct beacon_permit_answer got = {.decision = BEACON_PERMIT_REFUSED, .valid_s = 99};
    struct rw_rc rc = beacon_permit_read_answer(rw_span_str(it->text), &got, &err);
    assert_false(rw_is_ok(rc));
    assert_int_equal(got.valid_s, 99);
    assert_int_equal(got.decision, BEACON_PERMIT_REFUSED);
}

/* No damage to a refusal of one byte turns it into a grant. */
TEST(no_flipped_byte_turns_a_refusal_into_a_grant)
{
    static const char refusal[] = "{\"decision\":\"refused\",\"reason\":\"halted\"}";
    for (size_t i = 0; i + 1 < sizeof(refusal); i++) {
        for (int byte = 0; byte < 256; byte++) {
            struct rw_err err = {0};
            struct beacon_permit_answer got;
            char text[sizeof(refusal)];
            memcpy(text, refusal, sizeof(text));
            text[i] = (char)byte;
            struct rw_rc rc =
                beacon_permit_read_answer(rw_span_of(text, sizeof(text) - 1), &got, &err);
            if (rw_is_ok(rc)) { assert_int_equal(got.decision, BEACON_PERMIT_REFUSED); }
        }
    }
}

RUN_TESTS(cmocka_unit_test(a_request_survives_writing_and_reading),
          cmocka_unit_test(a_wrong_request_is_named),
          cmocka_unit_test(an_answer_survives_writing_and_reading),
          cmocka_unit_test(nothing_else_reads_as_an_answer),
          cmocka_unit_test(no_flipped_byte_turns_a_refusal_into_a_grant))
