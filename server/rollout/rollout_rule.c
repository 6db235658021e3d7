#include "server/rollout/rollout_rule.h"

#include "common/base/num.h"

#include <stdio.h>

#define ACTIVE_NEXT                                                                                \
    (SM_TO(ROLLOUT_PASSED) | SM_TO(ROLLOUT_HELD) | SM_TO(ROLLOUT_HALTED) | SM_TO(ROLLOUT_COMPLETE))

static const struct sm_state states[ROLLOUT_STATES] = {
    [ROLLOUT_PENDING] = {"pending",
                         SM_TO(ROLLOUT_RAMPING) | SM_TO(ROLLOUT_HELD) | SM_TO(ROLLOUT_HALTED),
                         SM_INITIAL},
    [ROLLOUT_RAMPING] = {"ramping", ACTIVE_NEXT | SM_TO(ROLLOUT_BAKING), 0},
    [ROLLOUT_BAKING] = {"baking", ACTIVE_NEXT | SM_TO(ROLLOUT_RAMPING), 0},
    [ROLLOUT_PASSED] = {"passed",
                        SM_TO(ROLLOUT_COMPLETE) | SM_TO(ROLLOUT_HALTED) | SM_TO(ROLLOUT_HELD), 0},
    [ROLLOUT_HELD] = {"held",
                      SM_TO(ROLLOUT_PENDING) | SM_TO(ROLLOUT_RAMPING) | SM_TO(ROLLOUT_HALTED), 0},
    [ROLLOUT_HALTED] = {"halted", SM_TO(ROLLOUT_ROLLING_BACK) | SM_TO(ROLLOUT_ROLLED_BACK), 0},
    [ROLLOUT_ROLLING_BACK] = {"rolling_back", SM_TO(ROLLOUT_ROLLED_BACK), 0},
    [ROLLOUT_ROLLED_BACK] = {"rolled_back", 0, SM_FINAL},
    [ROLLOUT_COMPLETE] = {"complete", SM_TO(ROLLOUT_HELD) | SM_TO(ROLLOUT_HALTED), 0},
};

const struct sm_table rollout_rule_table = {"rollout", states, ROLLOUT_STATES};

static bool is_running(enum rollout_rule_state s)
{
    return s == ROLLOUT_RAMPING || s == ROLLOUT_BAKING;
}

static bool is_through(enum rollout_rule_state s)
{
    return s == ROLLOUT_PASSED || s == ROLLOUT_COMPLETE;
}

static bool is_ending(enum rollout_rule_state s)
{
    return s == ROLLOUT_HALTED || s == ROLLOUT_ROLLING_BACK || s == ROLLOUT_ROLLED_BACK;
}

static void move(struct rollout_rule_output *out, size_t ring, enum rollout_rule_state to,
                 const char *why)
{
    out->moved[ring] = true;
    out->to[ring] = to;
    (void)snprintf(out->reason[ring], sizeof(out->reason[ring]), "%s", why);
}

/* "paused by ada: ticket 4711": whoever reads the state reads the cause, without the audit log. */
static void by_person(const struct rollout_rule_input *in, const char *did,
                      char dst[static ROLLOUT_REASON_BYTES])
{
    (void)snprintf(dst, ROLLOUT_REASON_BYTES, "%s by %s%s%s", did, in->who,
                   in->why[0] == '\0' ? "" : ": ", in->why);
}

/* A release halted in one ring is halted in all (design: no ring learns by its own harm). */
static bool halt_if_needed(const struct rollout_rule_input *in, struct rollout_rule_output *out)
{
    char why[ROLLOUT_REASON_BYTES] = "";
    if (in->command == ROLLOUT_HALT) { by_person(in, "halted", why); }
    for (size_t i = 0; i < in->ring_count && why[0] == '\0'; i++) {
        const struct rollout_rule_ring *r = &in->rings[i];
        if (r->gate == GATE_FAIL && !is_ending(r->state)) {
            (void)snprintf(why, sizeof(why), "%.200s", r->gate_reason);
        }
    }
    if (why[0] == '\0') { return false; }
    bool any = false;
    for (size_t i = 0; i < in->ring_count; i++) {
        if (is_ending(in->rings[i].state)) { continue; }
        move(out, i, ROLLOUT_HALTED, why);
        any = true;
    }
    return any;
}

static void step_back(const struct rollout_rule_input *in, size_t i,
                      struct rollout_rule_output *out)
{
    const struct rollout_rule_ring *r = &in->rings[i];
    char why[ROLLOUT_REASON_BYTES];
    char limit[32];
    if (r->state == ROLLOUT_HALTED && !r->pointed) {
        move(out, i, ROLLOUT_ROLLING_BACK, "the ring points to the previous release again");
    } else if (r->state == ROLLOUT_ROLLING_BACK && r->still_on == 0 && r->pending == 0) {
        move(out, i, ROLLOUT_ROLLED_BACK, "no endpoint has the release any more");
    } else if (r->state == ROLLOUT_ROLLING_BACK && in->now.s - r->since.s >= in->rollback_limit_s) {
        int64_t open = r->still_on + r->pending;
        rw_say_duration_s(limit, sizeof(limit), in->rollback_limit_s);
        (void)snprintf(why, sizeof(why), "%lld endpoint%s not reported back within %s",
                       (long long)open, open == 1 ? " has" : "s have", limit);
        move(out, i, ROLLOUT_ROLLED_BACK, why);
    }
}

static bool is_full(const struct rollout_rule_ring *r)
{
    return r->room == 0 && r->pending == 0 && r->failed > 0;
}

/* Whether a resume would be held again at once by what was seen already. After a mere pause that goes on counting. */
static bool is_stuck(const struct rollout_rule_input *in)
{
    for (size_t i = 0; i < in->ring_count; i++) {
        const struct rollout_rule_ring *r = &in->rings[i];
        if (r->hold || (r->state == ROLLOUT_HELD && is_full(r))) { return true; }
    }
    return false;
}

static void step_running(const struct rollout_rule_input *in, size_t i,
                         struct rollout_rule_output *out)
{
    const struct rollout_rule_ring *r = &in->rings[i];
    char why[ROLLOUT_REASON_BYTES];
    bool enough = r->healthy >= r->min_healthy && r->bake_left_s > 0;
    if (in->command == ROLLOUT_PAUSE) {
        by_person(in, "paused", why);
        move(out, i, ROLLOUT_HELD, why);
    } else if (r->gate == GATE_PASS) {
        move(out, i, ROLLOUT_PASSED, r->gate_reason); /* INV-3: the only way without a person */
    } else if (in->command == ROLLOUT_PROMOTE) {
        by_person(in, "stepped over", why);
        move(out, i, ROLLOUT_PASSED, why);
    } else if (is_full(r)) {
        (void)snprintf(why, sizeof(why),
                       "the window is full of failures: %lld failed, %lld healthy",
                       (long long)r->failed, (long long)r->healthy);
        move(out, i, ROLLOUT_HELD, why);
    } else if (r->state == ROLLOUT_RAMPING && enough) {
        move(out, i, ROLLOUT_BAKING, r->gate_reason);
    } else if (r->state == ROLLOUT_BAKING && !enough) {
        move(out, i, ROLLOUT_RAMPING, r->gate_reason);
    }
}

/* The first ring that is not through; later ones wait. */
static size_t front_ring(const struct rollout_rule_input *in)
{
    size_t i = 0;
    while (i < in->ring_count && is_through(in->rings[i].state)) {
        i++;
    }
    return i;
}

/* A part was stopped (one cohort, one tenant), or the verdict is a person's: the rest waits for that person. */
static bool hold_if_needed(const struct rollout_rule_input *in, struct rollout_rule_output *out)
{
    size_t front = front_ring(in);
    for (size_t i = 0; i < in->ring_count; i++) {
        if (!in->rings[i].hold) { continue; }
        size_t k = front < in->ring_count ? front : i;
        if (in->rings[k].state != ROLLOUT_HELD) {
            char why[ROLLOUT_REASON_BYTES];
            (void)snprintf(why, sizeof(why), "%.200s", in->rings[i].gate_reason);
            move(out, k, ROLLOUT_HELD, why);
        }
        return true;
    }
    return false;
}

static void step_forward(const struct rollout_rule_input *in, struct rollout_rule_output *out)
{
    size_t i = front_ring(in);
    char why[ROLLOUT_REASON_BYTES];
    if (i == in->ring_count) {
        for (size_t k = 0; k < in->ring_count; k++) {
            if (in->rings[k].state == ROLLOUT_PASSED) {
                move(out, k, ROLLOUT_COMPLETE, "every ring has passed");
            }
        }
        return;
    }
    const struct rollout_rule_ring *r = &in->rings[i];
    if (is_running(r->state)) {
        step_running(in, i, out);
    } else if (r->state == ROLLOUT_HELD && in->command == ROLLOUT_RESUME) {
        by_person(in, "resumed", why);
        out->fresh = is_stuck(in);
        move(out, i, r->opened ? ROLLOUT_RAMPING : ROLLOUT_PENDING, why);
    } else if (r->state == ROLLOUT_PENDING && in->command == ROLLOUT_PAUSE) {
        by_person(in, "paused", why);
        move(out, i, ROLLOUT_HELD, why);
    } else if (r->state == ROLLOUT_PENDING && r->pointed) {
        move(out, i, ROLLOUT_RAMPING, "opened");
    }
}

/* What pointers and permits must be after the moves. */
static void want(const struct rollout_rule_input *in, struct rollout_rule_output *out)
{
    size_t front = front_ring(in);
    bool held = false; /* then no ring grants permits, also not one that has passed */
    for (size_t i = 0; i < in->ring_count; i++) {
        held = held || (out->moved[i] ? out->to[i] : in->rings[i].state) == ROLLOUT_HELD;
    }
    for (size_t i = 0; i < in->ring_count; i++) {
        const struct rollout_rule_ring *r = &in->rings[i];
        enum rollout_rule_state s = out->moved[i] ? out->to[i] : r->state;
        bool opening = s == ROLLOUT_PENDING && i == front && in->now.s >= r->not_before.s;
        bool kept = s == ROLLOUT_HELD && r->opened;
        out->want_pointed[i] = opening || is_running(s) || is_through(s) || kept;
        out->open[i] = r->pointed && (is_running(s) || is_through(s)) && !held;
    }
}

bool rollout_rule_step(const struct rollout_rule_input *in, struct rollout_rule_output *out)
{
    RW_ASSERT(in->ring_count >= 1 && in->ring_count <= ROLLOUT_RINGS_MAX);
    *out = (struct rollout_rule_output){.moved = {false}};
    if (!halt_if_needed(in, out)) {
        bool ending = false;
        for (size_t i = 0; i < in->ring_count; i++) {
            step_back(in, i, out);
            ending = ending || is_ending(in->rings[i].state);
        }
        bool held = !ending && in->command == ROLLOUT_NO_COMMAND && hold_if_needed(in, out);
        if (!ending && !held) { step_forward(in, out); }
    }
    bool any = false;
    for (size_t i = 0; i < in->ring_count; i++) {
        any = any || out->moved[i];
        RW_ASSERT(!out->moved[i] ||
                  sm_may(&rollout_rule_table, (int)in->rings[i].state, (int)out->to[i]));
    }
    want(in, out);
    return any;
}

enum rollout_rule_state rollout_rule_overall(const enum rollout_rule_state *s, size_t count)
{
    /* The most urgent state of any ring speaks for the whole; "through" only when all are. */
    static const enum rollout_rule_state urgent[] = {ROLLOUT_HALTED, ROLLOUT_ROLLING_BACK,
                                                     ROLLOUT_ROLLED_BACK, ROLLOUT_HELD};
    size_t through = 0;
    for (size_t u = 0; u < RW_LEN(urgent); u++) {
        for (size_t i = 0; i < count; i++) {
            if (s[i] == urgent[u]) { return urgent[u]; }
        }
    }
    for (size_t i = 0; i < count; i++) {
        through += s[i] == ROLLOUT_COMPLETE;
    }
    if (through == count) { return ROLLOUT_COMPLETE; }
    for (size_t i = count; i > 0; i--) {
        if (is_running(s[i - 1])) { return s[i - 1]; }
    }
    return s[0] == ROLLOUT_PENDING ? ROLLOUT_PENDING : ROLLOUT_RAMPING;
}
