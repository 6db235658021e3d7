/* http_cond.h: conditional and range headers against one strong ETag and one length. Pure.
 *
 * memory   borrows every argument, allocates nothing
 * threads  no shared state
 * source   RFC 9110 8.8.3 (entity tags), 13.1.2 (If-None-Match), 13.1.5 (If-Range), 14.2 (Range)
 */
#ifndef RINGWARD_HTTP_COND_H
#define RINGWARD_HTTP_COND_H

#include "common/base/buf.h"

enum http_range_kind {
    HTTP_RANGE_NONE,   /* no range that we serve: send the whole */
    HTTP_RANGE_PART,   /* send first..last */
    HTTP_RANGE_BEYOND, /* 416 */
};

struct http_range {
    enum http_range_kind kind;
    uint64_t first; /* HTTP_RANGE_PART: offset of the first byte */
    uint64_t last;  /* and of the last one */
};

/* Does the value of If-None-Match ("*", or a list of tags, weak ones too) name `etag`? `etag` is written
 * with its quotes. What is not well formed matches nothing from there on. */
bool http_cond_none_match(struct rw_span value, const char *etag);

/* May the range be used? Yes without If-Range, or when it is exactly our strong tag. Dates never match. */
bool http_cond_if_range(struct rw_span value, const char *etag);

/* One range of a body of `size` bytes: "bytes=a-b", "bytes=a-", "bytes=-n". Lists of ranges and what is
 * not well formed give HTTP_RANGE_NONE, as the RFC allows. */
struct http_range http_cond_range(struct rw_span value, uint64_t size);

#endif
