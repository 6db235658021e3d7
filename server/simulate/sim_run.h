/* sim_run.h: one simulated rollout, step by step, decided by the same rules as the controller's: window, evidence,
 * verdict, gate, states.
 *
 * memory   a run works in two blocks that are freed before return
 * threads  no shared state
 * source   docs/simulate.md
 */
#ifndef RINGWARD_SIM_RUN_H
#define RINGWARD_SIM_RUN_H

#include "server/simulate/sim_plan.h"

/* Fails with RW_E_RANGE: times that its steps cannot show. */
RW_RC sim_run_check(const struct sim_plan *plan, struct rw_err *err);
/* The plan passed sim_run_check. Fails with RW_E_NOMEM. */
RW_RC sim_run(const struct sim_plan *plan, const struct sim_fault *fault, uint64_t seed,
              struct sim_outcome *out, struct rw_err *err);

#endif
