#include "server/health/health_rule.h"

#include "common/policy/gate_rule.h"

#include <math.h>

static const struct term_fact {
    const char *name;
    double weight;
} term_facts[HEALTH_RULE_TERMS] = {
    {"refuse", 0.08},        {"crash", 0.24},         {"dark", 0.08},
    {"storm", 0.07},         {"slow", 0.06},          {"mute", 0.07},
    {"crash_history", 0.08}, {"crash_control", 0.20}, {"dark_control", 0.12},
};

static const double alpha_by_hand = 1e-2;

/* Without history of its own a fleet starts with cautious shares. */
static const struct health_rule_norm cold_start = {
    .p0 = {1e-4, 0.005, 0.05, 0.01, 0.01, 0.005}, .rho_crash = 1.25, .rho_dark = 1.5};

enum { HISTORY_RELEASES_MIN = 20 };
static const double p0_factor = 3.0;
/* However good or bad history was. How much a release finds, and what that costs, differs more from one to the next
 * than how often it crashes: below 1 % nobody would stop it for that. */
static const struct p0_range {
    double least;
    double most; /* 0: not from history */
} p0_ranges[HEALTH_RULE_TERMS] = {
    /* A self-test that fails is as plain a fault as a crash. */
    [HEALTH_CRASH] = {0.0005, 0.02},
    [HEALTH_MUTE] = {0.0005, 0.02},
    [HEALTH_STORM] = {0.01, 0.05},
    [HEALTH_SLOW] = {0.01, 0.05}};
/* Late crashes of a fleet without history, where no control is left to compare with: 0.5 % of the endpoints a minute,
 * which only a burst exceeds. With nothing, a release that kills the whole of a small ring late would never be stopped;
 * with much less, a good one would be for two sensors of a small ring that happened to die in the same hour. */
static const double hazard_cold = 0.005;
enum { CONTROL_SHARE = 10 };
/* One more crash of a thousand endpoints in ten days: nobody would stop a release for it. */
static const double hazard_nobody_cares_about = 7e-8;
static const double rho_history = 1.5;
/* Late crashes in history below which their rate is a guess. */
enum { HISTORY_CRASHES_MIN = 10 };

static double logit(double p)
{
    return log(p) - log1p(-p);
}

struct health_rule_grid health_rule_grid_of(double p0)
{
    struct health_rule_grid g;
    double base = logit(p0);
    double rest = log1p(-p0);
    double lo = base + log(2.0);
    double hi = logit(0.95);
    RW_ASSERT(p0 > 0.0 && p0 < 1.0);
    if (hi <= lo) { hi = lo + 1.0; }
    for (int j = 0; j < HEALTH_RULE_GRID; j++) {
        double z = lo + (hi - lo) * j / (HEALTH_RULE_GRID - 1);
        /* z is the logit of theta: two transcendental functions a point, since every scope asks for six grids. */
        double odds = exp(z);
        g.theta[j] = odds / (1.0 + odds);
        g.gain[j] = z - base;
        g.cost[j] = -log1p(odds) - rest;
    }
    return g;
}

static double log_sum_exp(const double *x, size_t n)
{
    double top = x[0];
    double sum = 0.0;
    for (size_t i = 1; i < n; i++) {
        top = fmax(top, x[i]);
    }
    if (!isfinite(top)) { return top; }
    for (size_t i = 0; i < n; i++) {
        sum += exp(x[i] - top);
    }
    return top + log(sum);
}

double health_rule_log_e(const struct health_rule_grid *g, int64_t failures, int64_t exposures)
{
    double x[HEALTH_RULE_GRID] = {0};
    for (int j = 0; j < HEALTH_RULE_GRID; j++) {
        x[j] = (double)failures * g->gain[j] + (double)exposures * g->cost[j];
    }
    return log_sum_exp(x, HEALTH_RULE_GRID) - log((double)HEALTH_RULE_GRID);
}

int64_t health_rule_n_max(const struct health_rule_grid *g, int64_t k, double log_threshold)
{
    if (health_rule_log_e(g, k, k) < log_threshold) { return -1; }
    int64_t lo = k;
    int64_t hi = k < 8 ? 16 : 2 * k;
    while (health_rule_log_e(g, k, hi) >= log_threshold) {
        lo = hi;
        hi *= 2;
    }
    while (hi - lo > 1) {
        int64_t mid = lo + (hi - lo) / 2;
        if (health_rule_log_e(g, k, mid) >= log_threshold) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return lo;
}

double health_rule_combine(const double *weights, const double *log_e, size_t n)
{
    double x[32] = {0};
    RW_ASSERT(n >= 1 && n <= RW_LEN(x));
    for (size_t i = 0; i < n; i++) {
        x[i] = log(weights[i]) + log_e[i];
    }
    return log_sum_exp(x, n);
}

struct health_rule_norm health_rule_cold_start(void)
{
    return cold_start;
}

double health_rule_p0(enum health_rule_term term, int64_t failures, int64_t exposures,
                      int64_t releases)
{
    const struct p0_range *range = &p0_ranges[term];
    RW_ASSERT((int)term < HEALTH_RULE_ABSOLUTE);
    if (!(range->most > 0.0) || releases < HISTORY_RELEASES_MIN || exposures < 1) {
        return cold_start.p0[term];
    }
    double p0 = p0_factor * gate_rule_upper(failures, exposures, GATE_RULE_ALPHA);
    return fmin(fmax(p0, range->least), range->most);
}

double health_rule_rho_crash(double hazard)
{
    if (!(hazard > 0.0)) { return cold_start.rho_crash; }
    return fmax(cold_start.rho_crash, 1.0 + hazard_nobody_cares_about / hazard);
}

double health_rule_history_hazard(int64_t late, double minutes)
{
    if (late < HISTORY_CRASHES_MIN || !(minutes > 0.0)) { return 0.0; }
    return rho_history * (double)late / minutes;
}

double health_rule_expected_hazard(const struct health_rule_norm *norm,
                                   const struct late_rule_risk *risk)
{
    if (norm->history_hazard > 0.0) { return norm->history_hazard; }
    return risk->control * CONTROL_SHARE < risk->treated ? hazard_cold : 0.0;
}

struct health_rule_result health_rule_scope(const struct health_rule_norm *norm,
                                            const struct health_rule_counts *c,
                                            const struct late_rule *late)
{
    const int64_t failures[HEALTH_RULE_ABSOLUTE] = {c->refused, c->failed, late->windows_dark,
                                                    c->storm,   c->slow,   c->mute};
    const int64_t exposures[HEALTH_RULE_ABSOLUTE] = {c->exposed + c->refused_free,
                                                     c->exposed,
                                                     late->windows,
                                                     c->exposed,
                                                     c->exposed,
                                                     c->exposed};
    struct health_rule_result r = {.culprit = HEALTH_CRASH};
    double weights[HEALTH_RULE_TERMS];
    double best = -INFINITY;
    for (int t = 0; t < HEALTH_RULE_ABSOLUTE; t++) {
        struct health_rule_grid g = health_rule_grid_of(norm->p0[t]);
        r.log_term[t] = health_rule_log_e(&g, failures[t], exposures[t]);
    }
    r.log_term[HEALTH_CRASH_HISTORY] = late_rule_mix_log_e(&late->history);
    r.log_term[HEALTH_CRASH_CONTROL] = late_rule_mix_log_e(&late->crash);
    r.log_term[HEALTH_DARK_CONTROL] = late_rule_mix_log_e(&late->dark);
    for (int t = 0; t < HEALTH_RULE_TERMS; t++) {
        weights[t] = term_facts[t].weight;
        double weighted = log(weights[t]) + r.log_term[t];
        if (weighted > best) {
            best = weighted;
            r.culprit = (enum health_rule_term)t;
        }
    }
    r.log_e = health_rule_combine(weights, r.log_term, HEALTH_RULE_TERMS);
    r.log_relative =
        health_rule_combine(weights + HEALTH_CRASH_CONTROL, r.log_term + HEALTH_CRASH_CONTROL, 2);
    return r;
}

double health_rule_threshold(double alpha_release, bool by_hand, size_t rings_of_that_kind)
{
    double alpha = by_hand ? alpha_by_hand : alpha_release;
    return log((double)(rings_of_that_kind < 1 ? 1 : rings_of_that_kind) / alpha);
}

const char *health_rule_term_name(enum health_rule_term term)
{
    return term_facts[term].name;
}

double health_rule_weight(enum health_rule_term term)
{
    return term_facts[term].weight;
}
