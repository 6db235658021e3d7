/* json_canon.h: canonical JSON (OLPC dialect) of a tree: the bytes that are signed and hashed.
 *
 * Not valid JSON (control characters stand raw): never parse it, never serve it.
 * memory   appends to a buffer of the caller
 * threads  no shared state
 * source   TUF 1.0.34, 4.2 (canonical form); members sorted by bytes, only '"' and '\' escaped
 */
#ifndef RINGWARD_JSON_CANON_H
#define RINGWARD_JSON_CANON_H

#include "common/json/json_read.h"

/* Fails with RW_E_TOO_BIG (the buffer's ceiling) or RW_E_NOMEM. No recursion. */
RW_RC json_canon(const struct json *v, struct rw_buf *into, struct rw_err *err);

#endif
