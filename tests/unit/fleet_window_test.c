/* Goal: a place of a ring's windows serves the newest minute, not that of a clock that ran ahead (INV-4). */
#include "server/health/fleet_window.h"
#include "tests/harness.h"

enum { WIDTH_S = 60, MINUTE = 28333333 };

static struct fleet_bucket *of_minute(struct fleet_window_entry *e, int64_t minute)
{
    return fleet_window_bucket(e, minute * WIDTH_S, WIDTH_S);
}

TEST(a_later_minute_takes_the_place_and_an_earlier_one_finds_none)
{
    struct fleet_window_entry e = {.key = 1};
    of_minute(&e, MINUTE)->treated = 7;
    struct fleet_bucket *later = of_minute(&e, MINUTE + FLEET_BUCKETS);
    assert_int_equal(later->treated, 0);
    assert_null(of_minute(&e, MINUTE));
    assert_ptr_equal(of_minute(&e, MINUTE + FLEET_BUCKETS), later);
}

TEST(inv_4_a_minute_of_a_clock_that_ran_ahead_makes_room)
{
    struct fleet_window_entry e = {.key = 1};
    const int64_t year = INT64_C(365) * 86400 / WIDTH_S / FLEET_BUCKETS * FLEET_BUCKETS;
    of_minute(&e, MINUTE + year)->treated = 7;
    struct fleet_bucket *now = of_minute(&e, MINUTE);
    assert_non_null(now);
    assert_int_equal(now->treated, 0);
    assert_ptr_equal(fleet_window_peek(&e, MINUTE), now);
    /* What is ahead by less than a day may be right: it stays. */
    of_minute(&e, MINUTE + FLEET_BUCKETS)->treated = 7;
    assert_null(of_minute(&e, MINUTE));
}

RUN_TESTS(cmocka_unit_test(a_later_minute_takes_the_place_and_an_earlier_one_finds_none),
          cmocka_unit_test(inv_4_a_minute_of_a_clock_that_ran_ahead_makes_room))
