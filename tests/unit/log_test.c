/* Goal: one event is one line whatever is in it, foreign text cannot forge a second field or line, and what does
 * not fit is marked. */
#include "common/base/log.h"

#include "tests/fakes/capture.h"
#include "tests/harness.h"

static const struct value_row {
    const char *id;
    const char *value, *want;
} values[] = {
    {"plain", "ok-1.2/x", " key=ok-1.2/x\n"},
    {"empty_is_quoted", "", " key=\"\"\n"},
    {"blank_is_quoted", "a b", " key=\"a b\"\n"},
    {"equals_sign_cannot_begin_a_field", "x level=error", " key=\"x level=error\"\n"},
    {"quote_is_escaped", "a\"b", " key=\"a\\\"b\"\n"},
    {"backslash_is_escaped", "a\\b", " key=\"a\\\\b\"\n"},
    {"line_end_cannot_forge_a_line", "a\nts=x", " key=\"a\\x0ats=x\"\n"},
    {"escape_sequences_are_harmless", "\x1b[2J", " key=\"\\x1b[2J\"\n"},
    {"bytes_above_ascii_are_escaped", "\xc3\xa9", " key=\"\\xc3\\xa9\"\n"},
};

TEST_EACH(foreign_values_stay_inside_their_field, values)
{
    capture_begin(STDERR_FILENO);
    rw_log(RW_LOG_INFO, "event_x", "key", it->value);
    const char *line = capture_end();
    const char *tail = strstr(line, " event=event_x");
    assert_non_null(tail);
    assert_string_equal(tail + strlen(" event=event_x"), it->want);
    assert_true(strncmp(line, "ts=20", 5) == 0);
    assert_non_null(strstr(line, " level=info prog=test "));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

TEST(a_line_that_does_not_fit_is_cut_and_says_so)
{
    char longer[3000];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    for (size_t at = 1; at < 1200; at++) {
        /* The cut falls on every kind of piece: plain, escaped, key, quote. */
        longer[at - 1] = 'x';
        longer[at] = '\n';
        struct rw_log_line l;
        capture_begin(STDERR_FILENO);
        rw_log_begin(&l, RW_LOG_WARN, "event_x");
        rw_log_str(&l, "key", longer);
        for (int i = 0; i < 20; i++) {
            rw_log_str(&l, "more", "a b"); /* quoted: each would close a quote behind the cut */
        }
        rw_log_i64(&l, "n", 7);
        rw_log_end(&l);
        const char *line = capture_end();
        size_t n = strlen(line);
        assert_in_range(n, 1000, 1024);
        assert_string_equal(line + n - 8, "\" cut=1\n");
        assert_null(strstr(line, "n=7"));
    }
}

TEST(lines_without_room_for_a_key_are_cut_before_it)
{
    char filler[1100];
    for (size_t n = 850; n < 1000; n++) {
        memset(filler, 'x', n);
        filler[n] = '\0';
        struct rw_log_line l;
        capture_begin(STDERR_FILENO);
        rw_log_begin(&l, RW_LOG_WARN, "e");
        rw_log_str(&l, "a", filler);
        rw_log_str(&l, "b", "y z");
        rw_log_end(&l);
        const char *line = capture_end();
        bool whole = strstr(line, " b=\"y z\"\n") != NULL;
        bool cut = strcmp(line + strlen(line) - 7, " cut=1\n") == 0;
        assert_true(whole != cut);
    }
}

TEST(levels_below_the_lowest_are_silent)
{
    enum rw_log_level level = RW_LOG_DEBUG;
    struct rw_err err = {0};
    capture_begin(STDERR_FILENO);
    rw_log(RW_LOG_DEBUG, "quiet", NULL, NULL);
    rw_log(RW_LOG_ERROR, "loud", NULL, NULL);
    const char *text = capture_end();
    assert_null(strstr(text, "quiet"));
    assert_non_null(strstr(text, "event=loud\n"));
    MUST(rw_log_level_parse("warn", &level, &err));
    assert_int_equal(level, RW_LOG_WARN);
    MUST_FAIL(rw_log_level_parse("WARN", &level, &err), RW_E_SYNTAX);
    MUST_FAIL(rw_log_level_parse("", &level, &err), RW_E_SYNTAX);
}

TEST(an_error_is_logged_with_code_text_and_hint)
{
    struct rw_err err = {0};
    struct rw_log_line l;
    MUST_FAIL(rw_fail(&err, RW_E_TUF_HASH, "hash of 'a' differs"), RW_E_TUF_HASH);
    capture_begin(STDERR_FILENO);
    rw_log_begin(&l, RW_LOG_ERROR, "e");
    rw_log_err(&l, &err);
    rw_log_end(&l);
    const char *line = capture_end();
    assert_non_null(strstr(line, " error=TUF_HASH text=\"hash of 'a' differs\"\n"));
    MUST_FAIL(rw_hint(&err, "fetch again"), RW_E_TUF_HASH);
    capture_begin(STDERR_FILENO);
    rw_log_begin(&l, RW_LOG_ERROR, "e");
    rw_log_err(&l, &err);
    rw_log_end(&l);
    assert_non_null(strstr(capture_end(), " hint=\"fetch again\"\n"));
}

static int setup(void **state)
{
    (void)state;
    rw_log_setup("test", RW_LOG_INFO);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_values_stay_inside_their_field),
        cmocka_unit_test(a_line_that_does_not_fit_is_cut_and_says_so),
        cmocka_unit_test(lines_without_room_for_a_key_are_cut_before_it),
        cmocka_unit_test(levels_below_the_lowest_are_silent),
        cmocka_unit_test(an_error_is_logged_with_code_text_and_hint),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
