/* http_route.h: method and path to a row of the route table.
 *
 * memory   borrows the table; params are pieces of the path
 * threads  no shared state
 * source   docs/protocol.md 7 and 8; RFC 9110 9.3.2 (HEAD), 10.2.1 (Allow)
 */
#ifndef RINGWARD_HTTP_ROUTE_H
#define RINGWARD_HTTP_ROUTE_H

#include "server/api/api_job.h"

enum {
    HTTP_ROUTES_MAX = 256,
    HTTP_BODY_BYTES_MAX = 1 << 30, /* no route may ask for larger bodies */
};

struct http_match {
    const struct api_route *route; /* NULL: none */
    const char *allow;             /* the path exists, but not for this method: what it takes */
    struct rw_span params[API_PARAMS_MAX]; /* of `route` */
};

/* The first row whose method and pattern fit; GET rows answer HEAD too. Neither route nor allow: 404. */
struct http_match http_route_find(const struct api_route *routes, size_t count,
                                  enum api_method method, struct rw_span path);

/* Is the table one that can be served? Fails with RW_E_CONFIG, naming the pattern. */
RW_RC http_route_check(const struct api_route *routes, size_t count, bool have_auth,
                       struct rw_err *err);

#endif
