/* Goal: a command line is taken as the table says or refused with the argument's name and a way to the help. */
#include "common/base/opt.h"

#include "common/base/version.h"
#include "tests/fakes/capture.h"
#include "tests/harness.h"

static const char *file;
static const char *output;
static bool force;

static const struct opt opts[] = {
    {"file", "FILE", "the file", &file, NULL},
    {"output", "FORMAT", "table or json", &output, NULL},
    {"force", NULL, "go on", NULL, &force},
};
static const struct opt_command command = {.program = "ringward test",
                                           .usage = "NAME [MORE]",
                                           .about = "Does a test.",
                                           .examples = "  ringward test a\n",
                                           .opts = opts,
                                           .opt_count = RW_LEN(opts),
                                           .operands_min = 1,
                                           .operands_max = 2};

struct parsed {
    struct rw_rc rc;
    struct rw_err err;
    enum opt_outcome outcome;
    char **operands;
    int count;
};

/* Splits `line` at blanks; getopt may reorder argv. */
static struct parsed parse(const char *line)
{
    static char text[200];
    static char *argv[20];
    int argc = 0;
    struct parsed p = {.outcome = OPT_HELP_SHOWN};
    file = NULL;
    output = NULL;
    force = false;
    (void)snprintf(text, sizeof(text), "ringward %s", line);
    for (char *rest = text, *word = NULL; (word = strsep(&rest, " ")) != NULL;) {
        if (*word != '\0') { argv[argc++] = word; }
    }
    argv[argc] = NULL;
    p.rc = opt_parse(&command, argc, argv, &p.outcome, &p.operands, &p.count, &p.err);
    return p;
}

TEST(options_and_operands_come_in_any_order)
{
    struct parsed p = parse("a --file=x --force b");
    assert_int_equal(p.rc.code, RW_E_NONE);
    assert_int_equal(p.outcome, OPT_RUN);
    assert_int_equal(p.count, 2);
    assert_string_equal(p.operands[0], "a");
    assert_string_equal(p.operands[1], "b");
    assert_string_equal(file, "x");
    assert_true(force);
    assert_null(output);
    p = parse("-o json a");
    assert_int_equal(p.rc.code, RW_E_NONE);
    assert_string_equal(output, "json");
    p = parse("-- --force");
    assert_int_equal(p.rc.code, RW_E_NONE);
    assert_string_equal(p.operands[0], "--force");
    assert_false(force);
}

static const struct refused_row {
    const char *id;
    const char *line, *want;
} refused[] = {
    {"unknown_long", "a --nope", "'--nope' is not an option here"},
    {"unknown_letter", "a -x", "'-x' is not an option here"},
    {"unknown_letter_in_a_group", "a -xyz", "'-x' is not an option here"},
    {"value_missing", "a --file", "'--file' needs a value here"},
    {"value_of_o_missing", "a -o", "'-o' needs a value here"},
    {"value_for_a_switch", "a --force=1", "'--force=1' takes no value here"},
    {"operand_missing", "--force", "an operand is missing: NAME [MORE]"},
    {"operand_too_many", "a b c", "'c' is one operand too many"},
};

TEST_EACH(what_is_not_understood_is_named, refused)
{
    struct parsed p = parse(it->line);
    assert_int_equal(p.rc.code, RW_E_USAGE);
    assert_string_equal(p.err.text, it->want);
    assert_string_equal(p.err.hint, "try 'ringward test --help'");
}

TEST(help_and_version_are_shown_and_end_the_parse)
{
    capture_begin(STDOUT_FILENO);
    struct parsed p = parse("--help --nope");
    const char *text = capture_end();
    assert_int_equal(p.rc.code, RW_E_NONE);
    assert_int_equal(p.outcome, OPT_HELP_SHOWN);
    assert_non_null(strstr(text, "Usage: ringward test [options] NAME [MORE]\n"));
    assert_non_null(strstr(text, "--file FILE"));
    assert_non_null(strstr(text, "Examples:\n  ringward test a\n"));
    capture_begin(STDOUT_FILENO);
    p = parse("--version");
    assert_string_equal(capture_end(), "ringward test " RW_VERSION "\n");
    assert_int_equal(p.outcome, OPT_HELP_SHOWN);
}

TEST(a_report_names_program_text_and_hint_and_gives_the_exit_status)
{
    struct rw_err err = {0};
    MUST_FAIL(rw_fail(&err, RW_E_STALE, "generation 3 is stale"), RW_E_STALE);
    MUST_FAIL(rw_hint(&err, "look again"), RW_E_STALE);
    capture_begin(STDERR_FILENO);
    int status = opt_report("ringward", &err);
    assert_string_equal(capture_end(),
                        "ringward: generation 3 is stale\nringward: hint: look again\n");
    assert_int_equal(status, 8);
}

RUN_TESTS(cmocka_unit_test(options_and_operands_come_in_any_order),
          cmocka_unit_test(what_is_not_understood_is_named),
          cmocka_unit_test(help_and_version_are_shown_and_end_the_parse),
          cmocka_unit_test(a_report_names_program_text_and_hint_and_gives_the_exit_status))
