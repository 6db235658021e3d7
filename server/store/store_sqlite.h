/* store_sqlite.h: the embedded back end: one SQLite file, WAL, synchronous=FULL.
 *
 * memory   as store.h
 * threads  one thread
 * source   docs/architecture.md "Storage"
 */
#ifndef RINGWARD_STORE_SQLITE_H
#define RINGWARD_STORE_SQLITE_H

#include "server/store/store.h"

/* Opens or makes the database and brings its schema forward.
 * Fails with RW_E_STORE; with RW_E_POLICY when the schema is newer than this program. */
RW_RC store_sqlite_open(const char *path, struct store *out, struct rw_err *err);

#endif
