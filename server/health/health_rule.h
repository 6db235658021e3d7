/* health_rule.h: the detector: anytime-valid evidence that a release fails more often than it may.
 *
 * Exposures are charged when the permit is granted, failures multiply: the value never leaves the safe side
 * however late endpoints report, and looking at it often costs nothing (Ville's inequality).
 *
 * memory   values only
 * threads  pure
 * source   docs/health.md "The detector" (A-terms, combination, verdicts)
 */
#ifndef RINGWARD_HEALTH_RULE_H
#define RINGWARD_HEALTH_RULE_H

#include "common/base/err.h"

enum { HEALTH_RULE_GRID = 8, HEALTH_RULE_TERMS = 3 };

enum health_rule_term { HEALTH_REFUSE, HEALTH_CRASH, HEALTH_DARK };

/* One absolute term: a Bernoulli mixture against "fails with probability <= p0". */
struct health_rule_grid {
    double theta[HEALTH_RULE_GRID]; /* alternatives, equally spaced in log-odds */
    double gain[HEALTH_RULE_GRID];  /* per failure, > 0 */
    double cost[HEALTH_RULE_GRID];  /* per exposure, < 0 */
};

struct health_rule_counts {
    int64_t exposed;      /* permits granted */
    int64_t failed;       /* failed on load or in probation, or crashed inside the watch */
    int64_t refused;      /* the box said no */
    int64_t refused_free; /* of these, refused before a permit: exposures of the refuse term only */
    int64_t dark;         /* deadline passed in silence (INV-4) */
    int64_t
        deadlines; /* permits whose deadline passed or that confirmed: exposures of the dark term */
};

struct health_rule_result {
    double log_term[HEALTH_RULE_TERMS]; /* unweighted log E of each term */
    double log_e;                       /* weighted combination */
    enum health_rule_term culprit;      /* largest weighted term */
};

struct health_rule_grid health_rule_grid_of(double p0);
double health_rule_log_e(const struct health_rule_grid *g, int64_t failures, int64_t exposures);
/* Largest n >= k at which the k-th failure crosses log_threshold, or -1. */
int64_t health_rule_n_max(const struct health_rule_grid *g, int64_t k, double log_threshold);

/* Evidence of one scope with the default probabilities and weights. */
struct health_rule_result health_rule_scope(const struct health_rule_counts *c);
/* log(sum_i w_i exp(e_i)); weights sum to at most 1. */
double health_rule_combine(const double *weights, const double *log_e, size_t n);
/* Threshold ln(1/alpha): `by_hand` rings of a few staff machines answer at a larger alpha. */
double health_rule_threshold(bool by_hand);
const char *health_rule_term_name(enum health_rule_term term);
double health_rule_weight(enum health_rule_term term);
double health_rule_p0(enum health_rule_term term);

#endif
