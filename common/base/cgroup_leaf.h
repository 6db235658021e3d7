/* cgroup_leaf.h: makes room for groups of children in a control group that a service manager delegated.
 *
 * memory   nothing is kept
 * threads  before others are started
 * source   cgroups(7) "no internal processes": a group with processes of its own gives no controllers to its children;
 *          systemd.resource-control(5), Delegate=
 */
#ifndef RINGWARD_CGROUP_LEAF_H
#define RINGWARD_CGROUP_LEAF_H

#include "common/base/err.h"

/* Moves this process into the leaf "main" of its own version 2 group and lets that group give memory and pids to
 * further children, where the group was given to this process's user. Elsewhere it does nothing.
 *   moved_out  did it?
 * Fails with RW_E_IO; the process is then where it was or in the leaf, both are lived with. */
RW_RC cgroup_leaf_settle(bool *moved_out, struct rw_err *err);

#endif
