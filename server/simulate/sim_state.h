/* sim_state.h: the inside of a run, shared by the sim_*.c files only.
 *
 * memory   two blocks, owned by sim_run
 * threads  no shared state
 * source   sim_run.h is the public face
 */
#ifndef RINGWARD_SIM_STATE_H
#define RINGWARD_SIM_STATE_H

#include "server/health/verdict_rule.h"
#include "server/rollout/rollout_rule.h"
#include "server/simulate/sim_cell.h"

struct sim_ring {
    struct sim_cell cells[SIM_COHORTS_MAX];
    struct late_rule late; /* of the ring as a whole */
    struct late_rule late_of[SIM_COHORTS_MAX];
    struct health_rule_result result; /* as of the last look */
    struct health_rule_result result_of[SIM_COHORTS_MAX];
    double control_log_e;
    bool dirty; /* something failed since the last look */
    enum verdict_rule verdict;
    size_t verdict_cohort;
    double log_e;
    double threshold;
    enum rollout_rule_state state;
    int64_t since_s;
    int64_t opened_s; /* -1: not yet */
    bool pointed;
    bool open;
};

struct sim_state {
    struct sim_world world;
    size_t cells; /* per ring: cohorts, or one */
    size_t rings;
    struct sim_ring ring[RING_POLICY_RINGS_MAX];
    bool cohort_halted[SIM_COHORTS_MAX];
    bool tenant_held; /* the forgers' */
    bool part;        /* the latest hold was for a cohort only: a person resumes it */
    int64_t *events;  /* of all cells */
    struct sim_outcome *out;
};

/* Evidence after this step's events, and the verdict on each ring. */
void sim_evidence_step(struct sim_state *s);
/* States, gates, parts that are stopped. */
void sim_decide_step(struct sim_state *s);

#endif
