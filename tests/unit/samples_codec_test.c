/* Goal: a samples file reads back as it was written, and no damaged one is read at all. */
#include "common/box/samples_codec.h"
#include "tests/harness.h"

static struct rw_err err;

static void write_two(struct rw_buf *into)
{
    struct samples_one two[] = {{true, rw_span_str("evil")}, {false, rw_span_str("")}};
    const struct samples_list list = {two, 2};
    MUST(samples_write(&list, into, &err));
}

TEST(what_was_written_reads_back)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1000);
    RW_AUTO(samples_list) struct samples_list list = {.count = 0};
    write_two(&text);
    assert_int_equal(text.n, 4 + 4 + 5 + 4 + 5);
    MUST(samples_read(rw_buf_span(&text), &list, &err));
    assert_int_equal(list.count, 2);
    assert_true(list.at[0].must_match && rw_span_is(list.at[0].bytes, "evil"));
    assert_true(!list.at[1].must_match && list.at[1].bytes.n == 0);
}

TEST(an_empty_list_is_a_file_too)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(100);
    RW_AUTO(samples_list) struct samples_list list = {.count = 7};
    const struct samples_list none = {.count = 0};
    MUST(samples_write(&none, &text, &err));
    MUST(samples_read(rw_buf_span(&text), &list, &err));
    assert_int_equal(list.count, 0);
}

TEST(every_truncation_is_refused)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1000);
    write_two(&text);
    for (size_t n = 0; n < text.n; n++) {
        RW_AUTO(samples_list) struct samples_list list = {.count = 0};
        MUST_FAIL(samples_read(rw_span_of(text.p, n), &list, &err), RW_E_SYNTAX);
    }
}

static const struct {
    const char *id;
    size_t at;
    uint8_t byte;
    enum rw_code want;
} damages[] = {
    {"another magic", 3, 'V', RW_E_SYNTAX},
    {"one sample more than there is", 4, 3, RW_E_SYNTAX},
    {"one sample less: bytes are left over", 4, 1, RW_E_SYNTAX},
    {"more samples than are allowed", 6, 1, RW_E_TOO_BIG},
    {"an expectation of 2", 8, 2, RW_E_SYNTAX},
    {"a length beyond the file", 9, 200, RW_E_SYNTAX},
    {"a length of 4 GiB", 12, 255, RW_E_SYNTAX},
};

TEST_EACH(damage_is_refused, damages)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1000);
    RW_AUTO(samples_list) struct samples_list list = {.count = 0};
    write_two(&text);
    text.p[it->at] = it->byte;
    MUST_FAIL(samples_read(rw_buf_span(&text), &list, &err), it->want);
    assert_int_equal(list.count, 0);
}

TEST(the_validator_is_not_told_what_must_match)
{
    uint8_t head[SAMPLES_HEAD_BYTES];
    uint8_t one[SAMPLES_ONE_HEAD_BYTES];
    samples_blind_head(258, head);
    samples_blind_one(65537, one);
    assert_memory_equal(head, "RWV1\x02\x01\x00\x00", sizeof(head));
    assert_memory_equal(one, "\x01\x00\x01\x00", sizeof(one));
}

RUN_TESTS(cmocka_unit_test(what_was_written_reads_back),
          cmocka_unit_test(an_empty_list_is_a_file_too),
          cmocka_unit_test(every_truncation_is_refused), cmocka_unit_test(damage_is_refused),
          cmocka_unit_test(the_validator_is_not_told_what_must_match))
