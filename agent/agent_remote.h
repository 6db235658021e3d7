/* agent_remote.h: what the server wants of this endpoint besides content, as the answers to beacons say.
 *
 * memory   no state of its own
 * threads  the loop's thread
 * source   docs/controls.md "Set by operators"
 */
#ifndef RINGWARD_AGENT_REMOTE_H
#define RINGWARD_AGENT_REMOTE_H

#include "agent/agent.h"

/* Takes what came with an acknowledged batch; a change is acted on by a poll at once. */
void agent_remote_take(struct agent *a, const struct beacon_send *b);

#endif
