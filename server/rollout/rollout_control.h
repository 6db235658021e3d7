/* rollout_control.h: the server's half of customers' controls: what operators set for a tenant or an endpoint, and the
 * permits that are not given for it. Agents that do not listen are kept all the same.
 *
 * memory   a set owns its scopes; borrows the store
 * threads  the core thread only
 * source   docs/controls.md "Set by operators"
 */
#ifndef RINGWARD_ROLLOUT_CONTROL_H
#define RINGWARD_ROLLOUT_CONTROL_H

#include "common/policy/control_codec.h"
#include "server/rollout/rollout_run.h"

enum {
    ROLLOUT_CONTROL_NAME_BYTES = 33, /* a tenant, or an endpoint's id in hex */
    ROLLOUT_CONTROL_SCOPE_MAX = 8,   /* controls of one scope */
    ROLLOUT_CONTROL_SCOPES_MAX = 10000,
};

struct rollout_control_scope {
    bool endpoint; /* else a tenant */
    char name[ROLLOUT_CONTROL_NAME_BYTES];
};

struct rollout_control_set;

/* Loads all that is set. Fails with the store's codes, RW_E_SCHEMA (a document that is not understood). */
RW_RC rollout_control_open(struct store *store, struct rollout_control_set **out,
                           struct rw_err *err);
void rollout_control_drop(struct rollout_control_set **set);

/* Sets one, in the place of an older one of the same kind and family; with its audit record in one transaction of its
 * own (INV-9). Fails with RW_E_FULL, RW_E_STORE. */
RW_RC rollout_control_put(struct rollout_control_set *set,
                          const struct rollout_control_scope *scope, const struct control *c,
                          const struct rollout_run_actor *actor, struct rw_err *err);
/* Takes all controls of a scope away. Fails with RW_E_NOT_FOUND when there are none. */
RW_RC rollout_control_clear(struct rollout_control_set *set,
                            const struct rollout_control_scope *scope,
                            const struct rollout_run_actor *actor, struct rw_wall now,
                            struct rw_err *err);

/* What is set for an endpoint: its own and its tenant's. `set` NULL: nothing. Gives how many. */
size_t rollout_control_of(const struct rollout_control_set *set, const struct fleet_who *who,
                          struct control out[static CONTROL_MAX]);

/* Refuses (RW_E_POLICY, with class and line) a control of a family all of whose releases, as far as they were rolled
 * out, are of classes that the policy marks unpausable: it would keep nobody. */
RW_RC rollout_control_check(const struct rollout_run *r, const struct control *c,
                            struct rw_err *err);

/* True when the controls keep the endpoint from what it asks for: the answer says wait, and why. Nothing is recorded,
 * so it counts as not exposed. */
bool rollout_control_keeps(const struct rollout_run *r, const struct beacon_permit_request *q,
                           const struct control *controls, size_t count, struct rw_wall now,
                           struct beacon_permit_answer *out);

/* Writes {"controls":[{"tenant"|"endpoint",...view,"set_by","reason"}]}; `tenant` "": all, else those of the tenant. */
void rollout_control_write(const struct rollout_control_set *set, const char *tenant,
                           const struct control_limits *l, struct rw_wall now,
                           struct json_writer *w);
/* Appends a line to an open array for each control that is old or has lapsed (INV-12); `tenant` as above. */
void rollout_control_write_alarms(const struct rollout_control_set *set, const char *tenant,
                                  const struct control_limits *l, struct rw_wall now,
                                  struct json_writer *w);
/* Prometheus samples: controls by kind and state, age of the oldest in force. */
RW_RC rollout_control_metrics(const struct rollout_control_set *set, const struct control_limits *l,
                              struct rw_wall now, struct rw_buf *into, struct rw_err *err);

#endif
