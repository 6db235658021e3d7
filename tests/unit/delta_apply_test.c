/* Goal: a difference gives exactly the content that it was made for, from exactly the base that it was made from, or
 * nothing; what a frame claims costs no memory. */
#include "agent/fetch/delta_apply.h"

#include "tests/harness.h"

#include <zstd.h>

enum { BASE_BYTES = 100000, NEW_BYTES = 100500, ROOM = 200000 };

static uint8_t base[BASE_BYTES];
static uint8_t new_bytes[NEW_BYTES];
static uint8_t delta[ROOM];
static uint8_t out[ROOM];

/* Words that do not compress, changed here and there. */
static void make_contents(void)
{
    uint32_t seed = 7;
    for (size_t i = 0; i < BASE_BYTES; i++) {
        base[i] = (uint8_t)harness_random(&seed);
    }
    rw_copy(new_bytes, NEW_BYTES, base, 50000);
    for (size_t i = 50000; i < 50500; i++) {
        new_bytes[i] = (uint8_t)i;
    }
    rw_copy(new_bytes + 50500, NEW_BYTES - 50500, base + 50000, 50000);
}

static size_t make_delta(bool content_size, int window_log)
{
    make_contents();
    ZSTD_CCtx *c = ZSTD_createCCtx();
    assert_non_null(c);
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, content_size)));
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1)));
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log)));
    assert_false(ZSTD_isError(ZSTD_CCtx_refPrefix(c, base, BASE_BYTES)));
    size_t n = ZSTD_compress2(c, delta, ROOM, new_bytes, NEW_BYTES);
    assert_false(ZSTD_isError(n));
    (void)ZSTD_freeCCtx(c);
    return n;
}

static struct rw_rc apply(struct rw_span from, struct rw_span d, size_t length, struct rw_err *err)
{
    struct delta_apply a = {.decoder = NULL};
    RW_TRY(delta_apply_open(&a, err));
    struct rw_rc rc = delta_apply_run(&a, from, d, out, length, err);
    delta_apply_drop(&a);
    return rc;
}

TEST(a_difference_is_small_and_gives_the_very_bytes)
{
    struct rw_err err;
    size_t n = make_delta(true, 18);
    assert_true(n < 2000);
    MUST(apply(rw_span_of(base, BASE_BYTES), rw_span_of(delta, n), NEW_BYTES, &err));
    assert_memory_equal(out, new_bytes, NEW_BYTES);
}

TEST(a_window_of_two_gigabytes_costs_nothing)
{
    struct rw_err err;
    size_t n =
        make_delta(true, 31); /* single segment or not: the result's own memory is the window */
    MUST(apply(rw_span_of(base, BASE_BYTES), rw_span_of(delta, n), NEW_BYTES, &err));
    assert_memory_equal(out, new_bytes, NEW_BYTES);
}

TEST(another_base_is_noticed)
{
    struct rw_err err;
    size_t n = make_delta(true, 18);
    base[7] ^= 1;
    MUST_FAIL(apply(rw_span_of(base, BASE_BYTES), rw_span_of(delta, n), NEW_BYTES, &err),
              RW_E_SYNTAX);
    MUST_FAIL(apply(rw_span_of(base, 10), rw_span_of(delta, n), NEW_BYTES, &err), RW_E_SYNTAX);
}

TEST(another_length_than_the_signed_one_is_refused_before_decoding)
{
    struct rw_err err;
    size_t n = make_delta(true, 18);
    MUST_FAIL(apply(rw_span_of(base, BASE_BYTES), rw_span_of(delta, n), NEW_BYTES - 1, &err),
              RW_E_RANGE);
    MUST_FAIL(apply(rw_span_of(base, BASE_BYTES), rw_span_of(delta, n), NEW_BYTES + 1, &err),
              RW_E_RANGE);
}

TEST(a_frame_that_does_not_say_its_length_is_refused)
{
    struct rw_err err;
    size_t n = make_delta(false, 18);
    MUST_FAIL(apply(rw_span_of(base, BASE_BYTES), rw_span_of(delta, n), NEW_BYTES, &err),
              RW_E_RANGE);
}

TEST(a_cut_or_doubled_difference_is_refused)
{
    struct rw_err err;
    size_t n = make_delta(true, 18);
    for (size_t cut = 0; cut < n; cut += cut < 64 ? 1 : 37) {
        struct rw_rc rc =
            apply(rw_span_of(base, BASE_BYTES), rw_span_of(delta, cut), NEW_BYTES, &err);
        assert_false(rw_is_ok(rc));
    }
    rw_copy(delta + n, ROOM - n, delta, n);
    MUST_FAIL(apply(rw_span_of(base, BASE_BYTES), rw_span_of(delta, 2 * n), NEW_BYTES, &err),
              RW_E_SYNTAX);
}

TEST(nothing_may_stand_behind_the_frame)
{
    static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 'j', 'u', 'n', 'k'};
    struct rw_err err;
    size_t n = make_delta(true, 18);
    rw_copy(delta + n, ROOM - n, skippable, sizeof(skippable));
    MUST_FAIL(apply(rw_span_of(base, BASE_BYTES), rw_span_of(delta, n + sizeof(skippable)),
                    NEW_BYTES, &err),
              RW_E_SYNTAX);
}

TEST(no_changed_bit_passes_the_checksum_of_the_frame)
{
    struct rw_err err;
    size_t n = make_delta(true, 18);
    for (size_t i = 0; i < n; i++) {
        delta[i] ^= (uint8_t)(1U << (i % 8));
        struct rw_rc rc =
            apply(rw_span_of(base, BASE_BYTES), rw_span_of(delta, n), NEW_BYTES, &err);
        /* A bit of the header may be one that changes nothing: then the bytes are the right ones all the same. */
        if (rw_is_ok(rc)) { assert_memory_equal(out, new_bytes, NEW_BYTES); }
        delta[i] ^= (uint8_t)(1U << (i % 8));
    }
}

TEST(contents_beyond_the_limit_are_refused)
{
    struct rw_err err;
    size_t n = make_delta(true, 18);
    MUST_FAIL(apply(rw_span_of(base, (size_t)DELTA_APPLY_BYTES_MAX + 1), rw_span_of(delta, n),
                    NEW_BYTES, &err),
              RW_E_TOO_BIG);
    MUST_FAIL(apply(rw_span_of(base, BASE_BYTES), rw_span_of(delta, n),
                    (size_t)DELTA_APPLY_BYTES_MAX + 1, &err),
              RW_E_TOO_BIG);
}

RUN_TESTS(cmocka_unit_test(a_difference_is_small_and_gives_the_very_bytes),
          cmocka_unit_test(a_window_of_two_gigabytes_costs_nothing),
          cmocka_unit_test(another_base_is_noticed),
          cmocka_unit_test(another_length_than_the_signed_one_is_refused_before_decoding),
          cmocka_unit_test(a_frame_that_does_not_say_its_length_is_refused),
          cmocka_unit_test(a_cut_or_doubled_difference_is_refused),
          cmocka_unit_test(nothing_may_stand_behind_the_frame),
          cmocka_unit_test(no_changed_bit_passes_the_checksum_of_the_frame),
          cmocka_unit_test(contents_beyond_the_limit_are_refused))
