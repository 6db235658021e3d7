/* verdict_rule.h: who is stopped when evidence crosses the threshold: everybody, one cohort, one tenant, or nobody yet.
 *
 * memory   values only
 * threads  pure
 * source   docs/health.md "Verdicts"; INV-11
 */
#ifndef RINGWARD_VERDICT_RULE_H
#define RINGWARD_VERDICT_RULE_H

#include "server/health/health_rule.h"

enum verdict_rule {
    VERDICT_NONE,
    VERDICT_HOLD,   /* control itself is abnormal: absolute terms may only hold, a person looks */
    VERDICT_TENANT, /* the votes of one tenant alone: only that tenant is held, the rest goes on */
    VERDICT_COHORT, /* one cohort alone: that cohort is halted, the rest held */
    VERDICT_RELEASE,
};

/* Votes in a ring, by tenant; what counts is the tenant with the most. */
struct verdict_rule_votes {
    int64_t top; /* votes of that tenant */
    int64_t top_exposed;
    int64_t rest; /* votes of all others */
    int64_t rest_exposed;
    bool others; /* there are endpoints of other tenants in the ring */
    int64_t
        top_max; /* more votes of one tenant are evidence for all, unless the others are surely healthy */
};

struct verdict_rule_input {
    double threshold;
    double total;       /* ln(sum of weight * E over the ring as a whole and its cohorts) */
    double relative;    /* the same of the terms against control alone */
    double whole;       /* ln(weight * E) of the ring as a whole */
    double best_cohort; /* greatest ln(weight * E) of one cohort; -INFINITY: there is none */
    double control;     /* log E of control against the same norm: "control is abnormal" */
    double p0_crash;    /* norm of the ring as a whole */
    struct verdict_rule_votes votes; /* without those of tenants that are held already */
    bool held;                       /* there are such tenants */
};

/* Evidence of a ring, gathered scope by scope: the whole first, then its cohorts. */
struct verdict_rule_sum {
    double total;
    double relative;
    double whole;
    double best_cohort; /* -INFINITY: none yet */
    size_t best;        /* its index */
};
/* The share of the ring as a whole, and of one of `cohorts` cohorts known at the start. */
double verdict_rule_whole_weight(size_t cohorts);
double verdict_rule_cohort_weight(size_t cohorts);
struct verdict_rule_sum verdict_rule_begin(double weight, const struct health_rule_result *whole);
void verdict_rule_add(struct verdict_rule_sum *sum, size_t cohort, double weight,
                      const struct health_rule_result *result);

enum verdict_rule verdict_rule_decide(const struct verdict_rule_input *in);
/* Whether the rest waits for a person. INV-11: not for what one tenant's endpoints say. */
bool verdict_rule_holds(enum verdict_rule v);
/* True when control fails so much itself that absolute terms say nothing about the release. */
bool verdict_rule_control_abnormal(double control_log_e);
/* Failures of control endpoints, once each; `noise`: storms, slowness and muteness. */
struct verdict_rule_control_counts {
    int64_t crashes;
    int64_t noise;
    int64_t open; /* windows not closed yet, in which one of these may have happened already */
};
/* Log E of "control is abnormal": the absolute terms over control's own windows. */
double verdict_rule_control(const struct health_rule_norm *norm,
                            const struct verdict_rule_control_counts *c,
                            const struct late_rule *late);
/* INV-4, INV-11: of a release that evidence halted: did those that failed with it fail alone, among at least twenty
 * healthy ones each? Then they get the strikes of a release that went through. */
bool verdict_rule_alone(int64_t failed, int64_t healthy);
/* An endpoint's strikes after one more release that was healthy elsewhere: failures where its neighbours had none make
 * it muted, clean releases bring it back. */
struct verdict_rule_strikes {
    uint8_t count;
    bool muted;
};
struct verdict_rule_strikes verdict_rule_strike(struct verdict_rule_strikes before, bool failed);
const char *verdict_rule_name(enum verdict_rule v);

#endif
