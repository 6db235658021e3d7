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
/* Begins what is due. */
void agent_poll_begin(struct agent *a);
/* Begins to send what waits at once, out of turn: what the boot guard has to say. Nobody waits for it. */
void agent_poll_send_now(struct agent *a);
/* Takes what has ended and acts on it. */
void agent_poll_take(struct agent *a);
/* When agent_poll_begin has something to do at the latest. */
struct rw_mono agent_poll_wake(const struct agent *a);

#endif
