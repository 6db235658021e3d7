/* sim_pace.h: how soon a release could be everywhere if nothing failed: the expected pace of a policy, without chance.
 *
 * memory   the answer is a plain value; the run allocates one block and frees it
 * threads  no shared state
 * source   docs/policy.md "How long it takes"; windows and gates are decided by the controller's own functions
 *          (window_rule.h, gate_rule.h), and sim_run.h plays the same policy with chance and faults
 */
#ifndef RINGWARD_SIM_PACE_H
#define RINGWARD_SIM_PACE_H

#include "server/simulate/sim_plan.h"

/* What keeps the endpoints of an open ring from installing at once. */
enum sim_pace_brake {
    SIM_PACE_POLL,           /* nothing but their polls */
    SIM_PACE_SPREAD,         /* the ring's own spread */
    SIM_PACE_CONFIRM,        /* first law, in the ring */
    SIM_PACE_ALIVE,          /* second law, in the ring */
    SIM_PACE_CONFIRM_COHORT, /* first law, in a cohort */
    SIM_PACE_ALIVE_COHORT,   /* second law, in a cohort */
    SIM_PACE_BRAKES,
};

/* What the opening of a ring waited for last. */
enum sim_pace_wait {
    SIM_PACE_SIGNED, /* nothing: it is the first */
    SIM_PACE_BAKE,   /* the bake of the ring before it */
    SIM_PACE_GATE,   /* the evidence that the ring before it has to give */
    SIM_PACE_CLASS,  /* the minimum bake of the release's class */
    SIM_PACE_NEVER,  /* it does not open: the ring before it cannot give that evidence in time */
    SIM_PACE_WAITS,
};

struct sim_pace_ring {
    int64_t members;
    int64_t held_back;       /* of these: kept as control while the hold-back lasts */
    int64_t opens_s;         /* after signing; -1: never */
    int64_t proof_s;         /* after its opening: its gate could say PASS, bake apart; -1: never */
    int64_t reach_95_s;      /* after its opening: 95 % of its endpoints have a permit; -1: never */
    enum sim_pace_wait wait; /* what its opening waited for */
    int64_t ruled_s[SIM_PACE_BRAKES]; /* how long each ruled on the way to these 95 % */
};

struct sim_pace {
    struct sim_pace_ring rings[RING_POLICY_RINGS_MAX];
    int64_t
        reach_95_s;   /* after signing: 95 % of the fleet, what is held back left out; -1: never */
    int64_t looked_s; /* "never" means: not within this time after signing */
};

/* Of `plan` it takes the policy, its poll interval, the fleet, its cohorts, the staff rings and the class. Steps are a
 * minute, less when polls or probation are shorter. Fails with RW_E_NOMEM. */
RW_RC sim_pace_run(const struct sim_plan *plan, struct sim_pace *out, struct rw_err *err);
/* "window.alive, in a cohort": as people read it, and "alive_cohort": as programs do. */
const char *sim_pace_brake_text(enum sim_pace_brake brake);
const char *sim_pace_brake_name(enum sim_pace_brake brake);
const char *sim_pace_wait_name(enum sim_pace_wait wait);

#endif
