/* store_sqlite_schema.h: brings a SQLite file forward to the schema of this program.
 *
 * memory   borrows the connection
 * threads  one thread
 * source   store_schema.h
 */
#ifndef RINGWARD_STORE_SQLITE_SCHEMA_H
#define RINGWARD_STORE_SQLITE_SCHEMA_H

#include "common/base/err.h"

#include <sqlite3.h>

/* Each step is one transaction. Fails with RW_E_POLICY (a schema from the future), RW_E_STORE, RW_E_FULL. */
RW_RC store_sqlite_schema_migrate(sqlite3 *db, struct rw_err *err);

#endif
