#include "common/policy/mute_rule.h"

enum mute_rule mute_rule_decide(const struct mute_rule_evidence *e)
{
    if (e->failed) { return MUTE_SAMPLE; }
    /* Another process of the same content may be another engine, which never said as much. */
    if (!e->fresh || e->age_ms < e->wait_ms) { return MUTE_NO; }
    if (!e->tested && e->tested_before) { return MUTE_UNTESTED; }
    if (!e->counted && e->counted_before) { return MUTE_UNCOUNTED; }
    return MUTE_NO;
}
