/* Goal: a bucket gives what its rate and burst promise, no request more and none fewer, whatever the clock does; a
 * share leaves room for whoever comes next. */
#include "server/api/limit_rule.h"
#include "tests/harness.h"

enum { WALKS = 300, STEPS = 400 };

static const struct rate_case {
    const char *id;
    int64_t per_s;
    int64_t burst_ms;
    int64_t every_us;
    int64_t burst_us;
} rate_cases[] = {
    {"twenty_a_second", 20, 60000, 50000, 60000000},
    {"none", 0, 60000, 0, 0},
    {"less_than_none", -5, 60000, 0, 0},
    {"one_at_least", 1, 10, 1000000, 1000000},
    {"no_burst", 10, -1, 100000, 100000},
    {"beyond_the_limits", INT64_MAX, INT64_MAX, 1, 3600000000},
};

TEST_EACH(a_rate_is_cut_to_its_limits, rate_cases)
{
    struct limit_rate rate = limit_rule_rate(it->per_s, it->burst_ms);
    assert_int_equal(rate.every_us, it->every_us);
    assert_int_equal(rate.burst_us, it->burst_us);
}

TEST(a_burst_passes_then_the_rate)
{
    const struct limit_rate rate = limit_rule_rate(10, 2000);
    int64_t paid_us = 0;
    for (int i = 0; i < 20; i++) {
        struct limit_verdict v = limit_rule_take(&rate, paid_us, 5000);
        assert_true(v.pass);
        assert_int_equal(v.wait_ms, 0);
        paid_us = v.paid_us;
    }
    struct limit_verdict v = limit_rule_take(&rate, paid_us, 5000);
    assert_false(v.pass);
    assert_int_equal(v.wait_ms, 100);
    assert_int_equal(v.paid_us, paid_us); /* what is refused costs nothing */
    assert_false(limit_rule_take(&rate, paid_us, 5099).pass);
    assert_true(limit_rule_take(&rate, paid_us, 5100).pass);
}

TEST(no_limit_refuses_nobody)
{
    const struct limit_rate rate = {.every_us = 0};
    struct limit_verdict v = limit_rule_take(&rate, INT64_MAX, 0);
    assert_true(v.pass);
    assert_int_equal(v.paid_us, INT64_MAX);
}

static const struct clock_case {
    const char *id;
    int64_t paid_us;
    int64_t now_ms;
    bool pass;
} clock_cases[] = {
    {"forward_by_years", 1000, INT64_MAX, true},
    {"far_back", INT64_MAX, 1000, false},
    {"before_zero", 0, INT64_MIN, true},
    {"paid_before_zero", INT64_MIN, 0, true},
    {"paid_for_ever", INT64_MAX, INT64_MAX, false},
};

TEST_EACH(no_clock_overflows_or_locks_out, clock_cases)
{
    const struct limit_rate rate = limit_rule_rate(10, 2000);
    struct limit_verdict v = limit_rule_take(&rate, it->paid_us, it->now_ms);
    assert_int_equal(v.pass, it->pass);
    assert_true(v.wait_ms <= 100); /* as for an empty bucket, not for hours */
}

/* Against the plain definition: never more than burst + rate * time within any window, and never fewer when asked. */
TEST(a_walk_gets_exactly_what_a_counted_bucket_gives)
{
    uint32_t seed = harness_seed();
    for (int w = 0; w < WALKS; w++) {
        int64_t per_s = 1 + harness_random(&seed) % 50;
        int64_t burst_ms = 1000 + harness_random(&seed) % 5000;
        const struct limit_rate rate = limit_rule_rate(per_s, burst_ms);
        int64_t now_ms = harness_random(&seed) % 100000;
        int64_t paid_us = 0;
        int64_t level_us = rate.burst_us; /* the bucket as it is drawn: time that is left */
        for (int i = 0; i < STEPS; i++) {
            int64_t step_ms = harness_random(&seed) % 4 == 0 ? harness_random(&seed) % 900 : 0;
            now_ms += step_ms;
            level_us += step_ms * 1000;
            if (level_us > rate.burst_us) { level_us = rate.burst_us; }
            bool want = level_us >= rate.every_us;
            struct limit_verdict v = limit_rule_take(&rate, paid_us, now_ms);
            assert_int_equal(v.pass, want);
            if (want) { level_us -= rate.every_us; }
            if (!want) { /* the wait that is told is the shortest that does */
                assert_true(limit_rule_take(&rate, v.paid_us, now_ms + v.wait_ms).pass);
                assert_false(limit_rule_take(&rate, v.paid_us, now_ms + v.wait_ms - 1).pass);
            }
            paid_us = v.paid_us;
        }
    }
}

TEST(a_clock_that_goes_back_costs_a_bucket_at_most)
{
    const struct limit_rate rate = limit_rule_rate(10, 2000);
    struct limit_verdict v = limit_rule_take(&rate, 0, 100000000);
    v = limit_rule_take(&rate, v.paid_us, 1000); /* back by a day */
    assert_false(v.pass);
    assert_true(limit_rule_take(&rate, v.paid_us, 1100).pass);
    v = limit_rule_take(&rate, v.paid_us, 3000);
    assert_int_equal(v.paid_us, 3000000 + 100000); /* full again, and one taken */
}

TEST(retries_are_spread)
{
    assert_int_equal(limit_rule_retry_s(0, 0), 1);
    assert_int_equal(limit_rule_retry_s(1001, 0), 2);
    assert_int_equal(limit_rule_retry_s(INT64_MAX, 0), 3600);
    assert_int_equal(limit_rule_retry_s(INT64_MIN, 0), 1);
    int64_t low = INT64_MAX;
    int64_t high = 0;
    for (uint32_t r = 0; r < 1000; r++) {
        int64_t s = limit_rule_retry_s(5000, r * 7919);
        low = s < low ? s : low;
        high = s > high ? s : high;
    }
    assert_int_equal(low, 5);
    assert_int_equal(high, 14);
}

static const struct share_case {
    const char *id;
    size_t capacity, used, own, more;
    unsigned share;
    bool in;
} share_cases[] = {
    {"the_first", 4096, 0, 0, 1, 75, true},
    {"the_last_of_its_share", 4096, 3071, 3071, 1, 75, true},
    {"one_more", 4096, 3072, 3072, 1, 75, false},
    {"another_tenant_beside_it", 4096, 3072, 0, 1, 75, true},
    {"it_finds_a_good_part", 4096, 3500, 428, 1, 75, true},
    {"full", 4096, 4096, 0, 1, 75, false},
    {"more_than_is_free", 4096, 4090, 0, 7, 75, false},
    {"everything", 4096, 4095, 4095, 1, 100, true},
    {"a_queue_of_one", 1, 0, 0, 1, 75, true},
    {"a_small_share", 100, 0, 0, 1, 1, true},
    {"a_small_share_and_more", 100, 1, 1, 1, 1, false},
    {"overfull", 10, 11, 0, 1, 75, false},
    {"more_own_than_used", 10, 1, 2, 1, 100, false},
    {"nonsense", SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, 75, false},
};

TEST_EACH(a_share_is_what_is_left_by_others, share_cases)
{
    assert_int_equal(limit_rule_share(it->capacity, it->used, it->own, it->more, it->share),
                     it->in);
}

/* However many flood, in whatever order: somebody new gets in, and those who flood get about equal parts. */
TEST(floods_of_several_leave_room_and_are_about_equal)
{
    uint32_t seed = harness_seed();
    for (size_t hogs = 1; hogs <= 20; hogs++) {
        size_t own[20] = {0};
        size_t used = 0;
        for (int i = 0; i < 200000; i++) {
            size_t who = harness_random(&seed) % hogs;
            if (!limit_rule_share(4096, used, own[who], 1, 75)) { continue; }
            own[who]++;
            used++;
        }
        assert_true(limit_rule_share(4096, used, 0, 1, 75));
        for (size_t k = 0; k < hogs; k++) { /* nobody has twice a fair part, or half of one */
            assert_in_range(own[k] * 2 * hogs, used, 4 * used);
        }
    }
}

RUN_TESTS(cmocka_unit_test(a_rate_is_cut_to_its_limits),
          cmocka_unit_test(a_burst_passes_then_the_rate), cmocka_unit_test(no_limit_refuses_nobody),
          cmocka_unit_test(no_clock_overflows_or_locks_out),
          cmocka_unit_test(a_walk_gets_exactly_what_a_counted_bucket_gives),
          cmocka_unit_test(a_clock_that_goes_back_costs_a_bucket_at_most),
          cmocka_unit_test(retries_are_spread), cmocka_unit_test(a_share_is_what_is_left_by_others),
          cmocka_unit_test(floods_of_several_leave_room_and_are_about_equal))
