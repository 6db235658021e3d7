/* Goal: no sequence of verdicts, counts and commands opens a ring before every earlier one passed (INV-1, INV-3),
 * and after a halt no permit is ever open again. Two rings are walked whole: every input in every state that any
 * sequence reaches. Then long random rollouts of three. */
#include "server/rollout/rollout_rule.h"
#include "tests/harness.h"

#include <stdlib.h>

enum { RINGS = 3 };

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

static bool ending(enum rollout_rule_state s)
{
    return s == ROLLOUT_HALTED || s == ROLLOUT_ROLLING_BACK || s == ROLLOUT_ROLLED_BACK;
}

static enum rollout_rule_state after(const struct rollout_rule_input *in,
                                     const struct rollout_rule_output *out, size_t i)
{
    return out->moved[i] ? out->to[i] : in->rings[i].state;
}

/* What one move may be, whatever came before: said from the invariants, not from the code. */
static void check_move(const struct rollout_rule_input *in, const struct rollout_rule_output *out,
                       size_t i)
{
    const struct rollout_rule_ring *r = &in->rings[i];
    if (!out->moved[i]) { return; }
    bool first = true;
    for (size_t k = 0; k < i; k++) {
        first = first && through(in->rings[k].state);
    }
    if (out->to[i] == ROLLOUT_PASSED) {
        assert_true(first);
        assert_true(r->state == ROLLOUT_RAMPING || r->state == ROLLOUT_BAKING);
        assert_true(r->gate == GATE_PASS || in->command == ROLLOUT_PROMOTE);
    }
    if (out->to[i] == ROLLOUT_RAMPING && r->state == ROLLOUT_PENDING) {
        assert_true(first && r->pointed);
    }
    if (r->state == ROLLOUT_HELD && !ending(out->to[i])) {
        assert_int_equal(in->command, ROLLOUT_RESUME);
    }
    if (out->to[i] == ROLLOUT_COMPLETE) {
        for (size_t k = 0; k < in->ring_count; k++) {
            assert_true(through(in->rings[k].state));
        }
    }
    assert_true(!ending(r->state) || ending(out->to[i]));
}

static void check(const struct rollout_rule_input *in, const struct rollout_rule_output *out,
                  bool halted_before)
{
    bool fails = in->command == ROLLOUT_HALT;
    bool held = false;
    bool holds = false;
    for (size_t i = 0; i < in->ring_count; i++) {
        fails = fails || (in->rings[i].gate == GATE_FAIL && !ending(in->rings[i].state));
        held = held || after(in, out, i) == ROLLOUT_HELD;
        holds = holds || in->rings[i].hold;
    }
    bool all_open_shut = halted_before || held || fails;
    for (size_t i = 0; i < in->ring_count; i++) {
        enum rollout_rule_state s = after(in, out, i);
        check_move(in, out, i);
        assert_true(!fails || ending(s)); /* a release halted in one ring is halted in all */
        assert_false(out->open[i] && (all_open_shut || !in->rings[i].pointed));
        if (!out->open[i]) { continue; }
        assert_true(s == ROLLOUT_RAMPING || s == ROLLOUT_BAKING || through(s));
        for (size_t k = 0; k < i; k++) { /* a ring that is through was opened in its turn */
            assert_true(through(s) || through(in->rings[k].state));
        }
    }
    if (holds && !fails && !halted_before && in->command == ROLLOUT_NO_COMMAND) {
        assert_true(held);
    }
}

static bool any_halted(const struct rollout_rule_input *in)
{
    for (size_t i = 0; i < in->ring_count; i++) {
        if (ending(in->rings[i].state)) { return true; }
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

/* Two rings: what is remembered of each fits 36 values, so all that sequences of any length reach is walked. */
enum { WALKED = 2, OF_A_RING = ROLLOUT_STATES * 4, INPUTS = 3 * 2 * 2 * 2 * 2, COMMANDS = 5 };

static int code_of(const struct rollout_rule_input *in)
{
    int code = 0;
    for (size_t i = 0; i < WALKED; i++) {
        const struct rollout_rule_ring *r = &in->rings[i];
        code = code * OF_A_RING + (int)r->state * 4 + r->opened * 2 + r->pointed;
    }
    return code;
}

static void set_state(struct rollout_rule_input *in, int code)
{
    for (size_t i = WALKED; i-- > 0; code /= OF_A_RING) {
        struct rollout_rule_ring *r = &in->rings[i];
        r->state = (enum rollout_rule_state)(code % OF_A_RING / 4);
        r->opened = (code & 2) != 0;
        r->pointed = (code & 1) != 0;
    }
}

/* Verdict, hold, enough healthy, bake over, and a last one that reads "window full" or "still there" by the state. */
static void set_input(struct rollout_rule_ring *r, int input, struct rw_wall now)
{
    r->gate = (enum gate_rule_verdict)(input % 3);
    input /= 3;
    r->hold = (input & 1) != 0;
    r->healthy = (input & 2) != 0 ? r->min_healthy : 0;
    r->bake_left_s = (input & 4) != 0 ? 0 : 10;
    r->failed = r->still_on = input >> 3;
    r->room = r->failed > 0 ? 0 : 4;
    r->since = now;
}

static void note(int code, bool *seen, int *queue, int *queued)
{
    if (seen[code]) { return; }
    seen[code] = true;
    queue[(*queued)++] = code;
}

static void walk_from(int code, bool *seen, int *queue, int *queued)
{
    for (int input = 0; input < INPUTS * INPUTS * COMMANDS; input++) {
        struct rollout_rule_input in = fresh();
        struct rollout_rule_output out;
        in.ring_count = WALKED;
        set_state(&in, code);
        set_input(&in.rings[0], input % INPUTS, in.now);
        set_input(&in.rings[1], input / INPUTS % INPUTS, in.now);
        in.command = (enum rollout_rule_command)(input / INPUTS / INPUTS);
        bool halted_before = any_halted(&in);
        (void)rollout_rule_step(&in, &out);
        check(&in, &out, halted_before);
        apply(&in, &out);
        note(code_of(&in), seen, queue, queued);
        for (size_t i = 0; i < WALKED; i++) { /* or what the pointers say is not sure just now */
            in.rings[i].pointed = false;
        }
        note(code_of(&in), seen, queue, queued);
    }
}

TEST(every_input_in_every_state_that_any_sequence_reaches_keeps_the_order)
{
    static bool seen[OF_A_RING * OF_A_RING];
    static int queue[OF_A_RING * OF_A_RING];
    struct rollout_rule_input in = fresh();
    bool reached[ROLLOUT_STATES] = {false};
    int queued = 0;
    in.ring_count = WALKED;
    queue[queued++] = code_of(&in);
    seen[queue[0]] = true;
    for (int done = 0; done < queued; done++) {
        walk_from(queue[done], seen, queue, &queued);
        set_state(&in, queue[done]);
        reached[in.rings[0].state] = true;
    }
    for (int s = 0; s < ROLLOUT_STATES; s++) {
        assert_true(reached[s]); /* else the walk says nothing of it */
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
            in.rings[ring].bake_left_s = (seed >> 18 & 1) * 10;
            in.rings[ring].hold = (seed >> 9 & 31) == 0;
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
    play(&in, 3 * ROLLOUT_RESUME, &out);
    assert_true(out.fresh); /* or it would be held again at once */
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
    assert_false(out.fresh); /* evidence that held nothing goes on counting */
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

RUN_TESTS(cmocka_unit_test(every_input_in_every_state_that_any_sequence_reaches_keeps_the_order),
          cmocka_unit_test(long_random_rollouts_keep_the_order),
          cmocka_unit_test(silence_and_none_never_promote),
          cmocka_unit_test(a_good_release_passes_ring_by_ring_to_complete),
          cmocka_unit_test(a_halt_reaches_every_ring_and_ends_rolled_back),
          cmocka_unit_test(rolling_back_waits_for_endpoints_but_not_for_ever),
          cmocka_unit_test(a_window_full_of_failures_is_held_and_resumes_in_place),
          cmocka_unit_test(a_pause_before_a_ring_opens_holds_it_unpointed_until_resume),
          cmocka_unit_test(while_a_later_ring_is_held_no_earlier_one_grants_permits),
          cmocka_unit_test(the_signed_bake_keeps_a_ring_unpointed))
