/* Goal: patterns never cross a slash and cost no more than their length, names of roles become harmless file names. */
#include "common/tuf/tuf_path.h"

#include "common/crypto/digest.h"
#include "common/tuf/tuf_client.h"
#include "tests/harness.h"

#include <time.h>

static const struct match_row {
    const char *id;
    const char *pattern, *path;
    bool want;
} matches[] = {
    {"equal", "a/b", "a/b", true},
    {"star_in_a_part", "content/yara/*", "content/yara/2.rwc", true},
    {"star_matches_nothing_too", "a*b", "ab", true},
    {"star_does_not_cross_a_slash", "a/*", "a/b/c", false},
    {"two_stars_are_no_more_than_one", "a/**", "a/b/c", false},
    {"star_is_not_a_folder", "*", "a/b", false},
    {"question_mark_is_one_byte", "?.rwc", "2.rwc", true},
    {"question_mark_is_not_none", "?.rwc", ".rwc", false},
    {"question_mark_is_not_a_slash", "a?b", "a/b", false},
    {"case_matters", "A", "a", false},
    {"brackets_are_plain", "[ab]", "a", false},
    {"brackets_match_themselves", "[ab]", "[ab]", true},
    {"backslash_is_plain", "\\*", "\\x", true},
    {"leading_slash_counts", "/a", "a", false},
    {"trailing_slash_counts", "a/", "a", false},
    {"empty_part_counts", "a//b", "a/b", false},
    {"empty_pattern", "", "a", false},
    {"empty_both", "", "", true},
    {"dot_is_plain", "a.c", "abc", false},
    {"leading_dot_is_matched", "*", ".hidden", true},
    {"several_stars", "*a*b*c*", "xaxbxcx", true},
    {"several_stars_in_order", "*a*b*", "xbxax", false},
    {"star_backtracks", "*ab", "aab", true},
};

TEST_EACH(patterns_match_part_by_part, matches)
{
    assert_int_equal(tuf_path_match(rw_span_str(it->pattern), rw_span_str(it->path)), it->want);
}

/* Patterns come from metadata; a matcher that tries all ways would need longer than the universe here. */
TEST(a_hostile_pattern_costs_little)
{
    char pattern[200];
    char path[20001];
    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    }
    memset(path, 'a', sizeof(path));
    path[sizeof(path) - 1] = 'b';
    clock_t begin = clock();
    assert_false(
        tuf_path_match(rw_span_of(pattern, sizeof(pattern)), rw_span_of(path, sizeof(path))));
    assert_true(clock() - begin < 5 * CLOCKS_PER_SEC);
}

static const struct covered_row {
    const char *id;
    const char *delegation;
    enum rw_code want;
    bool covered;
} covered[] = {
    {"one_of_two_patterns", "{\"paths\":[\"x\",\"a/*\"]}", RW_E_NONE, true},
    {"no_pattern", "{\"paths\":[]}", RW_E_NONE, false},
    {"other_patterns", "{\"paths\":[\"a\",\"b\"]}", RW_E_NONE, false},
    {"hash_prefix", "{\"path_hash_prefixes\":[\"ff\",\"c14c\"]}", RW_E_NONE, true},
    {"empty_hash_prefix_covers_all", "{\"path_hash_prefixes\":[\"\"]}", RW_E_NONE, true},
    {"other_hash_prefix", "{\"path_hash_prefixes\":[\"c14d\"]}", RW_E_NONE, false},
    {"hash_prefix_in_capitals", "{\"path_hash_prefixes\":[\"C14C\"]}", RW_E_NONE, false},
    {"hash_prefix_longer_than_a_hash",
     "{\"path_hash_prefixes\":["
     "\"c14cae77db1a0a8c31e4b5dac7dd4cbc1e6c5ee3a9cd0a6e3d3b6a1f5a0f2b3c4d\"]}",
     RW_E_NONE, false},
    {"a_pattern_that_is_no_string", "{\"paths\":[\"a/*\",7]}", RW_E_SCHEMA, false},
    {"paths_that_are_no_list", "{\"path_hash_prefixes\":{}}", RW_E_SCHEMA, false},
    {"neither", "{}", RW_E_SCHEMA, false},
};

TEST_EACH(a_delegation_covers_by_pattern_or_hash, covered)
{
    struct rw_err err = {0};
    bool got = false;
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST(json_parse(rw_span_str(it->delegation), &json_limits_small, &tree, &err));
    MUST_FAIL(tuf_path_covered(tree, "a/b", &got, &err), it->want);
    if (it->want == RW_E_NONE) { assert_int_equal(got, it->covered); }
}

static const struct name_row {
    const char *id;
    const char *role;
    int64_t version;
    const char *want;
} names[] = {
    {"plain", "targets", 0, "targets.json"},
    {"with_version", "content-yara", 12, "12.content-yara.json"},
    {"slash", "a/b", 1, "1.a%2Fb.json"},
    {"parent_folder", "../x", 1, "1...%2Fx.json"},
    {"blank_percent_and_utf_8", "a %\xc3\xa9", 0, "a%20%25%C3%A9.json"},
    {"control_byte", "a\n", 0, "a%0A.json"},
    {"unreserved_stay", "A_.-~z", 0, "A_.-~z.json"},
    {"empty", "", 3, "3..json"},
};

TEST_EACH(role_names_become_harmless_file_names, names)
{
    struct rw_err err = {0};
    char name[64];
    MUST(tuf_path_metadata_name(it->role, it->version, name, sizeof(name), &err));
    assert_string_equal(name, it->want);
    assert_null(strchr(name, '/'));
    for (size_t cap = 1; cap <= strlen(it->want); cap++) {
        char small[64] = "";
        MUST_FAIL(tuf_path_metadata_name(it->role, it->version, small, cap, &err), RW_E_TOO_BIG);
    }
}

TEST(the_hash_stands_before_the_base_name_in_a_url)
{
    struct rw_err err = {0};
    char url[200];
    struct tuf_target t = {.path = "content/yara/2.rwc"};
    memset(t.sha256, 0xab, sizeof(t.sha256));
    MUST(tuf_target_url(&t, url, sizeof(url), &err));
    assert_string_equal(
        url, "content/yara/abababababababababababababababababababababababababababababababab.2.rwc");
    MUST_FAIL(tuf_target_url(&t, url, strlen(url), &err), RW_E_TOO_BIG);
    (void)snprintf(t.path, sizeof(t.path), "plain");
    MUST(tuf_target_url(&t, url, sizeof(url), &err));
    assert_int_equal(strlen(url), 64 + 1 + 5);
}

RUN_TESTS(cmocka_unit_test(patterns_match_part_by_part),
          cmocka_unit_test(a_hostile_pattern_costs_little),
          cmocka_unit_test(a_delegation_covers_by_pattern_or_hash),
          cmocka_unit_test(role_names_become_harmless_file_names),
          cmocka_unit_test(the_hash_stands_before_the_base_name_in_a_url))
