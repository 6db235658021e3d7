/* Goal: exactly the UTF-8 of RFC 3629 is valid, and cleaning leaves only what is safe to show. */
#include "common/base/utf8.h"

#include "tests/harness.h"

static const struct utf8_row {
    const char *id;
    const char *bytes;
    size_t want;
} sequences[] = {
    {"ascii", "a", 1},
    {"delete", "\x7f", 1},
    {"two_bytes", "\xc3\xa9", 2},
    {"first_of_two_bytes", "\xc2\x80", 2},
    {"three_bytes", "\xe2\x82\xac", 3},
    {"four_bytes", "\xf0\x9f\x98\x80", 4},
    {"last_code_point", "\xf4\x8f\xbf\xbf", 4},
    {"overlong_slash", "\xc0\xaf", 0},
    {"overlong_a_in_two", "\xc1\xa1", 0},
    {"overlong_in_three", "\xe0\x9f\xbf", 0},
    {"overlong_in_four", "\xf0\x8f\xbf\xbf", 0},
    {"surrogate_high", "\xed\xa0\x80", 0},
    {"surrogate_low", "\xed\xbf\xbf", 0},
    {"below_the_surrogates", "\xed\x9f\xbf", 3},
    {"above_the_last_code_point", "\xf4\x90\x80\x80", 0},
    {"lone_continuation", "\x80", 0},
    {"five_byte_lead", "\xf8\x88\x80\x80\x80", 0},
    {"ff", "\xff", 0},
    {"cut_in_two", "\xc3", 0},
    {"cut_in_four", "\xf0\x9f\x98", 0},
    {"lead_then_ascii",
     "\xc3"
     "a",
     0},
};

TEST_EACH(only_rfc_3629_is_valid, sequences)
{
    assert_int_equal(rw_utf8_length((const uint8_t *)it->bytes, strlen(it->bytes)), it->want);
}

TEST(a_nul_byte_is_not_valid)
{
    const uint8_t nul = 0;
    assert_int_equal(rw_utf8_length(&nul, 1), 0);
}

static const struct clean_row {
    const char *id;
    const char *text, *want;
} texts[] = {
    {"plain_text_stays",
     "Gr\xc3\xb6\xc3\x9f"
     "e 5 %",
     "Gr\xc3\xb6\xc3\x9f"
     "e 5 %"},
    {"control_bytes_go", "a\x1b[1m\r\n\x7f", "a?[1m???"},
    {"c1_controls_go",
     "a\xc2\x9b"
     "31m",
     "a??31m"},
    {"no_break_space_stays",
     "a\xc2\xa0"
     "b",
     "a\xc2\xa0"
     "b"},
    {"bad_bytes_go_one_by_one",
     "\xff\xfe"
     "a\xc3",
     "??a?"},
    {"empty", "", ""},
};

TEST_EACH(cleaning_keeps_the_length_and_what_is_safe, texts)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "%s", it->text);
    rw_utf8_clean(text);
    assert_string_equal(text, it->want);
}

RUN_TESTS(cmocka_unit_test(only_rfc_3629_is_valid), cmocka_unit_test(a_nul_byte_is_not_valid),
          cmocka_unit_test(cleaning_keeps_the_length_and_what_is_safe))
