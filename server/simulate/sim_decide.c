#include "common/policy/window_rule.h"
#include "server/simulate/sim_state.h"

#include <stdio.h>

enum { LARGE_COHORT_PARTS = 100 };

struct going {
    int64_t exposed;
    int64_t pending;
    int64_t survived;
    int64_t healthy;
    int64_t marked;
    int64_t muted; /* failed, listed, not counted */
};

static struct going going_of(const struct sim_state *s, const struct sim_ring *r)
{
    struct going g = {.exposed = 0};
    for (size_t i = 0; i < s->cells; i++) {
        const struct sim_cell *c = &r->cells[i];
        if (s->cohort_halted[i]) { continue; }
        int64_t muted = s->tenant_held ? c->forged : 0;
        g.exposed += c->exposed;
        g.pending += c->pending;
        g.survived += c->survived;
        g.healthy += c->survived - c->late;
        g.marked +=
            c->failed + c->dark - c->returned + c->late + c->storm + c->slow + c->mute - muted;
        g.muted += muted;
    }
    return g;
}

static int64_t first_law_room(const struct ring_policy *p, const struct sim_ring *r, size_t cells)
{
    const struct window_rule_law law = {p->confirm_start, p->confirm_per_survivor_m};
    struct window_rule_counts c = {0};
    for (size_t i = 0; i < cells; i++) {
        c.exposed += r->cells[i].exposed;
        c.survived += r->cells[i].survived;
    }
    return window_rule_room(&law, &c);
}

/* As the controller has it: each large cohort of the next ring was seen healthy, except out of a ring of staff. */
static bool is_covered(const struct sim_state *s, size_t ring)
{
    const struct ring_policy *p = &s->world.plan->policy;
    int64_t members = 0;
    if (ring + 1 >= s->rings || p->rings[ring].select == RING_BY_HAND) { return true; }
    for (size_t i = 0; i < s->cells; i++) {
        members += s->ring[ring + 1].cells[i].members;
    }
    for (size_t i = 0; i < s->cells; i++) {
        bool large = s->ring[ring + 1].cells[i].members * LARGE_COHORT_PARTS >= members;
        int64_t healthy = 0;
        for (size_t k = 0; k <= ring; k++) {
            healthy += s->ring[k].cells[i].at_risk;
        }
        if (large && !s->cohort_halted[i] && healthy == 0) { return false; }
    }
    return true;
}

static void fill_ring(const struct sim_state *s, size_t i, struct rollout_rule_ring *to)
{
    const struct sim_plan *plan = s->world.plan;
    const struct ring_policy_ring *p = &plan->policy.rings[i];
    const struct sim_ring *r = &s->ring[i];
    struct going g = going_of(s, r);
    int64_t baked_s = r->opened_s < 0 ? 0 : sim_now_s(&s->world) - r->opened_s;
    bool part = r->verdict != VERDICT_NONE && r->verdict != VERDICT_RELEASE;
    const struct gate_rule_input gate = {
        .bake_left_s = p->bake_s > baked_s ? p->bake_s - baked_s : 0,
        .exposed = g.exposed,
        .healthy = g.healthy,
        .failed = g.marked,
        .pending = g.pending,
        .limit = (double)p->gate_limit_bp / RING_POLICY_BUCKETS,
        .min_healthy = p->gate_min_healthy,
        .log_e = r->log_e,
        .log_threshold = r->threshold,
        .telemetry_fresh = true,
        .spared = part ? verdict_rule_name(r->verdict) : NULL,
    };
    *to = (struct rollout_rule_ring){
        .state = r->state,
        .since = {r->since_s},
        .not_before = {ring_policy_min_bake_s(&plan->policy, plan->class_index, i)},
        .pointed = r->pointed,
        .opened = r->opened_s >= 0,
        .pending = g.pending,
        .healthy = gate.healthy,
        .failed = g.marked + g.muted,
        .still_on = g.survived,
        .room = first_law_room(&plan->policy, r, s->cells),
        .min_healthy = p->gate_min_healthy,
        .bake_left_s = gate.bake_left_s,
        .hold = verdict_rule_holds(r->verdict),
    };
    to->gate = gate_rule_decide(&gate, to->gate_reason);
    if (to->gate == GATE_PASS && !is_covered(s, i)) { to->gate = GATE_NONE; }
}

/* As the controller does: one cohort for good, and a person resumes the rest; one tenant for good, and the rest goes on
 * (INV-11). */
static void stop_parts(struct sim_state *s)
{
    for (size_t i = 0; i < s->rings; i++) {
        struct sim_ring *r = &s->ring[i];
        if (r->verdict == VERDICT_COHORT && !s->cohort_halted[r->verdict_cohort]) {
            s->cohort_halted[r->verdict_cohort] = true;
            if (s->out->cohort_s < 0) { s->out->cohort_s = sim_step_end_s(&s->world); }
            s->part = true;
        }
        if (r->verdict == VERDICT_TENANT && !s->tenant_held) {
            s->tenant_held = true;
            if (s->out->tenant_s < 0) { s->out->tenant_s = sim_step_end_s(&s->world); }
        }
        if (r->verdict == VERDICT_HOLD) { s->part = false; }
        r->dirty = true;
        if (r->verdict != VERDICT_RELEASE) { r->verdict = VERDICT_NONE; }
    }
}

static enum rollout_rule_command command_of(const struct sim_state *s)
{
    for (size_t i = 0; i < s->rings; i++) {
        const struct sim_ring *r = &s->ring[i];
        bool waited = sim_now_s(&s->world) - r->since_s >= s->world.plan->operator_min * 60;
        if (r->state == ROLLOUT_HELD && s->part && waited) { return ROLLOUT_RESUME; }
    }
    return ROLLOUT_NO_COMMAND;
}

static void apply(struct sim_state *s, const struct rollout_rule_output *o)
{
    struct sim_outcome *out = s->out;
    for (size_t i = 0; i < s->rings; i++) {
        struct sim_ring *r = &s->ring[i];
        r->pointed = o->want_pointed[i];
        if (o->moved[i]) {
            r->state = o->to[i];
            r->since_s = sim_now_s(&s->world);
            if (r->state == ROLLOUT_RAMPING && r->opened_s < 0) { r->opened_s = r->since_s; }
        }
        bool held = r->state == ROLLOUT_HELD && !s->part;
        if (r->state == ROLLOUT_HALTED || held) {
            out->end = held ? SIM_HELD : SIM_HALTED;
            if (out->stop_s < 0) { out->stop_s = sim_step_end_s(&s->world); }
            continue; /* what is open stays so until the stop takes effect */
        }
        if (out->stop_s < 0) { r->open = o->open[i]; }
    }
}

void sim_decide_step(struct sim_state *s)
{
    struct rollout_rule_input in = {.now = {sim_now_s(&s->world)},
                                    .command = command_of(s),
                                    .rollback_limit_s = 1,
                                    .ring_count = s->rings};
    struct rollout_rule_output o;
    if (s->out->stop_s >= 0) { return; }
    (void)snprintf(in.who, sizeof(in.who), "simulated operator");
    for (size_t i = 0; i < s->rings; i++) {
        fill_ring(s, i, &in.rings[i]);
    }
    (void)rollout_rule_step(&in, &o);
    stop_parts(s);
    apply(s, &o);
}
