/* api_node.h: a node of several on one shared store: follows the others, and is controller while it holds the lease.
 *
 * memory   struct api_node is plain; borrows the core
 * threads  the core thread only
 * source   docs/nodes.md; INV-1: whatever a transaction decides, it decides on everything committed before it
 */
#ifndef RINGWARD_API_NODE_H
#define RINGWARD_API_NODE_H

#include "common/json/json_write.h"
#include "server/store/store.h"

struct api_core;

struct api_node {
    /* --- set before the start --- */
    bool may_control;
    char name[STORE_NODE_BYTES]; /* for people: "NAME (ADDRESS)" */
    void (*leave)(void *ctx);    /* lets go of the signer; may be called when it is not held */
    void *ctx;                   /* borrowed */
    /* --- the core's --- */
    char holder[STORE_HOLDER_BYTES]; /* of this process: random */
    struct store_lease lease;        /* as it was seen last; mine while `controller` */
    bool controller;
    bool stopping;
    bool
        took_over; /* since the last look of the core thread: it is to renew and to resume checks */
    int64_t change; /* of the store, up to which documents are known */
    uint64_t takeovers;
};

/* Gives the process its name, has the store call back, notes from where on to follow: before anything is loaded.
 * Nothing for a store of a single process. Fails with RW_E_CRYPTO, the store's codes. */
RW_RC api_node_begin(struct api_core *c, struct rw_err *err);
/* Loads what following only marked, since a caller of store_begin may look at it: customers' controls. Fails with the
 * store's codes. */
RW_RC api_node_settle(struct api_core *c, struct rw_err *err);
/* True for the only process of its store too. */
bool api_node_controls(const struct api_core *c);
/* Once a second: takes in what others wrote; takes, renews or gives back the lease. After a failure this node is not
 * controller. Fails with the store's codes. */
RW_RC api_node_turn(struct api_core *c, struct rw_err *err);
/* Renews the lease in the open transaction, at the end of a long one: others wait for its lock, and would find the
 * lease ended. Fails with the store's codes. */
RW_RC api_node_extend(struct api_core *c, struct rw_err *err);
/* Ends being controller in this process; the lease ends by itself, or is given back by the next turn. */
void api_node_leave(struct api_core *c, const char *why);
/* Gives the lease back before a stop, so that nobody has to wait for its end. */
void api_node_stop(struct api_core *c);
/* Fails with RW_E_BUSY and says who is. */
RW_RC api_node_must_control(const struct api_core *c, struct rw_err *err);
/* Writes a member "node" of the open object; nothing when there is one process only. */
void api_node_write(const struct api_core *c, struct json_writer *w);

#endif
