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

static const struct share_row {
    const char *id;
    int64_t start, share_bp, unproven, survived, others, room, own, ring, cohort;
} shares[] = {
    {"its_own_places_at_the_start", 16, 5000, 0, 0, 9, 16, 8, 8, 8},
    {"what_is_left_of_its_own", 16, 5000, 7, 0, 9, 9, 8, 1, 1},
    {"its_own_are_used_up", 16, 5000, 8, 0, 9, 8, 8, 0, 0},
    {"more_than_its_own_does_not_wrap", 16, 5000, 20, 0, 9, 8, 8, 0, 0},
    {"what_others_let_a_ring_grow_by_is_theirs", 16, 5000, 8, 0, 9, 99, 8, 0, 91},
    {"its_survivors_let_its_part_grow", 16, 5000, 8, 5, 9, 99, 8, 5, 91},
    {"nobody_else_is_there", 16, 5000, 8, 0, 0, 8, 8, 8, 8},
    {"impossible_others_are_none", 16, 5000, 8, 0, -3, 8, 8, 8, 8},
    {"all_is_its_own", 16, 10000, 12, 0, 9, 8, 16, 4, 8},
    {"more_than_all_is_all", 16, 20000, 12, 0, 9, 8, 16, 4, 8},
    {"one_place_at_least", 4, 1, 0, 0, 9, 4, 1, 1, 1},
    {"a_window_of_one_has_nothing_to_leave", 1, 5000, 3, 0, 9, 1, 1, 0, 1},
    {"shares_round_up", 5, 5000, 0, 0, 9, 5, 3, 3, 3},
    {"never_more_than_the_room", 16, 5000, 0, 0, 9, 3, 8, 3, 3},
    {"no_room", 16, 5000, 0, 0, 9, 0, 8, 0, 0},
    {"impossible_room", 16, 5000, 0, 0, 9, -1, 8, 0, 0},
    {"impossible_room_alone", 16, 5000, 0, 0, 0, -1, 8, 0, 0},
    {"an_impossible_count_has_no_places", 16, 5000, -1, 0, 9, 8, 8, 0, 0},
    {"impossible_survivors_give_no_places", 16, 5000, 1, -1, 9, 8, 8, 0, 0},
    {"an_impossible_share_is_one_place", 16, -1, 0, 0, 9, 15, 1, 1, 1},
    {"the_product_does_not_wrap", INT64_MAX, 5000, 0, 0, 9, 5, 1, 1, 1},
    {"the_sum_does_not_wrap", 16, 5000, INT64_MAX, 5, 9, 8, 8, 0, 0},
};

TEST_EACH(inv_11_a_tenant_has_its_share_of_the_start, shares)
{
    const struct window_rule_tenant t = {
        {it->start, 1000}, it->share_bp, it->unproven, it->survived, it->others};
    assert_true(window_rule_own(&t) == it->own);
    assert_true(window_rule_tenant_ring(&t, it->room) == it->ring);
    assert_true(window_rule_tenant_cohort(&t, it->room) == it->cohort);
}

/* One tenant takes whatever it may and never proves anything, another one comes when it likes: the flood has its own
 * places and no more however far the window grows, the other one always finds the rest of the start, the law holds
 * (INV-1, INV-11). In a cohort the flood may take what it grows by, and leaves the rest of the start all the same. */
TEST(inv_11_a_silent_flood_never_closes_the_window)
{
    uint32_t seed = harness_seed();
    for (int run = 0; run < 500; run++) {
        const struct window_rule_law law = {harness_random(&seed) % 20 + 2,
                                            harness_random(&seed) % 3000};
        const bool cohort = harness_random(&seed) % 2 == 0;
        struct window_rule_counts c = {0, 0};
        struct window_rule_tenant flood = {law, harness_random(&seed) % 9999 + 1, 0, 0, 1};
        const int64_t kept = law.start - window_rule_own(&flood);
        int64_t pending = 0; /* of the other tenant */
        for (int step = 0; step < 100; step++) {
            int64_t room = window_rule_room(&law, &c);
            int64_t taken = cohort ? window_rule_tenant_cohort(&flood, room)
                                   : window_rule_tenant_ring(&flood, room);
            flood.unproven += taken;
            c.exposed += taken;
            room = window_rule_room(&law, &c);
            assert_true(cohort || flood.unproven <= window_rule_own(&flood));
            assert_true(room + pending >= kept);
            int64_t grant = room == 0 ? 0 : harness_random(&seed) % (room + 1);
            c.exposed += grant;
            pending += grant;
            assert_true(c.exposed <= window_rule_allowed(&law, &c));
            int64_t confirm = harness_random(&seed) % (pending + 1);
            pending -= confirm;
            c.survived += confirm;
            if (c.exposed > 1000000) { break; }
        }
    }
}

static const struct retry_row {
    const char *id;
    int64_t ahead, waiting, opening, k_m, probation_s, poll_s, want;
} retries[] = {
    {"first_in_the_order", 0, 99, 10, 1000, 600, 300, 300},
    {"a_short_probation_is_sooner_than_a_poll", 9, 1000, 10, 1000, 20, 300, 20},
    {"the_window_doubles_with_each_probation", 10, 99, 10, 1000, 60, 300, 120}, /* 10 + 20 places */
    {"still_the_second", 29, 99, 10, 1000, 60, 300, 120},
    {"the_third", 30, 99, 10, 1000, 60, 300, 180}, /* 10 + 20 + 40 */
    {"without_growth_one_opening_a_round", 30, 99, 10, 0, 60, 300, 240},
    {"not_longer_than_twelve_polls", 1000000, 2000000, 1, 1000, 600, 300, 3600},
    {"nothing_pending_nothing_opens", 3, 99, 0, 1000, 600, 300, 3600},
    {"far_back_not_sooner_than_its_share_of_a_poll", 500000, 1000000, 1000, 1000, 5, 400, 200},
    {"the_last_one_poll", 1000000, 1000000, 1000, 1000, 5, 400, 400},
    {"never_0", 0, 99, 10, 1000, 0, 0, 1},
    {"impossible_numbers_end", INT64_MAX, 1, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, 86400},
    {"no_overflow_on_the_way", INT64_MAX, INT64_MAX, INT64_MAX / 2, 1000000, 1, 300, 300},
    {"a_day_at_most", INT64_MAX, INT64_MAX, 1, 0, 1, INT64_MAX, 86400},
    {"negative_numbers", -5, -5, -5, -5, -5, -5, 12},
};

TEST_EACH(a_refused_endpoint_asks_again_in_its_turn, retries)
{
    const struct window_rule_turn t = {.ahead = it->ahead,
                                       .waiting = it->waiting,
                                       .opening = it->opening,
                                       .per_survivor_m = it->k_m,
                                       .probation_s = it->probation_s,
                                       .poll_s = it->poll_s};
    assert_int_equal(window_rule_retry_s(&t), it->want);
}

/* A ring of ten thousand that all ask at once, come back when they are told to, and are let in while there is room:
 * the window must not stand open for want of anybody who asks. */
TEST(a_ring_that_asks_at_once_is_through_as_soon_as_the_law_allows)
{
    enum { MEMBERS = 10000, PROBATION_S = 60, POLL_S = 60, START = 16 };
    static int64_t asks_at[MEMBERS];
    static int64_t survives_at[MEMBERS];
    const struct window_rule_law law = {.start = START, .per_survivor_m = 1000};
    struct window_rule_counts c = {.exposed = 0};
    int64_t now = 0;
    while (c.exposed < MEMBERS * 95 / 100 && now < 24 * 3600) {
        for (size_t i = 0; i < MEMBERS; i++) {
            c.survived += survives_at[i] != 0 && survives_at[i] == now;
        }
        for (size_t i = 0; i < MEMBERS; i++) {
            if (survives_at[i] != 0 || asks_at[i] > now) { continue; }
            if (window_rule_room(&law, &c) > 0) {
                c.exposed++;
                survives_at[i] = now + PROBATION_S;
                continue;
            }
            int64_t ahead = (int64_t)i - c.exposed;
            const struct window_rule_turn t = {.ahead = ahead < 0 ? 0 : ahead,
                                               .waiting = MEMBERS - c.exposed,
                                               .opening = 2 * (c.exposed - c.survived),
                                               .per_survivor_m = 1000,
                                               .probation_s = PROBATION_S,
                                               .poll_s = POLL_S};
            asks_at[i] = now + window_rule_retry_s(&t);
        }
        now++;
    }
    /* log2(9500 / 16) doublings of a minute each; nobody can be faster. */
    assert_in_range(now, 9 * PROBATION_S, 12 * PROBATION_S);
}

RUN_TESTS(cmocka_unit_test(room_is_what_the_law_leaves),
          cmocka_unit_test(random_walks_never_exceed_the_law),
          cmocka_unit_test(inv_11_a_tenant_has_its_share_of_the_start),
          cmocka_unit_test(inv_11_a_silent_flood_never_closes_the_window),
          cmocka_unit_test(a_refused_endpoint_asks_again_in_its_turn),
          cmocka_unit_test(a_ring_that_asks_at_once_is_through_as_soon_as_the_law_allows))
