/* http_peers.h: how many connections each client address has, over all workers.
 *
 * memory   a table of fixed size, made for the greatest number of connections
 * threads  safe from any thread
 * source   RFC 4291 2.5.4: who has one IPv6 address has its whole /64
 */
#ifndef RINGWARD_HTTP_PEERS_H
#define RINGWARD_HTTP_PEERS_H

#include "common/base/buf.h"

struct http_peers;

/* For at most `connections_max` >= 1 counted connections of at most `per_address_max` each (0: no cap);
 * gives. Fails with RW_E_NOMEM, RW_E_CRYPTO. */
RW_RC http_peers_new(size_t connections_max, unsigned per_address_max, struct http_peers **out,
                     struct rw_err *err);
void http_peers_free(struct http_peers *p); /* accepts NULL */

/* Counts a connection; false: the address, or the table, has its fill. */
bool http_peers_enter(struct http_peers *p, uint64_t key);
/* Takes back one that was let in. */
void http_peers_leave(struct http_peers *p, uint64_t key);

#endif
