#include "agent/sensor/sensor_rehearse_rule.h"

#include <string.h>

enum sensor_rehearse_rule_fault sensor_rehearse_rule(const char *text, uint32_t endpoint_hash)
{
    if (strcmp(text, "crash-on-load") == 0) { return SENSOR_FAULT_CRASH_ON_LOAD; }
    if (strcmp(text, "crash-on-load-30") == 0) {
        return endpoint_hash % 100 < 30 ? SENSOR_FAULT_CRASH_ON_LOAD : SENSOR_FAULT_NONE;
    }
    if (strcmp(text, "crash-after-5s") == 0) { return SENSOR_FAULT_CRASH_AFTER_5S; }
    if (strcmp(text, "hang") == 0) { return SENSOR_FAULT_HANG; }
    if (strcmp(text, "slow") == 0) { return SENSOR_FAULT_SLOW; }
    if (strcmp(text, "mute") == 0) { return SENSOR_FAULT_MUTE; }
    return SENSOR_FAULT_NONE;
}
