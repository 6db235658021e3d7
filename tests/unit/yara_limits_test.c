/* Goal: the second reader counts as libyara does, is not led astray by comments, strings and regular expressions, and
 * names the bound that is passed. */
#include "common/yara/yara_limits.h"
#include "tests/harness.h"

static struct rw_err err;

static const struct {
    const char *id;
    const char *text;
    int64_t rules;
    int64_t strings;
} counted[] = {
    {"one", "rule a { strings: $a = \"x\" condition: $a }", 1, 1},
    {"two of different size",
     "rule a { strings: $a = \"x\" $b= /y/ $ = \"z\" condition: any of them }\nprivate rule b { "
     "condition: true }",
     2, 3},
    {"in comments", "// rule a\n/* rule b { } */ rule c { condition: true }", 1, 0},
    {"in a string", "rule a { strings: $a = \"} rule b { $x = \\\" rule c\" condition: $a }", 1, 1},
    {"in a regular expression",
     "rule a { strings: $a = /} rule b \\/ { \"/ condition: $a } rule c { condition: true }", 2, 1},
    {"in a hex string",
     "rule a { strings: $a = { 7F [4-6] (45|46) /* rule b { */ 4C } condition: $a at 0 }", 1, 1},
    {"a comparison declares nothing", "rule a { strings: $a = \"x\" condition: #a == 2 and $a }", 1,
     1},
    {"a name that holds the word", "rule rule_a { condition: rule_b }", 1, 0},
    {"nothing", "", 0, 0},
};

TEST_EACH(rules_and_strings_are_counted, counted)
{
    struct yara_limits found;
    MUST(yara_limits_check(rw_span_str(it->text), &found, &err));
    assert_int_equal(found.rules, it->rules);
    assert_int_equal(found.strings_most, it->strings);
}

#define REGEX(text) "rule a {\n strings: $a = /" text "/ condition: $a }"

static const struct {
    const char *id;
    const char *text;
    const char *reason; /* NULL: in order */
} bounds[] = {
    {"groups in groups", REGEX("(a(b(c)))"), NULL},
    {"a star of a star of a star", REGEX("((a*b)*c)*"), NULL},
    {"stars without end", REGEX("(((((a*)*)*)*)*)*b"), "repetition of repetition"},
    {"a product of bounds", REGEX("(a{1,1000}b{1,1000}){1,1000}c"), "multiply"},
    {"a large bound alone", REGEX("a{1,30000}"), NULL},
    {"a brace in a class", REGEX("([{(*]{2}\\)){3}"), NULL},
    {"an escaped group", REGEX("\\(\\(\\(\\(\\(\\("), NULL},
    {"an open class", REGEX("[abc"), NULL},
    {"a loop by a number", "rule a { condition: for any i in (0..2000000000) : (i == 1) }",
     "a loop up to"},
    {"a loop by a hexadecimal number",
     "rule a { condition: for any i in (0..0x80000000) : (i == 1) }", "a loop up to"},
    {"a short loop", "rule a { condition: for any i in (0..100) : (i == 1) }", NULL},
    {"offsets are no loop", "rule a { strings: $a = \"x\" condition: $a in (0..4000000000) }",
     NULL},
    {"offsets behind a loop",
     "rule a { strings: $a = \"x\" condition: for any i in (0..3) : ($a in (0..4000000000)) }",
     NULL},
};

TEST_EACH(bounds_are_named, bounds)
{
    struct yara_limits found;
    struct rw_rc rc = yara_limits_check(rw_span_str(it->text), &found, &err);
    if (it->reason == NULL) {
        MUST(rc);
        return;
    }
    assert_int_equal(rc.code, RW_E_RANGE);
    if (strstr(err.text, it->reason) == NULL) { fail_msg("%s", err.text); }
    assert_int_equal(strncmp(err.text, "line ", 5), 0);
}

static void repeat(struct rw_buf *into, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        MUST(rw_buf_append_str(into, text, &err));
    }
}

static const struct {
    const char *id;
    const char *before, *each;
    size_t most;
} many[] = {
    {"parentheses", "rule a { condition: ", "(", YARA_PARENS_MAX},
    {"strings", "rule a { strings: ", "$ = \"x\" ", YARA_STRINGS_MAX},
    {"groups of a regular expression", "rule a { strings: $a = /", "(", YARA_REGEX_GROUPS_MAX},
    {"bytes of a regular expression", "rule a { strings: $a = /", "x", YARA_REGEX_BYTES_MAX},
    {"rules", "", "rule a{}", YARA_RULES_MAX},
};

TEST_EACH(so_many_and_not_one_more, many)
{
    for (size_t extra = 0; extra <= 1; extra++) {
        RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 22);
        struct yara_limits found;
        MUST(rw_buf_append_str(&text, it->before, &err));
        repeat(&text, it->each, it->most + extra);
        struct rw_rc rc = yara_limits_check(rw_buf_span(&text), &found, &err);
        assert_int_equal(rc.code, extra == 0 ? RW_E_NONE : RW_E_RANGE);
    }
}

TEST(any_bytes_come_to_an_end)
{
    static const char alphabet[] = "{}()[]/\\\"$=*+?.,:0x for rule\n~\xff";
    uint32_t seed = harness_seed();
    for (int round = 0; round < 3000; round++) {
        char text[200];
        struct yara_limits found;
        for (size_t i = 0; i < sizeof(text); i++) {
            text[i] = alphabet[harness_random(&seed) % (sizeof(alphabet) - 1)];
        }
        struct rw_rc rc = yara_limits_check(rw_span_of(text, sizeof(text)), &found, &err);
        assert_true(rw_is_ok(rc) || rc.code == RW_E_RANGE);
    }
}

RUN_TESTS(cmocka_unit_test(rules_and_strings_are_counted), cmocka_unit_test(bounds_are_named),
          cmocka_unit_test(so_many_and_not_one_more), cmocka_unit_test(any_bytes_come_to_an_end))
