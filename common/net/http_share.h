/* http_share.h: where the clients of one process leave an idle ringward-http for the next request, whichever of them
 * makes it, so that a poll and the beacons behind it cost one start and one connection.
 *
 * memory   owns the idle process and the path
 * threads  any thread; a taken process belongs to its taker alone
 * source   docs/architecture.md "Network"
 */
#ifndef RINGWARD_HTTP_SHARE_H
#define RINGWARD_HTTP_SHARE_H

#include "common/base/proc.h"

struct http_share;

/* A running ringward-http. It also ends with the thread that started it (proc.h: die_with_parent). */
struct http_helper {
    struct proc child;
    int socket; /* -1: none */
};

/* `program` is the path of ringward-http (copied). Fails with RW_E_NOMEM. */
RW_RC http_share_open(const char *program, struct http_share **out, struct rw_err *err);
/* No process may be taken. */
void http_share_drop(struct http_share **s);
/* Ends the idle process, if there is one: the next request pays for a start. */
void http_share_rest(struct http_share *s);

/* The idle process, or a fresh one when there is none or it has died. Fails with RW_E_PROCESS. */
RW_RC http_share_take(struct http_share *s, struct http_helper *out, struct rw_err *err);
/* Leaves it for the next taker, its exchange being over; takes *h. A second idle one is ended. */
void http_share_give(struct http_share *s, struct http_helper *h);
/* Ends it: in the middle of an exchange it is of no more use. */
void http_helper_drop(struct http_helper *h);

#endif
