#include "server/simulate/sim_pace.h"

#include "common/base/buf.h"
#include "common/policy/gate_rule.h"
#include "common/policy/window_rule.h"

#include <math.h>

enum {
    LAWS = 2,
    PARTS = 1000, /* of an endpoint: expected numbers are no whole ones, the window's are */
    STEP_S_MAX = 60,
    HISTORY_MAX = 16384, /* steps that are looked back at; longer horizons make longer steps */
    STEPS_MAX = 1000 * 1000,
    LOOKED_S_MAX = 400 * 86400,
};

/* One cohort of one ring, in expected endpoints. */
struct cell {
    double members;
    double held_back;
    double granted;
    double granted_sum; /* over all steps so far */
    double *sums;       /* granted_sum of the latest `span` steps */
};

struct ring {
    struct cell cells[SIM_COHORTS_MAX];
    int64_t opened; /* step; -1: not yet */
    bool passed;
};

struct state {
    const struct sim_plan *plan;
    struct sim_pace *out;
    struct ring *rings;
    double *sums; /* of all cells */
    size_t cells;
    int64_t span;
    int64_t step_s;
    int64_t step;
    int64_t poll_steps; /* >= 1 */
};

static const char *const brake_texts[SIM_PACE_BRAKES] = {
    [SIM_PACE_POLL] = "polls",
    [SIM_PACE_SPREAD] = "its spread",
    [SIM_PACE_CONFIRM] = "window.confirm",
    [SIM_PACE_ALIVE] = "window.alive",
    [SIM_PACE_CONFIRM_COHORT] = "window.confirm in a cohort",
    [SIM_PACE_ALIVE_COHORT] = "window.alive in a cohort",
};
static const char *const brake_names[SIM_PACE_BRAKES] = {
    [SIM_PACE_POLL] = "poll",
    [SIM_PACE_SPREAD] = "spread",
    [SIM_PACE_CONFIRM] = "confirm",
    [SIM_PACE_ALIVE] = "alive",
    [SIM_PACE_CONFIRM_COHORT] = "confirm_cohort",
    [SIM_PACE_ALIVE_COHORT] = "alive_cohort",
};
static const char *const wait_names[SIM_PACE_WAITS] = {
    [SIM_PACE_SIGNED] = "signed", [SIM_PACE_BAKE] = "bake",   [SIM_PACE_GATE] = "gate",
    [SIM_PACE_CLASS] = "class",   [SIM_PACE_NEVER] = "never",
};

const char *sim_pace_brake_text(enum sim_pace_brake brake)
{
    return brake_texts[brake];
}

const char *sim_pace_brake_name(enum sim_pace_brake brake)
{
    return brake_names[brake];
}

const char *sim_pace_wait_name(enum sim_pace_wait wait)
{
    return wait_names[wait];
}

static int64_t steps_of(const struct state *s, int64_t seconds)
{
    return (seconds + s->step_s - 1) / s->step_s;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Those granted by step `step` at the latest, over all steps up to it. */
static double sum_until(const struct state *s, const struct cell *c, int64_t step)
{
    return step < 0 ? 0.0 : c->sums[step % s->span];
}

/* Expected endpoints of the cell that have told of it by now: `after_s` after their permit, at their next poll. The
 * news of a step is known in the next one. */
static double told(const struct state *s, const struct ring *r, const struct cell *c,
                   int64_t after_s)
{
    int64_t last = s->step - r->opened - 1 - steps_of(s, after_s);
    return (sum_until(s, c, last) - sum_until(s, c, last - s->poll_steps)) / (double)s->poll_steps;
}

/* --- permits --- */

struct counts {
    double exposed;
    double told[LAWS];
};

/* Room of both laws; which one rules. */
static double room_of(const struct ring_policy *p, int64_t start, const struct counts *c,
                      size_t *law_out)
{
    const struct window_rule_law laws[LAWS] = {{start * PARTS, p->confirm_per_survivor_m},
                                               {p->alive_start * PARTS, p->alive_per_survivor_m}};
    int64_t room = INT64_MAX;
    for (size_t i = 0; i < LAWS; i++) {
        /* Rounding must not make more survivors than exposed ones: that would close the window. */
        int64_t exposed = llround(c->exposed * PARTS);
        const struct window_rule_counts n = {
            .exposed = exposed, .survived = least(llround(c->told[i] * PARTS), exposed)};
        int64_t here = window_rule_room(&laws[i], &n);
        if (here >= room) { continue; }
        room = here;
        *law_out = i;
    }
    return (double)room / PARTS;
}

static struct counts counts_of(const struct state *s, const struct ring *r, const struct cell *c)
{
    const struct ring_policy *p = &s->plan->policy;
    return (struct counts){
        .exposed = c->granted,
        .told = {told(s, r, c, p->confirm_probation_s), told(s, r, c, p->alive_after_s)}};
}

/* What a ring wants in this step, and what stands in the way. */
struct wishes {
    double asks[SIM_COHORTS_MAX]; /* as many as their cohort has room for */
    double sum;
    bool cohort_rules;
    size_t law;  /* then this one */
    bool spread; /* some wait for their turn in the spread */
};

static struct wishes wishes_of(const struct state *s, size_t ring, struct counts *all)
{
    const struct ring_policy *p = &s->plan->policy;
    const struct ring *r = &s->rings[ring];
    int64_t since_s = (s->step - r->opened) * s->step_s;
    int64_t spread_s = p->rings[ring].spread_s;
    double later = since_s >= spread_s ? 0.0 : 1.0 - (double)since_s / (double)spread_s;
    struct wishes w = {.sum = 0.0};
    double unmet_most = 0.5 / PARTS;
    *all = (struct counts){.exposed = 0.0};
    for (size_t i = 0; i < s->cells; i++) {
        const struct cell *c = &r->cells[i];
        struct counts mine = counts_of(s, r, c);
        size_t law = 0;
        double due = fmax(0.0, c->members * (1.0 - later) - c->held_back - c->granted);
        double asks = due / (double)s->poll_steps;
        double room = room_of(p, p->cohort_start, &mine, &law);
        w.asks[i] = s->plan->cohort_count == 0 ? asks : fmin(asks, room);
        w.sum += w.asks[i];
        w.spread = w.spread || (later > 0.0 && c->members > c->granted + c->held_back);
        all->exposed += mine.exposed;
        all->told[0] += mine.told[0];
        all->told[1] += mine.told[1];
        if (asks - w.asks[i] <= unmet_most) { continue; }
        unmet_most = asks - w.asks[i];
        w.cohort_rules = true;
        w.law = law;
    }
    return w;
}

static void grant(struct state *s, size_t ring)
{
    const struct ring_policy *p = &s->plan->policy;
    struct ring *r = &s->rings[ring];
    struct counts all;
    size_t law = 0;
    enum sim_pace_brake brake = SIM_PACE_POLL;
    struct wishes w = wishes_of(s, ring, &all);
    double room = room_of(p, p->confirm_start, &all, &law);
    double share = w.sum <= room ? 1.0 : room / w.sum;
    if (w.sum > room) {
        brake = law == 0 ? SIM_PACE_CONFIRM : SIM_PACE_ALIVE;
    } else if (w.cohort_rules) {
        brake = w.law == 0 ? SIM_PACE_CONFIRM_COHORT : SIM_PACE_ALIVE_COHORT;
    } else if (w.spread) {
        brake = SIM_PACE_SPREAD;
    }
    if (s->out->rings[ring].reach_95_s < 0) { s->out->rings[ring].ruled_s[brake] += s->step_s; }
    for (size_t i = 0; i < s->cells; i++) {
        struct cell *c = &r->cells[i];
        c->granted += w.asks[i] * share;
        c->granted_sum += c->granted;
        c->sums[(s->step - r->opened) % s->span] = c->granted_sum;
    }
}

/* --- one ring, one step --- */

struct totals {
    double members; /* that may have it */
    double granted;
    double healthy;
    bool held;
};

static struct totals totals_of(const struct state *s, const struct ring *r)
{
    struct totals t = {.members = 0.0};
    for (size_t i = 0; i < s->cells; i++) {
        const struct cell *c = &r->cells[i];
        t.members += c->members - c->held_back;
        t.granted += c->granted;
        t.held = t.held || c->held_back > 0.0;
        if (r->opened >= 0) { t.healthy += told(s, r, c, s->plan->policy.confirm_probation_s); }
    }
    return t;
}

static bool says_pass(const struct ring_policy_ring *p, const struct totals *t)
{
    char reason[GATE_RULE_REASON_BYTES];
    const struct gate_rule_input in = {.exposed = llround(t->granted),
                                       .healthy = llround(t->healthy),
                                       .limit = (double)p->gate_limit_bp / RING_POLICY_BUCKETS,
                                       .min_healthy = p->gate_min_healthy,
                                       .log_e = -1.0,
                                       .log_threshold = 1.0,
                                       .telemetry_fresh = true};
    return gate_rule_decide(&in, reason) == GATE_PASS;
}

static void step_ring(struct state *s, size_t ring)
{
    struct ring *r = &s->rings[ring];
    const struct ring_policy_ring *p = &s->plan->policy.rings[ring];
    struct sim_pace_ring *o = &s->out->rings[ring];
    int64_t since_s = (s->step - r->opened) * s->step_s;
    for (size_t i = 0; i < s->cells && since_s >= p->hold_back_s; i++) {
        r->cells[i].held_back = 0.0;
    }
    grant(s, ring);
    struct totals t = totals_of(s, r);
    if (o->reach_95_s < 0 && t.granted >= 0.95 * t.members) { o->reach_95_s = since_s; }
    if (o->proof_s < 0 && says_pass(p, &t)) { o->proof_s = since_s; }
    r->passed = r->passed || (o->proof_s >= 0 && since_s >= p->bake_s);
}

/* --- the rings after each other --- */

static void open_ring(struct state *s, size_t ring, enum sim_pace_wait wait)
{
    s->rings[ring].opened = s->step;
    s->out->rings[ring].opens_s = s->step * s->step_s;
    s->out->rings[ring].wait = wait;
}

static void open_next(struct state *s)
{
    const struct ring_policy *p = &s->plan->policy;
    size_t i = 0;
    while (i < p->ring_count && s->rings[i].opened >= 0) {
        i++;
    }
    if (i == p->ring_count || (i > 0 && !s->rings[i - 1].passed)) { return; }
    int64_t now_s = s->step * s->step_s;
    int64_t least_s = ring_policy_min_bake_s(p, s->plan->class_index, i);
    if (now_s < least_s) { return; }
    enum sim_pace_wait wait = SIM_PACE_SIGNED;
    if (i > 0) {
        const struct sim_pace_ring *before = &s->out->rings[i - 1];
        bool gate = before->proof_s > p->rings[i - 1].bake_s;
        int64_t passed_s = before->opens_s + (gate ? before->proof_s : p->rings[i - 1].bake_s);
        wait = gate ? SIM_PACE_GATE : SIM_PACE_BAKE;
        if (least_s > passed_s) { wait = SIM_PACE_CLASS; }
    } else if (least_s > 0) {
        wait = SIM_PACE_CLASS;
    }
    open_ring(s, i, wait);
}

/* The ring at the front has all its evidence and its gate stays shut: waiting longer brings nothing. */
static bool is_stuck(const struct state *s, size_t ring)
{
    const struct ring *r = &s->rings[ring];
    struct totals t = totals_of(s, r);
    return r->opened >= 0 && !t.held && s->out->rings[ring].proof_s < 0 &&
           llround(t.healthy) >= llround(t.members);
}

/* Nothing that is asked for is still open, or never comes. */
static bool is_done(const struct state *s)
{
    bool all = true;
    for (size_t i = 0; i < s->plan->policy.ring_count; i++) {
        const struct sim_pace_ring *o = &s->out->rings[i];
        all = all && o->proof_s >= 0 && o->reach_95_s >= 0;
        if (o->reach_95_s >= 0 && is_stuck(s, i)) { return true; }
    }
    return all && s->out->reach_95_s >= 0;
}

static void step_all(struct state *s)
{
    double members = 0.0;
    double granted = 0.0;
    open_next(s);
    for (size_t i = 0; i < s->plan->policy.ring_count; i++) {
        if (s->rings[i].opened >= 0) { step_ring(s, i); }
        struct totals t = totals_of(s, &s->rings[i]);
        members += t.members;
        granted += t.granted;
    }
    if (s->out->reach_95_s < 0 && granted >= 0.95 * members) {
        s->out->reach_95_s = s->step * s->step_s;
    }
}

/* --- the run --- */

static void begin_ring(struct state *s, size_t ring)
{
    const struct sim_plan *plan = s->plan;
    const struct ring_policy_ring *p = &plan->policy.rings[ring];
    double width = (double)(p->bucket_hi - p->bucket_lo) / RING_POLICY_BUCKETS;
    double members =
        p->select == RING_BY_HAND ? (double)plan->staff : floor((double)plan->endpoints * width);
    double held_share = (double)p->hold_back_bp / RING_POLICY_BUCKETS;
    struct ring *r = &s->rings[ring];
    r->opened = -1;
    for (size_t i = 0; i < s->cells; i++) {
        double share = plan->cohort_count == 0 ? 1.0 : plan->cohort_share[i];
        r->cells[i] = (struct cell){.members = members * share,
                                    .held_back = members * share * held_share,
                                    .sums = s->sums + (int64_t)(ring * s->cells + i) * s->span};
    }
    s->out->rings[ring] = (struct sim_pace_ring){.members = (int64_t)members,
                                                 .held_back = (int64_t)(members * held_share),
                                                 .opens_s = -1,
                                                 .proof_s = -1,
                                                 .reach_95_s = -1,
                                                 .wait = SIM_PACE_NEVER};
}

/* Short enough for polls and probation, long enough for the history to fit. */
static int64_t step_of(const struct ring_policy *p, int64_t back_s)
{
    int64_t step_s = least(least(p->poll_rollout_s, p->confirm_probation_s), STEP_S_MAX);
    int64_t needed_s = back_s / HISTORY_MAX + 1;
    return step_s < needed_s ? needed_s : step_s;
}

static void run(struct state *s)
{
    int64_t steps = least(STEPS_MAX, LOOKED_S_MAX / s->step_s);
    for (size_t i = 0; i < s->plan->policy.ring_count; i++) {
        begin_ring(s, i);
    }
    s->out->reach_95_s = -1;
    s->out->looked_s = steps * s->step_s;
    for (s->step = 0; s->step < steps && !is_done(s); s->step++) {
        step_all(s);
    }
}

RW_RC sim_pace_run(const struct sim_plan *plan, struct sim_pace *out, struct rw_err *err)
{
    const struct ring_policy *p = &plan->policy;
    struct state s = {.plan = plan, .out = out};
    int64_t horizon_s =
        p->alive_after_s > p->confirm_probation_s ? p->alive_after_s : p->confirm_probation_s;
    s.cells = plan->cohort_count == 0 ? 1 : plan->cohort_count;
    s.step_s = step_of(p, horizon_s + p->poll_rollout_s);
    s.poll_steps = p->poll_rollout_s <= s.step_s ? 1 : steps_of(&s, p->poll_rollout_s);
    s.span = steps_of(&s, horizon_s) + s.poll_steps + 2;
    s.sums = rw_mem_new_array(p->ring_count * s.cells * (size_t)s.span, sizeof(*s.sums));
    s.rings = rw_mem_new_array(p->ring_count, sizeof(*s.rings));
    struct rw_rc rc = RW_OK;
    if (s.sums == NULL || s.rings == NULL) {
        rc = rw_fail(err, RW_E_NOMEM, "no memory for the pace of %zu rings", p->ring_count);
    } else {
        run(&s);
    }
    rw_mem_free(s.sums);
    rw_mem_free(s.rings);
    return rc;
}
