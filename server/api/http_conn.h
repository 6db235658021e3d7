/* http_conn.h: one client connection: bytes in, requests one after the other, replies out.
 *
 * memory   a connection belongs to its worker's lists; it owns its socket, the job that it reads and the
 *          reply that it sends
 * threads  its worker's thread only
 * source   RFC 9112 9 (connections); every wait has a deadline: docs/server.md "HTTP"
 */
#ifndef RINGWARD_HTTP_CONN_H
#define RINGWARD_HTTP_CONN_H

#include "common/base/sm.h"
#include "server/api/http_listen.h"
#include "server/api/http_reply.h"

struct bufferevent;
struct event;
struct ssl_st;
struct http_worker;

enum http_conn_state {
    HTTP_CONN_FRESH,  /* from connect to the end of the first head, TLS handshake included */
    HTTP_CONN_HEAD,   /* first byte of a later request to the end of its head */
    HTTP_CONN_BODY,   /* end of the head to the end of the body */
    HTTP_CONN_WAIT,   /* the core has the job */
    HTTP_CONN_SEND,   /* the reply goes out */
    HTTP_CONN_IDLE,   /* kept, no request */
    HTTP_CONN_LINGER, /* our end is closed; reads what still comes, so that the reply is not reset */
    HTTP_CONN_STATES
};

extern const struct sm_table http_conn_table;

/* What is left of a reply behind the bytes that the output buffer has. */
struct http_outgoing {
    struct rw_buf mem; /* owned; used when fd < 0 */
    int fd;            /* owned */
    uint64_t offset;   /* next byte, in mem or file */
    uint64_t left;     /* bytes */
    bool close;        /* afterwards */
};

struct http_conn_peer {
    char text[HTTP_PEER_BYTES];
    uint64_t key;
    bool capped; /* counted per address, under `key` */
};

struct http_conn {
    struct http_worker *worker;
    struct bufferevent *bev;
    struct ssl_st *ssl;     /* NULL: plain; owned by bev */
    struct http_conn *prev; /* in the worker's list of its state */
    struct http_conn *next;
    int state;           /* enum http_conn_state */
    int64_t deadline_ms; /* of the state; monotonic */
    bool doomed;         /* to be freed when the present callback ends */
    bool last;           /* the client or a limit ends the connection behind this request */
    bool unread;         /* the request had bytes that we do not read: linger */
    bool eof;            /* the client sends no more */
    bool reading_off;    /* the input buffer has its fill */
    unsigned requests;
    struct api_job *job; /* BODY: owned. WAIT: lent to the core */
    size_t body_left;
    size_t lingered; /* bytes read while lingering */
    struct http_outgoing out;
    uint64_t untaken_seen; /* bytes that the client had not taken, at the last look */
    int64_t rate_since_ms; /* when the window of the rate began */
    uint64_t rate_untaken; /* bytes that it had not taken then */
    struct event *page_wait;
    unsigned page_tries;
    struct http_conn_peer peer;
};

struct http_conn_list {
    struct http_conn *first;
    struct http_conn *last;
};

/* Takes the accepted socket; closes it when there is no memory. */
void http_conn_open(struct http_worker *w, int fd, const struct http_conn_peer *peer);
/* The core has answered: sends the reply, frees the job (takes). */
void http_conn_deliver(struct http_conn *c, struct api_job *job);
/* Moves on from outside a callback of its own: frees a doomed connection. */
void http_conn_settle(struct http_conn *c);
void http_conn_free(struct http_conn *c);
/* Closes idle connections, shortens the patience for those that have sent nothing yet. */
void http_conn_drain(struct http_worker *w);
void http_conn_free_all(struct http_worker *w);

#endif
