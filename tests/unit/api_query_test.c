/* Goal: a query that is not wholly understood is refused: a slip of the hand never looks like "nothing found". */
#include "server/api/api_query.h"
#include "tests/harness.h"

static const char *const known[] = {"ring", "cohort"};

static const struct query_case {
    const char *id, *query;
    enum rw_code want;
} queries[] = {
    {"empty", "", RW_E_NONE},
    {"one", "ring=canary", RW_E_NONE},
    {"both", "cohort=a/b/c&ring=canary", RW_E_NONE},
    {"unknown name", "rings=canary", RW_E_SCHEMA},
    {"no value", "ring=", RW_E_SCHEMA},
    {"no sign", "ring", RW_E_SCHEMA},
    {"twice", "ring=a&ring=b", RW_E_SCHEMA},
    {"an empty part", "ring=a&&cohort=b", RW_E_SCHEMA},
    {"only an ampersand", "&", RW_E_SCHEMA},
};

TEST_EACH(only_known_names_once_each_with_a_value, queries)
{
    struct rw_err err = {0};
    struct api_request req = {.query = rw_span_str(it->query)};
    assert_int_equal(api_query_only(&req, known, RW_LEN(known), &err).code, it->want);
}

static const struct text_case {
    const char *id, *query;
    enum rw_code want;
    const char *text;
} texts[] = {
    {"absent", "ring=x", RW_E_NONE, ""},
    {"plain", "cohort=a/b-1/c", RW_E_NONE, "a/b-1/c"},
    {"escaped", "cohort=a%20b%26c", RW_E_NONE, "a b&c"},
    {"eight bytes just fit", "cohort=12345678", RW_E_NONE, "12345678"},
    {"nine do not", "cohort=123456789", RW_E_RANGE, NULL},
    {"cut escape", "cohort=a%2", RW_E_SYNTAX, NULL},
    {"no hex", "cohort=a%zz", RW_E_SYNTAX, NULL},
    {"a zero byte", "cohort=a%00", RW_E_SYNTAX, NULL},
    {"no ASCII", "cohort=%c3%a4", RW_E_SYNTAX, NULL},
};

TEST_EACH(text_is_decoded_and_bounded, texts)
{
    struct rw_err err = {0};
    char dst[9];
    struct api_request req = {.query = rw_span_str(it->query)};
    assert_int_equal(api_query_text(&req, "cohort", dst, sizeof(dst), &err).code, it->want);
    if (it->text != NULL) { assert_string_equal(dst, it->text); }
}

RUN_TESTS(cmocka_unit_test(only_known_names_once_each_with_a_value),
          cmocka_unit_test(text_is_decoded_and_bounded))
