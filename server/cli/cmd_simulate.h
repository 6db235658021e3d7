/* cmd_simulate.h: `ringward simulate`: what a policy would have done with a catalogue of faults.
 *
 * memory   everything is freed before return
 * threads  one thread
 * source   docs/simulate.md. Needs no server; decides by the rules of the controller.
 */
#ifndef RINGWARD_CMD_SIMULATE_H
#define RINGWARD_CMD_SIMULATE_H

#include "server/simulate/sim_plan.h"

/* argv[0] is "simulate". Fails with RW_E_USAGE, RW_E_SCHEMA and RW_E_RANGE for a wrong policy. */
RW_RC cmd_simulate(int argc, char **argv, struct rw_err *err);
/* "60,25,12,3": shares of the plan's cohorts in percent. Fails with RW_E_USAGE or the code of rw_parse_i64. */
RW_RC cmd_simulate_cohorts(const char *text, struct sim_plan *plan, struct rw_err *err);

#endif
