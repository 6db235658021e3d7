/* Goal: no buffer grows above its ceiling, a failed append changes nothing, and every content has a NUL behind it. */
#include "common/base/buf.h"

#include "tests/fakes/capture.h"
#include "tests/harness.h"

#include <signal.h>

TEST(spans_compare_by_content)
{
    struct rw_span a = rw_span_str("content");
    assert_true(rw_span_eq(a, rw_span_of("content", 7)));
    assert_false(rw_span_eq(a, rw_span_of("content", 6)));
    assert_false(rw_span_eq(a, rw_span_of("contenT", 7)));
    assert_true(rw_span_eq(rw_span_of(NULL, 0), rw_span_str("")));
    assert_true(rw_span_is(a, "content"));
    assert_false(rw_span_is(rw_span_of("a\0b", 3), "a"));
    assert_true(rw_span_starts(a, "con"));
    assert_true(rw_span_starts(a, ""));
    assert_true(rw_span_starts(rw_span_of(NULL, 0), ""));
    assert_false(rw_span_starts(rw_span_of("co", 2), "con"));
}

static const struct to_str_row {
    const char *id;
    const char *bytes;
    size_t n;
    enum rw_code want;
} to_strs[] = {
    {"empty_fits", "", 0, RW_E_NONE},
    {"fits_with_its_nul", "abc", 3, RW_E_NONE},
    {"one_byte_too_many", "abcd", 4, RW_E_TOO_BIG},
    {"a_nul_inside_is_refused", "a\0b", 3, RW_E_SYNTAX},
};

TEST_EACH(a_span_becomes_a_string_only_when_it_fits, to_strs)
{
    struct rw_err err = {0};
    char dst[4] = "???";
    MUST_FAIL(rw_span_to_str(dst, sizeof(dst), rw_span_of(it->bytes, it->n), "name", &err),
              it->want);
    assert_string_equal(dst, it->want == RW_E_NONE ? it->bytes : "???");
}

TEST(a_buffer_never_grows_above_its_ceiling)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(5);
    assert_string_equal(rw_buf_str(&b), "");
    MUST(rw_buf_append_str(&b, "abc", &err));
    MUST_FAIL(rw_buf_append_str(&b, "def", &err), RW_E_TOO_BIG);
    assert_string_equal(rw_buf_str(&b), "abc");
    MUST_FAIL(rw_buf_appendf(&b, &err, "%d", 123), RW_E_TOO_BIG);
    assert_string_equal(rw_buf_str(&b), "abc");
    MUST(rw_buf_appendf(&b, &err, "%d", 12));
    assert_string_equal(rw_buf_str(&b), "abc12");
    MUST(rw_buf_append(&b, rw_span_of(NULL, 0), &err));
    assert_int_equal(b.n, 5);
}

TEST(a_huge_request_cannot_wrap_around)
{
    struct rw_err err = {0};
    uint8_t *at = NULL;
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(100);
    MUST(rw_buf_append_str(&b, "abc", &err));
    MUST_FAIL(rw_buf_reserve(&b, SIZE_MAX, &at, &err), RW_E_TOO_BIG);
    MUST_FAIL(rw_buf_reserve(&b, SIZE_MAX - 2, &at, &err), RW_E_TOO_BIG);
    MUST_FAIL(rw_buf_reserve(&b, 98, &at, &err), RW_E_TOO_BIG);
    assert_null(at);
}

TEST(many_small_appends_keep_the_content)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(100000);
    for (int i = 0; i < 10000; i++) {
        MUST(rw_buf_appendf(&b, &err, "%04d,", i));
        assert_int_equal(b.p[b.n], 0);
    }
    assert_int_equal(b.n, 50000);
    assert_memory_equal(b.p + 5 * 4711, "4711,", 5);
    assert_true(b.cap <= 2 * b.n + 64);
}

TEST(clearing_keeps_memory_and_dropping_keeps_the_ceiling)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(10);
    rw_buf_clear(&b);
    MUST(rw_buf_append_str(&b, "abc", &err));
    const uint8_t *had = b.p;
    rw_buf_clear(&b);
    assert_string_equal(rw_buf_str(&b), "");
    assert_ptr_equal(b.p, had);
    rw_buf_drop(&b);
    rw_buf_drop(&b);
    MUST_FAIL(rw_buf_append_str(&b, "12345678901", &err), RW_E_TOO_BIG);
    MUST(rw_buf_append_str(&b, "1234567890", &err));
}

TEST(reserved_room_is_committed_as_far_as_written)
{
    struct rw_err err = {0};
    uint8_t *at = NULL;
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(10);
    MUST(rw_buf_reserve(&b, 10, &at, &err));
    memcpy(at, "xy", 2);
    rw_buf_commit(&b, 2);
    assert_string_equal(rw_buf_str(&b), "xy");
}

TEST(memory_helpers_check_their_products)
{
    assert_null(rw_mem_new_array(SIZE_MAX / 2, 4));
    assert_null(rw_mem_grow(NULL, SIZE_MAX / 2, 4));
    uint8_t *p = rw_mem_new(16);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(p[i], 0);
    }
    rw_mem_free(p);
    rw_mem_free(NULL);
    assert_null(rw_span_dup(rw_span_of("x", SIZE_MAX)));
    RW_AUTO(rw_cstr) rw_cstr copy = rw_span_dup(rw_span_of("abcd", 2));
    assert_string_equal(copy, "ab");
}

TEST(wiped_secrets_are_gone)
{
    char secret[8] = "secret!";
    rw_wipe(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++) {
        assert_int_equal(secret[i], 0);
    }
    rw_wipe(NULL, 0);
}

static void copy_too_much(void)
{
    char dst[2];
    volatile size_t n = 3;
    rw_copy(dst, sizeof(dst), "abc", n);
}

static void commit_too_much(void)
{
    struct rw_err err = {0};
    uint8_t *at = NULL;
    struct rw_buf b = rw_buf_make(1000);
    RW_IGNORE(rw_buf_reserve(&b, 10, &at, &err), "asserted below");
    rw_buf_commit(&b, 500);
}

TEST(our_own_overruns_stop_the_program)
{
    assert_int_equal(capture_signal(copy_too_much), SIGABRT);
    assert_int_equal(capture_signal(commit_too_much), SIGABRT);
}

RUN_TESTS(cmocka_unit_test(spans_compare_by_content),
          cmocka_unit_test(a_span_becomes_a_string_only_when_it_fits),
          cmocka_unit_test(a_buffer_never_grows_above_its_ceiling),
          cmocka_unit_test(a_huge_request_cannot_wrap_around),
          cmocka_unit_test(many_small_appends_keep_the_content),
          cmocka_unit_test(clearing_keeps_memory_and_dropping_keeps_the_ceiling),
          cmocka_unit_test(reserved_room_is_committed_as_far_as_written),
          cmocka_unit_test(memory_helpers_check_their_products),
          cmocka_unit_test(wiped_secrets_are_gone),
          cmocka_unit_test(our_own_overruns_stop_the_program))
