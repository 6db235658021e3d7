/* Goal: a number, duration, share or size has one strict text form; everything else is refused by name and limit,
 * and no arithmetic on input wraps around. */
#include "common/base/num.h"

#include "tests/harness.h"

static const struct int_row {
    const char *id;
    const char *text;
    int64_t min, max;
    enum rw_code want;
    int64_t value;
} ints[] = {
    {"zero", "0", 0, 9, RW_E_NONE, 0},
    {"least", "3", 3, 9, RW_E_NONE, 3},
    {"greatest", "9223372036854775807", 0, INT64_MAX, RW_E_NONE, INT64_MAX},
    {"below", "2", 3, 9, RW_E_RANGE, 0},
    {"above", "10", 3, 9, RW_E_RANGE, 0},
    {"one_beyond_64_bits", "9223372036854775808", 0, INT64_MAX, RW_E_RANGE, 0},
    {"wraps_to_a_small_one", "18446744073709551617", 0, INT64_MAX, RW_E_RANGE, 0},
    {"very_long", "99999999999999999999999999999999999999999999999999", 0, 9, RW_E_RANGE, 0},
    {"empty", "", 0, 9, RW_E_SYNTAX, 0},
    {"leading_zero", "01", 0, 9, RW_E_SYNTAX, 0},
    {"two_zeros", "00", 0, 9, RW_E_SYNTAX, 0},
    {"plus", "+1", 0, 9, RW_E_SYNTAX, 0},
    {"minus", "-1", -9, 9, RW_E_SYNTAX, 0},
    {"blank_before", " 1", 0, 9, RW_E_SYNTAX, 0},
    {"blank_behind", "1 ", 0, 9, RW_E_SYNTAX, 0},
    {"hex", "0x1", 0, 9, RW_E_SYNTAX, 0},
    {"fraction", "1.0", 0, 9, RW_E_SYNTAX, 0},
    {"exponent", "1e1", 0, 99, RW_E_SYNTAX, 0},
    {"arabic_digit", "\xd9\xa1", 0, 9, RW_E_SYNTAX, 0},
};

TEST_EACH(whole_numbers_are_read_strictly, ints)
{
    struct rw_err err = {0};
    int64_t value = -77;
    MUST_FAIL(rw_parse_i64(rw_span_str(it->text), it->min, it->max, "count", &value, &err),
              it->want);
    assert_int_equal(value, it->want == RW_E_NONE ? it->value : -77);
    if (it->want != RW_E_NONE) { assert_true(strncmp(err.text, "count: ", 7) == 0); }
}

TEST(a_nul_inside_a_number_is_refused)
{
    struct rw_err err = {0};
    int64_t value = 0;
    MUST_FAIL(rw_parse_i64(rw_span_of("1\0", 2), 0, 9, "count", &value, &err), RW_E_SYNTAX);
    MUST_FAIL(rw_parse_i64(rw_span_of(NULL, 0), 0, 9, "count", &value, &err), RW_E_SYNTAX);
}

TEST(checked_arithmetic_leaves_the_result_alone_on_overflow)
{
    int64_t i = 5;
    assert_false(rw_add_i64(INT64_MAX, 1, &i));
    assert_false(rw_add_i64(INT64_MIN, -1, &i));
    assert_false(rw_mul_i64(INT64_MIN, -1, &i));
    assert_false(rw_mul_i64(INT64_C(1) << 40, INT64_C(1) << 40, &i));
    assert_int_equal(i, 5);
    assert_true(rw_add_i64(-3, 1, &i));
    assert_int_equal(i, -2);
    assert_true(rw_mul_i64(-3, 4, &i));
    assert_int_equal(i, -12);
}

static const struct hex_row {
    const char *id;
    const char *text;
    enum rw_code want;
} hexes[] = {
    {"lower_case", "00ff7a", RW_E_NONE},
    {"upper_case", "00FF7A", RW_E_SYNTAX},
    {"too_short", "00ff7", RW_E_SYNTAX},
    {"too_long", "00ff7a0", RW_E_SYNTAX},
    {"a_blank_inside", "00 f7a", RW_E_SYNTAX},
    {"a_letter_behind_f", "00fg7a", RW_E_SYNTAX},
    {"a_byte_before_the_digits", "/0ff7a", RW_E_SYNTAX},
    {"a_colon", ":0ff7a", RW_E_SYNTAX},
    {"empty", "", RW_E_SYNTAX},
};

TEST_EACH(hex_is_lower_case_and_of_exact_length, hexes)
{
    struct rw_err err = {0};
    uint8_t raw[3] = {9, 9, 9};
    char again[7];
    MUST_FAIL(rw_hex_decode(raw, 3, rw_span_str(it->text), "hash", &err), it->want);
    if (it->want != RW_E_NONE) {
        assert_memory_equal(raw, "\x09\x09\x09", 3);
        return;
    }
    rw_hex_encode(again, sizeof(again), raw, 3);
    assert_string_equal(again, it->text);
}

static const struct duration_row {
    const char *id;
    const char *text;
    enum rw_code want_ms, want_s;
    int64_t ms;
} durations[] = {
    {"milliseconds_only_where_they_count", "500ms", RW_E_NONE, RW_E_SYNTAX, 500},
    {"seconds", "90s", RW_E_NONE, RW_E_NONE, 90000},
    {"minutes", "15m", RW_E_NONE, RW_E_NONE, 900000},
    {"hours", "2h", RW_E_NONE, RW_E_NONE, 7200000},
    {"days", "7d", RW_E_NONE, RW_E_NONE, 604800000},
    {"zero", "0s", RW_E_NONE, RW_E_NONE, 0},
    {"above_the_limit", "8d", RW_E_RANGE, RW_E_RANGE, 0},
    {"product_beyond_64_bits", "9223372036854775807d", RW_E_RANGE, RW_E_RANGE, 0},
    {"number_beyond_64_bits", "92233720368547758070s", RW_E_RANGE, RW_E_RANGE, 0},
    {"no_unit", "90", RW_E_SYNTAX, RW_E_SYNTAX, 0},
    {"no_number", "s", RW_E_SYNTAX, RW_E_SYNTAX, 0},
    {"unknown_unit", "1w", RW_E_SYNTAX, RW_E_SYNTAX, 0},
    {"unit_of_other_case", "1H", RW_E_SYNTAX, RW_E_SYNTAX, 0},
    {"two_parts", "1h30m", RW_E_SYNTAX, RW_E_SYNTAX, 0},
    {"blank_between", "1 h", RW_E_SYNTAX, RW_E_SYNTAX, 0},
    {"negative", "-1h", RW_E_SYNTAX, RW_E_SYNTAX, 0},
    {"fraction", "1.5h", RW_E_SYNTAX, RW_E_SYNTAX, 0},
    {"empty", "", RW_E_SYNTAX, RW_E_SYNTAX, 0},
};

TEST_EACH(durations_are_one_number_and_one_unit, durations)
{
    struct rw_err err = {0};
    struct rw_span text = rw_span_str(it->text);
    int64_t ms = -7;
    int64_t s = -7;
    MUST_FAIL(rw_parse_duration_ms(text, 604800000, "wait", &ms, &err), it->want_ms);
    assert_int_equal(ms, it->want_ms == RW_E_NONE ? it->ms : -7);
    MUST_FAIL(rw_parse_duration_s(text, 604800, "wait", &s, &err), it->want_s);
    assert_int_equal(s, it->want_s == RW_E_NONE ? it->ms / 1000 : -7);
}

TEST(durations_are_written_in_the_largest_exact_unit)
{
    static const struct {
        int64_t s;
        const char *want;
    } rows[] = {{0, "0s"},     {59, "59s"},
                {60, "1m"},    {90, "90s"},
                {3600, "1h"},  {5400, "90m"},
                {86400, "1d"}, {90000, "25h"},
                {-60, "-60s"}, {INT64_MAX, "9223372036854775807s"}};
    for (size_t i = 0; i < RW_LEN(rows); i++) {
        char text[32];
        rw_format_duration_s(text, sizeof(text), rows[i].s);
        assert_string_equal(text, rows[i].want);
    }
}

/* A limit is said in the unit that people write it in. */
TEST(a_duration_above_its_limit_is_told_with_units)
{
    struct rw_err err;
    int64_t got = 0;
    MUST_FAIL(rw_parse_duration_s(rw_span_str("300d"), 7776000, "hold", &got, &err), RW_E_RANGE);
    assert_string_equal(err.text, "hold: 300d is more than the limit of 90d");
    MUST_FAIL(rw_parse_duration_ms(rw_span_str("1501ms"), 1500, "wait", &got, &err), RW_E_RANGE);
    assert_string_equal(err.text, "wait: 1501ms is more than the limit of 1500ms");
}

TEST(one_is_counted_without_an_s)
{
    assert_string_equal(rw_plural(1), "");
    assert_string_equal(rw_plural(0), "s");
    assert_string_equal(rw_plural(2), "s");
}

static const struct share_row {
    const char *id;
    const char *text;
    enum rw_code want;
    int64_t bp;
} shares[] = {
    {"none", "0%", RW_E_NONE, 0},
    {"one", "1%", RW_E_NONE, 100},
    {"half", "0.5%", RW_E_NONE, 50},
    {"two_places", "12.25%", RW_E_NONE, 1225},
    {"one_hundredth", "0.01%", RW_E_NONE, 1},
    {"all", "100%", RW_E_NONE, 10000},
    {"all_and_zeros", "100.00%", RW_E_NONE, 10000},
    {"a_little_more_than_all", "100.01%", RW_E_RANGE, 0},
    {"twice_all", "200%", RW_E_RANGE, 0},
    {"beyond_64_bits", "99999999999999999999%", RW_E_RANGE, 0},
    {"three_places", "0.005%", RW_E_SYNTAX, 0},
    {"no_places", "1.%", RW_E_SYNTAX, 0},
    {"no_whole_part", ".5%", RW_E_SYNTAX, 0},
    {"no_sign", "1", RW_E_SYNTAX, 0},
    {"sign_only", "%", RW_E_SYNTAX, 0},
    {"text_behind", "1%%", RW_E_SYNTAX, 0},
    {"fraction_of_one", "0.01", RW_E_SYNTAX, 0},
    {"negative", "-1%", RW_E_SYNTAX, 0},
    {"empty", "", RW_E_SYNTAX, 0},
};

TEST_EACH(shares_are_exact_hundredths_of_a_percent, shares)
{
    struct rw_err err = {0};
    int64_t bp = -7;
    MUST_FAIL(rw_parse_share_bp(rw_span_str(it->text), "share", &bp, &err), it->want);
    assert_int_equal(bp, it->want == RW_E_NONE ? it->bp : -7);
}

static const struct size_row {
    const char *id;
    const char *text;
    enum rw_code want;
    int64_t bytes;
} sizes[] = {
    {"bytes", "512B", RW_E_NONE, 512},
    {"kibibytes", "64KiB", RW_E_NONE, 65536},
    {"mebibytes", "10MiB", RW_E_NONE, 10485760},
    {"gibibytes", "1GiB", RW_E_NONE, 1073741824},
    {"above_the_limit", "3GiB", RW_E_RANGE, 0},
    {"product_beyond_64_bits", "9223372036854775807GiB", RW_E_RANGE, 0},
    {"decimal_unit", "1MB", RW_E_SYNTAX, 0},
    {"no_unit", "1", RW_E_SYNTAX, 0},
    {"lower_case", "1mib", RW_E_SYNTAX, 0},
    {"empty", "", RW_E_SYNTAX, 0},
};

TEST_EACH(sizes_have_binary_units, sizes)
{
    struct rw_err err = {0};
    int64_t bytes = -7;
    MUST_FAIL(rw_parse_bytes(rw_span_str(it->text), INT64_C(2147483648), "size", &bytes, &err),
              it->want);
    assert_int_equal(bytes, it->want == RW_E_NONE ? it->bytes : -7);
}

TEST(a_hostile_value_is_shown_short_and_harmless)
{
    struct rw_err err = {0};
    int64_t value = 0;
    char text[200];
    memset(text, '\x1b', sizeof(text));
    MUST_FAIL(rw_parse_i64(rw_span_of(text, sizeof(text)), 0, 9, "count", &value, &err),
              RW_E_SYNTAX);
    assert_null(strchr(err.text, '\x1b'));
    assert_true(strlen(err.text) < 120);
}

RUN_TESTS(cmocka_unit_test(whole_numbers_are_read_strictly),
          cmocka_unit_test(a_nul_inside_a_number_is_refused),
          cmocka_unit_test(checked_arithmetic_leaves_the_result_alone_on_overflow),
          cmocka_unit_test(hex_is_lower_case_and_of_exact_length),
          cmocka_unit_test(durations_are_one_number_and_one_unit),
          cmocka_unit_test(durations_are_written_in_the_largest_exact_unit),
          cmocka_unit_test(a_duration_above_its_limit_is_told_with_units),
          cmocka_unit_test(one_is_counted_without_an_s),
          cmocka_unit_test(shares_are_exact_hundredths_of_a_percent),
          cmocka_unit_test(sizes_have_binary_units),
          cmocka_unit_test(a_hostile_value_is_shown_short_and_harmless))
