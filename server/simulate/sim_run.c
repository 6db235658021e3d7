#include "server/simulate/sim_run.h"

#include "common/base/buf.h"
#include "common/policy/window_rule.h"
#include "server/simulate/sim_state.h"

#include <math.h>

enum {
    LAWS = 2,
    SPREAD_S = 130 * 60, /* that reports may come after what they wait for */
    OUTAGE_MIN = 60,
    OUTAGE_EARLIEST_MIN = 30,
    OUTAGE_WITHIN_MIN = 450, /* of the earliest */
};

RW_RC sim_run_check(const struct sim_plan *plan, struct rw_err *err)
{
    const struct ring_policy *p = &plan->policy;
    const int64_t times_s[] = {p->confirm_deadline_s, p->confirm_probation_s, p->alive_after_s};
    if (plan->step_s < 1 || 60 % plan->step_s != 0) {
        return rw_fail(err, RW_E_RANGE, "a minute is no whole number of steps of %lld s",
                       (long long)plan->step_s);
    }
    int64_t ahead_s = SIM_AHEAD_MAX * plan->step_s - SPREAD_S;
    for (size_t i = 0; i < RW_LEN(times_s); i++) {
        if (times_s[i] > ahead_s) {
            return rw_fail(err, RW_E_RANGE,
                           "a simulation in steps of %lld s looks %lld minutes ahead; deadline, "
                           "probation and window.alive.after must not be longer",
                           (long long)plan->step_s, (long long)(ahead_s / 60));
        }
    }
    if (plan->endpoints < 1 || plan->horizon_min < 1 || plan->poll_min < 1 || plan->poll_min > 60) {
        return rw_fail(err, RW_E_RANGE,
                       "endpoints and hours must be positive, polls within an hour");
    }
    return RW_OK;
}

/* The plan passed sim_run_check: no more than SIM_AHEAD_MAX. */
static int64_t ahead_of(const struct sim_plan *plan, const struct sim_fault *fault)
{
    const struct ring_policy *p = &plan->policy;
    const int64_t times_s[] = {p->confirm_deadline_s, p->confirm_probation_s, p->alive_after_s,
                               fault->delay_min * 60};
    int64_t longest_s = 0;
    for (size_t i = 0; i < RW_LEN(times_s); i++) {
        longest_s = times_s[i] > longest_s ? times_s[i] : longest_s;
    }
    return sim_steps_of_s(plan, longest_s + SPREAD_S);
}

/* --- who is where --- */

static size_t smallest_cohort(const struct sim_plan *plan)
{
    size_t least = 0;
    for (size_t i = 1; i < plan->cohort_count; i++) {
        if (plan->cohort_share[i] < plan->cohort_share[least]) { least = i; }
    }
    return least;
}

/* Staff rings have the usual cohorts only: what is missing of a whole endpoint goes to the first. */
static int64_t members_of(const struct sim_state *s, size_t ring, size_t cell, int64_t members)
{
    const struct sim_plan *plan = s->world.plan;
    int64_t others = 0;
    for (size_t i = 1; i < s->cells; i++) {
        int64_t here = (int64_t)floor((double)members * plan->cohort_share[i]);
        if (i == cell) { return here; }
        others += here;
    }
    RW_ASSERT(cell == 0 && ring < s->rings);
    return members - others;
}

static void fill_cells(struct sim_state *s, size_t ring, int64_t members)
{
    const struct sim_plan *plan = s->world.plan;
    const struct ring_policy_ring *p = &plan->policy.rings[ring];
    for (size_t i = 0; i < s->cells; i++) {
        struct sim_cell *c = &s->ring[ring].cells[i];
        c->events = s->events + (int64_t)(ring * s->cells + i) * SIM_EVENTS * s->world.ahead;
        c->usual = sim_plan_usual(plan, i);
        c->members = members_of(s, ring, i, members);
        c->control = c->members;
        c->held_back = c->members * p->hold_back_bp / RING_POLICY_BUCKETS;
        if (p->select != RING_BY_HAND) {
            c->forgers = (int64_t)floor((double)c->members * s->world.fault->forged + 0.5);
        }
        sim_cell_begin(c, &s->world);
        c->affected = !s->world.fault->smallest_only || i == smallest_cohort(plan);
    }
}

static void begin(struct sim_state *s)
{
    const struct ring_policy *p = &s->world.plan->policy;
    size_t by_hand = 0;
    for (size_t i = 0; i < p->ring_count; i++) {
        by_hand += p->rings[i].select == RING_BY_HAND;
    }
    s->rings = p->ring_count;
    for (size_t i = 0; i < s->rings; i++) {
        struct sim_ring *r = &s->ring[i];
        bool hand = p->rings[i].select == RING_BY_HAND;
        int64_t width = p->rings[i].bucket_hi - p->rings[i].bucket_lo;
        fill_cells(s, i,
                   hand ? s->world.plan->staff
                        : (int64_t)((double)s->world.plan->endpoints * (double)width /
                                    RING_POLICY_BUCKETS));
        r->threshold = health_rule_threshold(ring_policy_alpha(p), hand,
                                             hand ? by_hand : p->ring_count - by_hand);
        r->late = late_rule_begin();
        for (size_t k = 0; k < SIM_COHORTS_MAX; k++) {
            r->late_of[k] = r->late;
        }
        r->state = ROLLOUT_PENDING;
        r->opened_s = -1;
        r->log_e = -1.0;
    }
}

/* --- permits --- */

static int64_t room_of(const struct ring_policy *p, int64_t start, int64_t exposed,
                       int64_t survived, int64_t aged)
{
    const struct window_rule_law laws[LAWS] = {
        {.start = start, .per_survivor_m = p->confirm_per_survivor_m},
        {.start = p->alive_start, .per_survivor_m = p->alive_per_survivor_m}};
    const struct window_rule_counts counts[LAWS] = {{.exposed = exposed, .survived = survived},
                                                    {.exposed = exposed, .survived = aged}};
    return window_rule_room_all(laws, counts, LAWS);
}

/* Those of a cell whose turn in the ring's spread comes later. */
static int64_t spread_of(const struct sim_state *s, const struct sim_ring *r,
                         const struct sim_cell *c)
{
    int64_t spread_s = s->world.plan->policy.rings[r - s->ring].spread_s;
    int64_t left_s = spread_s - (sim_now_s(&s->world) - r->opened_s);
    if (left_s <= 0 || s->world.plan->linear_min > 0) { return 0; }
    return (int64_t)((double)c->members * (double)left_s / (double)spread_s);
}

/* How many of a cell ask in this step and would get a permit from their cohort's window. Polls are spread over their
 * interval: a step has its share of them, and the last ones come one by one. */
static int64_t wish_of(struct sim_state *s, size_t cell, const struct sim_cell *c, int64_t later)
{
    const struct sim_plan *plan = s->world.plan;
    int64_t waiting = c->control - c->held_back - (s->tenant_held ? c->forgers : 0) - later;
    waiting -= (int64_t)((double)waiting * sim_cell_out(&s->world, s->world.step));
    if (waiting < 1 || s->cohort_halted[cell]) { return 0; }
    int64_t poll = sim_steps(plan, plan->poll_min);
    int64_t asking = (waiting + poll - 1) / poll;
    if (plan->linear_min > 0) { return waiting; }
    if (plan->cohort_count == 0) { return asking; }
    int64_t room =
        room_of(&plan->policy, plan->policy.cohort_start, c->exposed, c->survived, c->aged);
    return asking < room ? asking : room;
}

static int64_t ring_room(const struct sim_state *s, const struct sim_ring *r)
{
    const struct sim_plan *plan = s->world.plan;
    int64_t exposed = 0;
    int64_t survived = 0;
    int64_t aged = 0;
    for (size_t i = 0; i < s->cells; i++) {
        exposed += r->cells[i].exposed;
        survived += r->cells[i].survived;
        aged += r->cells[i].aged;
    }
    if (plan->linear_min > 0) {
        double since_s = (double)(sim_now_s(&s->world) + plan->step_s - r->opened_s);
        double due = since_s * (double)plan->endpoints / ((double)plan->linear_min * 60.0);
        return (int64_t)due - exposed;
    }
    return room_of(&plan->policy, plan->policy.confirm_start, exposed, survived, aged);
}

/* Places go to whoever asks first: by chance, in proportion to those that ask. */
static void grant_step(struct sim_state *s, struct sim_ring *r)
{
    int64_t wish[SIM_COHORTS_MAX] = {0};
    int64_t wishes = 0;
    int64_t room = ring_room(s, r);
    for (size_t i = 0; i < s->cells; i++) {
        const struct sim_cell *c = &r->cells[i];
        wish[i] = wish_of(s, i, c, spread_of(s, r, c));
        wishes += wish[i];
    }
    for (size_t i = 0; i < s->cells && room > 0 && wishes > 0; i++) {
        double share = (double)wish[i] / (double)wishes;
        int64_t here =
            room >= wishes ? wish[i] : sim_random_binomial(&s->world.random, room, share);
        here = here > wish[i] ? wish[i] : here;
        wishes -= wish[i];
        room -= here;
        sim_cell_grant(&r->cells[i], &s->world, here, s->tenant_held);
    }
}

/* The hold-back joins in when its time is over. */
static void free_hold_back(struct sim_state *s, size_t ring)
{
    const struct ring_policy_ring *p = &s->world.plan->policy.rings[ring];
    struct sim_ring *r = &s->ring[ring];
    if (r->opened_s < 0 || sim_now_s(&s->world) - r->opened_s < p->hold_back_s) { return; }
    for (size_t i = 0; i < s->cells; i++) {
        r->cells[i].held_back = 0;
    }
}

/* --- the run --- */

static void note_point(struct sim_outcome *out, int64_t at_s)
{
    if (out->point_count >= SIM_POINTS_MAX) { return; }
    out->points[out->point_count++] =
        (struct sim_point){.at_s = at_s, .exposed = out->exposed, .harmed = out->harmed};
}

static void note(struct sim_state *s)
{
    struct sim_outcome *out = s->out;
    int64_t members = 0;
    int64_t every_min = s->world.plan->horizon_min / SIM_POINTS_MAX + 1;
    out->exposed = 0;
    out->harmed = 0;
    out->came_back = 0;
    for (size_t i = 0; i < s->rings; i++) {
        for (size_t k = 0; k < s->cells; k++) {
            const struct sim_cell *c = &s->ring[i].cells[k];
            members += c->members - c->held_back;
            out->exposed += c->exposed;
            out->harmed += c->harmed;
            out->came_back += c->came_back;
        }
    }
    int64_t end_s = sim_step_end_s(&s->world);
    if (out->reach_95_s < 0 && (double)out->exposed >= 0.95 * (double)members) {
        out->reach_95_s = end_s;
    }
    if (out->reach_all_s < 0 && out->exposed >= members) { out->reach_all_s = end_s; }
    bool due = s->world.step == 0 || end_s % (every_min * 60) == 0;
    if (due) { note_point(out, end_s); }
}

static bool is_complete(const struct sim_state *s)
{
    for (size_t i = 0; i < s->rings; i++) {
        if (s->ring[i].state != ROLLOUT_COMPLETE) { return false; }
    }
    return true;
}

/* Times count from the opening of the first ring. */
static void count_from_opening(struct sim_state *s)
{
    struct sim_outcome *out = s->out;
    int64_t *const times[] = {&out->stop_s, &out->cohort_s, &out->tenant_s, &out->reach_95_s,
                              &out->reach_all_s};
    int64_t opened_s = s->ring[0].opened_s;
    for (size_t i = 0; i < RW_LEN(times) && opened_s > 0; i++) {
        if (*times[i] >= opened_s) { *times[i] -= opened_s; }
    }
}

/* The controller looks more often than once a step: a pointer that was signed opens its ring within it. */
static void decide(struct sim_state *s)
{
    bool opening = false;
    sim_decide_step(s);
    for (size_t i = 0; i < s->rings; i++) {
        const struct sim_ring *r = &s->ring[i];
        bool begins = r->state == ROLLOUT_PENDING || r->state == ROLLOUT_RAMPING;
        opening = opening || (begins && r->pointed && !r->open);
    }
    if (opening) { sim_decide_step(s); }
}

/* Until a stop takes effect. */
static bool goes_on(const struct sim_state *s)
{
    const struct sim_plan *plan = s->world.plan;
    int64_t now_s = sim_now_s(&s->world);
    int64_t effect_s = s->out->stop_s + plan->latency_min * 60;
    return now_s < plan->horizon_min * 60 && (s->out->stop_s < 0 || now_s < effect_s);
}

static void run(struct sim_state *s)
{
    struct sim_outcome *out = s->out;
    decide(s);
    while (goes_on(s)) {
        for (size_t i = 0; i < s->rings; i++) {
            free_hold_back(s, i);
            if (s->ring[i].open) { grant_step(s, &s->ring[i]); }
        }
        sim_evidence_step(s);
        decide(s);
        note(s);
        s->world.step++;
    }
    if (out->stop_s >= 0) { note_point(out, sim_now_s(&s->world)); } /* as it took effect */
    if (out->stop_s < 0) { out->end = is_complete(s) ? SIM_COMPLETE : SIM_RUNS_ON; }
    count_from_opening(s);
}

/* At any time while a good release is on its way. */
static void begin_outage(struct sim_world *w, uint64_t seed)
{
    struct sim_random drawn = sim_random_begin(seed + 2);
    int64_t from_min = OUTAGE_EARLIEST_MIN + sim_random_below(&drawn, OUTAGE_WITHIN_MIN);
    w->outage_from = sim_steps(w->plan, from_min);
    w->outage_to = w->outage_from + sim_steps(w->plan, OUTAGE_MIN);
}

static void begin_world(struct sim_world *w, const struct sim_plan *plan,
                        const struct sim_fault *fault, uint64_t seed)
{
    *w = (struct sim_world){.plan = plan,
                            .fault = fault,
                            .random = sim_random_begin(seed),
                            .ahead = ahead_of(plan, fault),
                            .outage_from = -1,
                            .outage_to = -1};
    if (fault->outage > 0.0) { begin_outage(w, seed); }
    if (fault->matches_clean > 0.0 || fault->slower > 0.0) {
        struct sim_random drawn = sim_random_begin(seed + 1);
        w->noise = sim_noise_of(fault, plan->policy.confirm_probation_s / 60, &drawn);
    }
    sim_cell_plan_reports(w);
}

RW_RC sim_run(const struct sim_plan *plan, const struct sim_fault *fault, uint64_t seed,
              struct sim_outcome *out, struct rw_err *err)
{
    struct sim_state *s = rw_mem_new(sizeof(*s));
    if (s == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a simulated fleet"); }
    *out = (struct sim_outcome){
        .stop_s = -1, .cohort_s = -1, .tenant_s = -1, .reach_95_s = -1, .reach_all_s = -1};
    begin_world(&s->world, plan, fault, seed);
    s->cells = plan->cohort_count == 0 ? 1 : plan->cohort_count;
    s->out = out;
    size_t each = (size_t)(SIM_EVENTS * s->world.ahead);
    s->events = rw_mem_new_array(plan->policy.ring_count * s->cells * each, sizeof(*s->events));
    if (s->events == NULL) {
        rw_mem_free(s);
        return rw_fail(err, RW_E_NOMEM, "no memory for what endpoints will do");
    }
    begin(s);
    run(s);
    rw_mem_free(s->events);
    rw_mem_free(s);
    return RW_OK;
}
