/* Goal: exposure never exceeds U + (1 + k) * survived (INV-1); counts that cannot be give no room (INV-3); nothing
 * overflows into room. */
#include "common/policy/window_rule.h"

#include "tests/harness.h"

static const struct window_row {
    const char *id;
    int64_t start, k_m, exposed, survived, allowed, room;
} rows[] = {
    {"the_start_is_open", 16, 1000, 0, 0, 16, 16},
    {"the_start_is_used_up", 16, 1000, 16, 0, 16, 0},
    {"a_survivor_gives_its_own_place_and_k_more", 16, 1000, 16, 1, 18, 2},
    {"doubling", 16, 1000, 16, 16, 48, 32},
    {"k_0_gives_back_only_the_own_place", 16, 0, 16, 10, 26, 10},
    {"k_of_a_half_rounds_down", 16, 500, 16, 1, 17, 1},
    {"k_of_99", 10000, 99000, 10000, 100, 20000, 10000},
    {"overdrawn_gives_none", 16, 1000, 100, 10, 36, 0},
    {"more_survivors_than_exposed_is_impossible", 16, 1000, 5, 6, 28, 0},
    {"negative_exposure_is_impossible", 16, 1000, -1, 0, 16, 0},
    {"negative_survivors_are_impossible", 16, 1000, 5, -1, 0, 0},
    {"a_negative_start_is_impossible", -1, 1000, 0, 0, 0, 0},
    {"a_negative_k_is_impossible", 16, -1, 0, 0, 0, 0},
    {"the_product_saturates", 16, INT64_MAX - 1000, INT64_MAX, 1000, INT64_MAX, 0},
    {"the_factor_saturates", 16, INT64_MAX, 2, 2, INT64_MAX, INT64_MAX - 2},
    {"the_sum_saturates", INT64_MAX, 1000, INT64_MAX, 5, INT64_MAX, 0},
};

TEST_EACH(room_is_what_the_law_leaves, rows)
{
    const struct window_rule_law law = {it->start, it->k_m};
    const struct window_rule_counts c = {it->exposed, it->survived};
    assert_true(window_rule_allowed(&law, &c) == it->allowed);
    assert_true(window_rule_room(&law, &c) == it->room);
}

/* Permits granted up to the room, survivors at random: the bound holds at every moment, and only survivors widen it. */
TEST(random_walks_never_exceed_the_law)
{
    uint32_t seed = harness_seed();
    for (int run = 0; run < 500; run++) {
        const struct window_rule_law law = {harness_random(&seed) % 20 + 1,
                                            harness_random(&seed) % 3000};
        struct window_rule_counts c = {0, 0};
        int64_t pending = 0;
        for (int step = 0; step < 100; step++) {
            int64_t room = window_rule_room(&law, &c);
            int64_t grant = room == 0 ? 0 : harness_random(&seed) % room + 1;
            c.exposed += grant;
            pending += grant;
            assert_true(c.exposed * 1000 <=
                        law.start * 1000 + (1000 + law.per_survivor_m) * c.survived);
            int64_t confirm = pending == 0 ? 0 : harness_random(&seed) % (pending + 1);
            pending -= confirm;
            c.survived += confirm / 2; /* the others failed: their places are lost */
            if (c.exposed > 1000000) { break; }
        }
    }
}

static const struct retry_row {
    const char *id;
    int64_t waiting, room, probation_s, poll_s, want;
} retries[] = {
    {"nobody_waits", 0, 10, 600, 300, 600},
    {"one_round_per_room", 25, 10, 600, 300, 1800},
    {"no_room_counts_as_one", 3, 0, 600, 300, 2400},
    {"not_longer_than_twelve_polls", 1000000, 1, 600, 300, 3600},
    {"never_0", 0, 10, 0, 0, 1},
    {"impossible_numbers_stay_in_range", INT64_MAX, INT64_MIN, INT64_MAX, INT64_MAX, INT64_MAX},
    {"a_negative_queue", -5, 1, 600, 300, 1},
};

TEST_EACH(a_refused_endpoint_asks_again_in_its_turn, retries)
{
    int64_t got = window_rule_retry_s(it->waiting, it->room, it->probation_s, it->poll_s);
    assert_true(got == it->want);
}

RUN_TESTS(cmocka_unit_test(room_is_what_the_law_leaves),
          cmocka_unit_test(random_walks_never_exceed_the_law),
          cmocka_unit_test(a_refused_endpoint_asks_again_in_its_turn))
