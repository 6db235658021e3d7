/* agent_poll.h: the loop's side of polls and of sending beacons: begin a job, take its outcome.
 *
 * memory   all belongs to struct agent
 * threads  the loop's thread; the jobs run in their workers
 * source   docs/architecture.md "The agent's loop"
 */
#ifndef RINGWARD_AGENT_POLL_H
#define RINGWARD_AGENT_POLL_H

#include "agent/agent.h"

/* Opens HTTP clients and trust store, starts the workers. */
RW_RC agent_poll_open(struct agent *a, struct rw_err *err);
/* The poll worker's first job, before any poll: nothing is activated before the box has proved itself (INV-5). Call
 * once, behind agent_poll_open and before agent_poll_begin. */
void agent_poll_self_test(struct agent *a);
/* Begins what is due. */
void agent_poll_begin(struct agent *a);
/* Begins to send what waits at once, out of turn: what the boot guard has to say. Nobody waits for it. */
void agent_poll_send_now(struct agent *a);
/* Takes what has ended and acts on it. */
void agent_poll_take(struct agent *a);
/* When agent_poll_begin has something to do at the latest. */
struct rw_mono agent_poll_wake(const struct agent *a);

#endif
