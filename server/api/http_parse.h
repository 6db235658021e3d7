/* http_parse.h: the head of a request (request line and headers), from bytes to offsets. No I/O.
 *
 * The parser reads byte by byte and stops at the first byte that breaks a rule, so what it says about a
 * head does not depend on the pieces in which the head arrived.
 *
 * memory   borrows its input; results are offsets, so they survive when the bytes are moved
 * threads  no shared state
 * source   RFC 9112, a strict subset: HTTP/1.1 only; GET, HEAD, POST; origin-form targets; CRLF only; no
 *          folding; exactly one Host; no Transfer-Encoding
 */
#ifndef RINGWARD_HTTP_PARSE_H
#define RINGWARD_HTTP_PARSE_H

#include "server/api/api_job.h"

enum {
    HTTP_HEAD_BYTES_MAX = 8192,  /* request line, headers and the empty line */
    HTTP_LINE_BYTES_MAX = 4096,  /* one header line without its end */
    HTTP_HEADERS_MAX = 48,       /* header lines of one request */
    HTTP_LENGTH_DIGITS_MAX = 10, /* digits of Content-Length: below 10 GB */
};

enum http_parse_result {
    HTTP_PARSE_MORE, /* a good beginning: ask again with more bytes */
    HTTP_PARSE_DONE,
    HTTP_PARSE_BAD, /* refused: answer `status`, then close */
};

/* A piece of the head; n == 0: absent or empty. */
struct http_slice {
    uint16_t at; /* offset of its first byte */
    uint16_t n;  /* bytes */
};

struct http_head {
    enum http_parse_result result;
    /* HTTP_PARSE_BAD */
    int status;      /* 400, 414, 417 or 431 */
    const char *why; /* static text */
    size_t wrong_at; /* offset of the byte that broke the rule */
    /* HTTP_PARSE_DONE */
    size_t bytes; /* of the whole head, its empty line included */
    enum api_method method;
    struct http_slice path;          /* begins with '/' */
    struct http_slice query;         /* behind '?' */
    struct http_slice authorization; /* values without the blanks around them */
    struct http_slice if_none_match;
    struct http_slice if_range;
    struct http_slice range;
    uint64_t content_length; /* 0 when the header is missing */
    bool close;              /* "Connection: close" */
    bool expect_continue;    /* "Expect: 100-continue" */
};

/* Looks at the bytes that have arrived so far, from the first byte of the request. */
struct http_head http_parse_head(struct rw_span bytes);

/* The piece of `bytes` that a slice of their head names. */
struct rw_span http_parse_slice(struct rw_span bytes, struct http_slice slice);

#endif
