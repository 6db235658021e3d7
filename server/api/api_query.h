/* api_query.h: the query of a request, read strictly: known names, once each, values that are understood.
 *
 * memory   borrows the request; copies text
 * threads  no shared state
 * source   docs/protocol.md 8
 */
#ifndef RINGWARD_API_QUERY_H
#define RINGWARD_API_QUERY_H

#include "server/api/api_job.h"

/* Every part is NAME=VALUE with a name of the list, none comes twice: what is misspelt must not look like an answer
 * without it. Fails with RW_E_SCHEMA naming the part. */
RW_RC api_query_only(const struct api_request *req, const char *const *names, size_t count,
                     struct rw_err *err);
/* A value as text, %XX decoded, printable ASCII; "" when it is not given. Fails with RW_E_SYNTAX, RW_E_RANGE. */
RW_RC api_query_text(const struct api_request *req, const char *name, char *dst, size_t cap,
                     struct rw_err *err);

#endif
