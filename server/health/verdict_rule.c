#include "server/health/verdict_rule.h"

#include "common/policy/gate_rule.h"

#include <math.h>

enum { STRIKES_MUTE = 3, STRIKES_MAX = 6, OTHERS_BETTER = 4, ALONE_AMONG = 20 };

static const double control_abnormal_e = 10.0;

static const double whole_share = 0.6;
static const double cohort_share = 0.4;

double verdict_rule_whole_weight(size_t cohorts)
{
    return cohorts == 0 ? 1.0 : whole_share;
}

double verdict_rule_cohort_weight(size_t cohorts)
{
    return cohorts == 0 ? 0.0 : cohort_share / (double)cohorts;
}

struct verdict_rule_sum verdict_rule_begin(double weight, const struct health_rule_result *whole)
{
    double evidence = log(weight) + whole->log_e;
    return (struct verdict_rule_sum){.total = evidence,
                                     .relative = log(weight) + whole->log_relative,
                                     .whole = evidence,
                                     .best_cohort = -INFINITY};
}

void verdict_rule_add(struct verdict_rule_sum *sum, size_t cohort, double weight,
                      const struct health_rule_result *result)
{
    const double weights[] = {1.0, weight};
    if (!(weight > 0.0)) { return; }
    const double all[] = {sum->total, result->log_e};
    const double relative[] = {sum->relative, result->log_relative};
    double own = log(weight) + result->log_e;
    sum->total = health_rule_combine(weights, all, RW_LEN(weights));
    sum->relative = health_rule_combine(weights, relative, RW_LEN(weights));
    if (own > sum->best_cohort) {
        sum->best_cohort = own;
        sum->best = cohort;
    }
}

bool verdict_rule_control_abnormal(double control_log_e)
{
    return !(control_log_e < log(control_abnormal_e));
}

static double noise_log_e(const struct health_rule_norm *norm, int64_t noise, int64_t windows)
{
    /* Not told apart: an outbreak of what is really bad and a host under load strike control as well. */
    double p0 = fmax(fmax(norm->p0[HEALTH_STORM], norm->p0[HEALTH_SLOW]), norm->p0[HEALTH_MUTE]);
    struct health_rule_grid either = health_rule_grid_of(p0);
    return health_rule_log_e(&either, noise, windows < noise ? noise : windows);
}

double verdict_rule_control(const struct health_rule_norm *norm,
                            const struct verdict_rule_control_counts *c,
                            const struct late_rule *late)
{
    struct health_rule_grid crash = health_rule_grid_of(norm->p0[HEALTH_CRASH]);
    struct health_rule_grid dark = health_rule_grid_of(norm->p0[HEALTH_DARK]);
    int64_t windows = late->control_windows + c->open;
    int64_t looked = windows < c->crashes ? c->crashes : windows;
    double failing = fmax(health_rule_log_e(&crash, c->crashes, looked),
                          health_rule_log_e(&dark, late->control_dark, late->control_windows));
    return fmax(failing, noise_log_e(norm, c->noise, windows));
}

/* The others surely fail a small part as often as that tenant: whatever it is, it is not theirs. */
static bool others_healthy(const struct verdict_rule_votes *v)
{
    double upper = gate_rule_upper(v->rest, v->rest_exposed, GATE_RULE_ALPHA);
    return v->top_exposed > 0 && upper * OTHERS_BETTER < (double)v->top / (double)v->top_exposed;
}

/* INV-11: evidence is of more than one tenant when the others' own outcomes speak against the release too, or when
 * they failed as often as the one that failed most. */
static bool one_tenant_alone(const struct verdict_rule_input *in)
{
    const struct verdict_rule_votes *v = &in->votes;
    if (!v->others || v->rest >= v->top) { return false; }
    if (others_healthy(v)) { return true; }
    if (v->top > v->top_max) { return false; }
    struct health_rule_grid g = health_rule_grid_of(in->p0_crash);
    return !(health_rule_log_e(&g, v->rest, v->rest_exposed) > 0.0);
}

enum verdict_rule verdict_rule_decide(const struct verdict_rule_input *in)
{
    if (in->total < in->threshold) { return VERDICT_NONE; }
    if (!isfinite(in->total) || !isfinite(in->threshold)) { return VERDICT_HOLD; }
    if (verdict_rule_control_abnormal(in->control) && !(in->relative >= in->threshold)) {
        return VERDICT_HOLD;
    }
    /* INV-11: where nobody else has failed, evidence can only be what is left of a tenant that is held (stored by a
     * server that did not take it out): none for all. INV-3: nor for going on. */
    if (in->held && in->votes.top == 0) { return VERDICT_HOLD; }
    if (one_tenant_alone(in)) { return VERDICT_TENANT; }
    if (in->whole < in->threshold && in->best_cohort >= in->threshold) { return VERDICT_COHORT; }
    return VERDICT_RELEASE;
}

bool verdict_rule_holds(enum verdict_rule v)
{
    return v == VERDICT_HOLD || v == VERDICT_COHORT;
}

bool verdict_rule_alone(int64_t failed, int64_t healthy)
{
    return failed >= 0 && failed <= healthy / ALONE_AMONG;
}

struct verdict_rule_strikes verdict_rule_strike(struct verdict_rule_strikes before, bool failed)
{
    struct verdict_rule_strikes s = before;
    if (failed && s.count < STRIKES_MAX) { s.count++; }
    if (!failed && s.count > 0) { s.count--; }
    if (s.count >= STRIKES_MUTE) { s.muted = true; }
    if (s.count == 0) { s.muted = false; }
    return s;
}

const char *verdict_rule_name(enum verdict_rule v)
{
    static const char *const names[] = {"none", "hold", "tenant", "cohort", "release"};
    return names[v];
}
