/* sim_stat.h: many runs of one fault, summed up.
 *
 * memory   a summary is a plain value
 * threads  no shared state
 * source   docs/simulate.md
 */
#ifndef RINGWARD_SIM_STAT_H
#define RINGWARD_SIM_STAT_H

#include "server/simulate/sim_run.h"

enum { SIM_RUNS_MAX = 100000 };

struct sim_summary {
    const struct sim_fault *fault;
    int64_t runs;
    uint64_t seed;
    int64_t exposed_median;
    int64_t exposed_p95;
    int64_t harmed_median;
    int64_t harmed_p95;
    int64_t came_back_median; /* of the harmed: left the release by themselves by then */
    int64_t halts;
    int64_t holds; /* for a person, for good */
    int64_t waits; /* neither complete nor stopped at the end: a gate that does not say PASS */
    int64_t cohort_halts; /* runs in which a cohort was halted alone */
    int64_t tenant_holds; /* runs in which a tenant was held alone */
    int64_t
        stop_median_s; /* of all stops, whole or of a part; -1: fewer than half of the runs had one */
    int64_t reach_95_median_s; /* -1: fewer than half of the runs got there */
    int64_t reach_all_median_s;
    struct sim_outcome first; /* of the first run: for drawing */
};

/* Fails with RW_E_NOMEM, RW_E_RANGE (sim_run_check). */
RW_RC sim_stat_run(const struct sim_plan *plan, const struct sim_fault *fault, int64_t runs,
                   uint64_t seed, struct sim_summary *out, struct rw_err *err);

#endif
