/* Goal: every timer of the wheel fires once, not before its time, and not much later, also behind many turns of the
 * wheel; a timer set anew or taken away leaves nothing behind. */
#include "tests/fleet/fleet_wheel.h"

#include "tests/harness.h"

enum { ENTRIES = 500, STEPS = 4000 };

struct world {
    struct fleet_wheel wheel;
    int32_t want[ENTRIES]; /* FLEET_WHEEL_NEVER: no timer */
    int32_t now;
    unsigned fired;
    uint32_t seed;
};

static void due(void *ctx, uint32_t entry)
{
    struct world *w = ctx;
    assert_true(w->want[entry] != FLEET_WHEEL_NEVER);
    assert_true(w->want[entry] < w->now + FLEET_WHEEL_TICK_MS);
    w->want[entry] = FLEET_WHEEL_NEVER;
    w->fired++;
    if (harness_random(&w->seed) % 2 == 0) { /* as endpoints do */
        w->want[entry] = w->now + (int32_t)(harness_random(&w->seed) % 2000000);
        fleet_wheel_set(&w->wheel, entry, w->want[entry]);
    }
}

TEST(random_timers_fire_once_and_in_time)
{
    struct world w = {.seed = harness_seed()};
    struct rw_err err;
    MUST(fleet_wheel_open(ENTRIES, &w.wheel, &err));
    for (size_t i = 0; i < ENTRIES; i++) {
        w.want[i] = FLEET_WHEEL_NEVER;
    }
    for (int step = 0; step < STEPS; step++) {
        uint32_t entry = harness_random(&w.seed) % ENTRIES;
        bool off = harness_random(&w.seed) % 8 == 0;
        int32_t at = w.now - 50 + (int32_t)(harness_random(&w.seed) % 1500000);
        w.want[entry] = off ? FLEET_WHEEL_NEVER : (at < 0 ? 0 : at);
        fleet_wheel_set(&w.wheel, entry, w.want[entry]);
        w.now += (int32_t)(harness_random(&w.seed) % 3000);
        fleet_wheel_turn(&w.wheel, w.now, due, &w);
        for (size_t i = 0; i < ENTRIES; i++) {
            assert_true(w.want[i] == FLEET_WHEEL_NEVER ||
                        w.want[i] > w.now - 2 * FLEET_WHEEL_TICK_MS);
        }
    }
    assert_true(w.fired > ENTRIES);
    fleet_wheel_drop(&w.wheel);
}

TEST(a_time_in_the_past_is_due_at_the_next_look)
{
    struct world w = {.now = 5000, .seed = 1};
    struct rw_err err;
    MUST(fleet_wheel_open(2, &w.wheel, &err));
    fleet_wheel_turn(&w.wheel, w.now, due, &w);
    w.want[1] = 4000;
    fleet_wheel_set(&w.wheel, 1, 4000);
    w.now += FLEET_WHEEL_TICK_MS;
    fleet_wheel_turn(&w.wheel, w.now, due, &w);
    assert_int_equal(w.fired, 1);
    fleet_wheel_drop(&w.wheel);
}

RUN_TESTS(cmocka_unit_test(random_timers_fire_once_and_in_time),
          cmocka_unit_test(a_time_in_the_past_is_due_at_the_next_look))
