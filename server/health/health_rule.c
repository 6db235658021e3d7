#include "server/health/health_rule.h"

#include <math.h>

/* Without history of its own a fleet starts with the cautious share of a cold start. */
static const struct term_fact {
    const char *name;
    double p0;
    double weight;
} term_facts[HEALTH_RULE_TERMS] = {
    {"refuse", 1e-4, 0.10},
    {"crash", 0.005, 0.30},
    {"dark", 0.05, 0.10},
};

static const double alpha_release = 1e-4;
static const double alpha_by_hand = 1e-2;

static double logit(double p)
{
    return log(p) - log1p(-p);
}

struct health_rule_grid health_rule_grid_of(double p0)
{
    struct health_rule_grid g;
    double lo = logit(p0) + log(2.0);
    double hi = logit(0.95);
    RW_ASSERT(p0 > 0.0 && p0 < 1.0);
    if (hi <= lo) { hi = lo + 1.0; }
    for (int j = 0; j < HEALTH_RULE_GRID; j++) {
        double z = lo + (hi - lo) * j / (HEALTH_RULE_GRID - 1);
        g.theta[j] = 1.0 / (1.0 + exp(-z));
        g.gain[j] = logit(g.theta[j]) - logit(p0);
        g.cost[j] = log1p(-g.theta[j]) - log1p(-p0);
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

struct health_rule_result health_rule_scope(const struct health_rule_counts *c)
{
    const int64_t failures[HEALTH_RULE_TERMS] = {c->refused, c->failed, c->dark};
    const int64_t exposures[HEALTH_RULE_TERMS] = {c->exposed + c->refused_free, c->exposed,
                                                  c->deadlines};
    struct health_rule_result r = {.culprit = HEALTH_CRASH};
    double weights[HEALTH_RULE_TERMS];
    double best = -INFINITY;
    for (int t = 0; t < HEALTH_RULE_TERMS; t++) {
        struct health_rule_grid g = health_rule_grid_of(term_facts[t].p0);
        weights[t] = term_facts[t].weight;
        r.log_term[t] = health_rule_log_e(&g, failures[t], exposures[t]);
        double weighted = log(weights[t]) + r.log_term[t];
        if (weighted > best && failures[t] > 0) {
            best = weighted;
            r.culprit = (enum health_rule_term)t;
        }
    }
    r.log_e = health_rule_combine(weights, r.log_term, HEALTH_RULE_TERMS);
    return r;
}

double health_rule_threshold(bool by_hand)
{
    return -log(by_hand ? alpha_by_hand : alpha_release);
}

const char *health_rule_term_name(enum health_rule_term term)
{
    return term_facts[term].name;
}

double health_rule_weight(enum health_rule_term term)
{
    return term_facts[term].weight;
}

double health_rule_p0(enum health_rule_term term)
{
    return term_facts[term].p0;
}
