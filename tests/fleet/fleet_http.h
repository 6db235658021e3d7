/* fleet_http.h: the requests of many endpoints over a bounded pool of kept connections to one server.
 *
 * A request is made when a connection is free for it, so what waits costs 16 bytes. Latencies count from the moment
 * at which a request was due, waiting for a connection included.
 *
 * memory   owns connections and queue until fleet_http_drop; borrows base and calls
 * threads  the loop's thread only
 * source   docs/architecture.md "Network": kept connections, one more try when one died unheard
 */
#ifndef RINGWARD_FLEET_HTTP_H
#define RINGWARD_FLEET_HTTP_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "tests/fleet/fleet_reply.h"

struct event_base;
struct fleet_http;

enum { FLEET_HTTP_CONNECTIONS_MAX = 200000, FLEET_HTTP_WHO_NONE = 0x0fffffff };

struct fleet_job {
    int64_t due_us;     /* by fleet_http_now_us */
    uint32_t who : 28;  /* index of the endpoint */
    uint32_t kind : 4;  /* of the request; the caller's own */
    uint32_t again : 1; /* sent a second time: the kept connection was closed under it */
};

struct fleet_request {
    const char *method;
    const char *path;
    const char *bearer;        /* NULL: none */
    const char *if_none_match; /* NULL: none */
    struct rw_span body;       /* POST; valid until the next call */
};

struct fleet_reply {
    int status;            /* 0: none came */
    const char *failure;   /* status 0: why */
    struct rw_span body;   /* valid during the call */
    struct rw_span etag;   /* the same; empty: none */
    int64_t retry_after_s; /* negative: none */
    int64_t took_us;       /* since the request was due */
};

struct fleet_http_calls {
    /* Makes the request of a job. */
    RW_RC(*build)
    (void *ctx, const struct fleet_job *job, struct fleet_request *out, struct rw_err *err);
    void (*done)(void *ctx, const struct fleet_job *job, const struct fleet_reply *reply);
    void *ctx;
};

struct fleet_http_options {
    const char *url;      /* "https://host:port" or "http://host:port" */
    const char *ca_file;  /* PEM; NULL: plain http only */
    unsigned connections; /* 1..FLEET_HTTP_CONNECTIONS_MAX */
    bool own;             /* one connection per endpoint: endpoint i uses connection i alone */
    int64_t timeout_ms;   /* from the first byte sent to the last received */
};

struct fleet_http_counters {
    uint64_t connects;
    uint64_t broken; /* closed by the other side or the network, with a request on it or not */
    uint64_t resent; /* requests sent again since a kept connection was closed under them */
    size_t waiting_most;
};

/* Fails with RW_E_USAGE (URL, descriptor limit), RW_E_CRYPTO, RW_E_NOMEM. */
RW_RC fleet_http_open(struct event_base *base, const struct fleet_http_options *o,
                      const struct fleet_http_calls *calls, struct fleet_http **out,
                      struct rw_err *err);
void fleet_http_drop(struct fleet_http **h);
/* Sends it now or when a connection is free; with `own`, an endpoint has one request at a time.
 * Fails with RW_E_NOMEM. */
RW_RC fleet_http_push(struct fleet_http *h, const struct fleet_job *job, struct rw_err *err);
/* Requests that are on the way or wait. */
size_t fleet_http_open_jobs(const struct fleet_http *h);
void fleet_http_counters(const struct fleet_http *h, struct fleet_http_counters *out);
int64_t fleet_http_now_us(void);

#endif
