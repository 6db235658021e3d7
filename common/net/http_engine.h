/* http_engine.h: moves one HTTP request and its answer; what is asked and what is believed: http_client.h.
 *
 * Two engines keep these promises, and a program is linked with one of them. http_direct.c: libcurl within this
 * process. http_apart.c: libcurl within a process of its own (ringward-http) that lives for a few requests, so that
 * a program that waits for days does not carry libcurl and the thirty libraries behind it.
 *
 * memory   http_direct.c keeps one connection alive until http_engine_drop, http_apart.c leaves it in its share
 * threads  one thread at a time per engine
 * source   docs/architecture.md "Network"; no redirects, no decompression, TLS 1.2 at least
 */
#ifndef RINGWARD_HTTP_ENGINE_H
#define RINGWARD_HTTP_ENGINE_H

#include "common/base/buf.h"

struct http_engine;
struct http_share;

enum { HTTP_ENGINE_HEADERS_MAX = 8, HTTP_ENGINE_TEXT_BYTES = 256 };

/* All pointers are borrowed for the time of the call. */
struct http_exchange {
    const char *url;
    const char *ca_file;                          /* PEM; NULL: the system's store */
    const char *proxy;                            /* NULL: as the environment says */
    const char *no_proxy;                         /* hosts that are asked directly */
    const char *headers[HTTP_ENGINE_HEADERS_MAX]; /* whole lines without line ends */
    size_t header_count;
    struct rw_span body;         /* p NULL: GET, else POST */
    int64_t total_ms;            /* greatest time for all of it; positive */
    int64_t receive_bytes_per_s; /* greatest mean rate of the answer; 0: no limit */
    uint64_t answer_bytes_max;   /* a longer Content-Length ends the exchange before the body */
    /* Each line of each head as it comes, with its line end. */
    void (*on_header)(void *ctx, struct rw_span line);
    /* Bytes of the body as they come; `status` is the answer's. False: no more of it, the exchange fails. */
    bool (*on_body)(void *ctx, int status, struct rw_span bytes);
    void *ctx;
    /* How much of the body has been sent; NULL: nobody wants to know. */
    void (*on_sent)(void *ctx, int64_t sent_bytes, int64_t total_bytes);
    void *on_sent_ctx;
};

struct http_outcome {
    enum rw_code code; /* RW_E_NONE: the answer came whole; else as http_client_get */
    int status;        /* 0: none came */
    char text[HTTP_ENGINE_TEXT_BYTES]; /* what failed */
};

/* `share` (borrowed) is where ringward-http waits between requests; NULL: in a share of this engine's own, made with
 * `program`, its path (copied). http_direct.c needs neither. Fails with RW_E_NOMEM. */
RW_RC http_engine_open(const char *program, struct http_share *share, struct http_engine **out,
                       struct rw_err *err);
void http_engine_drop(struct http_engine **e);
void http_engine_perform(struct http_engine *e, const struct http_exchange *x,
                         struct http_outcome *out);

#endif
