/* Goal: the engine's inner loop says yes exactly where it should, and never anything but a fault when content asks for
 * a value that the event does not hold. */
#include "common/template/template_rule.h"
#include "tests/harness.h"

static struct template_rule_value text(const char *s)
{
    return (struct template_rule_value){
        .present = true, .type = TEMPLATE_STRING, .text = rw_span_str(s)};
}

static struct template_rule_value number(int64_t n)
{
    return (struct template_rule_value){.present = true, .type = TEMPLATE_INT, .number = n};
}

static const struct {
    const char *id;
    enum template_rule_op op;
    const char *literal;
    const char *value;
    enum template_rule_result want;
} texts[] = {
    {"is", TEMPLATE_IS, "abc", "abc", TEMPLATE_YES},
    {"is, shorter", TEMPLATE_IS, "abc", "ab", TEMPLATE_NO},
    {"is, longer", TEMPLATE_IS, "abc", "abcd", TEMPLATE_NO},
    {"is nothing", TEMPLATE_IS, "", "", TEMPLATE_YES},
    {"prefix", TEMPLATE_PREFIX, "ab", "abc", TEMPLATE_YES},
    {"prefix of itself", TEMPLATE_PREFIX, "abc", "abc", TEMPLATE_YES},
    {"prefix longer than the value", TEMPLATE_PREFIX, "abcd", "abc", TEMPLATE_NO},
    {"suffix", TEMPLATE_SUFFIX, "bc", "abc", TEMPLATE_YES},
    {"suffix elsewhere", TEMPLATE_SUFFIX, "ab", "abc", TEMPLATE_NO},
    {"contains at the beginning", TEMPLATE_CONTAINS, "ab", "abc", TEMPLATE_YES},
    {"contains at the end", TEMPLATE_CONTAINS, "bc", "abc", TEMPLATE_YES},
    {"contains after a false start", TEMPLATE_CONTAINS, "aab", "aaab", TEMPLATE_YES},
    {"contains not", TEMPLATE_CONTAINS, "ac", "abc", TEMPLATE_NO},
    {"contains in nothing", TEMPLATE_CONTAINS, "a", "", TEMPLATE_NO},
    {"wildcard", TEMPLATE_ANY, "", "x", TEMPLATE_YES},
    {"an operator of another type", TEMPLATE_RANGE, "", "x", TEMPLATE_FAULT},
    {"an operator that is none", TEMPLATE_OPS, "", "x", TEMPLATE_FAULT},
};

TEST_EACH(texts_are_compared_byte_by_byte, texts)
{
    struct template_rule_value literal = text(it->literal);
    struct template_rule_value value = text(it->value);
    struct template_rule_criterion c = {
        .op = it->op, .type = TEMPLATE_STRING, .literals = &literal, .literal_count = 1};
    assert_int_equal(template_rule_match(&c, 1, &value, 1), it->want);
    assert_int_equal(template_rule_force(&c, 1, &value, 1).result, it->want);
}

static const struct {
    const char *id;
    uint8_t ip[4];
    uint8_t net[4];
    uint32_t bits;
    enum template_rule_result want;
} nets[] = {
    {"inside", {10, 1, 2, 3}, {10, 0, 0, 0}, 104, TEMPLATE_YES},
    {"outside", {11, 1, 2, 3}, {10, 0, 0, 0}, 104, TEMPLATE_NO},
    {"a bit inside", {10, 127, 0, 1}, {10, 0, 0, 0}, 105, TEMPLATE_YES},
    {"a bit outside", {10, 128, 0, 1}, {10, 0, 0, 0}, 105, TEMPLATE_NO},
    {"one host", {10, 0, 0, 1}, {10, 0, 0, 1}, 128, TEMPLATE_YES},
    {"another host", {10, 0, 0, 2}, {10, 0, 0, 1}, 128, TEMPLATE_NO},
    {"everything", {9, 9, 9, 9}, {0, 0, 0, 0}, 0, TEMPLATE_YES},
    {"more bits than there are", {9, 9, 9, 9}, {0, 0, 0, 0}, 129, TEMPLATE_FAULT},
};

static struct template_rule_value address(const uint8_t ip[static 4])
{
    struct template_rule_value v = {.present = true, .type = TEMPLATE_IP};
    v.ip[10] = v.ip[11] = 0xFF;
    memmove(v.ip + 12, ip, 4);
    return v;
}

TEST_EACH(an_address_is_in_a_net_by_its_first_bits, nets)
{
    struct template_rule_value net = address(it->net);
    struct template_rule_value value = address(it->ip);
    if (it->bits == 0) { memset(net.ip, 0, sizeof(net.ip)); }
    struct template_rule_criterion c = {.op = TEMPLATE_NET,
                                        .type = TEMPLATE_IP,
                                        .literals = &net,
                                        .literal_count = 1,
                                        .prefix_bits = it->bits};
    assert_int_equal(template_rule_match(&c, 1, &value, 1), it->want);
}

TEST(both_ends_of_a_range_belong_to_it)
{
    struct template_rule_criterion c = {
        .op = TEMPLATE_RANGE, .type = TEMPLATE_INT, .min = -2, .max = 5};
    const int64_t in[] = {-2, 0, 5};
    const int64_t out[] = {-3, 6, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < RW_LEN(in); i++) {
        struct template_rule_value v = number(in[i]);
        assert_int_equal(template_rule_match(&c, 1, &v, 1), TEMPLATE_YES);
    }
    for (size_t i = 0; i < RW_LEN(out); i++) {
        struct template_rule_value v = number(out[i]);
        assert_int_equal(template_rule_match(&c, 1, &v, 1), TEMPLATE_NO);
    }
}

TEST(an_absent_value_fits_a_wildcard_only)
{
    struct template_rule_value literal = text("");
    struct template_rule_value absent = {.type = TEMPLATE_STRING};
    struct template_rule_criterion is = {
        .op = TEMPLATE_IS, .type = TEMPLATE_STRING, .literals = &literal, .literal_count = 1};
    struct template_rule_criterion any = {.op = TEMPLATE_ANY, .type = TEMPLATE_STRING};
    assert_int_equal(template_rule_match(&is, 1, &absent, 1), TEMPLATE_NO);
    assert_int_equal(template_rule_match(&any, 1, &absent, 1), TEMPLATE_YES);
}

TEST(a_surplus_criterion_is_a_fault_even_if_it_is_a_wildcard)
{
    struct template_rule_criterion any[2] = {{.op = TEMPLATE_ANY, .type = TEMPLATE_STRING},
                                             {.op = TEMPLATE_ANY, .type = TEMPLATE_STRING}};
    struct template_rule_value one = text("x");
    assert_int_equal(template_rule_match(any, 2, &one, 1), TEMPLATE_FAULT);
    assert_int_equal(template_rule_force(any, 2, &one, 1).result, TEMPLATE_FAULT);
    assert_int_equal(template_rule_force(any, 2, &one, 1).evaluated, 0);
    assert_int_equal(template_rule_match(any, 1, &one, 1), TEMPLATE_YES);
}

TEST(a_value_of_another_type_is_a_fault)
{
    struct template_rule_criterion any = {.op = TEMPLATE_ANY, .type = TEMPLATE_STRING};
    struct template_rule_value v = number(1);
    assert_int_equal(template_rule_match(&any, 1, &v, 1), TEMPLATE_FAULT);
}

TEST(forcing_looks_at_every_criterion_behind_the_first_that_does_not_fit)
{
    struct template_rule_value literal = text("a");
    struct template_rule_criterion c[3] = {
        {.op = TEMPLATE_IS, .type = TEMPLATE_STRING, .literals = &literal, .literal_count = 1},
        {.op = TEMPLATE_ANY, .type = TEMPLATE_STRING},
        {.op = TEMPLATE_IS, .type = TEMPLATE_STRING, .literals = &literal, .literal_count = 1}};
    struct template_rule_value values[3] = {text("b"), text("c"), text("a")};
    struct template_rule_forced f = template_rule_force(c, 3, values, 3);
    assert_int_equal(f.result, TEMPLATE_NO);
    assert_int_equal(f.evaluated, 3);
    values[1] = text("d"); /* judged by a wildcard, and read all the same */
    assert_true(template_rule_force(c, 3, values, 3).touched != f.touched);
}

RUN_TESTS(cmocka_unit_test(texts_are_compared_byte_by_byte),
          cmocka_unit_test(an_address_is_in_a_net_by_its_first_bits),
          cmocka_unit_test(both_ends_of_a_range_belong_to_it),
          cmocka_unit_test(an_absent_value_fits_a_wildcard_only),
          cmocka_unit_test(a_surplus_criterion_is_a_fault_even_if_it_is_a_wildcard),
          cmocka_unit_test(a_value_of_another_type_is_a_fault),
          cmocka_unit_test(forcing_looks_at_every_criterion_behind_the_first_that_does_not_fit))
