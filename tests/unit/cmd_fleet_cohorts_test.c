/* Goal: the picture of a cohort hides no failure, however large the cohort, and names of any kind can be asked for. */
#include "server/cli/cli_walk.h"
#include "server/cli/cmd_fleet_look.h"
#include "tests/harness.h"

static const struct bar_case {
    const char *id, *release, *bar;
} bars[] = {
    {"nothing yet", "{\"members\":0}", ""},
    {"nobody has it", "{\"members\":50}", "...................."},
    {"half of them", "{\"members\":40,\"exposed\":20,\"healthy\":20}", "##########.........."},
    {"one of a million is seen",
     "{\"members\":1000000,\"exposed\":1000000,\"healthy\":999999,\"failed\":1}",
     "x###################"},
    {"every kind",
     "{\"members\":100,\"exposed\":50,\"healthy\":40,\"pending\":8,\"slow\":1,\"dark\":1}",
     "x?########+........."},
    {"moved away", "{\"members\":1,\"exposed\":4,\"healthy\":4}", "####################"},
    {"what is no number", "{\"members\":\"x\"}", ""},
    {"negative", "{\"members\":-5,\"healthy\":-1}", ""},
};

TEST_EACH(every_part_that_is_there_has_its_place, bars)
{
    struct rw_err err;
    char bar[CMD_FLEET_BAR_BYTES];
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST(json_parse(rw_span_str(it->release), &json_limits_small, &tree, &err));
    cmd_fleet_cohorts_bar(tree, bar);
    assert_string_equal(bar, it->bar);
}

TEST(a_value_is_quoted_for_a_query)
{
    struct rw_err err;
    char dst[32];
    MUST(cli_walk_quote("a b/c&d=%", dst, sizeof(dst), &err));
    assert_string_equal(dst, "a%20b/c%26d%3D%25");
    MUST(cli_walk_quote("\xc3\xa4", dst, sizeof(dst), &err));
    assert_string_equal(dst, "%C3%A4");
    assert_int_equal(
        cli_walk_quote("0123456789012345678901234567890&", dst, sizeof(dst), &err).code,
        RW_E_RANGE);
}

RUN_TESTS(cmocka_unit_test(every_part_that_is_there_has_its_place),
          cmocka_unit_test(a_value_is_quoted_for_a_query))
