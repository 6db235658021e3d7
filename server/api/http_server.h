/* http_server.h: the HTTP/1.1 front: worker threads with listeners, TLS, static repository and API routes.
 *
 * memory   a running server owns its workers and connections; borrows what the settings point to until
 *          http_server_stop
 * threads  start, drain and stop from one thread; workers never share a connection
 * source   RFC 9110, RFC 9112 (a strict subset: GET, HEAD, POST; Content-Length bodies; CRLF only)
 */
#ifndef RINGWARD_HTTP_SERVER_H
#define RINGWARD_HTTP_SERVER_H

#include "server/api/api_job.h"
#include "server/api/http_auth.h"
#include "server/api/http_limit.h"
#include "server/api/http_networks.h"

enum { HTTP_WORKERS_MAX = 64 };

/* Deadlines are absolute, from the state's beginning, and looked at once per tick. */
struct http_limits {
    int64_t tick_ms;          /* how often deadlines are looked at */
    int64_t head_ms;          /* connect (TLS included) or first byte, to the end of the headers */
    int64_t body_ms;          /* end of the headers to the end of the body, plus 1 s per 64 KiB */
    int64_t idle_ms;          /* kept connection without a request */
    int64_t stall_ms;         /* reply of which the client takes no byte */
    int64_t drain_ms;         /* graceful stop: after this the rest is dropped */
    unsigned connections_max; /* over all workers */
    unsigned per_address_max; /* connections of one client address (IPv6: of one /64); 0: no cap */
    unsigned requests_per_conn; /* then "Connection: close", which spreads clients again */
    struct http_limit_rates rates;
    struct http_networks connect_free; /* addresses whose new connections have no rate */
};

struct http_settings {
    const char
        *listen; /* "127.0.0.1:8443", "[::1]:0", "0.0.0.0:443" or "unix:/path" (without TLS) */
    int listen_fd; /* > 0: this listening socket (borrowed) in the place of `listen`; it outlives us */
    unsigned workers;      /* 1..HTTP_WORKERS_MAX */
    const char *cert_file; /* PEM chain; NULL together with key_file: no TLS */
    const char *key_file;
    int repo_dir; /* directory served under /repo/; -1: none */
    const struct api_route *routes;
    size_t route_count;
    struct api_sink sink;
    struct http_auth *auth; /* may be NULL when every route is API_AUTH_NONE */
    struct http_limits limits;
};

/* Sums over all workers since the start; `open` is a level. */
struct http_counters {
    uint64_t accepted;                                 /* connections */
    uint64_t open;                                     /* connections now */
    uint64_t turned_away;                              /* connections refused by a cap */
    uint64_t requests;                                 /* complete headers */
    uint64_t refused;                                  /* requests that the parser refused */
    uint64_t cut;                                      /* connections cut by a deadline */
    uint64_t replies[6];                               /* by hundreds of the status; [0] unused */
    struct http_limit_count limited[HTTP_LIMIT_KINDS]; /* refused for asking too much */
};

struct http_server;

/* The values of docs/server.md; connections_max from the descriptor limit of the process. */
struct http_limits http_limits_default(void);

/* Binds, starts the workers and returns once they accept; gives.
 * Fails with RW_E_CONFIG (address, certificate, routes), RW_E_IO (bind, threads), RW_E_NOMEM. */
RW_RC http_server_start(const struct http_settings *settings, struct http_server **out,
                        struct rw_err *err);
/* The TCP port in use (the kernel's choice for port 0); 0 for a local socket. */
unsigned http_server_port(const struct http_server *server);
void http_server_counters(const struct http_server *server, struct http_counters *out);

/* Reads certificate and key anew: new connections get them, those that are open keep theirs. After a failure the former
 * ones stay in use. No-op without TLS. Fails with RW_E_CONFIG, as the start does. */
RW_RC http_server_reload_tls(struct http_server *server, const char *cert_file,
                             const char *key_file, struct rw_err *err);

/* Validity of the certificate that new connections get; false without TLS. Called by the thread that starts and
 * reloads. */
bool http_server_certificate(const struct http_server *server, struct rw_wall *from_out,
                             struct rw_wall *until_out);

/* Begins a graceful stop and returns: no new connections, idle ones are closed, each reply now says
 * "Connection: close". May be called more than once. */
void http_server_drain(struct http_server *server);
/* Drains, waits for running requests (at most drain_ms), drops the rest, joins the workers and frees
 * the server (takes). Jobs still with the core may be given back later; they are freed then. */
void http_server_stop(struct http_server *server);

#endif
