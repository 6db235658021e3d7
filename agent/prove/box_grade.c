#include "agent/prove/box_grade.h"

#include "agent/prove/box_verdict_rule.h"

#include <stdio.h>
#include <string.h>

const char *box_grade_of(const struct box_layers *l, enum box_profile profile)
{
    const struct box_verdict_rule_layers facts = {
        .rlimit = box_layer_in_force(l, BOX_LAYER_RLIMIT),
        .no_new_privs = box_layer_in_force(l, BOX_LAYER_NNP),
        .seccomp = box_layer_in_force(l, BOX_LAYER_SECCOMP),
        .seccomp_notify = box_layer_in_force(l, BOX_LAYER_NOTIFY),
        .landlock = box_layer_in_force(l, BOX_LAYER_LANDLOCK),
        .landlock_scope = box_layer_in_force(l, BOX_LAYER_SCOPE),
        .empty_root = box_layer_in_force(l, BOX_LAYER_MNTNS),
        .own_uid = box_layer_in_force(l, BOX_LAYER_UID),
        .user_ns = box_layer_in_force(l, BOX_LAYER_USERNS),
        .pid_ns = box_layer_in_force(l, BOX_LAYER_PIDNS),
        .cgroup = box_layer_in_force(l, BOX_LAYER_CGROUP),
        .needs_loader = profile != BOX_PROFILE_STATIC,
        .needs_root = profile == BOX_PROFILE_FILES};
    return box_verdict_rule_grade(&facts);
}

bool box_grade_counts(const struct box_layers *l, enum box_layer layer)
{
    return layer != BOX_LAYER_USERNS || !box_layer_in_force(l, BOX_LAYER_UID);
}

static void list_missing(const struct box_layers *l, char dst[static BOX_GRADE_TEXT_BYTES])
{
    size_t n = strlen(dst);
    for (int i = 0; i < BOX_LAYERS; i++) {
        enum box_layer layer = (enum box_layer)i;
        if (box_layer_in_force(l, layer) || !box_grade_counts(l, layer)) { continue; }
        int put = snprintf(dst + n, BOX_GRADE_TEXT_BYTES - n, " %s", box_layer_name(layer));
        if (put < 0 || n + (size_t)put >= BOX_GRADE_TEXT_BYTES) { return; }
        n += (size_t)put;
    }
}

bool box_grade_permits(const struct box_layers *l, enum box_profile profile, bool allow_weak,
                       char why[static BOX_GRADE_TEXT_BYTES])
{
    const char *grade = box_grade_of(l, profile);
    why[0] = '\0';
    if (strcmp(grade, "full") == 0 || strcmp(grade, "good") == 0) { return true; }
    bool weak = strcmp(grade, "weak") == 0;
    if (weak && allow_weak) { return true; }
    (void)snprintf(why, BOX_GRADE_TEXT_BYTES,
                   weak ? "weak sandbox, not permitted by setting; validator not started; missing:"
                        : "required layer missing, validator not started; missing:");
    list_missing(l, why);
    return false;
}
