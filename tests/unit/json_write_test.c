/* Goal: whatever goes in, what comes out is JSON that our own strict parser reads back to the same values; a failure
 * is kept and told once, at the end. */
#include "common/json/json_write.h"

#include "tests/fakes/capture.h"
#include "tests/harness.h"

#include <signal.h>

TEST(commas_names_and_nesting_are_written)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(1000);
    struct json_writer w = json_begin(&b);
    json_open_object(&w, NULL);
    json_put_int(&w, "i", -5);
    json_put_bool(&w, "t", true);
    json_put_bool(&w, "f", false);
    json_put_null(&w, "n");
    json_open_array(&w, "l");
    json_close_array(&w);
    json_open_array(&w, "m");
    json_put_str(&w, NULL, "x");
    json_open_object(&w, NULL);
    json_close_object(&w);
    json_put_int(&w, NULL, 7);
    json_close_array(&w);
    json_put_raw(&w, "r", rw_span_str("[1]"));
    json_close_object(&w);
    MUST(json_done(&w, &err));
    assert_string_equal(
        rw_buf_str(&b),
        "{\"i\":-5,\"t\":true,\"f\":false,\"n\":null,\"l\":[],\"m\":[\"x\",{},7],\"r\":[1]}");
}

static const struct string_row {
    const char *id;
    const char *bytes;
    size_t n;
    const char *want;
    const char *back; /* what the strict parser reads */
} strings[] = {
    {"plain", "abc", 3, "\"abc\"", "abc"},
    {"empty", "", 0, "\"\"", ""},
    {"quote_and_backslash", "a\"b\\", 4, "\"a\\\"b\\\\\"", "a\"b\\"},
    {"control_bytes", "\n\x1f\x01", 3, "\"\\u000a\\u001f\\u0001\"", "\n\x1f\x01"},
    {"good_utf_8_stays", "\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"",
     "\xc3\xa9\xf0\x9f\x98\x80"},
    {"a_character_cut_in_two", "ab\xe2\x82", 4, "\"ab??\"", "ab??"},
    {"bad_byte_between",
     "a\xff"
     "b",
     3, "\"a?b\"", "a?b"},
    {"nul_byte", "a\0b", 3, "\"a?b\"", "a?b"},
    {"surrogate", "\xed\xa0\x80", 3, "\"???\"", "???"},
};

TEST_EACH(every_string_can_be_read_back, strings)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(1000);
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct json_writer w = json_begin(&b);
    json_put_span(&w, NULL, rw_span_of(it->bytes, it->n));
    MUST(json_done(&w, &err));
    assert_string_equal(rw_buf_str(&b), it->want);
    MUST(json_parse(rw_buf_span(&b), &json_limits_small, &tree, &err));
    assert_true(rw_span_is(json_str(tree), it->back));
}

TEST(random_bytes_always_give_readable_json)
{
    uint32_t seed = harness_seed();
    for (int round = 0; round < 5000; round++) {
        struct rw_err err = {0};
        char bytes[24];
        RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(1000);
        RW_AUTO(json_tree) json_tree tree = NULL;
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (char)harness_random(&seed);
        }
        struct json_writer w = json_begin(&b);
        json_open_object(&w, NULL);
        json_put_span(&w, "s", rw_span_of(bytes, harness_random(&seed) % sizeof(bytes)));
        json_close_object(&w);
        MUST(json_done(&w, &err));
        MUST(json_parse(rw_buf_span(&b), &json_limits_small, &tree, &err));
    }
}

TEST(a_parsed_tree_is_printed_packed_in_its_order)
{
    static const char text[] =
        " { \"b\" : [ 1 , { \"x\" : \"\\u00e9\\n\" } , [ ] ] , \"a\" : null, \"q\\\"\" : false } ";
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(1000);
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST(json_parse(rw_span_str(text), &json_limits_small, &tree, &err));
    struct json_writer w = json_begin(&b);
    json_open_array(&w, NULL);
    json_put_tree(&w, NULL, tree);
    json_put_tree(&w, NULL, json_find(tree, "a"));
    json_close_array(&w);
    MUST(json_done(&w, &err));
    assert_string_equal(
        rw_buf_str(&b),
        "[{\"b\":[1,{\"x\":\"\xc3\xa9\\u000a\"},[]],\"a\":null,\"q\\\"\":false},null]");
}

/* The deepest tree that may arrive, inside documents of our own: hostile depth must not reach an assertion. */
TEST(the_deepest_foreign_tree_fits_into_a_document_of_ours)
{
    struct rw_err err = {0};
    char text[65];
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(1000);
    RW_AUTO(json_tree) json_tree tree = NULL;
    memset(text, '[', 32);
    memset(text + 32, ']', 32);
    text[64] = '\0';
    MUST(json_parse(rw_span_str(text), &json_limits_metadata, &tree, &err));
    struct json_writer w = json_begin(&b);
    for (int i = 0; i < 32; i++) {
        json_open_array(&w, NULL);
    }
    json_put_tree(&w, NULL, tree);
    for (int i = 0; i < 32; i++) {
        json_close_array(&w);
    }
    MUST(json_done(&w, &err));
    assert_int_equal(b.n, 128);
}

TEST(the_first_failure_is_kept_and_told_at_the_end)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(20);
    struct json_writer w = json_begin(&b);
    json_open_object(&w, NULL);
    json_put_str(&w, "name", "a value that does not fit");
    json_put_int(&w, "x", 1);
    json_close_object(&w);
    MUST_FAIL(json_done(&w, &err), RW_E_TOO_BIG);
    assert_true(b.n <= 20);
}

static void never_closed(void)
{
    struct rw_err err = {0};
    struct rw_buf b = rw_buf_make(100);
    struct json_writer w = json_begin(&b);
    json_open_object(&w, NULL);
    RW_IGNORE(json_done(&w, &err), "asserted");
}

static void closed_too_often(void)
{
    struct rw_buf b = rw_buf_make(100);
    struct json_writer w = json_begin(&b);
    json_close_object(&w);
}

TEST(unbalanced_nesting_is_a_bug_of_ours)
{
    assert_int_equal(capture_signal(never_closed), SIGABRT);
    assert_int_equal(capture_signal(closed_too_often), SIGABRT);
}

RUN_TESTS(cmocka_unit_test(commas_names_and_nesting_are_written),
          cmocka_unit_test(every_string_can_be_read_back),
          cmocka_unit_test(random_bytes_always_give_readable_json),
          cmocka_unit_test(a_parsed_tree_is_printed_packed_in_its_order),
          cmocka_unit_test(the_deepest_foreign_tree_fits_into_a_document_of_ours),
          cmocka_unit_test(the_first_failure_is_kept_and_told_at_the_end),
          cmocka_unit_test(unbalanced_nesting_is_a_bug_of_ours))
