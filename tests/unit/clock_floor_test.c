/* Goal: the floor rises, survives restarts and damage, and does not cost a write per poll. */
#include "agent/fetch/clock_floor.h"

#include "common/base/file.h"
#include "tests/harness.h"

#define AT(s) ((struct rw_wall){s})

enum { BUILT = 1700000000 };

TEST(it_begins_with_the_build_and_never_falls)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err;
    struct clock_floor f = clock_floor_open(d.fd, AT(BUILT));
    assert_int_equal(f.at.s, BUILT);
    MUST(clock_floor_raise(&f, AT(BUILT - 1), &err));
    assert_int_equal(f.at.s, BUILT);
    MUST(clock_floor_raise(&f, AT(BUILT + 5), &err));
    assert_int_equal(f.at.s, BUILT + 5);
}

TEST(what_was_raised_is_there_after_a_restart_and_a_newer_build_wins)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err;
    struct clock_floor f = clock_floor_open(d.fd, AT(BUILT));
    MUST(clock_floor_raise(&f, AT(BUILT + 1000), &err));
    f = clock_floor_open(d.fd, AT(BUILT));
    assert_int_equal(f.at.s, BUILT + 1000);
    f = clock_floor_open(d.fd, AT(BUILT + 2000));
    assert_int_equal(f.at.s, BUILT + 2000);
}

TEST(small_steps_stay_in_memory)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err;
    struct clock_floor f = clock_floor_open(d.fd, AT(BUILT));
    MUST(clock_floor_raise(&f, AT(BUILT + 1000), &err));
    for (int i = 1; i < 600; i++) {
        MUST(clock_floor_raise(&f, AT(BUILT + 1000 + i), &err));
    }
    assert_int_equal(f.at.s, BUILT + 1599);
    assert_int_equal(clock_floor_open(d.fd, AT(0)).at.s, BUILT + 1000);
    MUST(clock_floor_raise(&f, AT(BUILT + 1600), &err));
    assert_int_equal(clock_floor_open(d.fd, AT(0)).at.s, BUILT + 1600);
}

TEST(damage_costs_the_floor_and_nothing_else)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err;
    struct clock_floor f = clock_floor_open(d.fd, AT(BUILT));
    MUST(clock_floor_raise(&f, AT(BUILT + 1000), &err));
    MUST(rw_file_replace_at(d.fd, "clock.a", 0600, rw_span_str("junk"), &err));
    MUST(rw_file_replace_at(d.fd, "clock.b", 0600, rw_span_str("junk"), &err));
    f = clock_floor_open(d.fd, AT(BUILT));
    assert_int_equal(f.at.s, BUILT);
    MUST(clock_floor_raise(&f, AT(BUILT + 9), &err));
    assert_int_equal(clock_floor_open(d.fd, AT(0)).at.s, BUILT + 9);
}

RUN_TESTS(cmocka_unit_test(it_begins_with_the_build_and_never_falls),
          cmocka_unit_test(what_was_raised_is_there_after_a_restart_and_a_newer_build_wins),
          cmocka_unit_test(small_steps_stay_in_memory),
          cmocka_unit_test(damage_costs_the_floor_and_nothing_else))
