/* Goal: one strict parse (docs/trust.md): whatever two parsers might read differently is refused, limits hold before
 * memory is spent, and getters name the member, its line and what is wrong. */
#include "common/json/json_read.h"

#include "common/base/num.h"
#include "common/json/json_canon.h"
#include "common/json/json_write.h"
#include "tests/harness.h"

static RW_RC parse(const char *bytes, size_t n, json_tree *tree, struct rw_err *err)
{
    return json_parse(rw_span_of(bytes, n), &json_limits_small, tree, err);
}

static const struct text_row {
    const char *id;
    const char *bytes;
    size_t n; /* 0: strlen */
    enum rw_code want;
} texts[] = {
    /* shape */
    {"object", "{\"a\":1,\"b\":[true,false,null,\"x\",-5]}", 0, RW_E_NONE},
    {"white_space_of_four_kinds", " \t\r\n{ \"a\" : 1 }\n", 0, RW_E_NONE},
    {"scalar_at_the_top", "7", 0, RW_E_NONE},
    {"empty_text", "", 0, RW_E_SYNTAX},
    {"blank_text", "  ", 0, RW_E_SYNTAX},
    {"two_values", "{\"a\":1} x", 0, RW_E_SYNTAX},
    {"two_objects", "{}{}", 0, RW_E_SYNTAX},
    {"text_behind_a_nul", "{}\0x", 4, RW_E_SYNTAX},
    {"nul_behind", "{}\0", 3, RW_E_SYNTAX},
    {"byte_order_mark", "\xef\xbb\xbf{}", 0, RW_E_SYNTAX},
    {"form_feed_is_no_white_space", "\f{}", 0, RW_E_SYNTAX},
    {"vertical_tab_is_no_white_space", "{}\v", 0, RW_E_SYNTAX},
    {"byte_1_is_no_white_space", "{\x01}", 0, RW_E_SYNTAX},
    {"no_break_space_is_no_white_space", "\xc2\xa0{}", 0, RW_E_SYNTAX},
    {"comma_at_the_end_of_an_object", "{\"a\":1,}", 0, RW_E_SYNTAX},
    {"comma_at_the_end_of_an_array", "[1,]", 0, RW_E_SYNTAX},
    {"comma_at_the_start", "[,1]", 0, RW_E_SYNTAX},
    {"two_commas", "[1,,2]", 0, RW_E_SYNTAX},
    {"no_comma", "[1 2]", 0, RW_E_SYNTAX},
    {"no_colon", "{\"a\" 1}", 0, RW_E_SYNTAX},
    {"no_value", "{\"a\":}", 0, RW_E_SYNTAX},
    {"no_name", "{:1}", 0, RW_E_SYNTAX},
    {"name_without_quotes", "{a:1}", 0, RW_E_SYNTAX},
    {"number_as_a_name", "{1:1}", 0, RW_E_SYNTAX},
    {"single_quotes", "{'a':1}", 0, RW_E_SYNTAX},
    {"brackets_crossed", "[1}", 0, RW_E_SYNTAX},
    {"not_closed", "{\"a\":[1", 0, RW_E_SYNTAX},
    {"closed_too_often", "[]]", 0, RW_E_SYNTAX},
    {"comment", "{/*x*/}", 0, RW_E_SYNTAX},
    {"line_comment", "{}//x", 0, RW_E_SYNTAX},
    {"capital_true", "[True]", 0, RW_E_SYNTAX},
    {"cut_true", "[tru]", 0, RW_E_SYNTAX},
    {"true_and_more", "[truex]", 0, RW_E_SYNTAX},
    {"nan", "[NaN]", 0, RW_E_SYNTAX},
    {"infinity", "[Infinity]", 0, RW_E_SYNTAX},
    {"minus_infinity", "[-Infinity]", 0, RW_E_SYNTAX},
    /* members */
    {"one_member_twice", "{\"a\":1,\"a\":2}", 0, RW_E_SYNTAX},
    {"twice_with_equal_values", "{\"a\":1,\"a\":1}", 0, RW_E_SYNTAX},
    {"twice_after_unescaping", "{\"a\":1,\"\\u0061\":2}", 0, RW_E_SYNTAX},
    {"twice_deep_inside", "[{\"x\":{\"b\":0,\"a\":1,\"c\":2,\"a\":2}}]", 0, RW_E_SYNTAX},
    {"empty_name_twice", "{\"\":1,\"\":2}", 0, RW_E_SYNTAX},
    {"names_differ_in_case", "{\"a\":1,\"A\":2}", 0, RW_E_NONE},
    {"composed_and_decomposed_are_two_names", "{\"\xc3\xa9\":1,\"e\xcc\x81\":2}", 0, RW_E_NONE},
    {"same_name_at_two_levels", "{\"a\":{\"a\":1}}", 0, RW_E_NONE},
    /* numbers */
    {"greatest_integer", "[9007199254740991,-9007199254740991]", 0, RW_E_NONE},
    {"one_too_great", "[9007199254740992]", 0, RW_E_SYNTAX},
    {"one_too_small", "[-9007199254740992]", 0, RW_E_SYNTAX},
    {"an_integer_that_doubles_round", "[9007199254740993]", 0, RW_E_SYNTAX},
    {"seventeen_digits", "[10000000000000000]", 0, RW_E_SYNTAX},
    {"very_many_digits", "[99999999999999999999999999999999999999]", 0, RW_E_SYNTAX},
    {"minus_zero", "[-0]", 0, RW_E_SYNTAX},
    {"leading_zero", "[012]", 0, RW_E_SYNTAX},
    {"two_zeros", "[00]", 0, RW_E_SYNTAX},
    {"minus_leading_zero", "[-01]", 0, RW_E_SYNTAX},
    {"minus_only", "[-]", 0, RW_E_SYNTAX},
    {"plus", "[+1]", 0, RW_E_SYNTAX},
    {"fraction", "[1.0]", 0, RW_E_SYNTAX},
    {"dot_only", "[1.]", 0, RW_E_SYNTAX},
    {"dot_first", "[.5]", 0, RW_E_SYNTAX},
    {"exponent", "[1e2]", 0, RW_E_SYNTAX},
    {"great_exponent", "[1E999]", 0, RW_E_SYNTAX},
    {"hex_number", "[0x10]", 0, RW_E_SYNTAX},
    /* strings */
    {"all_escapes", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\"]", 0, RW_E_NONE},
    {"surrogate_pair", "[\"\\ud83d\\ude00\"]", 0, RW_E_NONE},
    {"delete_is_allowed", "[\"\x7f\"]", 0, RW_E_NONE},
    {"lone_high_surrogate", "[\"\\ud800\"]", 0, RW_E_SYNTAX},
    {"lone_low_surrogate", "[\"\\udc00\"]", 0, RW_E_SYNTAX},
    {"high_then_no_low", "[\"\\ud800\\u0041\"]", 0, RW_E_SYNTAX},
    {"high_then_what_comes_behind_the_low_ones", "[\"\\ud800\\ue000\"]", 0, RW_E_SYNTAX},
    {"high_then_text", "[\"\\ud800abc\"]", 0, RW_E_SYNTAX},
    {"high_then_other_escape", "[\"\\ud800\\n\"]", 0, RW_E_SYNTAX},
    {"nul_as_escape", "[\"x\\u0000y\"]", 0, RW_E_SYNTAX},
    {"nul_in_a_name", "{\"a\\u0000b\":1}", 0, RW_E_SYNTAX},
    {"raw_nul", "[\"x\0y\"]", 7, RW_E_SYNTAX},
    {"raw_line_end", "[\"x\ny\"]", 0, RW_E_SYNTAX},
    {"raw_tab", "[\"x\ty\"]", 0, RW_E_SYNTAX},
    {"raw_byte_1", "[\"\x01\"]", 0, RW_E_SYNTAX},
    {"unknown_escape", "[\"\\q\"]", 0, RW_E_SYNTAX},
    {"escape_of_a_raw_line_end", "[\"\\\n\"]", 0, RW_E_SYNTAX},
    {"three_hex_digits", "[\"\\u12\"]", 0, RW_E_SYNTAX},
    {"no_hex_digit", "[\"\\u12g4\"]", 0, RW_E_SYNTAX},
    {"string_not_closed", "[\"x", 0, RW_E_SYNTAX},
    {"escape_at_the_end", "[\"\\", 0, RW_E_SYNTAX},
    {"invalid_utf_8", "[\"\xff\"]", 0, RW_E_SYNTAX},
    {"overlong_utf_8", "[\"\xc0\xaf\"]", 0, RW_E_SYNTAX},
    {"surrogate_in_utf_8", "[\"\xed\xa0\x80\"]", 0, RW_E_SYNTAX},
    {"utf_8_cut_by_the_quote", "[\"\xe2\x82\"]", 0, RW_E_SYNTAX},
    {"utf_8_cut_by_the_end", "[\"\xe2", 0, RW_E_SYNTAX},
    {"bad_utf_8_in_a_name", "{\"\xff\":1}", 0, RW_E_SYNTAX},
    {"bad_utf_8_outside_strings", "[\xff]", 0, RW_E_SYNTAX},
};

TEST_EACH(what_could_be_read_in_two_ways_is_refused, texts)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    size_t n = it->n > 0 ? it->n : strlen(it->bytes);
    MUST_FAIL(parse(it->bytes, n, &tree, &err), it->want);
    assert_int_equal(tree == NULL, it->want != RW_E_NONE);
}

/* Only where the limits say so: a policy, never what is hashed or signed by its tree. */
static const struct decimal {
    const char *id, *text;
    bool good;
    enum json_type type;
    int64_t value; /* of a decimal: thousandths */
} decimals[] = {
    {"one place", "[1.0]", true, JSON_DECIMAL, 1000},
    {"three places", "[-0.125]", true, JSON_DECIMAL, -125},
    {"zero", "[0.0]", true, JSON_DECIMAL, 0},
    {"an integer stays one", "[99]", true, JSON_INT, 99},
    {"the greatest integer", "[9007199254740991]", true, JSON_INT, 9007199254740991},
    {"the greatest decimal", "[9007199254740.991]", true, JSON_DECIMAL, 9007199254740991},
    {"one thousandth too many", "[9007199254740.992]", false, JSON_NULL, 0},
    {"a decimal too great", "[9007199254741.0]", false, JSON_NULL, 0},
    {"an integer too great", "[9007199254740992]", false, JSON_NULL, 0},
    {"four places", "[1.0001]", false, JSON_NULL, 0},
    {"no place", "[1.]", false, JSON_NULL, 0},
    {"no whole", "[.5]", false, JSON_NULL, 0},
    {"an exponent", "[1e2]", false, JSON_NULL, 0},
    {"an exponent behind decimals", "[1.0e2]", false, JSON_NULL, 0},
    {"minus zero", "[-0]", false, JSON_NULL, 0},
    {"a leading zero", "[01.0]", false, JSON_NULL, 0},
    {"two points", "[1.0.0]", false, JSON_NULL, 0},
    {"the text ends", "[1.", false, JSON_NULL, 0},
};

TEST_EACH(decimals_are_read_exactly_where_they_are_allowed, decimals)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct rw_rc rc = json_parse(rw_span_str(it->text), &json_limits_policy, &tree, &err);
    assert_int_equal(rw_is_ok(rc), it->good);
    if (!it->good) { return; }
    const struct json *v = json_first(tree);
    assert_int_equal(json_type(v), it->type);
    assert_int_equal(it->type == JSON_INT ? json_int(v) : json_thousandths(v), it->value);
}

TEST(decimals_are_printed_and_have_no_canonical_form)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(200);
    MUST(json_parse(rw_span_str("[1.5,-0.025,7]"), &json_limits_policy, &tree, &err));
    struct json_writer w = json_begin(&out);
    json_put_tree(&w, NULL, tree);
    MUST(json_done(&w, &err));
    assert_string_equal(rw_buf_str(&out), "[1.500,-0.025,7]");
    MUST_FAIL(json_canon(tree, &out, &err), RW_E_SCHEMA);
}

TEST(a_member_twice_is_told_with_its_path)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST_FAIL(json_parse(rw_span_str("{\"a\":[1,{\"b\":{\"c\":1,\n\"c\":2}}]}"), &json_limits_small,
                         &tree, &err),
              RW_E_SYNTAX);
    assert_string_equal(err.text, "a[1].b: JSON line 1: the object has member 'c' twice");
}

/* Every proper prefix of a good text is refused, read from memory that ends there (ASan sees a byte too far). */
TEST(no_prefix_of_a_good_text_is_good)
{
    static const char text[] =
        "{\"a\":[1,true,null,\"\\u00e9\\ud83d\\ude00\xe2\x82\xac\"],\"b\":{\"c\":-12}}";
    for (size_t n = 0; n + 1 < sizeof(text); n++) {
        struct rw_err err = {0};
        RW_AUTO(json_tree) json_tree tree = NULL;
        char *exact = rw_mem_new(n + 1);
        memcpy(exact, text, n);
        char *tight = n == 0 ? NULL : rw_mem_grow(exact, n, 1);
        struct rw_rc rc = parse(tight, n, &tree, &err);
        rw_mem_free(n == 0 ? exact : tight);
        assert_int_equal(rc.code, RW_E_SYNTAX);
    }
}

static void fill(struct rw_buf *b, const char *piece, size_t times)
{
    struct rw_err err = {0};
    for (size_t i = 0; i < times; i++) {
        MUST(rw_buf_append_str(b, piece, &err));
    }
}

TEST(depth_is_limited_without_recursion)
{
    static const struct json_limits deep = {
        .bytes_max = 1 << 20, .nodes_max = 1 << 20, .depth_max = 32};
    for (size_t depth = 31; depth <= 33; depth++) {
        struct rw_err err = {0};
        RW_AUTO(json_tree) json_tree tree = NULL;
        RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(1000);
        fill(&b, "[", depth);
        fill(&b, "]", depth);
        MUST_FAIL(json_parse(rw_buf_span(&b), &deep, &tree, &err),
                  depth <= 32 ? RW_E_NONE : RW_E_SYNTAX);
    }
    struct rw_err err = {0};
    json_tree tree = NULL;
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(1 << 20);
    fill(&b, "{\"a\":", 200000);
    MUST_FAIL(json_parse(rw_buf_span(&b), &deep, &tree, &err), RW_E_SYNTAX);
    assert_non_null(strstr(err.text, "a.a: JSON line 1, column 161: nested too deeply"));
}

TEST(size_and_number_of_values_are_limited)
{
    static const struct json_limits few = {.bytes_max = 30, .nodes_max = 5, .depth_max = 3};
    struct rw_err err = {0};
    json_tree tree = NULL;
    MUST(json_parse(rw_span_str("[1,2,3,4]"), &few, &tree, &err));
    json_tree_drop(&tree);
    MUST_FAIL(json_parse(rw_span_str("[1,2,3,4,5]"), &few, &tree, &err), RW_E_TOO_BIG);
    MUST_FAIL(json_parse(rw_span_str("[[],[],[],[],[]]"), &few, &tree, &err), RW_E_TOO_BIG);
    MUST(json_parse(rw_span_str("[                            ]"), &few, &tree, &err));
    json_tree_drop(&tree);
    MUST_FAIL(json_parse(rw_span_str("[                             ]"), &few, &tree, &err),
              RW_E_TOO_BIG);
}

TEST(many_members_are_checked_for_repeats_in_reasonable_time)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(4 * 1024 * 1024);
    MUST(rw_buf_append_str(&b, "{", &err));
    for (int i = 0; i < 190000; i++) {
        MUST(rw_buf_appendf(&b, &err, "\"%06d\":0,", (i * 7919) % 190000));
    }
    MUST(rw_buf_append_str(&b, "\"000042\":0}", &err));
    MUST_FAIL(json_parse(rw_buf_span(&b), &json_limits_metadata, &tree, &err), RW_E_SYNTAX);
    assert_string_equal(err.text, "JSON line 1: the object has member '000042' twice");
}

TEST(errors_name_line_and_column)
{
    struct rw_err err = {0};
    json_tree tree = NULL;
    static const char text[] = "{\n  \"a\": 1,\n  \"b\": 01\n}";
    MUST_FAIL(parse(text, strlen(text), &tree, &err), RW_E_SYNTAX);
    assert_string_equal(err.text, "JSON line 3, column 10: no integer in its one plain form");
    MUST_FAIL(parse("[1,", 3, &tree, &err), RW_E_SYNTAX);
    assert_string_equal(err.text, "JSON line 1, column 4: the text ends here");
}

TEST(values_come_out_as_they_stand)
{
    static const char text[] =
        "{\n\"s\":\"\\u0041\\n\\ud83d\\ude00\",\n\"n\":-42,\"t\":true,\"f\":false,\n"
        "\"z\":null,\"l\":[1,[2],{}]}";
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST(parse(text, strlen(text), &tree, &err));
    assert_int_equal(json_count(tree), 6);
    assert_true(rw_span_is(json_str(json_find(tree, "s")), "A\n\xf0\x9f\x98\x80"));
    assert_int_equal(json_int(json_find(tree, "n")), -42);
    assert_int_equal(json_type(json_find(tree, "t")), JSON_TRUE);
    assert_int_equal(json_type(json_find(tree, "f")), JSON_FALSE);
    assert_int_equal(json_type(json_find(tree, "z")), JSON_NULL);
    assert_int_equal(json_line(json_find(tree, "s")), 2);
    assert_int_equal(json_line(json_find(tree, "z")), 4);
    const struct json *l = json_find(tree, "l");
    assert_int_equal(json_count(l), 3);
    assert_int_equal(json_int(json_first(json_next(json_first(l)))), 2);
    assert_null(json_first(json_next(json_next(json_first(l)))));
    assert_null(json_next(json_next(json_next(json_first(l)))));
    assert_true(rw_span_is(json_name(json_first(tree)), "s"));
    assert_int_equal(json_name(json_first(l)).n, 0);
    assert_null(json_find(tree, "S"));
    assert_null(json_find(l, "s"));
}

enum getter { GET_INT, GET_BOOL, GET_STR, GET_OBJECT };
static const struct getter_row {
    const char *id;
    enum getter getter;
    const char *name;
    enum rw_code want;
    const char *text; /* of the error */
} getters[] = {
    {"int", GET_INT, "n", RW_E_NONE, ""},
    {"bool", GET_BOOL, "t", RW_E_NONE, ""},
    {"str", GET_STR, "s", RW_E_NONE, ""},
    {"object", GET_OBJECT, "o", RW_E_NONE, ""},
    {"int_missing", GET_INT, "x", RW_E_SCHEMA, "line 1: 'x' is missing"},
    {"bool_missing", GET_BOOL, "x", RW_E_SCHEMA, "line 1: 'x' is missing"},
    {"str_missing", GET_STR, "x", RW_E_SCHEMA, "line 1: 'x' is missing"},
    {"int_is_a_string", GET_INT, "s", RW_E_SCHEMA, "line 3: 's' is a string, want an integer"},
    {"bool_is_an_integer", GET_BOOL, "n", RW_E_SCHEMA,
     "line 2: 'n' is an integer, want true or false"},
    {"str_is_null", GET_STR, "z", RW_E_SCHEMA, "line 4: 'z' is null, want a string"},
    {"object_is_an_array", GET_OBJECT, "l", RW_E_SCHEMA, "line 4: 'l' is an array, want an object"},
    {"int_too_great", GET_INT, "big", RW_E_RANGE, "line 2: 'big' is 100, want 0..50"},
    {"str_too_long", GET_STR, "long", RW_E_RANGE,
     "line 3: 'long' has 4 bytes, at most 3 are allowed"},
};

TEST_EACH(getters_name_the_member_its_line_and_what_is_wrong, getters)
{
    static const char text[] =
        "{\"t\":true,\n\"n\":5,\"big\":100,\n\"s\":\"abc\",\"long\":\"abcd\",\n"
        "\"z\":null,\"l\":[],\"o\":{}}";
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    int64_t n = 0;
    bool b = false;
    char s[4];
    const struct json *o = NULL;
    MUST(parse(text, strlen(text), &tree, &err));
    switch (it->getter) {
    case GET_INT:
        MUST_FAIL(json_get_int(tree, it->name, 0, 50, &n, &err), it->want);
        break;
    case GET_BOOL:
        MUST_FAIL(json_get_bool(tree, it->name, &b, &err), it->want);
        break;
    case GET_STR:
        MUST_FAIL(json_get_str(tree, it->name, s, sizeof(s), &err), it->want);
        break;
    case GET_OBJECT:
        MUST_FAIL(json_get(tree, it->name, JSON_OBJECT, &o, &err), it->want);
        break;
    }
    assert_string_equal(err.text, it->text);
}

TEST(a_value_that_is_no_object_has_no_members)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    int64_t n = 0;
    MUST(parse("[1]", 3, &tree, &err));
    MUST_FAIL(json_get_int(tree, "a", 0, 9, &n, &err), RW_E_SCHEMA);
    MUST_FAIL(json_only(tree, NULL, 0, &err), RW_E_SCHEMA);
}

TEST(unknown_members_are_named)
{
    static const char *const known[] = {"a", "b"};
    static const char text[] = "{\"a\":1,\n\"c\\u001b[2J\":2}";
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST(parse("{\"b\":1}", 7, &tree, &err));
    MUST(json_only(tree, known, 2, &err));
    json_tree_drop(&tree);
    MUST(parse(text, strlen(text), &tree, &err));
    MUST_FAIL(json_only(tree, known, 2, &err), RW_E_SCHEMA);
    assert_string_equal(err.text, "line 2: unknown member 'c?[2J'");
}

/* Random damage to a good text never crashes, and what is accepted has one canonical form that parses alike. */
TEST(random_damage_is_refused_or_read_in_one_way)
{
    static const char good[] = "{\"signatures\":[{\"keyid\":\"ab\",\"sig\":\"\\u00e9\"}],"
                               "\"signed\":{\"n\":[0,1,-2],\"t\":true}}";
    uint32_t seed = harness_seed();
    for (int round = 0; round < 20000; round++) {
        struct rw_err err = {0};
        char text[sizeof(good)];
        RW_AUTO(json_tree) json_tree tree = NULL;
        memcpy(text, good, sizeof(good));
        for (uint32_t hits = harness_random(&seed) % 3 + 1; hits > 0; hits--) {
            text[harness_random(&seed) % (sizeof(good) - 1)] = (char)harness_random(&seed);
        }
        if (!rw_is_ok(parse(text, sizeof(good) - 1, &tree, &err))) { continue; }
        RW_AUTO(rw_buf) struct rw_buf canon = rw_buf_make(4096);
        MUST(json_canon(tree, &canon, &err));
        assert_true(canon.n > 0);
    }
}

RUN_TESTS(cmocka_unit_test(decimals_are_read_exactly_where_they_are_allowed),
          cmocka_unit_test(decimals_are_printed_and_have_no_canonical_form),
          cmocka_unit_test(a_member_twice_is_told_with_its_path),
          cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
          cmocka_unit_test(no_prefix_of_a_good_text_is_good),
          cmocka_unit_test(depth_is_limited_without_recursion),
          cmocka_unit_test(size_and_number_of_values_are_limited),
          cmocka_unit_test(many_members_are_checked_for_repeats_in_reasonable_time),
          cmocka_unit_test(errors_name_line_and_column),
          cmocka_unit_test(values_come_out_as_they_stand),
          cmocka_unit_test(getters_name_the_member_its_line_and_what_is_wrong),
          cmocka_unit_test(a_value_that_is_no_object_has_no_members),
          cmocka_unit_test(unknown_members_are_named),
          cmocka_unit_test(random_damage_is_refused_or_read_in_one_way))
