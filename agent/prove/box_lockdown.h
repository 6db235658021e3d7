/* box_lockdown.h: what a child does between fork and exec of a validator: every layer, in order, reported.
 *
 * memory   allocates nothing
 * threads  called in a freshly forked child of a single-threaded launcher
 * source   docs/sandbox.md "Order of steps"; INV-5, INV-12
 */
#ifndef RINGWARD_BOX_LOCKDOWN_H
#define RINGWARD_BOX_LOCKDOWN_H

#include "common/base/err.h"

#include <sys/types.h>

/* Layers whose presence or absence the child reports. */
enum box_lockdown_layer {
    BOX_LAYER_RLIMIT,
    BOX_LAYER_NNP,
    BOX_LAYER_UID,
    BOX_LAYER_LANDLOCK,
    BOX_LAYER_SCOPE,
    BOX_LAYER_MDWE,
    BOX_LAYER_MNTNS,
    BOX_LAYER_NETNS,
    BOX_LAYER_IPCNS,
    BOX_LAYER_SECCOMP,
    BOX_LAYER_NOTIFY,
    BOX_LAYERS,
};

/* One fixed-size message over the control socket, with the listener attached when there is one. */
struct box_lockdown_report {
    uint32_t in_force;           /* bit per layer */
    int32_t missing[BOX_LAYERS]; /* errno of a missing layer; 0 otherwise */
    int32_t landlock_abi;
    int32_t fatal; /* errno of a step without which nothing may run; 0: none */
};

struct box_lockdown_spec {
    int content_fd, samples_fd, verdict_fd, diagnostics_fd, validator_fd, control_fd;
    int64_t cpu_s;
    int64_t memory_bytes;
    pid_t parent;
    const char *name; /* argv[0] of the validator */
    const char *type; /* content type */
};

const char *box_lockdown_layer_name(enum box_lockdown_layer layer);
/* Never returns: executes the validator, or exits with 125. */
_Noreturn void box_lockdown_and_exec(const struct box_lockdown_spec *spec);

#endif
