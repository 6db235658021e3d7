/* Goal: what a foreign scanner prints becomes hits only where lines, exit status and samples agree; anything else is no
 * answer (INV-3). Settings of installed validators are read strictly. */
#include "agent/prove/box_lines.h"
#include "agent/prove/box_settings.h"
#include "tests/harness.h"

static const struct {
    const char *id;
    const char *output;
    int status;
    bool valid;
    bool accepted;
    int exit_as;
    const char *hits;
} outputs[] = {
    {"nothing hit", "", 0, true, true, 0, "000"},
    {"clean lines", "/samples/0: OK\n/samples/1: OK\n", 0, true, true, 0, "000"},
    {"one hit", "/samples/1: Evil FOUND\n", 1, true, true, 0, "010"},
    {"without an end of line", "/samples/2: Evil FOUND", 1, true, true, 0, "001"},
    {"all of them, one twice",
     "/samples/0: a FOUND\n/samples/1: b FOUND\n/samples/2: c FOUND\n"
     "/samples/2: d FOUND\n",
     1, true, true, 0, "111"},
    {"a word elsewhere", "nothing FOUND here\n", 0, true, true, 0, "000"},
    {"hits, but exit 0", "/samples/1: Evil FOUND\n", 0, false, true, 0, NULL},
    {"no hits, but exit 1", "/samples/1: OK\n", 1, false, true, 0, NULL},
    {"a sample that there is not", "/samples/3: Evil FOUND\n", 1, false, true, 0, NULL},
    {"a number without an end", "/samples/99999999999999999999: Evil FOUND\n", 1, false, true, 0,
     NULL},
    {"no number", "/samples/: Evil FOUND\n", 1, false, true, 0, NULL},
    {"a leading zero", "/samples/01: Evil FOUND\n", 1, false, true, 0, NULL},
    {"refused", "LibFoo Error: line 1\n", 2, true, false, 1, NULL},
    {"refused without a word", "", 2, true, false, 1, NULL},
    {"another exit status", "", 3, false, false, 3, NULL},
};

TEST_EACH(lines_become_hits_only_where_all_agrees, outputs)
{
    static struct box_said said;
    int as = box_lines_read(rw_span_str(it->output), "FOUND", 3, it->status, &said);
    assert_int_equal(as, it->exit_as);
    assert_int_equal(said.valid, it->valid);
    if (!it->valid) { return; }
    assert_int_equal(said.accepted, it->accepted);
    if (it->hits != NULL) {
        assert_int_equal(said.hit_count, 3);
        assert_string_equal(said.hits, it->hits);
    }
}

static const struct {
    const char *id;
    const char *output;
    const char *reason;
} reasons[] = {
    {"the line that speaks of an error", "WARNING: x\nFoo Error: y\nlast\n", "Foo Error: y"},
    {"else the last one", "one\ntwo\n\n", "two"},
    {"escapes become harmless", "Error \033[2J\x80\n", "Error ?[2J?"},
    {"nothing", "", "the program refused the content"},
};

TEST_EACH(a_refusal_has_its_reason, reasons)
{
    static struct box_said said;
    (void)box_lines_read(rw_span_str(it->output), "FOUND", 3, 2, &said);
    assert_string_equal(said.reason, it->reason);
}

static struct rw_err err;

TEST(without_settings_a_validator_is_static_and_has_the_defaults)
{
    struct box_settings s;
    char words[BOX_SETTINGS_WORDS_BYTES];
    char *argv[BOX_SETTINGS_WORDS_MAX + 2];
    MUST(box_settings_load("/no/such/validator", "yara", &s, &err));
    assert_int_equal(s.profile, BOX_PROFILE_STATIC);
    assert_int_equal(s.memory_bytes, 256 << 20);
    assert_int_equal(s.cpu_ms, 5000);
    assert_int_equal(s.wall_ms, 20000);
    assert_string_equal(s.extension, "yara");
    box_settings_arguments(&s, "validator", "yara", words, argv);
    assert_string_equal(argv[0], "validator");
    assert_string_equal(argv[1], "validate");
    assert_string_equal(argv[2], "yara");
    assert_null(argv[3]);
}

TEST(arguments_are_split_at_blanks_and_bounded)
{
    struct box_settings s = {.arguments = "  -a  --b=c d "};
    struct box_settings many = {.lines = false};
    char words[BOX_SETTINGS_WORDS_BYTES];
    char *argv[BOX_SETTINGS_WORDS_MAX + 2];
    box_settings_arguments(&s, "scan", "x", words, argv);
    assert_string_equal(argv[0], "scan");
    assert_string_equal(argv[1], "-a");
    assert_string_equal(argv[2], "--b=c");
    assert_string_equal(argv[3], "d");
    assert_null(argv[4]);
    for (size_t i = 0; i + 2 < sizeof(many.arguments); i += 2) {
        memmove(many.arguments + i, "w ", 2);
    }
    box_settings_arguments(&many, "scan", "x", words, argv);
    assert_null(argv[BOX_SETTINGS_WORDS_MAX + 1]);
}

TEST(soft_calls_are_known_and_permitted_ones)
{
    struct box_settings s;
    MUST(box_settings_parse("v.conf", rw_span_str("soft_calls = umask  statfs\n"), "x", &s, &err));
    assert_int_equal(s.soft_count, 2);
    MUST_FAIL(
        box_settings_parse("v.conf", rw_span_str("soft_calls = umask socket\n"), "x", &s, &err),
        RW_E_CONFIG);
    assert_non_null(strstr(err.text, "socket"));
    MUST_FAIL(
        box_settings_parse("v.conf", rw_span_str("soft_calls = no_such_call\n"), "x", &s, &err),
        RW_E_CONFIG);
}

RUN_TESTS(cmocka_unit_test(lines_become_hits_only_where_all_agrees),
          cmocka_unit_test(a_refusal_has_its_reason),
          cmocka_unit_test(without_settings_a_validator_is_static_and_has_the_defaults),
          cmocka_unit_test(arguments_are_split_at_blanks_and_bounded),
          cmocka_unit_test(soft_calls_are_known_and_permitted_ones))
