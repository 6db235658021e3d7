/* store_pg.h: the back end for several nodes: one PostgreSQL database.
 *
 * Each transaction first locks the one row of table `cluster`: nodes follow each other, and each begins with the whole
 * truth before it. That row also holds the lease of the controller, so that a stale term is refused by the database.
 *
 * memory   as store.h
 * threads  one thread
 * source   docs/nodes.md
 */
#ifndef RINGWARD_STORE_PG_H
#define RINGWARD_STORE_PG_H

#include "server/store/store.h"

/* Whether a setting names a PostgreSQL database rather than a file. */
bool store_pg_is_url(const char *url);
/* Connects and brings the schema forward. A connection that is lost later is made anew by the next transaction.
 * Fails with RW_E_STORE; with RW_E_POLICY when the schema is newer than this program, or when the server does not
 * keep what it acknowledges (fsync off, INV-8). */
RW_RC store_pg_open(const char *url, struct store *out, struct rw_err *err);

#endif
