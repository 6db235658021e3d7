/* cmd_simulate.h: `ringward simulate`: what a policy would have done with a catalogue of faults.
 *
 * memory   everything is freed before return
 * threads  one thread
 * source   docs/simulate.md. Needs no server; decides by the rules of the controller.
 */
#ifndef RINGWARD_CMD_SIMULATE_H
#define RINGWARD_CMD_SIMULATE_H

#include "common/base/err.h"

/* argv[0] is "simulate". Fails with RW_E_USAGE, RW_E_SCHEMA and RW_E_RANGE for a wrong policy. */
RW_RC cmd_simulate(int argc, char **argv, struct rw_err *err);

#endif
