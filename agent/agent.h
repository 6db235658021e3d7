/* agent.h: the running agent: state directory, parts, timers; shared by the files of this folder.
 *
 * memory   owns all parts; on the heap, since parts point at each other
 * threads  the loop's thread, but for the two jobs while their worker has them
 * source   docs/architecture.md "The agent's loop"
 */
#ifndef RINGWARD_AGENT_H
#define RINGWARD_AGENT_H

#include "agent/activate/activate.h"
#include "agent/agent_conf.h"
#include "agent/agent_identity.h"
#include "agent/agent_integrity.h"
#include "agent/agent_worker.h"
#include "agent/poll/poll.h"
#include "agent/report/beacon_send.h"

enum { AGENT_WAITERS_MAX = 8 };

struct agent_poll_job {
    struct poll *poll; /* owned */
    struct rw_mono begun;
    struct poll_input in;
    struct poll_output out;
};

struct agent_send_job {
    struct http_client *http; /* owned */
    char token[512];          /* that the client bears */
    struct beacon_send batch;
    struct rw_mono begun;
};

/* A `check` that waits for its poll to end. */
struct agent_waiter {
    int fd;
    int64_t poll; /* number of the poll that answers it */
};

struct agent {
    struct agent_conf conf;
    struct rw_clock clock;
    int state_dir; /* -1: not open */
    int lock;      /* -1: not held */
    struct agent_identity identity;
    struct beacon_spool spool;
    struct report report;
    struct activate activate;
    struct rw_buf root;
    char store_path[AGENT_CONF_PATH_BYTES + 16];

    struct http_share *http; /* owned; of the jobs' clients */
    struct agent_worker poll_worker;
    struct agent_worker send_worker;
    struct agent_poll_job poll_job;
    bool self_testing;      /* the poll worker asks the box to prove itself */
    int64_t self_failures;  /* of that, in a row */
    struct rw_mono self_at; /* self_failures > 0: again then */
    struct agent_send_job send_job;
    struct poll_output last; /* of the last poll that ended */
    struct rw_wall last_at;  /* 0: none yet */
    int64_t polls_begun;
    int64_t polls_ended;
    int64_t poll_failures; /* in a row */
    struct rw_mono poll_at;
    struct rw_mono reach_at;            /* a poll for the sake of a change on trial: not before */
    int64_t asked_poll_s;               /* by the server; 0: nothing */
    struct control remote[CONTROL_MAX]; /* what operators set, as the server said last */
    size_t remote_count;
    bool renew_token;   /* the server asks for it */
    bool token_refused; /* beacons were refused for it: enrol anew where that is possible */
    int64_t send_failures;
    struct rw_mono send_at;
    char send_note[128]; /* why beacons wait; "" */
    bool change_seen;    /* a change of the set is under way */
    struct agent_integrity integrity;

    int signals; /* signalfd; -1: none */
    int control; /* listening socket; -1: none */
    struct agent_waiter waiters[AGENT_WAITERS_MAX];
    size_t waiter_count;
    int64_t watchdog_ms; /* of the service manager; 0: none */
    struct rw_mono watchdog_at;
    bool stop;
    bool ready;  /* the loop has begun */
    bool reload; /* `next` is to be taken as soon as nothing is under way */
    struct agent_conf next;
};

/* Opens the state directory (0700, one agent at a time) and what does not need the network.
 * Fails with RW_E_BUSY when another agent holds it, RW_E_CONFIG, RW_E_IO. */
RW_RC agent_open(const struct agent_conf *conf, struct agent **out, struct rw_err *err);
void agent_drop(struct agent **a);

/* Once per process, before the first run: makes room for the control groups of the box. */
void agent_settle(void);
/* The loop: until SIGTERM or SIGINT, or, with `reload` set, until other settings can be taken. */
RW_RC agent_run(struct agent *a, struct rw_err *err);

#endif
