/* Goal: one time format, real calendar dates only, and writing then reading gives the same second for every day
 * from 1970 to 9999. */
#include "common/base/clock.h"

#include "tests/harness.h"

static const struct time_row {
    const char *id;
    const char *text;
    int64_t want; /* negative: refused */
} times[] = {
    {"the_epoch", "1970-01-01T00:00:00Z", 0},
    {"a_known_second", "2026-11-22T05:34:16Z", 1795325656},
    {"leap_day", "2024-02-29T00:00:00Z", 1709164800},
    {"leap_day_of_a_400th_year", "2000-02-29T23:59:59Z", 951868799},
    {"last_second", "9999-12-31T23:59:59Z", 253402300799},
    {"no_leap_day", "2023-02-29T00:00:00Z", -1},
    {"no_leap_day_in_a_100th_year", "2100-02-29T00:00:00Z", -1},
    {"april_31st", "2024-04-31T00:00:00Z", -1},
    {"day_0", "2024-04-00T00:00:00Z", -1},
    {"month_0", "2024-00-01T00:00:00Z", -1},
    {"month_13", "2024-13-01T00:00:00Z", -1},
    {"hour_24", "2024-01-01T24:00:00Z", -1},
    {"minute_60", "2024-01-01T00:60:00Z", -1},
    {"leap_second", "2016-12-31T23:59:60Z", -1},
    {"before_the_epoch", "1969-12-31T23:59:59Z", -1},
    {"lower_case", "2024-01-01t00:00:00z", -1},
    {"offset", "2024-01-01T00:00:00+00:00", -1},
    {"fraction", "2024-01-01T00:00:00.0Z", -1},
    {"no_zone", "2024-01-01T00:00:00", -1},
    {"short_fields", "2024-1-1T00:00:00Z", -1},
    {"blank", " 2024-01-01T00:00:00Z", -1},
    {"text_behind", "2024-01-01T00:00:00Z ", -1},
    {"five_digit_year", "10000-01-01T00:00:00Z", -1},
    {"sign", "+024-01-01T00:00:00Z", -1},
    {"empty", "", -1},
};

TEST_EACH(times_are_read_strictly, times)
{
    struct rw_err err = {0};
    struct rw_wall t = {-7};
    MUST_FAIL(rw_wall_parse(rw_span_str(it->text), "expires", &t, &err),
              it->want < 0 ? RW_E_SYNTAX : RW_E_NONE);
    assert_int_equal(t.s, it->want < 0 ? -7 : it->want);
}

TEST(every_day_survives_writing_and_reading)
{
    struct rw_err err = {0};
    for (int64_t day = 0; day <= 2932896; day += 1) {
        char text[RW_TIME_TEXT_BYTES];
        struct rw_wall back = {0};
        struct rw_wall t = {day * 86400 + day % 86400};
        rw_wall_format(text, t);
        MUST(rw_wall_parse(rw_span_str(text), "t", &back, &err));
        assert_int_equal(back.s, t.s);
    }
}

TEST(times_that_cannot_be_written_are_clamped)
{
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, (struct rw_wall){-1});
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    rw_wall_format(text, (struct rw_wall){INT64_MIN});
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    rw_wall_format(text, (struct rw_wall){INT64_MAX});
    assert_string_equal(text, "9999-12-31T23:59:59Z");
}

TEST(the_monotonic_clock_never_goes_back)
{
    struct rw_clock clock = rw_clock_system();
    struct rw_mono last = rw_clock_mono(&clock);
    for (int i = 0; i < 10000; i++) {
        struct rw_mono now = rw_clock_mono(&clock);
        assert_true(now.ms >= last.ms);
        last = now;
    }
    assert_true(rw_clock_wall(&clock).s > 1700000000);
}

RUN_TESTS(cmocka_unit_test(times_are_read_strictly),
          cmocka_unit_test(every_day_survives_writing_and_reading),
          cmocka_unit_test(times_that_cannot_be_written_are_clamped),
          cmocka_unit_test(the_monotonic_clock_never_goes_back))
