/* sim_cell.h: the endpoints of one cohort in one ring, in numbers: who installs, who breaks, who reports when.
 *
 * memory   plain values; a cell borrows the block of what it plans ahead
 * threads  pure
 * source   docs/simulate.md "Model"
 */
#ifndef RINGWARD_SIM_CELL_H
#define RINGWARD_SIM_CELL_H

#include "server/simulate/sim_noise.h"
#include "server/simulate/sim_plan.h"
#include "server/simulate/sim_random.h"

/* What endpoints will do in a later step. */
enum sim_event {
    SIM_FAILING, /* report that they failed */
    SIM_STORMING,
    SIM_SLOWING,
    SIM_MUTING,
    SIM_HEALTHY,
    SIM_BACK,      /* were dark and confirm late */
    SIM_REVERTING, /* are cut off by the release and leave it by themselves */
    SIM_AGING,
    SIM_DELAYED,  /* crash late */
    SIM_WINDOWS,  /* treated windows that close */
    SIM_SILENT,   /* of these: dark */
    SIM_CONTROLS, /* control windows that close */
    SIM_EVENTS,
};
enum { SIM_AHEAD_MAX = 4096 }; /* steps that can be planned ahead */

/* Counts as the fleet keeps them, and what the observer knows beside. */
struct sim_cell {
    const struct sim_rates *usual; /* borrowed from the plan */
    int64_t members;
    int64_t control;   /* not exposed yet */
    int64_t held_back; /* of these: by the hold-back */
    int64_t forgers;   /* of control: report failures whatever happens */
    int64_t exposed;
    int64_t pending;
    int64_t survived;
    int64_t aged;
    int64_t failed;
    int64_t storm;  /* told of a storm: went back */
    int64_t slow;   /* told of slowness, and go on */
    int64_t mute;   /* told that the sensor lost its function: went back */
    int64_t forged; /* of failed: that were none */
    int64_t dark;
    int64_t returned;  /* of dark: proved the release late */
    int64_t came_back; /* of harmed: went back by themselves */
    int64_t at_risk;
    int64_t late;
    int64_t control_crash;
    int64_t harmed;  /* truly broken by the release */
    bool affected;   /* the fault is here */
    int64_t *events; /* borrowed: how many do what, by event and step modulo `ahead` */
};

/* Windows that closed and late crashes that happened in this step. */
struct sim_news {
    struct late_rule_bucket bucket;
    struct late_rule_risk risk;
    int64_t late;
    int64_t control_crash;
};

struct sim_world {
    const struct sim_plan *plan;
    const struct sim_fault *fault;
    struct sim_noise noise; /* of the treated; zeros without such a fault */
    struct sim_random random;
    int64_t step;
    int64_t outage_from; /* step; of a site; -1: there is none */
    int64_t outage_to;
    int64_t ahead; /* steps that cells plan ahead */
    int64_t report_steps;
    double
        report[SIM_AHEAD_MAX]; /* share of the crashes not reported so far that are in this step */
};

/* Whole steps that so many seconds, or minutes, take. */
static inline int64_t sim_steps_of_s(const struct sim_plan *p, int64_t seconds)
{
    return (seconds + p->step_s - 1) / p->step_s;
}

static inline int64_t sim_steps(const struct sim_plan *p, int64_t minutes)
{
    return sim_steps_of_s(p, minutes * 60);
}

/* When the step begins. */
static inline int64_t sim_now_s(const struct sim_world *w)
{
    return w->step * w->plan->step_s;
}

/* When it ends: what happened in it is judged then. */
static inline int64_t sim_step_end_s(const struct sim_world *w)
{
    return sim_now_s(w) + w->plan->step_s;
}

/* Share of the endpoints that an outage keeps silent in this step. */
double sim_cell_out(const struct sim_world *w, int64_t step);
/* Fills `report` for the plan. */
void sim_cell_plan_reports(struct sim_world *w);
/* Control endpoints have been polling for a while. */
void sim_cell_begin(struct sim_cell *c, const struct sim_world *w);
/* One step passes in the cell. */
struct sim_news sim_cell_step(struct sim_cell *c, struct sim_world *w);
/* `count` permits are granted; count <= control - held_back. `forgers_out`: forging endpoints stay out. */
void sim_cell_grant(struct sim_cell *c, struct sim_world *w, int64_t count, bool forgers_out);

#endif
