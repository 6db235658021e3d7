/* sim_cell.h: the endpoints of one cohort in one ring, in numbers: who installs, who breaks, who reports when.
 *
 * memory   plain values
 * threads  pure
 * source   docs/simulate.md "Model"
 */
#ifndef RINGWARD_SIM_CELL_H
#define RINGWARD_SIM_CELL_H

#include "server/simulate/sim_noise.h"
#include "server/simulate/sim_plan.h"
#include "server/simulate/sim_random.h"

enum { SIM_QUEUE = 512 }; /* minutes that can be planned ahead */

struct sim_queue {
    int64_t at[SIM_QUEUE]; /* by minute, modulo SIM_QUEUE */
};

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
    int64_t harmed;           /* truly broken by the release */
    bool affected;            /* the fault is here */
    struct sim_queue failing; /* report that they failed */
    struct sim_queue storming;
    struct sim_queue slowing;
    struct sim_queue muting;
    struct sim_queue healthy;
    struct sim_queue back;      /* were dark and confirm late */
    struct sim_queue reverting; /* are cut off by the release and leave it by themselves */
    struct sim_queue aging;
    struct sim_queue delayed;  /* crash late */
    struct sim_queue windows;  /* treated windows that close */
    struct sim_queue silent;   /* of these: dark */
    struct sim_queue controls; /* control windows that close */
};

/* Windows that closed and late crashes that happened in this minute. */
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
    int64_t minute;
    int64_t outage_from_min; /* of a site; -1: there is none */
    int64_t outage_to_min;
};

/* Share of the endpoints that an outage keeps silent in this minute. */
double sim_cell_out(const struct sim_world *w, int64_t minute);
/* Control endpoints have been polling for a while. */
void sim_cell_begin(struct sim_cell *c, const struct sim_world *w);
/* One minute passes in the cell. */
struct sim_news sim_cell_minute(struct sim_cell *c, struct sim_world *w);
/* `count` permits are granted; count <= control - held_back. `forgers_out`: forging endpoints stay out. */
void sim_cell_grant(struct sim_cell *c, struct sim_world *w, int64_t count, bool forgers_out);

#endif
