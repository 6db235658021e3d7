/* Goal: the parser takes the strict subset and nothing else, says which byte was wrong, and says the same
 * whatever the pieces are in which a head arrives. The odd requests are those that tell HTTP servers apart. */
#include "server/api/http_parse.h"
#include "tests/harness.h"

#define OK_HOST "Host: a\r\n"
#define GET     "GET / HTTP/1.1\r\n"
#define POST    "POST /v1/beacons HTTP/1.1\r\nHost: a\r\n"

enum { BIG_BYTES = 120000 };

struct vector {
    const char *id;
    const char *text; /* NULL: made by `make` */
    size_t n;         /* 0: strlen(text) */
    int status;       /* 0: accepted */
    const char *says; /* part of the reason */
    size_t (*make)(char *dst);
};

static size_t add(char *dst, size_t at, const char *text)
{
    size_t n = strlen(text);
    rw_copy(dst + at, BIG_BYTES - at, text, n);
    return at + n;
}

static size_t add_many(char *dst, size_t at, char byte, size_t n)
{
    memset(dst + at, byte, n);
    return at + n;
}

static size_t long_header(char *dst)
{
    size_t at = add(dst, 0, GET OK_HOST "X-Long: ");
    at = add_many(dst, at, 'x', 100000);
    return add(dst, at, "\r\n\r\n");
}

static size_t headers_of(char *dst, int count)
{
    size_t at = add(dst, 0, GET OK_HOST);
    for (int i = 1; i < count; i++) {
        at = add(dst, at, "A: b\r\n");
    }
    return add(dst, at, "\r\n");
}

static size_t many_headers(char *dst)
{
    return headers_of(dst, 5000);
}

static size_t headers_48(char *dst)
{
    return headers_of(dst, HTTP_HEADERS_MAX);
}

static size_t headers_49(char *dst)
{
    return headers_of(dst, HTTP_HEADERS_MAX + 1);
}

static size_t target_of(char *dst, size_t n)
{
    size_t at = add(dst, 0, "GET /");
    at = add_many(dst, at, 'a', n - 1);
    return add(dst, at, " HTTP/1.1\r\n" OK_HOST "\r\n");
}

static size_t target_64k(char *dst)
{
    return target_of(dst, 65536);
}

static size_t target_512(char *dst)
{
    return target_of(dst, API_TARGET_BYTES_MAX);
}

static size_t target_513(char *dst)
{
    return target_of(dst, API_TARGET_BYTES_MAX + 1);
}

/* A line of n bytes without its end. */
static size_t line_of(char *dst, size_t n)
{
    size_t at = add(dst, 0, GET OK_HOST "X: ");
    at = add_many(dst, at, 'x', n - 3);
    return add(dst, at, "\r\n\r\n");
}

static size_t line_4096(char *dst)
{
    return line_of(dst, HTTP_LINE_BYTES_MAX);
}

static size_t line_4097(char *dst)
{
    return line_of(dst, HTTP_LINE_BYTES_MAX + 1);
}

/* A head of exactly n bytes, in lines that are allowed. */
static size_t head_of(char *dst, size_t n)
{
    size_t at = line_of(dst, HTTP_LINE_BYTES_MAX) - 2;
    at = add(dst, at, "Y: ");
    at = add_many(dst, at, 'y', n - at - 4);
    return add(dst, at, "\r\n\r\n");
}

static size_t head_8192(char *dst)
{
    return head_of(dst, HTTP_HEAD_BYTES_MAX);
}

static size_t head_8193(char *dst)
{
    return head_of(dst, HTTP_HEAD_BYTES_MAX + 1);
}

static const struct vector vectors[] = {
    /* good ones */
    {.id = "get", .text = GET OK_HOST "\r\n"},
    {.id = "head", .text = "HEAD /a?b=c HTTP/1.1\r\nhost:a:80\r\n\r\n"},
    {.id = "post", .text = POST "Content-Length: 5\r\n\r\nhello"},
    {.id = "post without length", .text = POST "\r\n"},
    {.id = "two gets, one behind the other", .text = GET OK_HOST "\r\n" GET OK_HOST "\r\n"},
    {.id = "expect", .text = POST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n"},
    {.id = "bytes above 0x7f in a value", .text = GET OK_HOST "X: caf\xc3\xa9\r\n\r\n"},
    {.id = "tab in a value", .text = GET OK_HOST "X:\ta\tb\t\r\n\r\n"},
    {.id = "empty value", .text = GET OK_HOST "X:\r\n\r\n"},
    {.id = "length of ten digits", .text = POST "Content-Length: 9999999999\r\n\r\n"},
    {.id = "48 headers", .make = headers_48},
    {.id = "target of 512", .make = target_512},
    {.id = "line of 4096", .make = line_4096},
    {.id = "head of 8192", .make = head_8192},
    /* the odd ones: what smuggles, what drips past limits, what other servers took */
    {.id = "chunked body",
     .text = POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
     .status = 400,
     .says = "Transfer-Encoding"},
    {.id = "length and chunked",
     .text = POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     .status = 400,
     .says = "Transfer-Encoding"},
    {.id = "two lengths that differ",
     .text = POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
     .status = 400,
     .says = "twice"},
    {.id = "two lengths that agree",
     .text = POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
     .status = 400,
     .says = "twice"},
    {.id = "length with a plus",
     .text = POST "Content-Length: +5\r\n\r\nhello",
     .status = 400,
     .says = "number"},
    {.id = "length as a list",
     .text = POST "Content-Length: 5,5\r\n\r\nhello",
     .status = 400,
     .says = "number"},
    {.id = "negative length",
     .text = POST "Content-Length: -5\r\n\r\nhello",
     .status = 400,
     .says = "number"},
    {.id = "empty length", .text = POST "Content-Length:\r\n\r\n", .status = 400, .says = "digits"},
    {.id = "hex length",
     .text = POST "Content-Length: 0x5\r\n\r\nhello",
     .status = 400,
     .says = "number"},
    {.id = "unknown coding",
     .text = POST "Transfer-Encoding: xchunked\r\n\r\n",
     .status = 400,
     .says = "Transfer-Encoding"},
    {.id = "chunked, identity",
     .text = POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
     .status = 400,
     .says = "Transfer-Encoding"},
    {.id = "vertical tab before the coding",
     .text = POST "Transfer-Encoding: \x0b"
                  "chunked\r\n\r\n",
     .status = 400,
     .says = "control"},
    {.id = "chunk size beyond 64 bits",
     .text = POST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff0\r\n",
     .status = 400,
     .says = "Transfer-Encoding"},
    {.id = "chunk size with 0x",
     .text = POST "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
     .status = 400,
     .says = "Transfer-Encoding"},
    {.id = "folded line",
     .text = GET OK_HOST "X: a\r\n b\r\n\r\n",
     .status = 400,
     .says = "folded"},
    {.id = "blank before the colon",
     .text = GET OK_HOST "Content-Length : 0\r\n\r\n",
     .status = 400,
     .says = "blank"},
    {.id = "bare line feeds", .text = "GET / HTTP/1.1\nHost: a\n\n", .status = 400, .says = "CRLF"},
    {.id = "bare line feed in a header",
     .text = GET "Host: a\nX: b\r\n\r\n",
     .status = 400,
     .says = "control"},
    {.id = "NUL in a value",
     .text = GET "Host: a\r\nX: a\0b\r\n\r\n",
     .n = 35,
     .status = 400,
     .says = "control"},
    {.id = "CR in a value", .text = GET OK_HOST "X: a\rb\r\n\r\n", .status = 400, .says = "CR"},
    {.id = "DEL in a value",
     .text = GET OK_HOST "X: a\x7f\r\n\r\n",
     .status = 400,
     .says = "control"},
    {.id = "no Host", .text = GET "\r\n", .status = 400, .says = "no Host"},
    {.id = "two Host", .text = GET OK_HOST OK_HOST "\r\n", .status = 400, .says = "twice"},
    {.id = "two names in Host",
     .text = GET "Host: a, b\r\n\r\n",
     .status = 400,
     .says = "one name"},
    {.id = "empty Host", .text = GET "Host:\r\n\r\n", .status = 400, .says = "empty"},
    {.id = "bad method",
     .text = "FOO / HTTP/1.1\r\n" OK_HOST "\r\n",
     .status = 400,
     .says = "method"},
    {.id = "method in small letters",
     .text = "get / HTTP/1.1\r\n" OK_HOST "\r\n",
     .status = 400,
     .says = "method"},
    {.id = "method that begins well",
     .text = "GETS / HTTP/1.1\r\n" OK_HOST "\r\n",
     .status = 400,
     .says = "method"},
    {.id = "version 1.9",
     .text = "GET / HTTP/1.9\r\n" OK_HOST "\r\n",
     .status = 400,
     .says = "HTTP/1.1"},
    {.id = "version 1.0",
     .text = "GET / HTTP/1.0\r\n" OK_HOST "\r\n",
     .status = 400,
     .says = "HTTP/1.1"},
    {.id = "HTTP/2 preface",
     .text = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
     .status = 400,
     .says = "method"},
    {.id = "TLS hello on a plain port",
     .text = "\x16\x03\x01\x02",
     .status = 400,
     .says = "method"},
    {.id = "header of 100 KB", .make = long_header, .status = 431, .says = "4096"},
    {.id = "5000 headers", .make = many_headers, .status = 431, .says = "48"},
    {.id = "target of 64 KB", .make = target_64k, .status = 414, .says = "512"},
    {.id = "length of 10 GB",
     .text = POST "Content-Length: 10737418240\r\n\r\n",
     .status = 400,
     .says = "digits"},
    /* just beyond each limit, and the rest of the rules */
    {.id = "49 headers", .make = headers_49, .status = 431, .says = "48"},
    {.id = "target of 513", .make = target_513, .status = 414, .says = "512"},
    {.id = "line of 4097", .make = line_4097, .status = 431, .says = "4096"},
    {.id = "head of 8193", .make = head_8193, .status = 431, .says = "8192"},
    {.id = "absolute target",
     .text = "GET http://a/ HTTP/1.1\r\n" OK_HOST "\r\n",
     .status = 400,
     .says = "'/'"},
    {.id = "asterisk target",
     .text = "GET * HTTP/1.1\r\n" OK_HOST "\r\n",
     .status = 400,
     .says = "'/'"},
    {.id = "two blanks",
     .text = "GET  / HTTP/1.1\r\n" OK_HOST "\r\n",
     .status = 400,
     .says = "'/'"},
    {.id = "byte above 0x7e in the target",
     .text = "GET /\xc3\xa9 HTTP/1.1\r\n" OK_HOST "\r\n",
     .status = 400,
     .says = "target"},
    {.id = "empty line first", .text = "\r\n" GET OK_HOST "\r\n", .status = 400, .says = "method"},
    {.id = "header without a name", .text = GET ": a\r\n\r\n", .status = 400, .says = "no name"},
    {.id = "slash in a name", .text = GET OK_HOST "a/b: c\r\n\r\n", .status = 400, .says = "name"},
    {.id = "line without a colon",
     .text = GET OK_HOST "abc\r\n\r\n",
     .status = 400,
     .says = "name"},
    {.id = "get with a body",
     .text = GET OK_HOST "Content-Length: 3\r\n\r\nabc",
     .status = 400,
     .says = "only POST"},
    {.id = "two tokens",
     .text = GET OK_HOST "Authorization: a\r\nauthorization: b\r\n\r\n",
     .status = 400,
     .says = "twice"},
    {.id = "other expectation",
     .text = POST "Expect: 200-ok\r\n\r\n",
     .status = 417,
     .says = "100-continue"},
};

/* The vector's bytes in a place of exactly their size, so that a sanitizer sees a read beyond. */
static uint8_t *bytes_of(const struct vector *v, size_t *n)
{
    static char big[BIG_BYTES];
    const char *from = v->text;
    *n = v->n > 0 ? v->n : 0;
    if (v->make != NULL) {
        *n = v->make(big);
        from = big;
    } else if (*n == 0) {
        *n = strlen(v->text);
    }
    uint8_t *p = rw_mem_new(*n);
    rw_copy(p, *n, from, *n);
    return p;
}

TEST_EACH(a_head_is_taken_or_refused_by_the_rules, vectors)
{
    size_t n = 0;
    uint8_t *p = bytes_of(it, &n);
    struct http_head h = http_parse_head(rw_span_of(p, n));
    if (it->status == 0) {
        assert_int_equal(h.result, HTTP_PARSE_DONE);
        assert_true(h.bytes >= 4 && h.bytes <= HTTP_HEAD_BYTES_MAX);
        assert_memory_equal(p + h.bytes - 4, "\r\n\r\n", 4);
    } else {
        assert_int_equal(h.result, HTTP_PARSE_BAD);
        assert_int_equal(h.status, it->status);
        assert_true(h.wrong_at <= n && h.wrong_at <= HTTP_HEAD_BYTES_MAX);
        if (strstr(h.why, it->says) == NULL) { fail_msg("'%s' lacks '%s'", h.why, it->says); }
    }
    rw_mem_free(p);
}

static bool same(const struct http_head *a, const struct http_head *b)
{
    return a->result == b->result && a->status == b->status && a->why == b->why &&
           a->wrong_at == b->wrong_at && a->bytes == b->bytes && a->method == b->method &&
           memcmp(&a->path, &b->path, sizeof(a->path)) == 0 &&
           memcmp(&a->query, &b->query, sizeof(a->query)) == 0 &&
           memcmp(&a->authorization, &b->authorization, sizeof(a->path)) == 0 &&
           a->content_length == b->content_length && a->close == b->close &&
           a->expect_continue == b->expect_continue;
}

TEST_EACH(pieces_give_the_same_as_the_whole, vectors)
{
    size_t n = 0;
    uint8_t *p = bytes_of(it, &n);
    struct http_head whole = http_parse_head(rw_span_of(p, n));
    size_t most = n < HTTP_HEAD_BYTES_MAX + 10 ? n : HTTP_HEAD_BYTES_MAX + 10;
    bool decided = false;
    for (size_t i = 0; i <= most; i++) {
        uint8_t *piece = rw_mem_new(i + 1);
        if (i > 0) { rw_copy(piece, i, p, i); }
        struct http_head h = http_parse_head(rw_span_of(piece, i));
        rw_mem_free(piece);
        if (h.result == HTTP_PARSE_MORE) {
            assert_false(decided); /* what was decided stays so */
            continue;
        }
        decided = true;
        if (!same(&h, &whole)) { fail_msg("after %zu bytes: another result", i); }
    }
    assert_true(decided);
    rw_mem_free(p);
}

TEST(the_pieces_of_a_request_are_found)
{
    const char text[] = "GET /v1/fleet?after=7&limit=5 HTTP/1.1\r\n"
                        "host: ringward:8443\r\n"
                        "Authorization:  Bearer abc \t\r\n"
                        "If-None-Match: \"x\", W/\"y\"\r\n"
                        "Range: bytes=0-1\r\n"
                        "If-Range: \"x\"\r\n"
                        "Connection: keep-alive , CLOSE\r\n\r\n";
    struct rw_span all = rw_span_str(text);
    struct http_head h = http_parse_head(all);
    assert_int_equal(h.result, HTTP_PARSE_DONE);
    assert_int_equal(h.method, API_GET);
    assert_int_equal(h.bytes, all.n);
    assert_true(rw_span_is(http_parse_slice(all, h.path), "/v1/fleet"));
    assert_true(rw_span_is(http_parse_slice(all, h.query), "after=7&limit=5"));
    assert_true(rw_span_is(http_parse_slice(all, h.authorization), "Bearer abc"));
    assert_true(rw_span_is(http_parse_slice(all, h.if_none_match), "\"x\", W/\"y\""));
    assert_true(rw_span_is(http_parse_slice(all, h.range), "bytes=0-1"));
    assert_true(rw_span_is(http_parse_slice(all, h.if_range), "\"x\""));
    assert_true(h.close);
    assert_false(h.expect_continue);
}

TEST(an_option_that_only_contains_close_does_not_close)
{
    struct http_head h =
        http_parse_head(rw_span_str(GET OK_HOST "Connection: keep-alive, closed, enclose\r\n\r\n"));
    assert_int_equal(h.result, HTTP_PARSE_DONE);
    assert_false(h.close);
}

RUN_TESTS(cmocka_unit_test(a_head_is_taken_or_refused_by_the_rules),
          cmocka_unit_test(pieces_give_the_same_as_the_whole),
          cmocka_unit_test(the_pieces_of_a_request_are_found),
          cmocka_unit_test(an_option_that_only_contains_close_does_not_close))
