/* sensor_rehearse_rule.h: which fault a rule's meta asks a rehearsing sensor to have.
 *
 * memory   values only
 * threads  pure
 * source   docs/protocol.md 12
 */
#ifndef RINGWARD_SENSOR_REHEARSE_RULE_H
#define RINGWARD_SENSOR_REHEARSE_RULE_H

#include "common/base/err.h"

enum sensor_rehearse_rule_fault {
    SENSOR_FAULT_NONE,
    SENSOR_FAULT_CRASH_ON_LOAD,
    SENSOR_FAULT_CRASH_AFTER_5S,
    SENSOR_FAULT_HANG,
    SENSOR_FAULT_SLOW, /* each scan takes far more processor time */
    SENSOR_FAULT_MUTE, /* lives, and does not detect its own sample any more */
};

/* `text` is the meta's value; `endpoint_hash` any hash of this endpoint's id. Unknown words are no fault. */
enum sensor_rehearse_rule_fault sensor_rehearse_rule(const char *text, uint32_t endpoint_hash);

#endif
