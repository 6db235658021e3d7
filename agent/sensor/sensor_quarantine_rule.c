#include "agent/sensor/sensor_quarantine_rule.h"

bool sensor_quarantine_rule_undo(const struct sensor_quarantine_rule_case *c)
{
    if (c->loaded > 0) { return c->loaded < c->release; }
    return c->set > 0 || c->trial;
}
