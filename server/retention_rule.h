/* retention_rule.h: how long until retention is looked at again?
 *
 * memory   values only
 * threads  pure
 * source   docs/server.md "Removing what nobody needs"
 */
#ifndef RINGWARD_RETENTION_RULE_H
#define RINGWARD_RETENTION_RULE_H

#include <stdint.h>

enum retention_outcome {
    RETENTION_BEGUN,   /* the thread has started just now */
    RETENTION_FOREIGN, /* this node is not the controller */
    RETENTION_DONE,
    RETENTION_LATER, /* a backup, a change of trust or another run is at work, or the controller changed */
    RETENTION_FAILED,
};

/* In ms, never more than `every_ms` (>= 1), which is what the settings say. */
int64_t retention_rule_wait_ms(int64_t every_ms, enum retention_outcome outcome);

#endif
