/* store_sqlite_copy.h: a consistent copy of a SQLite store that others may be writing to, and a look at one at rest.
 *
 * memory   nothing is kept
 * threads  any; connections of its own
 * source   sqlite.org/backup.html; docs/backup.md
 */
#ifndef RINGWARD_STORE_SQLITE_COPY_H
#define RINGWARD_STORE_SQLITE_COPY_H

#include "common/base/buf.h"

/* Copies the database `from` into the new file `to`, as of one moment after the call began: every transaction that was
 * committed before the call is in it, journal rows included (INV-8). One step under one read transaction: a copy in
 * many small steps would begin anew with each commit. Writers are not held up (WAL). The copy is one file without a
 * WAL. Fails with RW_E_STORE, RW_E_FULL; a half-written `to` is then left for the caller to remove. */
RW_RC store_sqlite_copy(const char *from, const char *to, struct rw_err *err);

/* SQLite's own integrity check of a file that nobody writes to, and its schema's version. Changes nothing.
 * Fails with RW_E_STORE (damage: the first finding), RW_E_POLICY (a schema newer than this program). */
RW_RC store_sqlite_examine(const char *path, size_t *schema_out, struct rw_err *err);

#endif
