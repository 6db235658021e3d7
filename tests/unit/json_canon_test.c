/* Goal: equal values have equal canonical bytes however they were written, different values have different ones. */
#include "common/json/json_canon.h"

#include "tests/harness.h"

static struct rw_buf canon_of(const char *text)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct rw_buf b = rw_buf_make(100000);
    MUST(json_parse(rw_span_str(text), &json_limits_metadata, &tree, &err));
    MUST(json_canon(tree, &b, &err));
    return b;
}

static const struct canon_row {
    const char *id;
    const char *text, *want;
} rows[] = {
    {"white_space_goes", " { \"a\" : [ 1 , 2 ] } ", "{\"a\":[1,2]}"},
    {"members_are_sorted_by_bytes", "{\"b\":1,\"a\":2,\"B\":3,\"aa\":4,\"\":5}",
     "{\"\":5,\"B\":3,\"a\":2,\"aa\":4,\"b\":1}"},
    {"above_the_surrogates_sorts_by_bytes_too", "{\"\\uff61\":1,\"\\ud83d\\ude00\":2}",
     "{\"\xef\xbd\xa1\":1,\"\xf0\x9f\x98\x80\":2}"},
    {"arrays_keep_their_order", "[3,1,2]", "[3,1,2]"},
    {"inner_objects_are_sorted", "[{\"b\":{\"d\":1,\"c\":2},\"a\":0}]",
     "[{\"a\":0,\"b\":{\"c\":2,\"d\":1}}]"},
    {"only_quote_and_backslash_are_escaped", "[\"\\\"\\\\\\/\\n\\t\\u0001\\u00e9\"]",
     "[\"\\\"\\\\/\n\t\x01\xc3\xa9\"]"},
    {"names_are_escaped_like_strings", "{\"a\\\"b\":1}", "{\"a\\\"b\":1}"},
    {"words_and_numbers", "[true,false,null,0,-1,9007199254740991]",
     "[true,false,null,0,-1,9007199254740991]"},
    {"empty_containers", "[{},[],\"\"]", "[{},[],\"\"]"},
    {"scalar_at_the_top", "\"x\"", "\"x\""},
};

TEST_EACH(the_form_is_the_specified_one, rows)
{
    RW_AUTO(rw_buf) struct rw_buf got = canon_of(it->text);
    assert_string_equal(rw_buf_str(&got), it->want);
}

static const struct twin_row {
    const char *id;
    const char *a, *b;
    bool equal;
} twins[] = {
    {"order_and_spelling_do_not_matter", "{\"x\":\"\\u0041\",\"y\":1}", "{\"y\":1,\"x\":\"A\"}",
     true},
    {"order_in_arrays_matters", "[1,2]", "[2,1]", false},
    {"number_and_string_differ", "[1]", "[\"1\"]", false},
    {"quotes_cannot_be_smuggled", "[\"a\\\",\\\"b\"]", "[\"a\",\"b\"]", false},
    {"nesting_differs", "[[1],2]", "[[1,2]]", false},
};

TEST_EACH(equal_values_and_only_they_have_equal_bytes, twins)
{
    RW_AUTO(rw_buf) struct rw_buf a = canon_of(it->a);
    RW_AUTO(rw_buf) struct rw_buf b = canon_of(it->b);
    assert_int_equal(rw_span_eq(rw_buf_span(&a), rw_buf_span(&b)), it->equal);
}

TEST(the_deepest_tree_is_written_without_recursion)
{
    char text[65];
    memset(text, '[', 32);
    memset(text + 32, ']', 32);
    text[64] = '\0';
    RW_AUTO(rw_buf) struct rw_buf got = canon_of(text);
    assert_string_equal(rw_buf_str(&got), text);
}

TEST(a_buffer_that_is_too_small_is_told_and_nothing_leaks)
{
    static const char text[] = "{\"b\":[1,{\"c\":\"\\\"\"}],\"a\":\"xyz\"}";
    RW_AUTO(rw_buf) struct rw_buf whole = canon_of(text);
    for (size_t max = 1; max <= whole.n; max++) {
        struct rw_err err = {0};
        RW_AUTO(json_tree) json_tree tree = NULL;
        RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(max);
        MUST(json_parse(rw_span_str(text), &json_limits_metadata, &tree, &err));
        MUST_FAIL(json_canon(tree, &b, &err), max < whole.n ? RW_E_TOO_BIG : RW_E_NONE);
    }
}

RUN_TESTS(cmocka_unit_test(the_form_is_the_specified_one),
          cmocka_unit_test(equal_values_and_only_they_have_equal_bytes),
          cmocka_unit_test(the_deepest_tree_is_written_without_recursion),
          cmocka_unit_test(a_buffer_that_is_too_small_is_told_and_nothing_leaks))
