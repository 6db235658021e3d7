/* Goal: no sequence of verdicts, counts and commands opens a ring before every earlier one passed (INV-1, INV-3),
 * and after a halt no permit is ever open again. All short sequences are walked, then long random ones. */
#include "server/rollout/rollout_rule.h"
#include "tests/harness.h"

#include <stdlib.h>

enum { RINGS = 3, SEQUENCE = 6 };

static struct rollout_rule_input fresh(void)
{
    struct rollout_rule_input in = {
        .now = {1000}, .rollback_limit_s = 100, .ring_count = RINGS, .who = "ada"};
    for (size_t i = 0; i < RINGS; i++) {
        in.rings[i] = (struct rollout_rule_ring){
            .state = ROLLOUT_PENDING, .room = 4, .min_healthy = 2, .bake_left_s = 10};
        (void)snprintf(in.rings[i].gate_reason, sizeof(in.rings[i].gate_reason), "because");
    }
    return in;
}

/* What the controller does with an output: commits moves, publishes pointers. */
static void apply(struct rollout_rule_input *in, const struct rollout_rule_output *out)
{
    for (size_t i = 0; i < in->ring_count; i++) {
        if (out->moved[i]) {
            in->rings[i].state = out->to[i];
            in->rings[i].since = in->now;
            in->rings[i].opened = in->rings[i].opened || out->to[i] == ROLLOUT_RAMPING;
        }
        in->rings[i].pointed = out->want_pointed[i];
    }
    in->now.s++;
    in->command = ROLLOUT_NO_COMMAND;
}

static bool through(enum rollout_rule_state s)
{
    return s == ROLLOUT_PASSED || s == ROLLOUT_COMPLETE;
}

static void check(const struct rollout_rule_input *in, const struct rollout_rule_output *out,
                  bool halted_before)
{
    for (size_t i = 0; i < RINGS; i++) {
        enum rollout_rule_state s = out->moved[i] ? out->to[i] : in->rings[i].state;
        assert_false(out->open[i] && halted_before);
        assert_false(out->open[i] && (s == ROLLOUT_HELD || s == ROLLOUT_PENDING));
        if (!out->open[i]) { continue; }
        for (size_t k = 0; k < i; k++) {
            assert_true(through(in->rings[k].state));
        }
        if (out->moved[i] && out->to[i] == ROLLOUT_PASSED) {
            assert_true(in->rings[i].gate == GATE_PASS || in->command == ROLLOUT_PROMOTE);
        }
    }
}

static bool any_halted(const struct rollout_rule_input *in)
{
    for (size_t i = 0; i < RINGS; i++) {
        if (in->rings[i].state >= ROLLOUT_HALTED && in->rings[i].state <= ROLLOUT_ROLLED_BACK) {
            return true;
        }
    }
    return false;
}

/* One symbol of a sequence: verdict of the front ring (3) x command (5). */
static void play(struct rollout_rule_input *in, unsigned symbol, struct rollout_rule_output *out)
{
    bool halted_before = any_halted(in);
    for (size_t i = 0; i < RINGS; i++) {
        in->rings[i].gate = (enum gate_rule_verdict)(symbol % 3);
    }
    in->command = (enum rollout_rule_command)(symbol / 3 % 5);
    (void)rollout_rule_step(in, out);
    check(in, out, halted_before);
    apply(in, out);
}

TEST(every_short_sequence_of_verdicts_and_commands_keeps_the_order)
{
    unsigned total = 1;
    for (int i = 0; i < SEQUENCE; i++) {
        total *= 15;
    }
    for (unsigned sequence = 0; sequence < total; sequence += 7) { /* a stride coprime to 15 */
        struct rollout_rule_input in = fresh();
        struct rollout_rule_output out;
        unsigned rest = sequence;
        for (int i = 0; i < SEQUENCE; i++, rest /= 15) {
            play(&in, rest % 15, &out);
        }
    }
}

TEST(long_random_rollouts_keep_the_order)
{
    uint32_t seed = harness_seed();
    for (int run = 0; run < 2000; run++) {
        struct rollout_rule_input in = fresh();
        struct rollout_rule_output out;
        for (int i = 0; i < 60; i++) {
            seed = seed * 1664525U + 1013904223U;
            size_t ring = seed >> 8 & 1;
            in.rings[ring].room = seed >> 12 & 3;
            in.rings[ring].pending = seed >> 14 & 1;
            in.rings[ring].failed = seed >> 15 & 1;
            in.rings[ring].still_on = seed >> 16 & 1;
            in.rings[ring].healthy = seed >> 17 & 3;
            /* FAIL and HALT rarely, else every run ends at once. */
            unsigned symbol = (seed >> 20 & 15) == 0 ? seed >> 24 : (seed >> 24 & 1);
            play(&in, symbol, &out);
        }
    }
}

TEST(silence_and_none_never_promote)
{
    struct rollout_rule_input in = fresh();
    struct rollout_rule_output out;
    for (int i = 0; i < 10000; i++) {
        play(&in, GATE_NONE, &out);
    }
    assert_int_equal(in.rings[0].state, ROLLOUT_RAMPING);
    assert_int_equal(in.rings[1].state, ROLLOUT_PENDING);
}

TEST(a_good_release_passes_ring_by_ring_to_complete)
{
    struct rollout_rule_input in = fresh();
    struct rollout_rule_output out;
    for (int i = 0; i < 20; i++) {
        play(&in, GATE_PASS, &out);
    }
    for (size_t i = 0; i < RINGS; i++) {
        assert_int_equal(in.rings[i].state, ROLLOUT_COMPLETE);
    }
}

TEST(a_halt_reaches_every_ring_and_ends_rolled_back)
{
    struct rollout_rule_input in = fresh();
    struct rollout_rule_output out;
    play(&in, GATE_PASS, &out);
    play(&in, GATE_PASS, &out);
    play(&in, GATE_FAIL, &out);
    for (size_t i = 0; i < RINGS; i++) {
        assert_int_equal(in.rings[i].state, ROLLOUT_HALTED);
    }
    assert_non_null(strstr(out.reason[0], "because"));
    for (int i = 0; i < 3; i++) {
        play(&in, GATE_NONE, &out);
    }
    for (size_t i = 0; i < RINGS; i++) {
        assert_int_equal(in.rings[i].state, ROLLOUT_ROLLED_BACK);
    }
}

TEST(rolling_back_waits_for_endpoints_but_not_for_ever)
{
    struct rollout_rule_input in = fresh();
    struct rollout_rule_output out;
    in.rings[0].still_on = 1;
    play(&in, GATE_NONE, &out);
    play(&in, GATE_NONE, &out);
    play(&in, GATE_FAIL, &out);
    for (int i = 0; i < 50; i++) {
        play(&in, GATE_NONE, &out);
    }
    assert_int_equal(in.rings[0].state, ROLLOUT_ROLLING_BACK);
    for (int i = 0; i < 60; i++) {
        play(&in, GATE_NONE, &out);
    }
    assert_int_equal(in.rings[0].state, ROLLOUT_ROLLED_BACK);
}

TEST(a_window_full_of_failures_is_held_and_resumes_in_place)
{
    struct rollout_rule_input in = fresh();
    struct rollout_rule_output out;
    play(&in, GATE_NONE, &out);
    play(&in, GATE_NONE, &out);
    in.rings[0].room = 0;
    in.rings[0].failed = 2;
    play(&in, GATE_NONE, &out);
    assert_int_equal(in.rings[0].state, ROLLOUT_HELD);
    assert_false(out.open[0]);
    in.rings[0].room = 4;
    play(&in, 3 * ROLLOUT_RESUME, &out);
    assert_int_equal(in.rings[0].state, ROLLOUT_RAMPING);
    assert_int_equal(in.rings[1].state, ROLLOUT_PENDING);
}

TEST(a_pause_before_a_ring_opens_holds_it_unpointed_until_resume)
{
    struct rollout_rule_input in = fresh();
    struct rollout_rule_output out;
    (void)snprintf(in.why, sizeof(in.why), "ticket 4711");
    in.rings[0].not_before.s = in.now.s + 3;
    play(&in, 3 * ROLLOUT_PAUSE, &out);
    assert_int_equal(in.rings[0].state, ROLLOUT_HELD);
    assert_string_equal(out.reason[0], "paused by ada: ticket 4711");
    for (int i = 0; i < 10; i++) {
        play(&in, GATE_PASS, &out);
        assert_false(out.want_pointed[0] || out.open[0] || out.moved[0]);
    }
    play(&in, 3 * ROLLOUT_RESUME, &out);
    assert_int_equal(in.rings[0].state, ROLLOUT_PENDING);
    play(&in, GATE_NONE, &out);
    play(&in, GATE_NONE, &out);
    assert_int_equal(in.rings[0].state, ROLLOUT_RAMPING);
}

TEST(while_a_later_ring_is_held_no_earlier_one_grants_permits)
{
    struct rollout_rule_input in = fresh();
    struct rollout_rule_output out;
    while (in.rings[0].state != ROLLOUT_PASSED) {
        play(&in, GATE_PASS, &out);
    }
    assert_true(out.open[0]);
    in.rings[1].not_before.s = in.now.s + 100;
    play(&in, 3 * ROLLOUT_PAUSE, &out);
    assert_int_equal(in.rings[1].state, ROLLOUT_HELD);
    assert_false(out.open[0]);
    assert_true(out.want_pointed[0]);
    play(&in, 3 * ROLLOUT_RESUME, &out);
    assert_true(out.open[0]);
}

TEST(the_signed_bake_keeps_a_ring_unpointed)
{
    struct rollout_rule_input in = fresh();
    struct rollout_rule_output out;
    in.rings[0].not_before.s = in.now.s + 5;
    for (int i = 0; i < 5; i++) {
        play(&in, GATE_NONE, &out);
        assert_false(out.want_pointed[0]);
    }
    play(&in, GATE_NONE, &out);
    assert_true(out.want_pointed[0]);
}

RUN_TESTS(cmocka_unit_test(every_short_sequence_of_verdicts_and_commands_keeps_the_order),
          cmocka_unit_test(long_random_rollouts_keep_the_order),
          cmocka_unit_test(silence_and_none_never_promote),
          cmocka_unit_test(a_good_release_passes_ring_by_ring_to_complete),
          cmocka_unit_test(a_halt_reaches_every_ring_and_ends_rolled_back),
          cmocka_unit_test(rolling_back_waits_for_endpoints_but_not_for_ever),
          cmocka_unit_test(a_window_full_of_failures_is_held_and_resumes_in_place),
          cmocka_unit_test(a_pause_before_a_ring_opens_holds_it_unpointed_until_resume),
          cmocka_unit_test(while_a_later_ring_is_held_no_earlier_one_grants_permits),
          cmocka_unit_test(the_signed_bake_keeps_a_ring_unpointed))
