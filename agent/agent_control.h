/* agent_control.h: the local control socket "agent.sock": one request line, one JSON answer.
 *
 * Requests: "status" (what is, and every rule that lets or keeps this endpoint), "check" (the same after one
 * poll that begins now). The state directory is 0700: who may connect is its owner.
 *
 * memory   the listening socket belongs to struct agent; connections live for one request
 * threads  the loop's thread
 * source   docs/protocol.md 9
 */
#ifndef RINGWARD_AGENT_CONTROL_H
#define RINGWARD_AGENT_CONTROL_H

#include "agent/agent.h"

enum { AGENT_CONTROL_ANSWER_BYTES_MAX = 128 * 1024 };

RW_RC agent_control_open(struct agent *a, struct rw_err *err);
/* Takes the connections that wait. A peer that is slow or odd is cut off, never waited for long. */
void agent_control_accept(struct agent *a);
/* Answers every `check` whose poll has ended. */
void agent_control_answer_waiters(struct agent *a);

/* The other side: one request to the agent that uses the state directory; the answer's JSON text.
 * Fails with RW_E_NET when no agent listens, RW_E_TIMEOUT, RW_E_PROTOCOL. */
RW_RC agent_control_ask(const char *state_dir, const char *request, int64_t timeout_ms,
                        struct rw_buf *into, struct rw_err *err);

#endif
