/* box_layer.h: the layers of the sandbox: their names, which are in force, why one is missing.
 *
 * memory   plain values, also sent over the control socket between processes of one executable
 * threads  no shared state
 * source   docs/sandbox.md "Order of steps"; INV-12: a layer is in force or named as missing, never silently absent
 */
#ifndef RINGWARD_BOX_LAYER_H
#define RINGWARD_BOX_LAYER_H

#include "common/base/err.h"

enum box_layer {
    BOX_LAYER_RLIMIT,
    BOX_LAYER_NNP,
    BOX_LAYER_UID,    /* an identity of its own */
    BOX_LAYER_USERNS, /* wanted by an unprivileged launcher only */
    BOX_LAYER_MNTNS,  /* with an empty, read-only root */
    BOX_LAYER_PIDNS,  /* with an init of its own */
    BOX_LAYER_NETNS,
    BOX_LAYER_IPCNS,
    BOX_LAYER_UTSNS,
    BOX_LAYER_CGROUP,
    BOX_LAYER_LANDLOCK,
    BOX_LAYER_TRUNCATE,
    BOX_LAYER_NET,
    BOX_LAYER_SCOPE,
    BOX_LAYER_MDWE,
    BOX_LAYER_NOEXEC_SEAL, /* content can never be made executable */
    BOX_LAYER_SECCOMP,
    BOX_LAYER_NOTIFY,
    BOX_LAYERS,
};

enum { BOX_LAYER_TAKEN_AWAY = -1, BOX_LAYER_WHY_BYTES = 64 };

#define BOX_LAYER_BIT(layer) (UINT32_C(1) << (layer))
/* What clone makes at once, and what is lost at once when it may not. */
#define BOX_LAYER_NAMESPACES                                                                       \
    (BOX_LAYER_BIT(BOX_LAYER_USERNS) | BOX_LAYER_BIT(BOX_LAYER_MNTNS) |                            \
     BOX_LAYER_BIT(BOX_LAYER_PIDNS) | BOX_LAYER_BIT(BOX_LAYER_NETNS) |                             \
     BOX_LAYER_BIT(BOX_LAYER_IPCNS) | BOX_LAYER_BIT(BOX_LAYER_UTSNS))

struct box_layers {
    uint32_t in_force;           /* bit per layer */
    uint32_t without;            /* taken away by hand, for tests and measurements */
    int32_t missing[BOX_LAYERS]; /* errno, or BOX_LAYER_TAKEN_AWAY; 0: in force, or not reached */
    int32_t landlock_abi;
    int32_t cgroup_version;
};

/* In force, or missing because of `sys_errno`. */
void box_layer_note(struct box_layers *l, enum box_layer layer, bool in_force, int sys_errno);
/* May it be used? Notes it as missing when it was taken away by hand. */
bool box_layer_wanted(struct box_layers *l, enum box_layer layer);
bool box_layer_in_force(const struct box_layers *l, enum box_layer layer);
const char *box_layer_name(enum box_layer layer);
/* "landlock:7", "cgroup:v1": the name with its version where there is one. */
void box_layer_title(const struct box_layers *l, enum box_layer layer, char *dst, size_t cap);
/* Why a layer is missing, in words. */
void box_layer_why(const struct box_layers *l, enum box_layer layer, char *dst, size_t cap);
/* "pidns,cgroup", or "namespaces" for all of them. Fails with RW_E_USAGE. */
RW_RC box_layer_parse(const char *text, uint32_t *bits_out, struct rw_err *err);

#endif
