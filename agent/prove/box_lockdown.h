/* box_lockdown.h: the last steps of the process that becomes the validator: limits, Landlock, filter, leave, exec.
 *
 * memory   allocates nothing
 * threads  called in a freshly forked child of a single-threaded launcher
 * source   docs/sandbox.md "Order of steps"; INV-5, INV-12
 */
#ifndef RINGWARD_BOX_LOCKDOWN_H
#define RINGWARD_BOX_LOCKDOWN_H

#include "agent/prove/box_child.h"

/* Never returns: executes the validator, or exits with BOX_CHILD_EXIT_SETUP. */
_Noreturn void box_lockdown_and_exec(const struct box_child_spec *spec, struct box_layers *l);

#endif
