/* cmd_simulate_recorded.h: a fleet as its own past releases show it: cohorts, base rates, and the norms that history
 * would freeze.
 *
 * memory   nothing is kept
 * threads  one thread
 * source   docs/simulate.md "Your own fleet"
 */
#ifndef RINGWARD_CMD_SIMULATE_RECORDED_H
#define RINGWARD_CMD_SIMULATE_RECORDED_H

#include "server/simulate/sim_plan.h"

/* `path`: explain objects, one a line. Fills cohorts, rates and norms of the plan, whose usual rates stand in where
 * nothing was recorded; endpoints_out: the fleet's size. Fails with RW_E_RANGE (no release, or none that is complete),
 * RW_E_SYNTAX, RW_E_SCHEMA, RW_E_IO, RW_E_NOT_FOUND. */
RW_RC cmd_simulate_recorded(const char *path, struct sim_plan *plan, int64_t *endpoints_out,
                            struct rw_err *err);

#endif
