/* box_cgroup.h: a control group of its own for each run: memory, number of processes, and a sure way to kill.
 *
 * Version 2 where its memory and pids controllers are delegated to us, else version 1. Groups live below our own
 * one, so that nothing escapes the limits that were set for the launcher. A launcher holds a lock on its groups
 * while it lives; what a killed one left behind bears no lock and is swept by the next.
 * memory   owns descriptors until box_cgroup_close; also removes the groups
 * threads  one thread
 * source   cgroups(7), Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst
 */
#ifndef RINGWARD_BOX_CGROUP_H
#define RINGWARD_BOX_CGROUP_H

#include "agent/prove/box_layer.h"

#include <sys/types.h>

enum { BOX_CGROUP_PATH_BYTES = 600, BOX_CGROUP_NAME_BYTES = 48 };

/* Where groups may be made; "" where there is none. */
struct box_cgroup_base {
    char v2[BOX_CGROUP_PATH_BYTES];
    char v1_memory[BOX_CGROUP_PATH_BYTES];
    char v1_pids[BOX_CGROUP_PATH_BYTES];
};

struct box_cgroup_limits {
    int64_t memory_bytes;
    int64_t processes;
};

struct box_cgroup {
    int memory; /* directories; -1: none. Version 2 has one for both */
    int pids;
    int memory_parent;
    int pids_parent;
    char name[BOX_CGROUP_NAME_BYTES];
    /* results, after box_cgroup_close */
    int64_t oom_kills;
    int64_t peak_kib;
};

/* From the texts of /proc/self/cgroup and /proc/self/mountinfo. */
void box_cgroup_find(const char *cgroup_text, const char *mountinfo_text,
                     struct box_cgroup_base *out);
/* The same of this process. */
void box_cgroup_find_own(struct box_cgroup_base *out);

struct box_cgroup box_cgroup_none(void);
/* Sweeps, makes the group, sets its limits, notes the layer in `l`. A group that cannot be made whole is none. */
void box_cgroup_open(struct box_cgroup *c, const struct box_cgroup_base *base,
                     const struct box_cgroup_limits *limits, struct box_layers *l);
/* Directory for CLONE_INTO_CGROUP; -1 for version 1. */
int box_cgroup_clone_fd(const struct box_cgroup *c, const struct box_layers *l);
/* Version 1: puts the calling process, which has one thread, into the group. (Its launcher could do it too, but a
 * process that moves another one waits for a whole grace period of the kernel: milliseconds.) */
void box_cgroup_enter(const struct box_cgroup *c, struct box_layers *l);
/* Kills everything that is left in the group, reads its counters, removes it. */
void box_cgroup_close(struct box_cgroup *c, const struct box_layers *l);
/* Removes what killed launchers left below the base. */
void box_cgroup_sweep(const struct box_cgroup_base *base);

#endif
