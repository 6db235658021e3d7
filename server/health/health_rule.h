/* health_rule.h: the detector: anytime-valid evidence that a release fails more often than it may.
 *
 * Exposures are charged when the permit is granted, failures multiply: the value never leaves the safe side
 * however late endpoints report, and looking at it often costs nothing (Ville's inequality).
 *
 * memory   values only
 * threads  pure
 * source   docs/health.md "The detector" (terms, combination, history)
 */
#ifndef RINGWARD_HEALTH_RULE_H
#define RINGWARD_HEALTH_RULE_H

#include "server/health/late_rule.h"

enum { HEALTH_RULE_GRID = 8, HEALTH_RULE_ABSOLUTE = 6, HEALTH_RULE_TERMS = 9 };

enum health_rule_term {
    HEALTH_REFUSE,
    HEALTH_CRASH,
    HEALTH_DARK,          /* absolute: where there is too little control */
    HEALTH_STORM,         /* detections beyond an endpoint's own budget */
    HEALTH_SLOW,          /* scans far dearer than with the release before on that endpoint */
    HEALTH_MUTE,          /* the sensor lives and has lost its function */
    HEALTH_CRASH_HISTORY, /* late crashes against history */
    HEALTH_CRASH_CONTROL, /* late crashes against control */
    HEALTH_DARK_CONTROL,  /* darkness against control */
};

/* One absolute term: a Bernoulli mixture against "fails with probability <= p0". */
struct health_rule_grid {
    double theta[HEALTH_RULE_GRID]; /* alternatives, equally spaced in log-odds */
    double gain[HEALTH_RULE_GRID];  /* per failure, > 0 */
    double cost[HEALTH_RULE_GRID];  /* per exposure, < 0 */
};

/* What a scope may do unsuspected; frozen when the rollout starts. */
struct health_rule_norm {
    double p0[HEALTH_RULE_ABSOLUTE];
    double rho_crash; /* hazard ratio treated : control that nobody cares about */
    double rho_dark;
    double
        history_hazard; /* rho_h x historical late crashes per endpoint and minute; 0: no history */
};

struct health_rule_counts {
    int64_t exposed;      /* permits granted */
    int64_t failed;       /* failed on load or in probation, or crashed inside the watch */
    int64_t refused;      /* the box said no */
    int64_t refused_free; /* of these, refused before a permit: exposures of the refuse term only */
    int64_t storm;        /* told of a storm, at whatever time */
    int64_t slow;
    int64_t mute;
};

struct health_rule_result {
    double log_term[HEALTH_RULE_TERMS]; /* unweighted log E of each term */
    double log_e;                       /* weighted combination */
    double log_relative;                /* of the terms against control alone */
    enum health_rule_term culprit;      /* largest weighted term */
};

struct health_rule_grid health_rule_grid_of(double p0);
double health_rule_log_e(const struct health_rule_grid *g, int64_t failures, int64_t exposures);
/* Largest n >= k at which the k-th failure crosses log_threshold, or -1. */
int64_t health_rule_n_max(const struct health_rule_grid *g, int64_t k, double log_threshold);

/* Without any history. */
struct health_rule_norm health_rule_cold_start(void);
/* Share that history makes normal, of crashes inside the watch, storms, slowness or muteness: `failures` of `exposures`
 * in `releases` completed releases of the same cohort; the cold start's when there are too few, and for other terms. */
double health_rule_p0(enum health_rule_term term, int64_t failures, int64_t exposures,
                      int64_t releases);
/* Greatest hazard ratio that is no harm: `hazard` late crashes per endpoint and minute in history, 0: unknown. */
double health_rule_rho_crash(double hazard);
/* Hazard that the H-term takes as normal, from late crashes in that many endpoint minutes; 0: too few to tell. */
double health_rule_history_hazard(int64_t late, double minutes);
/* What the H-term compares late crashes with, at these sizes just before; 0: with nothing, it stays silent. Without
 * history it speaks where less than a tenth as many endpoints are control: what an incident is cannot be seen there. */
double health_rule_expected_hazard(const struct health_rule_norm *norm,
                                   const struct late_rule_risk *risk);

/* Evidence of one scope. */
struct health_rule_result health_rule_scope(const struct health_rule_norm *norm,
                                            const struct health_rule_counts *c,
                                            const struct late_rule *late);
/* log(sum_i w_i exp(e_i)); weights sum to at most 1. */
double health_rule_combine(const double *weights, const double *log_e, size_t n);
/* Threshold ln(1/alpha); `alpha_release` is the policy's (ring_policy_alpha). The budget of a release is split over its
 * rings of one kind, so that the release as a whole keeps it; `by_hand` rings of a few staff machines answer at a
 * larger alpha of their own. */
double health_rule_threshold(double alpha_release, bool by_hand, size_t rings_of_that_kind);
const char *health_rule_term_name(enum health_rule_term term);
double health_rule_weight(enum health_rule_term term);

#endif
