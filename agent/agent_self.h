/* agent_self.h: the loop's side of the box's self-test: at the start, and again by itself while it fails.
 *
 * memory   all belongs to struct agent
 * threads  the loop's thread; the test runs in the poll worker, so never beside a poll
 * source   docs/sandbox.md "Self-test"; INV-5, INV-12
 */
#ifndef RINGWARD_AGENT_SELF_H
#define RINGWARD_AGENT_SELF_H

#include "agent/agent.h"

/* Required state: the poll worker is idle. */
void agent_self_begin(struct agent *a);
/* Takes the outcome of a test of its own. */
void agent_self_take(struct agent *a);
/* A poll has ended, and may have asked the box for the sake of content that waits. */
void agent_self_follow(struct agent *a);
/* When the next test is due; the largest number: none is, since the last one passed or has not ended. */
int64_t agent_self_due_ms(const struct agent *a);

#endif
