#include "agent/prove/box_layer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const names[BOX_LAYERS] = {
    [BOX_LAYER_RLIMIT] = "rlimit",     [BOX_LAYER_NNP] = "nnp",
    [BOX_LAYER_UID] = "uid",           [BOX_LAYER_USERNS] = "userns",
    [BOX_LAYER_MNTNS] = "mntns",       [BOX_LAYER_PIDNS] = "pidns",
    [BOX_LAYER_NETNS] = "netns",       [BOX_LAYER_IPCNS] = "ipcns",
    [BOX_LAYER_UTSNS] = "utsns",       [BOX_LAYER_CGROUP] = "cgroup",
    [BOX_LAYER_LANDLOCK] = "landlock", [BOX_LAYER_TRUNCATE] = "landlock_truncate",
    [BOX_LAYER_NET] = "landlock_net",  [BOX_LAYER_SCOPE] = "landlock_scope",
    [BOX_LAYER_MDWE] = "mdwe",         [BOX_LAYER_NOEXEC_SEAL] = "noexec_seal",
    [BOX_LAYER_SECCOMP] = "seccomp",   [BOX_LAYER_NOTIFY] = "seccomp_notify",
};

const char *box_layer_name(enum box_layer layer)
{
    RW_ASSERT(layer < BOX_LAYERS);
    return names[layer];
}

void box_layer_note(struct box_layers *l, enum box_layer layer, bool in_force, int sys_errno)
{
    if (in_force) {
        l->in_force |= BOX_LAYER_BIT(layer);
        l->missing[layer] = 0;
    } else {
        l->in_force &= ~BOX_LAYER_BIT(layer);
        l->missing[layer] = sys_errno;
    }
}

bool box_layer_wanted(struct box_layers *l, enum box_layer layer)
{
    if ((l->without & BOX_LAYER_BIT(layer)) == 0) { return true; }
    box_layer_note(l, layer, false, BOX_LAYER_TAKEN_AWAY);
    return false;
}

bool box_layer_in_force(const struct box_layers *l, enum box_layer layer)
{
    return (l->in_force & BOX_LAYER_BIT(layer)) != 0;
}

void box_layer_title(const struct box_layers *l, enum box_layer layer, char *dst, size_t cap)
{
    if (layer == BOX_LAYER_LANDLOCK) {
        (void)snprintf(dst, cap, "%s:%d", names[layer], (int)l->landlock_abi);
    } else if (layer == BOX_LAYER_CGROUP) {
        (void)snprintf(dst, cap, "%s:v%d", names[layer], (int)l->cgroup_version);
    } else {
        (void)snprintf(dst, cap, "%s", names[layer]);
    }
}

/* Landlock's two errors mean something else than their usual words. */
static const char *special(enum box_layer layer, int32_t missing)
{
    if (missing == BOX_LAYER_TAKEN_AWAY) { return "taken away for a test"; }
    if (missing == 0) { return "not reached"; }
    if (layer == BOX_LAYER_UID && missing == EPERM) { return "shared with the launcher"; }
    if (layer == BOX_LAYER_LANDLOCK && missing == ENOSYS) { return "not built into this kernel"; }
    if (layer == BOX_LAYER_LANDLOCK && missing == EOPNOTSUPP) { return "not enabled at boot"; }
    if (layer == BOX_LAYER_CGROUP && missing == ENODEV) { return "no memory and pids controller"; }
    return strerrordesc_np(missing);
}

void box_layer_why(const struct box_layers *l, enum box_layer layer, char *dst, size_t cap)
{
    const char *why = special(layer, l->missing[layer]);
    bool old = l->landlock_abi > 0 && l->missing[layer] == EOPNOTSUPP;
    if (old && layer >= BOX_LAYER_TRUNCATE && layer <= BOX_LAYER_SCOPE) {
        (void)snprintf(dst, cap, "Landlock ABI %d has no such thing", (int)l->landlock_abi);
    } else {
        (void)snprintf(dst, cap, "%s", why != NULL ? why : "unknown error");
    }
}

static bool find(const char *name, size_t n, uint32_t *bits)
{
    if (n == strlen("namespaces") && strncmp(name, "namespaces", n) == 0) {
        *bits |= BOX_LAYER_NAMESPACES;
        return true;
    }
    for (int i = 0; i < BOX_LAYERS; i++) {
        if (i == BOX_LAYER_NOEXEC_SEAL) { continue; } /* a property of the inputs: always there */
        if (strlen(names[i]) == n && strncmp(name, names[i], n) == 0) {
            *bits |= BOX_LAYER_BIT(i);
            return true;
        }
    }
    return false;
}

RW_RC box_layer_parse(const char *text, uint32_t *bits_out, struct rw_err *err)
{
    uint32_t bits = 0;
    for (const char *at = text;;) {
        size_t n = strcspn(at, ",");
        if (!find(at, n, &bits)) {
            return rw_fail(err, RW_E_USAGE, "'%.*s' is no layer of the sandbox",
                           (int)(n < 40 ? n : 40), at);
        }
        if (at[n] == '\0') { break; }
        at += n + 1;
    }
    *bits_out = bits;
    return RW_OK;
}
