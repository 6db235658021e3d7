/* Goal: two machines with one identity are found by the turns they take; restarts, however many, never look like it. */
#include "server/api/clone_watch.h"

#include "tests/harness.h"

static const uint8_t one[CLONE_WATCH_ID_BYTES] = {1};

static const struct turn_case {
    const char *id;
    const char *runs; /* one letter: the number of one start; '0': none sent */
    int found_at;     /* index of the beacon that proves it; -1: nothing is found */
} turns[] = {
    {"one agent", "aaaaaaa", -1},
    {"restarts", "aabbccddeeff", -1},
    {"two that take turns", "ababab", 3},
    {"two in blocks", "aaabbbaaabbbaaa", 9},
    {"one late request", "aaba", -1},
    {"one late request, then restarts", "ababccdd", 3},
    {"agents without a number", "000a00b0", -1},
    {"three machines", "abcabcabcabc", -1}, /* only the latest two are remembered: known */
};

TEST_EACH(turns_are_found_and_restarts_are_not, turns)
{
    struct clone_watch w = {.cap = 0};
    int found = -1;
    for (int i = 0; it->runs[i] != '\0'; i++) {
        uint64_t run = it->runs[i] == '0' ? 0 : (uint64_t)it->runs[i];
        if (clone_watch_see(&w, one, run)) {
            assert_int_equal(found, -1); /* told once */
            found = i;
        }
    }
    assert_int_equal(found, it->found_at);
    assert_int_equal(w.shared, it->found_at >= 0 ? 1 : 0);
    clone_watch_drop(&w);
}

TEST(many_endpoints_are_watched_apart)
{
    struct clone_watch w = {.cap = 0};
    uint32_t state = harness_seed();
    uint8_t ids[500][CLONE_WATCH_ID_BYTES];
    for (size_t i = 0; i < RW_LEN(ids); i++) {
        for (size_t k = 0; k < CLONE_WATCH_ID_BYTES; k++) {
            ids[i][k] = (uint8_t)harness_random(&state);
        }
    }
    int found = 0;
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < RW_LEN(ids); i++) {
            bool twins = i % 50 == 0;
            uint64_t run = twins ? 1 + (uint64_t)round % 2 : 1 + (uint64_t)round;
            found += clone_watch_see(&w, ids[i], run) ? 1 : 0;
        }
    }
    assert_int_equal(found, 10);
    assert_int_equal(w.count, RW_LEN(ids));
    clone_watch_drop(&w);
}

RUN_TESTS(cmocka_unit_test(turns_are_found_and_restarts_are_not),
          cmocka_unit_test(many_endpoints_are_watched_apart))
