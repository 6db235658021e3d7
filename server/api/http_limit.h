/* http_limit.h: who asks too much: requests per endpoint, per operator's token, and per address for those who show no
 * valid token. What is refused is counted, and told in the log once a minute.
 *
 * Only what a verified token says makes a bucket of its own: whoever invents ids, or borrows a neighbour's, moves no
 * bucket but that of his address, and that one holds nobody who has a valid token (INV-11).
 *
 * Connections count for their address before anybody is known: what one address may open in a second is what its
 * handshakes may cost.
 *
 * memory   three tables of fixed size, 2.5 MiB, whatever comes
 * threads  safe from any thread
 * source   docs/server.md "Too much"
 */
#ifndef RINGWARD_HTTP_LIMIT_H
#define RINGWARD_HTTP_LIMIT_H

#include "common/base/clock.h"
#include "server/api/api_job.h"

enum http_limit_kind {
    HTTP_LIMIT_ENDPOINT,   /* a verified endpoint, or a one-time enrolment token */
    HTTP_LIMIT_OPERATOR,   /* a verified operator's token */
    HTTP_LIMIT_STRANGER,   /* an address, its requests without a valid token */
    HTTP_LIMIT_OPEN,       /* an address, its requests that need no token and bother the core */
    HTTP_LIMIT_TENANT,     /* a tenant's share of the queue (api_share.h); only counted here */
    HTTP_LIMIT_CONNECTION, /* an address, its new connections; closed before the handshake */
    HTTP_LIMIT_KINDS
};

struct http_limit_rates {
    int64_t endpoint_per_s; /* 0: no limit, here and below */
    int64_t operator_per_s;
    int64_t address_per_s; /* for strangers and for open requests, each */
    int64_t burst_ms;      /* what the rates above give in this time may come at once */
    int64_t connect_per_s; /* new connections of an address */
    int64_t connect_burst; /* so many of them may come at once */
};

/* Where a request came from. */
struct http_limit_peer {
    const char *text; /* for the log; borrowed */
    uint64_t key;     /* of the address (http_listen.h) */
    bool known;       /* false: a local socket, whose clients have no addresses; the proxy counts */
};

/* What was refused since the start. */
struct http_limit_count {
    uint64_t refused;
    int64_t ago_ms; /* since the last one; < 0: none yet */
};

struct http_limit;

/* Gives. Fails with RW_E_NOMEM, RW_E_CRYPTO. */
RW_RC http_limit_new(const struct http_limit_rates *rates, struct rw_clock clock,
                     struct http_limit **out, struct rw_err *err);
void http_limit_free(struct http_limit *l); /* accepts NULL */

/* The short name of a kind, as in metrics and log. */
const char *http_limit_name(enum http_limit_kind kind);

/* Takes one request out of the bucket of a verified identity. Enrolment tokens for many endpoints have none.
 * Fails with RW_E_LIMITED; *retry_s_out is what Retry-After has to say then. */
RW_RC http_limit_known(struct http_limit *l, const struct api_identity *who,
                       const struct http_limit_peer *peer, int64_t *retry_s_out,
                       struct rw_err *err);

/* Takes one out of the bucket of an address; `kind` is HTTP_LIMIT_STRANGER or HTTP_LIMIT_OPEN. Fails as above. */
RW_RC http_limit_address(struct http_limit *l, enum http_limit_kind kind,
                         const struct http_limit_peer *peer, int64_t *retry_s_out,
                         struct rw_err *err);

/* Takes one connection out of the bucket of an address; false: it is to be closed. */
bool http_limit_connect(struct http_limit *l, const struct http_limit_peer *peer);

/* Counts a request that the queue refused for its tenant's share; gives what Retry-After has to say. */
int64_t http_limit_shared(struct http_limit *l, const struct api_identity *who, const char *peer);

void http_limit_counts(struct http_limit *l, struct http_limit_count out[static HTTP_LIMIT_KINDS]);

#endif
