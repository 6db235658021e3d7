/* http_reply.h: an answer before it is sent, and the bytes of its head.
 *
 * memory   a reply owns its body and its file descriptor until http_reply_drop
 * threads  one thread
 * source   RFC 9110, RFC 9112; docs/protocol.md 6 (errors)
 */
#ifndef RINGWARD_HTTP_REPLY_H
#define RINGWARD_HTTP_REPLY_H

#include "server/api/api_job.h"

enum {
    HTTP_ETAG_BYTES = 64,
    HTTP_DATE_BYTES = 30,       /* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL */
    HTTP_REPLY_HEAD_MAX = 2048, /* ceiling of a reply's head */
    HTTP_REPLY_SMALL = 16384,   /* bodies up to this travel in one write with their head */
};

/* Status line and headers of a reply that is given again and again, without Connection and the empty line. */
struct http_ready {
    struct rw_buf head;
    size_t date_at; /* where the text of the Date header stands */
};

struct http_reply {
    int status;
    const char *content_type; /* static text; NULL: none */
    struct rw_buf body;       /* owned; used when fd < 0 */
    struct rw_span
        lent; /* the body instead, when not empty: sent or copied before the next request is looked at */
    const struct http_ready
        *ready; /* the head, lent likewise; NULL: it is made of what stands here */
    int fd;     /* owned; >= 0: the body is `bytes` of this file from `offset` on */
    uint64_t offset;
    uint64_t bytes;
    int64_t retry_after_s;               /* < 0: none */
    const char *cache_control;           /* static text */
    const char *allow;                   /* of a 405, static text; NULL: none */
    char etag[HTTP_ETAG_BYTES];          /* with its quotes; "": none */
    char content_range[HTTP_ETAG_BYTES]; /* "": none */
    bool accept_ranges;
    bool head_only; /* answer to HEAD: the length is told, the body is not sent */
    bool close;     /* the connection ends behind this reply */
};

struct http_reply http_reply_make(void); /* status 0, no body, no descriptor */
void http_reply_drop(struct http_reply *r);

/* Makes the error the body: {"error":{"code","text","hint"}}, with `status` (the code's own when 0).
 * A 503 brings Retry-After, a 401 brings WWW-Authenticate. Without memory the body stays empty. */
void http_reply_error(struct http_reply *r, int status, const struct rw_err *err);
/* The JSON of an error, appended to `into`. Fails with RW_E_NOMEM, RW_E_TOO_BIG. */
RW_RC http_reply_error_json(const struct rw_err *error, struct rw_buf *into, struct rw_err *err);

/* Takes body, file and status out of a finished job; the job keeps nothing of the reply. */
struct http_reply http_reply_take(struct api_job *job);

/* Bytes of the body that follow the head on the wire (0 for HEAD, 304, 204). */
uint64_t http_reply_body_bytes(const struct http_reply *r);

/* Appends status line and headers. `date` is the text of the Date header.
 * Fails with RW_E_TOO_BIG, RW_E_NOMEM. */
RW_RC http_reply_head(const struct http_reply *r, const char *date, struct rw_buf *into,
                      struct rw_err *err);
/* The head of `r` for later. Fails with RW_E_TOO_BIG, RW_E_NOMEM. */
RW_RC http_ready_make(const struct http_reply *r, struct http_ready *out, struct rw_err *err);
void http_ready_drop(struct http_ready *ready); /* accepts a zeroed one */
/* IMF-fixdate of a moment (RFC 9110 5.6.7). */
void http_reply_date(char dst[static HTTP_DATE_BYTES], int64_t wall_s);

#endif
