/* Goal: answers are shown tolerantly and harmlessly; names from the command line are read strictly. */
#include "server/cli/cli_verb.h"
#include "server/cli/cli_view.h"
#include "tests/harness.h"

static const struct cleaned {
    const char *id, *text, *want;
} cleaned[] = {
    {"plain", "abc 1/2", "abc 1/2"},
    {"utf-8 stays", "\xC3\xBC \xE2\x82\xAC \xF0\x9F\x90\x99",
     "\xC3\xBC \xE2\x82\xAC \xF0\x9F\x90\x99"},
    {"escape", "\033[31mred", "?[31mred"},
    {"line ends and tabs", "a\r\n\tb", "a???b"},
    {"delete", "a\x7f", "a?"},
    {"C1 control of 8-bit terminals",
     "a\xC2\x9B"
     "31m",
     "a??31m"},
    {"no-break space stays",
     "a\xC2\xA0"
     "b",
     "a\xC2\xA0"
     "b"},
    {"stray continuation",
     "a\x80"
     "b",
     "a?b"},
    {"lead byte without the rest",
     "a\xE2"
     "bcd",
     "a?bcd"},
    {"cut in its middle", "abc\xE2\x82", "abc"},
    {"cut after the lead", "abc\xF0", "abc"},
    {"empty", "", ""},
};

TEST_EACH(foreign_text_becomes_harmless, cleaned)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "%s", it->text);
    cli_view_clean(text);
    assert_string_equal(text, it->want);
}

static const struct named {
    const char *id, *family;
    int64_t release; /* 0: refused */
} named[] = {
    {"yara/2", "yara", 2},
    {"av-1/9007199254740991", "av-1", INT64_C(9007199254740991)},
    {"yara", NULL, 0},
    {"yara/", NULL, 0},
    {"/2", NULL, 0},
    {"yara/0", NULL, 0},
    {"yara/-1", NULL, 0},
    {"yara/02", NULL, 0},
    {"yara/2/3", NULL, 0},
    {"YARA/2", NULL, 0},
    {"../2", NULL, 0},
    {"ya ra/2", NULL, 0},
    {"y?x=1/2", NULL, 0},
    {"12/2", NULL, 0},
    {"abcdefghijklmnopqrstuvwxyz0123456/1", NULL, 0},
};

TEST_EACH(a_release_is_named_family_and_number, named)
{
    struct rw_err err = {0};
    char family[CLI_FAMILY_BYTES];
    int64_t release = 0;
    struct rw_rc rc = cli_view_release_id(it->id, family, &release, &err);
    if (it->release == 0) {
        assert_int_equal(rc.code, RW_E_USAGE);
        assert_int_equal(err.code, RW_E_USAGE);
        return;
    }
    MUST(rc);
    assert_string_equal(family, it->family);
    assert_int_equal(release, it->release);
}

TEST(a_path_is_built_from_a_release)
{
    struct rw_err err = {0};
    char path[CLI_PATH_BYTES];
    MUST(cli_view_release_path("/v1/rollouts", "yara/2", "/explain", path, &err));
    assert_string_equal(path, "/v1/rollouts/yara/2/explain");
}

TEST(absent_or_odd_members_are_shown_as_nothing)
{
    struct rw_err err = {0};
    char text[8];
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST(json_parse(rw_span_str("{\"n\":7,\"s\":\"0123456789\",\"e\":\"\\u001b[2J\",\"b\":true,"
                                "\"u\":\"12345\\u20ac\"}"),
                    &json_limits_small, &tree, &err));
    assert_int_equal(cli_view_int(tree, "n", -1), 7);
    assert_int_equal(cli_view_int(tree, "s", -1), -1);
    assert_int_equal(cli_view_int(tree, "none", -1), -1);
    assert_true(cli_view_bool(tree, "b"));
    assert_false(cli_view_bool(tree, "n"));
    assert_string_equal(cli_view_str(tree, "s", text, sizeof(text)), "0123456");
    assert_string_equal(cli_view_str(tree, "n", text, sizeof(text)), "");
    assert_string_equal(cli_view_str(tree, "e", text, sizeof(text)), "?[2J");
    assert_string_equal(cli_view_str(tree, "u", text, sizeof(text)), "12345");
    assert_string_equal(cli_view_or_dash(tree, "none", text, sizeof(text)), "-");
}

TEST(a_cohort_is_shown_with_dashes_for_what_is_unknown)
{
    struct rw_err err = {0};
    char text[64];
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST(json_parse(rw_span_str("{\"os\":\"debian-12\",\"arch\":\"x86_64\"}"), &json_limits_small,
                    &tree, &err));
    assert_string_equal(cli_view_cohort(tree, text, sizeof(text)), "debian-12/x86_64/-");
    assert_string_equal(cli_view_cohort(NULL, text, sizeof(text)), "");
}

static const struct lasting {
    const char *id; /* what is shown */
    int64_t seconds;
} lastings[] = {
    {"0s", 0},          {"0s", -5},    {"59s", 59},       {"1m", 60},
    {"59m 59s", 3599},  {"1h", 3600},  {"1h", 3659},      {"1h 30m", 5400},
    {"23h 59m", 86399}, {"1d", 86400}, {"2d 3h", 183600}, {"365d", 31536000},
};

TEST_EACH(times_are_shown_with_two_units_at_most, lastings)
{
    char text[32];
    assert_string_equal(cli_view_duration(it->seconds, text, sizeof(text)), it->id);
}

TEST(formats_are_three_words)
{
    struct rw_err err = {0};
    enum cli_format format = CLI_JSON;
    MUST(cli_view_format(NULL, &format, &err));
    assert_int_equal(format, CLI_TABLE);
    MUST(cli_view_format("ndjson", &format, &err));
    assert_int_equal(format, CLI_NDJSON);
    MUST_FAIL(cli_view_format("yaml", &format, &err), RW_E_USAGE);
}

static const struct cli_verb verbs[] = {
    {"start", NULL, ""}, {"status", NULL, ""}, {"halt", NULL, ""}, {"key", NULL, ""}};

static const struct slip {
    const char *id, *meant; /* NULL: none is near */
} slips[] = {
    {"strat", "start"},
    {"statsu", "status"},
    {"hlat", "halt"},
    {"Halt", "halt"},
    {"start", "start"},
    {"zzz", NULL},
    {"", NULL},
    {"banana", NULL},
    {"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", NULL},
};

TEST_EACH(a_mistyped_verb_finds_the_nearest, slips)
{
    const struct cli_verb *found = cli_verb_nearest(verbs, RW_LEN(verbs), it->id);
    if (it->meant == NULL) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found->name, it->meant);
}

RUN_TESTS(cmocka_unit_test(foreign_text_becomes_harmless),
          cmocka_unit_test(a_release_is_named_family_and_number),
          cmocka_unit_test(a_path_is_built_from_a_release),
          cmocka_unit_test(absent_or_odd_members_are_shown_as_nothing),
          cmocka_unit_test(a_cohort_is_shown_with_dashes_for_what_is_unknown),
          cmocka_unit_test(times_are_shown_with_two_units_at_most),
          cmocka_unit_test(formats_are_three_words),
          cmocka_unit_test(a_mistyped_verb_finds_the_nearest))
