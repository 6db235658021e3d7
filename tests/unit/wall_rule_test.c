/* Goal: no step of the wall clock shortens a bake or lets time go back (INV-3), people are told (INV-12), and a clock
 * that is right again is followed. */
#include "server/rollout/wall_rule.h"
#include "tests/harness.h"

enum { HOUR_S = 3600, DAY_S = 86400 };

struct clocks {
    struct wall_rule rule;
    int64_t wall_s;
    int64_t mono_ms;
    int64_t said_s;
};

static struct clocks begin(void)
{
    struct clocks c = {.wall_s = 1700000000, .mono_ms = 5000};
    c.said_s = wall_rule_next(&c.rule, (struct rw_wall){c.wall_s}, (struct rw_mono){c.mono_ms}).s;
    assert_int_equal(c.said_s, c.wall_s);
    return c;
}

/* Both clocks go on by so much, asked `each_ms` apart. */
static void pass(struct clocks *c, int64_t seconds, int64_t each_ms)
{
    int64_t begun_ms = c->mono_ms;
    int64_t wall_s = c->wall_s;
    while (c->mono_ms < begun_ms + seconds * 1000) {
        c->mono_ms += each_ms;
        c->wall_s = wall_s + (c->mono_ms - begun_ms) / 1000;
        int64_t s =
            wall_rule_next(&c->rule, (struct rw_wall){c->wall_s}, (struct rw_mono){c->mono_ms}).s;
        assert_true(s >= c->said_s);
        c->said_s = s;
    }
}

TEST(clocks_that_agree_are_followed_however_often_they_are_asked)
{
    static const int64_t each_ms[] = {3, 250, 1000, 7000, 600000};
    for (size_t i = 0; i < RW_LEN(each_ms); i++) {
        struct clocks c = begin();
        pass(&c, 6000, each_ms[i]);
        assert_in_range(c.wall_s - c.said_s + 1, 0, 2);
        assert_in_range(c.rule.ahead_s + 1, 0, 2);
    }
}

TEST(inv_3_a_step_forward_is_no_time_that_passed)
{
    struct clocks c = begin();
    pass(&c, 60, 250);
    int64_t before_s = c.said_s;
    c.wall_s += 30 * DAY_S;
    pass(&c, HOUR_S, 250);
    assert_in_range(c.said_s - before_s, HOUR_S, HOUR_S + HOUR_S / WALL_RULE_PARTS + 1);
    assert_true(c.rule.ahead_s < -WALL_RULE_ALARM_S);
    c.wall_s -= 30 * DAY_S; /* put right: what was gained is waited for */
    pass(&c, 2 * HOUR_S, 250);
    assert_in_range(c.rule.ahead_s + 1, 0, 2);
}

TEST(inv_3_a_step_back_stops_nothing)
{
    struct clocks c = begin();
    int64_t before_s = c.said_s;
    c.wall_s -= DAY_S;
    pass(&c, HOUR_S, 1000);
    assert_in_range(c.said_s - before_s, HOUR_S - HOUR_S / WALL_RULE_PARTS - 1, HOUR_S);
    assert_true(c.rule.ahead_s > WALL_RULE_ALARM_S);
}

TEST(a_step_that_stays_is_made_up_for)
{
    struct clocks c = begin();
    c.wall_s += 60;
    pass(&c, 60 * WALL_RULE_PARTS + 60, 1000);
    assert_in_range(c.wall_s - c.said_s + 1, 0, 2);
    c.wall_s -= 60;
    pass(&c, 60 * WALL_RULE_PARTS + 60, 1000);
    assert_in_range(c.wall_s - c.said_s + 1, 0, 2);
}

TEST(whatever_the_clocks_say_time_keeps_its_bounds)
{
    uint64_t seed = 20261127;
    for (int run = 0; run < 50; run++) {
        struct clocks c = begin();
        int64_t first_s = c.said_s;
        int64_t first_ms = c.mono_ms;
        for (int i = 0; i < 400; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
            int64_t draw = (int64_t)(seed >> 33);
            if (draw % 7 == 0) { c.wall_s = draw * (draw % 3 == 0 ? -1 : 900); }
            pass(&c, 1 + draw % 90, 1 + draw % 5000);
            int64_t passed_s = (c.mono_ms - first_ms) / 1000;
            int64_t slack_s = passed_s / WALL_RULE_PARTS + 2;
            assert_in_range(c.said_s - first_s + slack_s, passed_s, passed_s + 2 * slack_s);
        }
    }
}

RUN_TESTS(cmocka_unit_test(clocks_that_agree_are_followed_however_often_they_are_asked),
          cmocka_unit_test(inv_3_a_step_forward_is_no_time_that_passed),
          cmocka_unit_test(inv_3_a_step_back_stops_nothing),
          cmocka_unit_test(a_step_that_stays_is_made_up_for),
          cmocka_unit_test(whatever_the_clocks_say_time_keeps_its_bounds))
