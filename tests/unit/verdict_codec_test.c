/* Goal: a verdict reads back as it was written; anything odd is refused and so never taken for accepted (INV-3). */
#include "common/box/verdict_codec.h"
#include "tests/harness.h"

static struct rw_err err;

static struct verdict sample(void)
{
    struct verdict v = {.kind = VERDICT_POLICY_VIOLATION,
                        .final = true,
                        .reason = "forbidden system call openat(0x1, \"x\")",
                        .content_bytes = 12,
                        .validator = "ringward-validate-yara",
                        .rules = 3,
                        .signal = 9,
                        .exit_status = -1,
                        .syscall = "openat",
                        .wall_ms = 8,
                        .cpu_ms = 4,
                        .peak_rss_kib = 11872,
                        .limit_wall_ms = 20000,
                        .limit_cpu_ms = 5000,
                        .limit_memory_kib = 262144,
                        .must_match = {.run = true, .ok = true, .count = 5, .wrong = 0},
                        .must_not_match = {.run = true, .ok = false, .count = 60, .wrong = 50},
                        .own_files = {.run = true, .ok = true, .count = 9, .wrong = 0},
                        .determinism = {.run = true, .ok = true, .count = 20, .wrong = 0},
                        .clean_seed = 77,
                        .clean_files = 55,
                        .clean_bytes = 1000,
                        .clean_left_out = 2,
                        .memory = {true, false, 40000, 1, 9000, true, false},
                        .schema = {true, true, 3, 0, 0, false, true},
                        .before = {.given = true, .bytes = 77, .verdict = "accepted", .runs = 3},
                        .kernel = "6.1.0",
                        .grade = "good",
                        .layers = {"rlimit", "nnp"},
                        .layer_count = 2,
                        .missing = {"cgroup: Permission denied"},
                        .missing_count = 1};
    memset(v.content_sha256, 'a', 64);
    memset(v.validator_sha256, 'b', 64);
    memset(v.before.sha256, 'c', 64);
    return v;
}

TEST(a_verdict_reads_back_as_it_was_written)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(VERDICT_TEXT_BYTES_MAX);
    struct verdict v = sample();
    struct verdict again;
    MUST(verdict_write(&v, &text, &err));
    MUST(verdict_read(rw_buf_span(&text), &again, &err));
    assert_int_equal(again.kind, v.kind);
    assert_true(again.final);
    assert_string_equal(again.reason, v.reason);
    assert_string_equal(again.content_sha256, v.content_sha256);
    assert_string_equal(again.validator_sha256, v.validator_sha256);
    assert_string_equal(again.syscall, "openat");
    assert_int_equal(again.signal, 9);
    assert_int_equal(again.exit_status, -1);
    assert_int_equal(again.limit_memory_kib, 262144);
    assert_true(again.must_match.run && again.must_match.ok && again.must_match.count == 5);
    assert_true(again.must_not_match.run && !again.must_not_match.ok);
    assert_int_equal(again.must_not_match.wrong, 50);
    assert_true(again.own_files.run && again.determinism.run);
    assert_true(again.memory.run && again.memory.has_before && !again.memory.ok);
    assert_int_equal(again.memory.before, 9000);
    assert_true(again.schema.by_validator && !again.own_files.by_validator);
    assert_true(again.before.given);
    assert_string_equal(again.before.verdict, "accepted");
    assert_int_equal(again.before.runs, 3);
    assert_int_equal(again.clean_left_out, 2);
    assert_int_equal(again.clean_seed, 77);
    assert_string_equal(again.grade, "good");
    assert_int_equal(again.layer_count, 2);
    assert_string_equal(again.layers[1], "nnp");
    assert_int_equal(again.missing_count, 1);
    assert_string_equal(again.missing[0], "cgroup: Permission denied");
}

TEST(every_kind_has_a_name_that_reads_back)
{
    for (int k = VERDICT_ACCEPTED; k <= VERDICT_SANDBOX_ERROR; k++) {
        RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(VERDICT_TEXT_BYTES_MAX);
        struct verdict v = sample();
        struct verdict again;
        v.kind = (enum verdict_kind)k;
        MUST(verdict_write(&v, &text, &err));
        MUST(verdict_read(rw_buf_span(&text), &again, &err));
        assert_int_equal(again.kind, k);
    }
}

static const struct {
    const char *id;
    const char *from;
    const char *to; /* of the same length or shorter */
} odd[] = {
    {"an unknown verdict", "policy_violation", "policy_violatioN"},
    {"another format", "ringward-verdict-1", "ringward-verdict-2"},
    {"a verdict that is no string", "\"verdict\":\"policy_violation\"", "\"verdict\":1"},
    {"final as a number", "\"final\":true", "\"final\":1"},
    {"a missing member", "\"reason\":", "\"raisin\":"},
    {"an unknown check", "must_not_match", "must_not_watch"},
    {"a check that stands twice", "\"id\":\"own_files\"", "\"id\":\"must_match\""},
    {"a negative count", "\"n\":60", "\"n\":-1"},
    {"a fraction", "\"cpu_ms\":4", "\"cpu_ms\":.4"},
    {"a layer that is no string", "[\"rlimit\"", "[1234567"},
    {"a grade that is too long", "\"grade\":\"good\"", "\"grade\":\"splendid\""},
};

TEST_EACH(an_odd_verdict_is_refused, odd)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(VERDICT_TEXT_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf changed = rw_buf_make((size_t)2 * VERDICT_TEXT_BYTES_MAX);
    struct verdict v = sample();
    struct verdict again = {.kind = VERDICT_SANDBOX_ERROR};
    MUST(verdict_write(&v, &text, &err));
    const char *at = strstr(rw_buf_str(&text), it->from);
    assert_non_null(at);
    size_t before = (size_t)(at - rw_buf_str(&text));
    size_t behind = before + strlen(it->from);
    MUST(rw_buf_append(&changed, rw_span_of(text.p, before), &err));
    MUST(rw_buf_append_str(&changed, it->to, &err));
    MUST(rw_buf_append(&changed, rw_span_of(text.p + behind, text.n - behind), &err));
    struct rw_rc rc = verdict_read(rw_buf_span(&changed), &again, &err);
    assert_false(rw_is_ok(rc));
    assert_int_equal(again.kind, VERDICT_SANDBOX_ERROR); /* untouched */
}

TEST(every_truncation_is_refused)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(VERDICT_TEXT_BYTES_MAX);
    struct verdict v = sample();
    struct verdict again;
    MUST(verdict_write(&v, &text, &err));
    for (size_t n = 0; n < text.n; n++) {
        struct rw_rc rc = verdict_read(rw_span_of(text.p, n), &again, &err);
        assert_false(rw_is_ok(rc));
    }
}

RUN_TESTS(cmocka_unit_test(a_verdict_reads_back_as_it_was_written),
          cmocka_unit_test(every_kind_has_a_name_that_reads_back),
          cmocka_unit_test(an_odd_verdict_is_refused),
          cmocka_unit_test(every_truncation_is_refused))
