/* http_worker.h: one thread with its own event loop, listener, connections and counters.
 *
 * memory   a worker owns its loop, sockets and connections until http_worker_drop
 * threads  init, start, wake, join and drop from the server's thread; the rest is the worker's own. Counters
 *          are atomic, so that anybody may read them
 * source   libevent 2.1, one event_base per thread without locks
 */
#ifndef RINGWARD_HTTP_WORKER_H
#define RINGWARD_HTTP_WORKER_H

#include "common/base/clock.h"
#include "server/api/http_conn.h"
#include "server/api/http_files.h"
#include "server/api/http_inbox.h"
#include "server/api/http_peers.h"
#include "server/api/http_server.h"
#include "server/api/log_limit_rule.h"

#include <pthread.h>
#include <stdatomic.h>

struct event_base;
struct evconnlistener;
struct ssl_ctx_st;

/* What all workers of a server share; read only but for the flags and `tls`. */
struct http_shared {
    struct http_settings set;
    pthread_mutex_t tls_lock; /* of the pointer: a connection takes a reference of its own */
    struct ssl_ctx_st *tls;   /* NULL: plain */
    struct http_peers *peers;
    struct http_limit *limit; /* asked for what goes to the core; never on the way to a file */
    struct http_listen listen;
    atomic_bool drain;
    atomic_bool stop;
    atomic_llong stop_by_ms; /* monotonic; valid once `stop` is set */
};

struct http_tally {
    atomic_ullong accepted;
    atomic_ullong open;
    atomic_ullong turned_away;
    atomic_ullong requests;
    atomic_ullong refused;
    atomic_ullong cut;
    atomic_ullong replies[6];
};

struct http_worker {
    struct http_shared *shared;
    struct rw_clock clock;
    struct event_base *base;
    struct evconnlistener *listener; /* NULL once draining */
    struct event *tick;
    struct event *inbox_event;
    struct http_inbox *inbox;
    struct http_files *files; /* NULL: no repository is served */
    struct http_conn_list lists[HTTP_CONN_STATES];
    unsigned open;
    unsigned share;                  /* of connections_max */
    bool paused;                     /* listener off: a share used up, or no descriptors */
    unsigned newcomers;              /* connections without a first request, handshakes included */
    unsigned newcomer_share;         /* http_crowd_rule.h */
    bool crowded;                    /* paused for them alone */
    struct log_limit_rule log_limit; /* strangers can pause the listener again and again */
    unsigned most_open;              /* since memory was given back last */
    bool draining;
    struct rw_buf scratch; /* heads of replies */
    char date[HTTP_DATE_BYTES];
    int64_t date_s; /* when `date` was written */
    struct http_tally tally;
    pthread_t thread;
    bool running;
};

/* Takes the listening socket, also when it fails. Fails with RW_E_NOMEM, RW_E_IO. */
RW_RC http_worker_init(struct http_worker *w, struct http_shared *shared, int listen_fd,
                       struct rw_err *err);
/* Fails with RW_E_IO. */
RW_RC http_worker_start(struct http_worker *w, struct rw_err *err);
void http_worker_wake(struct http_worker *w); /* looks at the shared flags */
void http_worker_join(struct http_worker *w); /* no-op when it was not started */
void http_worker_drop(struct http_worker *w); /* joined before; accepts a zeroed one */

int64_t http_worker_now_ms(const struct http_worker *w);
const char *http_worker_date(struct http_worker *w);
/* A connection was closed. */
void http_worker_left(struct http_worker *w);
/* A newcomer has sent its first request. */
void http_worker_eased(struct http_worker *w);

#endif
