/* http_deadline.h: the deadlines of connections, looked at once per tick.
 *
 * memory   allocates nothing; connections that are over their time are freed
 * threads  the worker's
 * source   docs/server.md "HTTP": a client that drips holds a connection for a bounded time only
 */
#ifndef RINGWARD_HTTP_DEADLINE_H
#define RINGWARD_HTTP_DEADLINE_H

#include "server/api/http_conn.h"

enum {
    HTTP_LINGER_MS = 2000,       /* reading on behind our last reply */
    HTTP_RATE_BYTES_S = 16384,   /* floor for replies that are long enough to be measured */
    HTTP_RATE_WINDOW_STALLS = 2, /* the floor is averaged over this many stall_ms */
};

/* When a connection that enters `state` now must have left it. `body_bytes`: of its request. */
int64_t http_deadline_of(const struct http_worker *w, int state, uint64_t body_bytes);
/* Cuts newcomers that are over their time, which is shorter in a crowd (http_crowd_rule.h); a drain has its own. */
void http_deadline_newcomers(struct http_worker *w);
/* Cuts what is over its time. */
void http_deadline_sweep(struct http_worker *w);

#endif
