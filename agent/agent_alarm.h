/* agent_alarm.h: the boot guard's report leaves before anything is loaded, and the guard does not wait for it.
 *
 * `ringward-agent guard` ends at once; a child that it leaves behind posts the newest beacons. They stay in the spool:
 * the agent sends them again in its turn, and their ids make that harmless.
 *
 * memory   plain values
 * threads  called by single-threaded commands
 * source   INV-6; docs/architecture.md "Activation"
 */
#ifndef RINGWARD_AGENT_ALARM_H
#define RINGWARD_AGENT_ALARM_H

#include "agent/agent.h"

/* Starts `ringward-agent report` with the beacons on descriptor 3. Fails with RW_E_PROCESS, RW_E_IO. */
RW_RC agent_alarm_hand_over(struct agent *a, struct rw_err *err);
/* That child: one request of at most a few seconds. Fails with RW_E_NOT_FOUND (not enrolled), RW_E_NET and the like. */
RW_RC agent_alarm_post(const struct agent_conf *conf, struct rw_err *err);

#endif
