/* sensor_quarantine_rule.h: does what a release took into quarantine go back, now that another set is loaded?
 *
 * memory   values only
 * threads  pure
 * source   docs/protocol.md 10
 */
#ifndef RINGWARD_SENSOR_QUARANTINE_RULE_H
#define RINGWARD_SENSOR_QUARANTINE_RULE_H

#include "common/base/err.h"

struct sensor_quarantine_rule_case {
    int64_t set;     /* number of the loaded set; 0: the built-in empty one */
    int64_t loaded;  /* release of the family in it; 0: none */
    int64_t release; /* that took the file */
    bool trial;      /* it was on trial then */
};

/* Going back to a lower number, or to no release of the family, is what a rollback looks like from here. The built-in
 * empty set may as well be the boot guard's last resort: then only what a trial took goes back. */
bool sensor_quarantine_rule_undo(const struct sensor_quarantine_rule_case *c);

#endif
