/* fleet_pool.h: the inside of fleet_http, shared by fleet_http.c and fleet_conn.c.
 *
 * memory   owned by the pool
 * threads  the loop's thread only
 * source   fleet_http.h is the public face
 */
#ifndef RINGWARD_FLEET_POOL_H
#define RINGWARD_FLEET_POOL_H

#include "tests/fleet/fleet_http.h"

#include <netdb.h>
#include <sys/socket.h>

enum { FLEET_POOL_HOST_BYTES = 256 };
#define FLEET_POOL_NONE UINT32_MAX

struct bufferevent;
struct event;
struct ssl_ctx_st;

struct fleet_conn {
    struct fleet_http *pool;
    struct bufferevent *bev; /* NULL: not connected */
    struct fleet_job job;
    int64_t sent_us;
    uint32_t requests;  /* on this connection */
    uint32_t renew_at;  /* so many: it is closed then */
    uint32_t next_idle; /* index; FLEET_POOL_NONE: last */
    bool busy;
    bool heard; /* the first byte of the answer came */
    bool has_head;
    struct fleet_reply_head head; /* its etag points into etag_text */
    char etag_text[96];
};

struct fleet_http {
    struct event_base *base;
    struct event *sweep;
    struct fleet_http_calls calls;
    struct ssl_ctx_st *tls; /* NULL: plain */
    struct sockaddr_storage addr;
    socklen_t addr_bytes;
    char host[FLEET_POOL_HOST_BYTES];      /* as in the certificate */
    char host_port[FLEET_POOL_HOST_BYTES]; /* as in the header Host */
    struct fleet_conn *conns;
    unsigned count;
    bool own;
    int64_t timeout_us;
    uint32_t idle, idle_last; /* the list: the one that has rested longest goes first */
    struct fleet_job *queue;  /* ring */
    size_t queue_cap, queue_at, queue_n;
    size_t open_jobs;
    struct rw_buf body; /* of the answer that is told now */
    struct fleet_http_counters counters;
};

/* Puts a job on a connection without one. */
void fleet_conn_start(struct fleet_conn *c, const struct fleet_job *job);
/* Ends what is on it as unanswered. */
void fleet_conn_fail(struct fleet_conn *c, const char *why);
void fleet_conn_close(struct fleet_conn *c);
/* The connection is free: takes the next waiting job. */
void fleet_pool_release(struct fleet_conn *c);
/* For https. Fails with RW_E_CRYPTO. */
RW_RC fleet_conn_tls(const char *ca_file, struct ssl_ctx_st **out, struct rw_err *err);
void fleet_conn_tls_drop(struct ssl_ctx_st **tls);

#endif
