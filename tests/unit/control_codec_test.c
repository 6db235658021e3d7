/* Goal: a control is written, sent and kept in one form; what is not a control is refused with the reason. */
#include "common/policy/control_codec.h"

#include "tests/harness.h"

static const struct pin_case {
    const char *id;
    const char *text;
    enum rw_code code;
    enum control_kind kind;
    int64_t amount;
} pins[] = {
    {"n-1", "n-1", RW_E_NONE, CONTROL_BACK, 1},
    {"n-2", "n-2", RW_E_NONE, CONTROL_BACK, 2},
    {"number", "yara/17", RW_E_NONE, CONTROL_RELEASE, 17},
    {"n-3", "n-3", RW_E_SYNTAX, 0, 0},
    {"empty", "", RW_E_SYNTAX, 0, 0},
    {"number alone", "17", RW_E_SYNTAX, 0, 0},
    {"no family", "/17", RW_E_SCHEMA, 0, 0},
    {"no number", "yara/", RW_E_SYNTAX, 0, 0},
    {"zero", "yara/0", RW_E_RANGE, 0, 0},
    {"negative", "yara/-1", RW_E_SYNTAX, 0, 0},
};

TEST_EACH(pins_are_n_minus_or_a_release, pins)
{
    struct rw_err err = {.code = RW_E_NONE};
    struct control c = {.amount = -1};
    MUST_FAIL(control_codec_read_pin(rw_span_str(it->text), &c, &err), it->code);
    if (it->code != RW_E_NONE) { return; }
    assert_int_equal(c.kind, it->kind);
    assert_int_equal(c.amount, it->amount);
}

TEST(a_hold_without_an_end_is_refused)
{
    struct rw_err err;
    struct control c;
    MUST(control_codec_read_hold(rw_span_str("2026-12-01T00:00:00Z"), &c, &err));
    assert_int_equal(c.kind, CONTROL_HOLD);
    MUST_FAIL(control_codec_read_hold(rw_span_str("yes"), &c, &err), RW_E_SYNTAX);
    assert_non_null(strstr(err.hint, "needs an end"));
}

static const struct control samples[] = {
    {.kind = CONTROL_PAUSE, .since = {1800000000}},
    {.kind = CONTROL_HOLD, .since = {1800000000}, .until = {1800086400}, .family = "ids"},
    {.kind = CONTROL_DELAY, .amount = 172800, .since = {1800000000}},
    {.kind = CONTROL_BACK, .amount = 2, .since = {1800000000}},
    {.kind = CONTROL_RELEASE, .amount = 17, .family = "yara", .since = {1800000000}},
};
static const char *const texts[] = {"pause", "hold ids until 2027-01-16T08:00:00Z", "delay 2d",
                                    "pin n-2", "pin yara/17"};

TEST(every_control_comes_back_as_it_was_sent)
{
    struct rw_err err;
    for (size_t i = 0; i < RW_LEN(samples); i++) {
        char text[CONTROL_TEXT_BYTES];
        struct control c;
        RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(1024);
        RW_AUTO(json_tree) json_tree tree = NULL;
        struct json_writer w = json_begin(&b);
        control_codec_put(&w, NULL, &samples[i]);
        MUST(json_done(&w, &err));
        MUST(json_parse(rw_buf_span(&b), &json_limits_small, &tree, &err));
        MUST(control_codec_get(tree, &c, &err));
        assert_int_equal(c.kind, samples[i].kind);
        assert_int_equal(c.amount, samples[i].amount);
        assert_int_equal(c.since.s, samples[i].since.s);
        assert_int_equal(c.until.s, samples[i].until.s);
        assert_string_equal(c.family, samples[i].family);
        control_codec_text(&c, text);
        assert_string_equal(text, texts[i]);
    }
}

static const struct bad {
    const char *id;
    const char *text;
} bad_controls[] = {
    {"unknown kind", "{\"kind\":\"stop\",\"since\":\"2026-11-22T05:34:16Z\"}"},
    {"hold without an end", "{\"kind\":\"hold\",\"since\":\"2026-11-22T05:34:16Z\"}"},
    {"member of another kind",
     "{\"kind\":\"pause\",\"back\":1,\"since\":\"2026-11-22T05:34:16Z\"}"},
    {"n-3", "{\"kind\":\"pin\",\"back\":3,\"since\":\"2026-11-22T05:34:16Z\"}"},
    {"both pins", "{\"kind\":\"pin\",\"back\":1,\"release\":3,\"family\":\"yara\",\"since\":\"2026-"
                  "11-22T05:34:16Z\"}"},
    {"release without family",
     "{\"kind\":\"pin\",\"release\":3,\"since\":\"2026-11-22T05:34:16Z\"}"},
    {"negative delay", "{\"kind\":\"delay\",\"delay_s\":-1,\"since\":\"2026-11-22T05:34:16Z\"}"},
    {"no age", "{\"kind\":\"pause\"}"},
    {"no family name",
     "{\"kind\":\"pause\",\"family\":\"../x\",\"since\":\"2026-11-22T05:34:16Z\"}"},
    {"no object", "[]"},
};

TEST_EACH(what_is_no_control_is_refused, bad_controls)
{
    struct rw_err err;
    struct control c;
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST(json_parse(rw_span_str(it->text), &json_limits_small, &tree, &err));
    assert_false(rw_is_ok(control_codec_get(tree, &c, &err)));
}

TEST(the_policy_says_how_long)
{
    static const struct control_limits l = {.hold_longest_s = 86400, .delay_longest_s = 3600};
    struct rw_err err = {.code = RW_E_NONE};
    struct control c = {.kind = CONTROL_HOLD, .since = {1000}, .until = {1000 + 86400}};
    MUST(control_codec_check(&c, &l, &err));
    c.until.s++;
    MUST_FAIL(control_codec_check(&c, &l, &err), RW_E_POLICY);
    assert_non_null(strstr(err.text, "1d"));
    c.until.s = 1000;
    MUST_FAIL(control_codec_check(&c, &l, &err), RW_E_POLICY);
    c = (struct control){.kind = CONTROL_DELAY, .amount = 3600};
    MUST(control_codec_check(&c, &l, &err));
    c.amount++;
    MUST_FAIL(control_codec_check(&c, &l, &err), RW_E_POLICY);
}

RUN_TESTS(cmocka_unit_test(pins_are_n_minus_or_a_release),
          cmocka_unit_test(a_hold_without_an_end_is_refused),
          cmocka_unit_test(every_control_comes_back_as_it_was_sent),
          cmocka_unit_test(what_is_no_control_is_refused),
          cmocka_unit_test(the_policy_says_how_long))
