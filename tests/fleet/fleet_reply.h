/* fleet_reply.h: reads the head of an HTTP/1.1 answer: status, length, and the three headers that endpoints obey.
 *
 * memory   borrows its input
 * threads  no shared state
 * source   RFC 9112, the subset that ringward-server sends: Content-Length only
 */
#ifndef RINGWARD_FLEET_REPLY_H
#define RINGWARD_FLEET_REPLY_H

#include "common/base/buf.h"

enum { FLEET_REPLY_HEAD_BYTES_MAX = 8192, FLEET_REPLY_BODY_BYTES_MAX = 1024 * 1024 };

struct fleet_reply_head {
    int status;
    size_t body_bytes;
    int64_t retry_after_s; /* negative: none */
    struct rw_span etag;   /* empty: none */
    bool close;
};

/* `text` is the head with its empty line. Fails with RW_E_PROTOCOL. */
RW_RC fleet_reply_read(struct rw_span text, struct fleet_reply_head *out, struct rw_err *err);

#endif
