/* Goal: conditions and ranges are read as RFC 9110 says, and what is not well formed never hides content. */
#include "server/api/http_cond.h"
#include "tests/harness.h"

static const struct tag_case {
    const char *id, *value;
    bool want;
} tag_cases[] = {
    {"star", "*", true},
    {"the tag", "\"abc\"", true},
    {"weak", "W/\"abc\"", true},
    {"in a list", "\"x\", \"abc\"", true},
    {"in a tight list", "\"x\",W/\"y\",\"abc\",\"z\"", true},
    {"empty list members", "\"x\", , ,\"abc\"", true},
    {"a comma inside a tag", "\"x,\",\"abc\"", true},
    {"another", "\"abcd\"", false},
    {"without quotes", "abc", false},
    {"small w", "w/\"abc\"", false},
    {"open quote", "\"abc", false},
    {"no comma", "\"x\" \"abc\"", false},
    {"star in a list", "\"x\", *", false},
    {"blank inside", "\"ab c\", \"abc\"", false},
    {"empty", "", false},
    {"only W/", "W/", false},
};

TEST_EACH(if_none_match_finds_the_tag, tag_cases)
{
    assert_int_equal(http_cond_none_match(rw_span_str(it->value), "\"abc\""), it->want);
}

TEST(if_range_wants_exactly_the_strong_tag)
{
    assert_true(http_cond_if_range(rw_span_str(""), "\"abc\""));
    assert_true(http_cond_if_range(rw_span_str("\"abc\""), "\"abc\""));
    assert_false(http_cond_if_range(rw_span_str("W/\"abc\""), "\"abc\""));
    assert_false(http_cond_if_range(rw_span_str("Sun, 06 Nov 1994 08:49:37 GMT"), "\"abc\""));
}

static const struct range_case {
    const char *id, *value;
    uint64_t size;
    enum http_range_kind want;
    uint64_t first, last;
} range_cases[] = {
    {"from to", "bytes=2-5", 10, HTTP_RANGE_PART, 2, 5},
    {"unit in capitals", "BYTES=2-5", 10, HTTP_RANGE_PART, 2, 5},
    {"one byte", "bytes=9-9", 10, HTTP_RANGE_PART, 9, 9},
    {"to the end", "bytes=4-", 10, HTTP_RANGE_PART, 4, 9},
    {"end beyond", "bytes=4-99", 10, HTTP_RANGE_PART, 4, 9},
    {"the last three", "bytes=-3", 10, HTTP_RANGE_PART, 7, 9},
    {"more than there are", "bytes=-30", 10, HTTP_RANGE_PART, 0, 9},
    {"begins at the end", "bytes=10-", 10, HTTP_RANGE_BEYOND, 0, 0},
    {"begins beyond", "bytes=11-12", 10, HTTP_RANGE_BEYOND, 0, 0},
    {"the last none", "bytes=-0", 10, HTTP_RANGE_BEYOND, 0, 0},
    {"of nothing", "bytes=0-", 0, HTTP_RANGE_BEYOND, 0, 0},
    {"the last of nothing", "bytes=-1", 0, HTTP_RANGE_BEYOND, 0, 0},
    {"backwards", "bytes=5-2", 10, HTTP_RANGE_NONE, 0, 0},
    {"two ranges", "bytes=0-1,3-4", 10, HTTP_RANGE_NONE, 0, 0},
    {"other unit", "lines=0-1", 10, HTTP_RANGE_NONE, 0, 0},
    {"no numbers", "bytes=-", 10, HTTP_RANGE_NONE, 0, 0},
    {"nothing", "bytes=", 10, HTTP_RANGE_NONE, 0, 0},
    {"sign", "bytes=+1-2", 10, HTTP_RANGE_NONE, 0, 0},
    {"blank", "bytes= 1-2", 10, HTTP_RANGE_NONE, 0, 0},
    {"more digits than fit", "bytes=0-18446744073709551616", 10, HTTP_RANGE_NONE, 0, 0},
    {"only a number", "bytes=5", 10, HTTP_RANGE_NONE, 0, 0},
};

TEST_EACH(one_range_is_served_and_the_rest_is_the_whole, range_cases)
{
    struct http_range r = http_cond_range(rw_span_str(it->value), it->size);
    assert_int_equal(r.kind, it->want);
    if (it->want == HTTP_RANGE_PART) {
        assert_int_equal(r.first, it->first);
        assert_int_equal(r.last, it->last);
    }
}

RUN_TESTS(cmocka_unit_test(if_none_match_finds_the_tag),
          cmocka_unit_test(if_range_wants_exactly_the_strong_tag),
          cmocka_unit_test(one_range_is_served_and_the_rest_is_the_whole))
