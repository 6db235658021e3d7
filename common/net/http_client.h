/* http_client.h: HTTPS requests with caps and deadlines; what moves the bytes is an engine (http_engine.h).
 *
 * memory   a client keeps one connection alive until http_client_drop; clients of one share keep it there
 * threads  one thread per client
 * source   docs/architecture.md "Network"; no redirects, no decompression, TLS 1.2 at least
 */
#ifndef RINGWARD_HTTP_CLIENT_H
#define RINGWARD_HTTP_CLIENT_H

#include "common/base/buf.h"

struct http_client;
struct http_share;

struct http_client_options {
    const char *base_url; /* "https://host:port", without a path; copied */
    const char *ca_file;  /* PEM; NULL: the system's store; copied */
    const char *token;    /* bearer token; NULL: none; copied */
    const char *proxy; /* for every host, this machine too; NULL: as the environment says; copied */
    int64_t total_ms;  /* greatest time for one request (downloads: more by length); 0: 60 s */
    int64_t receive_bytes_per_s; /* greatest mean rate of downloads; 0: no limit */
    /* Where the engine is http_apart.c: the share of several clients (borrowed until http_client_drop), or NULL and
     * the path of ringward-http (copied). */
    struct http_share *share;
    const char *program;
    /* Told now and then how much of a request's body has been sent; NULL: nobody wants to know. */
    void (*on_sent)(void *ctx, int64_t sent_bytes, int64_t total_bytes);
    void *on_sent_ctx; /* borrowed until http_client_drop */
};

/* Whether a token may travel there: by TLS, or to this very machine ("http://127.0.0.1:8080"). */
bool http_client_keeps_secret(struct rw_span url);
/* Fails with RW_E_CONFIG (a token, and a base URL that does not keep it secret), RW_E_RANGE, RW_E_NOMEM. */
RW_RC http_client_open(const struct http_client_options *o, struct http_client **out,
                       struct rw_err *err);
void http_client_drop(struct http_client **c);
/* Changes the bearer token (NULL: none). Fails as http_client_open. */
RW_RC http_client_set_token(struct http_client *c, const char *token, struct rw_err *err);

enum { HTTP_CLIENT_ETAG_BYTES = 96 };

struct http_client_answer {
    int status;                        /* any status that arrived whole */
    int64_t retry_after_s;             /* negative: none given */
    char etag[HTTP_CLIENT_ETAG_BYTES]; /* "" when none, or too long */
};

/* One request. The body of the answer is appended to `into`, refused above `max` bytes (RW_E_TOO_BIG), by
 * Content-Length before reading when the server gives one. `if_none_match` may be NULL.
 * Any HTTP status is success here. Fails with RW_E_NET (unreachable, TLS), RW_E_TIMEOUT, RW_E_TOO_BIG. */
RW_RC http_client_get(struct http_client *c, const char *path, const char *if_none_match,
                      size_t max, struct rw_buf *into, struct http_client_answer *answer_out,
                      struct rw_err *err);
/* The same without a condition, and caches between are asked to go to the origin. */
RW_RC http_client_get_past_caches(struct http_client *c, const char *path, size_t max,
                                  struct rw_buf *into, struct http_client_answer *answer_out,
                                  struct rw_err *err);
RW_RC http_client_post(struct http_client *c, const char *path, const char *content_type,
                       struct rw_span body, size_t max, struct rw_buf *into,
                       struct http_client_answer *answer_out, struct rw_err *err);
struct http_client_message {
    const char *content_type;
    const char *headers[4]; /* more header lines without line ends; NULL: the list ends before */
    struct rw_span body;
};
/* As http_client_post, with header lines of the caller's. Fails also with RW_E_RANGE (a line end in a header). */
RW_RC http_client_post_message(struct http_client *c, const char *path,
                               const struct http_client_message *m, size_t max, struct rw_buf *into,
                               struct http_client_answer *answer_out, struct rw_err *err);
/* Appends the body to the descriptor from `offset` on (Range when offset > 0; 206 and the right Content-Range are
 * demanded then). At most `total_bytes` in the file altogether; it may become shorter: the caller checks length and
 * hash. The time allowed grows with the length.
 * Fails also with RW_E_NOT_FOUND (404), RW_E_HTTP (other status), RW_E_PROTOCOL (another part), RW_E_IO, RW_E_FULL. */
RW_RC http_client_download(struct http_client *c, const char *path, int fd, uint64_t offset,
                           uint64_t total_bytes, struct rw_err *err);

struct http_client_part {
    int fd;
    uint64_t offset;
    uint64_t total_bytes;
    int64_t slice_ms; /* ends with RW_E_TIMEOUT after so long, what came stays; 0: time by length */
    /* Told of all bytes right after they were written, in their order; NULL: nobody wants to know. */
    RW_RC (*seen)(void *ctx, struct rw_span bytes, struct rw_err *err);
    void *ctx; /* borrowed */
};
/* As http_client_download. Fails also as `seen` does. */
RW_RC http_client_download_part(struct http_client *c, const char *path,
                                const struct http_client_part *part, struct rw_err *err);

/* How many answers arrived whole so far, but for those of a gateway that could not reach the server: what proves that
 * the network works. */
uint64_t http_client_answers(const struct http_client *c);

#endif
