/* box_child.h: what happens between clone and exec of a validator: every layer, in order, reported.
 *
 * The child is the init of its own pid name space where it may have one: it mounts, gives up its identity, forks the
 * process that becomes the validator, and reports how that one ended. Without a pid name space it becomes the
 * validator itself.
 * memory   allocates nothing
 * threads  called in a freshly cloned child of a single-threaded launcher
 * source   docs/sandbox.md "Order of steps"; INV-5, INV-12
 */
#ifndef RINGWARD_BOX_CHILD_H
#define RINGWARD_BOX_CHILD_H

#include "agent/prove/box_cgroup.h"
#include "agent/prove/box_profile.h"

#include <sys/types.h>

enum {
    BOX_CHILD_EXIT_SETUP = 125,
    BOX_CHILD_STEP_BYTES = 24,
    /* An identity of its own, outside the ranges that Debian and systemd hand out, so that RLIMIT_NPROC counts us
     * alone. */
    BOX_CHILD_UID = 61001,
};

enum box_child_kind {
    BOX_CHILD_STARTED = 1, /* the init forked; a pidfd of the validator's process is attached */
    BOX_CHILD_READY,       /* all layers are in force; the listener is attached when there is one */
    BOX_CHILD_GONE,        /* how the validator's process ended */
    BOX_CHILD_FATAL,       /* a step failed without which nothing may run */
};

/* Fixed-size messages over the control socket, from init and from the validator's process before its exec. */
struct box_child_message {
    uint32_t kind;
    int32_t sys_errno;               /* FATAL */
    char step[BOX_CHILD_STEP_BYTES]; /* FATAL */
    struct box_layers layers;        /* READY: those that the child puts in force */
    int32_t wait_status;             /* GONE */
    int64_t cpu_ms;                  /* GONE */
    int64_t peak_rss_kib;            /* GONE */
};

/* The layers that the child reports; the launcher knows of the others. */
#define BOX_CHILD_LAYERS                                                                           \
    (BOX_LAYER_BIT(BOX_LAYER_RLIMIT) | BOX_LAYER_BIT(BOX_LAYER_NNP) |                              \
     BOX_LAYER_BIT(BOX_LAYER_UID) | BOX_LAYER_BIT(BOX_LAYER_MNTNS) |                               \
     BOX_LAYER_BIT(BOX_LAYER_CGROUP) | BOX_LAYER_BIT(BOX_LAYER_LANDLOCK) |                         \
     BOX_LAYER_BIT(BOX_LAYER_TRUNCATE) | BOX_LAYER_BIT(BOX_LAYER_NET) |                            \
     BOX_LAYER_BIT(BOX_LAYER_SCOPE) | BOX_LAYER_BIT(BOX_LAYER_MDWE) |                              \
     BOX_LAYER_BIT(BOX_LAYER_SECCOMP) | BOX_LAYER_BIT(BOX_LAYER_NOTIFY))

struct box_child_spec {
    int content_fd, samples_fd, verdict_fd, diagnostics_fd, validator_fd, control_fd;
    int launcher_fd; /* the launcher's end of the control socket */
    enum box_profile profile;
    const char *extension; /* files profile: /content.EXTENSION */
    bool samples_as_files; /* files profile: /samples/0, /samples/1, ... */
    bool content_is_sets;  /* files profile: content is unpacked (box_set.h) */
    int64_t content_bytes, samples_bytes;
    int64_t cpu_s;
    int64_t memory_bytes;
    char *const *argv; /* of the validator */
    const struct box_cgroup *group;
    struct box_layers layers; /* as far as the launcher got, with what it asked of clone in force */
};

/* Never returns: waits for the launcher's "go", then all steps; exits with BOX_CHILD_EXIT_SETUP when one fails. */
_Noreturn void box_child_run(const struct box_child_spec *spec);

/* Sends a message with an optional descriptor (-1: none) over the control socket. */
bool box_child_send(int control_fd, const struct box_child_message *m, int attached_fd);

#endif
