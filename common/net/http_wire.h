/* http_wire.h: the frames between http_apart.c and ringward-http (frame.h): one request, then heads, bytes of the
 * body and words about what was sent as they come, then the outcome.
 *
 * memory   readers borrow the received bytes
 * threads  no shared state
 * source   docs/architecture.md "Network"
 */
#ifndef RINGWARD_HTTP_WIRE_H
#define RINGWARD_HTTP_WIRE_H

#include "common/base/frame.h"
#include "common/net/http_engine.h"

enum http_wire_type {
    HTTP_WIRE_REQUEST = 1,
    HTTP_WIRE_HEADER = 2,
    HTTP_WIRE_BODY = 3,
    HTTP_WIRE_SENT = 4,
    HTTP_WIRE_OUTCOME = 5,
};

/* One frame of an answer: the greatest is a header line, which libcurl ends at 100 KiB. */
enum { HTTP_WIRE_ANSWER_BYTES_MAX = 128 * 1024, HTTP_WIRE_TEXT_BYTES = 1024, HTTP_WIRE_FD = 3 };

/* A request as the process at the other end keeps it; x points into the texts and into the received bytes. */
struct http_wire_request {
    struct http_exchange x; /* without its functions; on_sent is set by the reader's caller */
    bool wants_sent;
    char url[HTTP_WIRE_TEXT_BYTES];
    char ca_file[HTTP_WIRE_TEXT_BYTES];
    char proxy[HTTP_WIRE_TEXT_BYTES];
    char no_proxy[HTTP_WIRE_TEXT_BYTES];
    char headers[HTTP_ENGINE_HEADERS_MAX][HTTP_WIRE_TEXT_BYTES];
};

/* One of an answer's frames. */
struct http_wire_answer {
    enum http_wire_type type;
    int status;              /* of BODY */
    struct rw_span bytes;    /* of HEADER and BODY; borrowed */
    int64_t sent_bytes;      /* of SENT */
    int64_t total_bytes;     /* of SENT */
    struct http_outcome out; /* of OUTCOME */
};

/* Fail with RW_E_TOO_BIG (a text or the body does not fit) or RW_E_NOMEM. */
RW_RC http_wire_put_request(struct frame_writer *w, const struct http_exchange *x,
                            struct rw_err *err);
RW_RC http_wire_put_answer(struct frame_writer *w, const struct http_wire_answer *a,
                           struct rw_err *err);
/* Fail with RW_E_PROTOCOL. */
RW_RC http_wire_get_request(struct frame_reader *r, struct http_wire_request *out,
                            struct rw_err *err);
RW_RC http_wire_get_answer(struct frame_reader *r, struct http_wire_answer *out,
                           struct rw_err *err);

#endif
