/* sim_plan.h: what is simulated, and what comes out of one run.
 *
 * memory   plain values
 * threads  pure
 * source   docs/simulate.md
 */
#ifndef RINGWARD_SIM_PLAN_H
#define RINGWARD_SIM_PLAN_H

#include "common/policy/ring_policy.h"
#include "server/health/health_rule.h"
#include "server/simulate/sim_fault.h"

/* Cohorts that a made-up fleet has when nobody tells others: shares in percent. */
#define SIM_USUAL_COHORTS "60,25,12,3"
enum { SIM_COHORTS_MAX = 8, SIM_POINTS_MAX = 400 };

/* What happens whatever is installed. */
struct sim_rates {
    double apply;  /* share of good installs that fail all the same */
    double hazard; /* late crashes per endpoint and minute, treated or not */
    double dark;   /* share of windows that end dark */
    double storm;  /* share of good installs that tell of a storm */
    double slow;
    double mute; /* share of good installs that tell that their sensor lost its function */
};

struct sim_plan {
    struct ring_policy policy;
    int64_t endpoints;   /* without those that joined a ring by hand */
    int64_t staff;       /* in each ring that is joined by hand */
    size_t class_index;  /* whose signed bakes hold */
    size_t cohort_count; /* 0: no cohorts are kept apart */
    double cohort_share[SIM_COHORTS_MAX];
    struct health_rule_norm norm; /* as history would have frozen it */
    struct sim_rates usual;
    bool by_cohort; /* each cohort has norm and rates of its own, in the place of these */
    struct health_rule_norm norm_of[SIM_COHORTS_MAX];
    struct sim_rates usual_of[SIM_COHORTS_MAX];
    int64_t step_s;       /* what happens within is one moment; 60 is a whole number of them */
    int64_t poll_min;     /* minutes between two polls while a rollout runs */
    int64_t tell_min;     /* from the end of probation to `healthy`, at most; 0: to the next poll */
    int64_t again_min;    /* from `alive.after` to the second proof, at most; 0: to the next poll */
    double crash_min;     /* mean time from an install to its crash */
    double report_min;    /* from a crash to its report, at most */
    int64_t latency_min;  /* from a decision to its effect */
    int64_t operator_min; /* until a person resumes a rollout that was held for a cohort */
    int64_t horizon_min;  /* end of the simulation */
    int64_t linear_min;   /* > 0: instead of the window, a ramp by time alone, for comparison */
};

static inline const struct health_rule_norm *sim_plan_norm(const struct sim_plan *p, size_t cohort)
{
    return p->by_cohort ? &p->norm_of[cohort] : &p->norm;
}

static inline const struct sim_rates *sim_plan_usual(const struct sim_plan *p, size_t cohort)
{
    return p->by_cohort ? &p->usual_of[cohort] : &p->usual;
}

enum sim_end {
    SIM_RUNS_ON,  /* at the horizon it was neither complete nor stopped */
    SIM_COMPLETE, /* every ring has passed */
    SIM_HALTED,
    SIM_HELD, /* for a person, for good */
};

struct sim_point {
    int64_t at_s;
    int64_t exposed;
    int64_t harmed;
};

struct sim_outcome {
    enum sim_end end;
    int64_t exposed;    /* when the stop took effect, or at the end */
    int64_t harmed;     /* installed and broken by then */
    int64_t came_back;  /* of these: left the release by themselves */
    int64_t stop_s;     /* when the halt, or the hold for good, was decided; -1: there was none */
    int64_t cohort_s;   /* first halt of a cohort alone; -1 */
    int64_t tenant_s;   /* first hold of a tenant alone; -1 */
    int64_t reach_95_s; /* 95 % of the endpoints that may have it do; -1 */
    int64_t reach_all_s;
    size_t point_count;
    struct sim_point points[SIM_POINTS_MAX]; /* evenly spaced, and when a stop took effect */
};

#endif
