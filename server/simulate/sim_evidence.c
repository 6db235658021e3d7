#include "server/simulate/sim_state.h"

/* The forgers' tenant has ten times as many endpoints as forge. */
enum { TENANT_FORGING = 10 };

static void add_bucket(struct late_rule_bucket *to, const struct late_rule_bucket *b)
{
    to->treated += b->treated;
    to->control += b->control;
    to->treated_dark += b->treated_dark;
    to->control_dark += b->control_dark;
}

static void work_in(struct late_rule *late, const struct health_rule_norm *norm,
                    const struct sim_news *news, double minutes)
{
    double hazard = health_rule_expected_hazard(norm, &news->risk);
    double expected = hazard * minutes * news->risk.treated;
    if (hazard > 0.0) { late_rule_history(late, expected, news->late); }
    late_rule_crash(late, norm->rho_crash, news->late, &news->risk);
    late_rule_control_crash(late, norm->rho_crash, news->control_crash, &news->risk);
}

/* What counts as evidence: without a tenant that is held. */
static struct health_rule_counts counted(const struct sim_state *s, const struct sim_cell *c)
{
    int64_t muted = s->tenant_held ? c->forged : 0;
    int64_t failed = c->failed > muted ? c->failed - muted : 0;
    return (struct health_rule_counts){.exposed = c->exposed - muted,
                                       .failed = failed,
                                       .storm = c->storm,
                                       .slow = c->slow,
                                       .mute = c->mute};
}

static void weigh(struct sim_state *s, struct sim_ring *r)
{
    const struct health_rule_norm *norm = &s->world.plan->norm;
    struct health_rule_counts all = {.exposed = 0};
    struct verdict_rule_control_counts control = {.crashes = 0};
    for (size_t i = 0; i < s->cells; i++) {
        struct health_rule_counts one = counted(s, &r->cells[i]);
        if (s->cohort_halted[i]) { continue; }
        all.exposed += one.exposed;
        all.failed += one.failed;
        all.storm += one.storm;
        all.slow += one.slow;
        all.mute += one.mute;
        control.crashes += r->cells[i].control_crash;
        control.open += r->cells[i].control; /* each has an open window */
        if (s->world.plan->cohort_count > 0) {
            r->result_of[i] =
                health_rule_scope(sim_plan_norm(s->world.plan, i), &one, &r->late_of[i]);
        }
    }
    r->result = health_rule_scope(norm, &all, &r->late);
    r->control_log_e = verdict_rule_control(norm, &control, &r->late);
    r->dirty = false;
}

static struct verdict_rule_votes votes_of(const struct sim_state *s, const struct sim_ring *r)
{
    struct verdict_rule_votes v = {.top_max = s->world.plan->policy.tenant_votes,
                                   .others = s->world.fault->forged > 0.0 && !s->tenant_held};
    for (size_t i = 0; i < s->cells; i++) {
        const struct sim_cell *c = &r->cells[i];
        v.top += c->forged;
        v.rest += c->failed + c->dark + c->late + c->storm + c->slow + c->mute;
        v.rest_exposed += c->exposed;
    }
    v.top_exposed = (int64_t)((double)v.rest_exposed * TENANT_FORGING * s->world.fault->forged);
    v.top_exposed = v.top_exposed > v.top ? v.top_exposed : v.top;
    v.rest_exposed -= v.top_exposed;
    v.rest = v.rest > v.top ? v.rest - v.top : 0;
    return v;
}

static void judge(struct sim_state *s, struct sim_ring *r)
{
    const struct sim_plan *plan = s->world.plan;
    size_t cohorts = plan->cohort_count;
    struct verdict_rule_sum sum =
        verdict_rule_begin(verdict_rule_whole_weight(cohorts), &r->result);
    for (size_t i = 0; i < cohorts; i++) {
        if (s->cohort_halted[i]) { continue; }
        verdict_rule_add(&sum, i, verdict_rule_cohort_weight(cohorts), &r->result_of[i]);
    }
    const struct verdict_rule_input in = {
        .threshold = r->threshold,
        .total = sum.total,
        .relative = sum.relative,
        .whole = sum.whole,
        .best_cohort = sum.best_cohort,
        .control = r->control_log_e,
        .p0_crash = plan->norm.p0[HEALTH_CRASH],
        .votes = votes_of(s, r),
    };
    r->verdict = verdict_rule_decide(&in);
    r->verdict_cohort = sum.best;
    r->log_e = sum.total;
}

static int64_t votes(const struct sim_cell *c)
{
    return c->failed + c->storm + c->slow + c->mute;
}

/* What happened in a ring, cohort by cohort and in all. */
struct ring_news {
    struct sim_news each[SIM_COHORTS_MAX];
    struct sim_news all;
};

static void pass_step(struct sim_state *s, struct sim_ring *r, struct ring_news *news)
{
    *news = (struct ring_news){.all = {.late = 0}};
    for (size_t i = 0; i < s->cells; i++) {
        int64_t failed = votes(&r->cells[i]);
        struct sim_news one = sim_cell_step(&r->cells[i], &s->world);
        add_bucket(&news->all.bucket, &one.bucket);
        news->all.risk.treated += one.risk.treated;
        news->all.risk.control += one.risk.control;
        news->all.late += one.late;
        news->all.control_crash += one.control_crash;
        r->dirty = r->dirty || votes(&r->cells[i]) != failed;
        news->each[i] = one;
    }
}

/* `fleet`: windows of all rings. */
static void gather(struct sim_state *s, struct sim_ring *r, struct ring_news *news,
                   const struct late_rule_bucket *fleet)
{
    const struct health_rule_norm *norm = &s->world.plan->norm;
    double minutes = (double)s->world.plan->step_s / 60.0;
    bool drips = sim_now_s(&s->world) % LATE_RULE_DRIP_S == 0 && s->world.step > 0;
    for (size_t i = 0; i < s->cells; i++) {
        const struct health_rule_norm *own = sim_plan_norm(s->world.plan, i);
        const struct late_rule_bucket *b = &news->each[i].bucket;
        work_in(&r->late_of[i], own, &news->each[i], minutes);
        late_rule_take_bucket_cohort(&r->late_of[i], own->rho_dark, b, &news->all.bucket, fleet);
        if (drips) { late_rule_drip(&r->late_of[i]); }
    }
    work_in(&r->late, norm, &news->all, minutes);
    late_rule_take_bucket_beside(&r->late, norm->rho_dark, &news->all.bucket, fleet);
    if (drips) { late_rule_drip(&r->late); }
    r->dirty = r->dirty || drips || news->all.late > 0 || news->all.bucket.treated_dark > 0;
}

void sim_evidence_step(struct sim_state *s)
{
    struct ring_news news[RING_POLICY_RINGS_MAX];
    struct late_rule_bucket fleet = {.treated = 0};
    for (size_t i = 0; i < s->rings; i++) {
        pass_step(s, &s->ring[i], &news[i]);
        add_bucket(&fleet, &news[i].all.bucket);
    }
    for (size_t i = 0; i < s->rings; i++) {
        struct sim_ring *r = &s->ring[i];
        gather(s, r, &news[i], &fleet);
        if (r->opened_s < 0 || !r->dirty) { continue; }
        weigh(s, r);
        judge(s, r);
    }
}
