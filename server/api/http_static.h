/* http_static.h: the signed repository as plain files under /repo/.
 *
 * memory   the reply owns a file that it sends from; a small body and a ready head are lent by `files` until the next
 *          answer
 * threads  no shared state
 * source   docs/protocol.md 2; RFC 9110 13 and 14, RFC 9111 5.2 (caching), RFC 8246 (immutable)
 */
#ifndef RINGWARD_HTTP_STATIC_H
#define RINGWARD_HTTP_STATIC_H

#include "server/api/http_files.h"

struct http_static_ask {
    struct rw_span path; /* behind "/repo/"; as it came, not percent-decoded */
    struct rw_span if_none_match;
    struct rw_span if_range;
    struct rw_span range;
    bool head_only;
};

/* Answers from the repository's files: 200, 206, 304, 404, 416, or 503 when the file cannot be read. */
struct http_reply http_static_answer(struct http_files *files, const struct http_static_ask *ask);

#endif
