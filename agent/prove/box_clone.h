/* box_clone.h: the child with all its name spaces at once, and what is left when it may not have them.
 *
 * memory   allocates nothing
 * threads  the process must have one thread
 * source   clone(2), user_namespaces(7), pid_namespaces(7)
 */
#ifndef RINGWARD_BOX_CLONE_H
#define RINGWARD_BOX_CLONE_H

#include "agent/prove/box_layer.h"

#include <sys/types.h>

/* As fork: 0 in the child, which waits for its launcher then. Before that the layers that are made here are noted in
 * `l`, on both sides. `cgroup_fd` is a group of version 2 to be born in, or -1. Fails with RW_E_PROCESS. */
RW_RC box_clone(struct box_layers *l, int cgroup_fd, pid_t *pid_out, int *pidfd_out,
                struct rw_err *err);
/* Gives the child of a user name space, where there is one, the one identity that it may have: ours. */
RW_RC box_clone_map_ids(pid_t pid, const struct box_layers *l, struct rw_err *err);

#endif
