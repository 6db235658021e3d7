/* rollout_control_hot.h: the inside of a set of operators' controls, shared by the rollout_control*.c files only.
 *
 * memory   as rollout_control.h
 * threads  the core thread only
 * source   rollout_control.h is the public face
 */
#ifndef RINGWARD_ROLLOUT_CONTROL_HOT_H
#define RINGWARD_ROLLOUT_CONTROL_HOT_H

#include "server/rollout/rollout_control.h"
#include "server/rollout/rollout_doc.h"

struct rollout_control_one {
    struct control control;
    char by[ROLLOUT_WHO_BYTES];
    char reason[ROLLOUT_REASON_BYTES];
};

struct rollout_control_entry {
    struct rollout_control_scope scope;
    int64_t generation;
    struct rollout_control_one set[ROLLOUT_CONTROL_SCOPE_MAX];
    size_t count; /* 0: all were taken away */
};

struct rollout_control_set {
    struct store *store;
    struct rollout_control_entry *entries; /* tenants, then endpoints; in order of name */
    size_t count;
    size_t cap;
};

#endif
