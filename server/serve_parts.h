/* serve_parts.h: the parts of a running server: what they are, in which order they are opened and closed.
 *
 * memory   struct serve owns its parts until serve_drop, which accepts a half-opened one
 * threads  opened and dropped by the main thread; what serve_outside hands out is called by the core thread, counters
 *          and `told` under their own lock
 * source   docs/server.md "Threads", "Starting and stopping"
 */
#ifndef RINGWARD_SERVE_PARTS_H
#define RINGWARD_SERVE_PARTS_H

#include "server/release/release_signer.h"
#include "server/server_certificate.h"
#include "server/server_conf.h"
#include "server/server_core.h"

#include <pthread.h>
#include <stdatomic.h>

/* The command line; every text is borrowed. */
struct serve_options {
    const char *dir;       /* of the server */
    const char *listen;    /* NULL: the setting */
    const char *port_file; /* NULL: none */
    const char *node;      /* NULL: the setting */
    const char *store;     /* NULL: the setting */
    int64_t ready_fd;      /* -1: none */
    bool again; /* opened anew in the same process: whoever waited for the start was told */
};

struct serve {
    struct server_conf conf;
    struct store store;
    struct fleet_state *fleet;
    struct http_auth *auth;
    struct release_signer *signer;
    struct api_trust *trust;
    struct api_queue *queue;
    struct server_check *check;
    struct api_aside *aside;
    struct server_retention *retention; /* NULL: the settings want none */
    struct server_core *core;
    struct server_certificate *certificate;
    struct http_server *http; /* the main thread's */
    pthread_mutex_t counters_lock;
    struct http_server *counted; /* what metrics count; NULL before the start and in the stop */
    struct release_index index;
    struct api_node node;
    struct api_clock clock;
    struct api_core api;
    struct webhook *webhook;
    atomic_bool told;            /* a webhook's thread has a result */
    struct rw_mono next_loading; /* when a load that goes on is told of again */
    int staging_dir;
    int repo_dir;
    int lock;      /* held for the life of the process */
    int inherited; /* listening socket of the service manager; -1: we bind our own */
};

/* A server of which nothing is open yet. */
struct serve serve_parts_none(void);
/* Opens everything in order up to `READY`; after a failure serve_drop closes what was opened. Fails with whatever kept
 * it from starting. */
RW_RC serve_open(struct serve *s, const struct serve_options *o, struct rw_err *err);
/* In the order that loses nothing: no new requests, running ones answered by the core, last commit and fold, then what
 * the core used. */
void serve_drop(struct serve *s);
/* The file system that holds its files is read-only for good, and the directory's path leads to another one that can be
 * written: the kernel lets nobody write to the first one again, a server that is opened anew can go on. */
bool serve_is_left(const struct serve *s, const char *dir);

/* What the core needs from outside, answered by the parts of `s`. */
struct api_core_outside serve_outside(struct serve *s);
/* Whose connections metrics count from now on; NULL: nobody's. */
void serve_outside_count(struct serve *s, struct http_server *http);
/* Wakes the core: a webhook's thread has a result. `serve` is a struct serve, as of all functions below. */
void serve_outside_tell(void *serve);
bool serve_outside_told(void *serve); /* whether one had since the last call */
void serve_outside_wake(void *serve); /* wakes the core: the checker has a verdict */
bool serve_outside_signer_lost(void *serve);
void serve_outside_leave_signer(void *serve);

#endif
