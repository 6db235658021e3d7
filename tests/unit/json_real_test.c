/* Goal: numbers with a fraction are read where a display asks for them, and refused everywhere else. */
#include "common/json/json_canon.h"
#include "common/json/json_write.h"
#include "tests/harness.h"

#include <math.h>

static const struct json_limits displays = {
    .bytes_max = 1000, .nodes_max = 20, .depth_max = 3, .reals = true};

static const struct real {
    const char *id;
    double want;
} reals[] = {
    {"0.5", 0.5},
    {"-0.25", -0.25},
    {"12.75", 12.75},
    {"1e3", 1000.0},
    {"1E+3", 1000.0},
    {"2.5e-3", 0.0025},
    {"0.0", 0.0},
    {"-0", 0.0},
    {"1e-07", 1e-7},
    {"8.8955", 8.8955},
    {"1.23457e+20", 1.23457e20},
    {"7", 7.0},
    {"-12", -12.0},
};

TEST_EACH(a_number_is_read_and_printed_as_it_was_written, reals)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(rw_buf) struct rw_buf again = rw_buf_make(100);
    MUST(json_parse(rw_span_str(it->id), &displays, &tree, &err));
    assert_true(fabs(json_real(tree) - it->want) <= fabs(it->want) * 1e-12);
    struct json_writer w = json_begin(&again);
    json_put_tree(&w, NULL, tree);
    MUST(json_done(&w, &err));
    assert_string_equal(rw_buf_str(&again), it->id);
}

static const struct broken {
    const char *id;
} broken[] = {{"1."},    {".5"},
              {"-"},     {"1e"},
              {"1e+"},   {"01.5"},
              {"+1.0"},  {"1.e3"},
              {"--1.0"}, {"0x1.0"},
              {"1.5.5"}, {"1e3e3"},
              {"-.5"},   {"0.12345678901234567890123456789012345678901234567890"}};

TEST_EACH(what_is_no_number_is_refused, broken)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST_FAIL(json_parse(rw_span_str(it->id), &displays, &tree, &err), RW_E_SYNTAX);
}

TEST(without_leave_a_fraction_is_refused)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    MUST_FAIL(json_parse(rw_span_str("{\"a\":1.5}"), &json_limits_small, &tree, &err), RW_E_SYNTAX);
    MUST_FAIL(json_parse(rw_span_str("1.0"), &json_limits_metadata, &tree, &err), RW_E_SYNTAX);
    MUST_FAIL(json_parse(rw_span_str("-0"), &json_limits_metadata, &tree, &err), RW_E_SYNTAX);
}

TEST(a_fraction_has_no_canonical_form)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(rw_buf) struct rw_buf canon = rw_buf_make(100);
    MUST(json_parse(rw_span_str("{\"a\":[1.5]}"), &displays, &tree, &err));
    MUST_FAIL(json_canon(tree, &canon, &err), RW_E_SYNTAX);
}

RUN_TESTS(cmocka_unit_test(a_number_is_read_and_printed_as_it_was_written),
          cmocka_unit_test(what_is_no_number_is_refused),
          cmocka_unit_test(without_leave_a_fraction_is_refused),
          cmocka_unit_test(a_fraction_has_no_canonical_form))
