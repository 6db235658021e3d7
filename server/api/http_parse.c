#include "server/api/http_parse.h"

#include <string.h>
#include <strings.h>

enum { NO_BYTE = -1 };

/* Headers that may stand once; a bit each in cursor.seen. */
enum {
    SEEN_HOST = 1,
    SEEN_LENGTH = 2,
    SEEN_EXPECT = 4,
    SEEN_AUTHORIZATION = 8,
    SEEN_IF_NONE_MATCH = 16,
    SEEN_IF_RANGE = 32,
    SEEN_RANGE = 64,
};

struct cursor {
    struct rw_span in;
    size_t at;
    size_t line_at; /* first byte of the present header line */
    unsigned headers;
    unsigned seen;
    struct http_head *h;
};

struct rw_span http_parse_slice(struct rw_span bytes, struct http_slice slice)
{
    RW_ASSERT((size_t)slice.at + slice.n <= bytes.n);
    return slice.n == 0 ? rw_span_of(NULL, 0) : rw_span_of(bytes.p + slice.at, slice.n);
}

static struct http_slice slice_of(size_t from, size_t to)
{
    RW_ASSERT(from <= to && to <= HTTP_HEAD_BYTES_MAX);
    return (struct http_slice){.at = (uint16_t)from, .n = (uint16_t)(to - from)};
}

static bool refuse(struct cursor *c, int status, size_t at, const char *why)
{
    c->h->result = HTTP_PARSE_BAD;
    c->h->status = status;
    c->h->wrong_at = at;
    c->h->why = why;
    return false;
}

/* The byte at the cursor. NO_BYTE when it has not arrived (result stays MORE) or the head is too long. */
static int peek(struct cursor *c)
{
    if (c->at == HTTP_HEAD_BYTES_MAX) {
        (void)refuse(c, 431, c->at, "the head is longer than 8192 bytes");
        return NO_BYTE;
    }
    return c->at < c->in.n ? c->in.p[c->at] : NO_BYTE;
}

static bool expect(struct cursor *c, const char *text, const char *why)
{
    for (; *text != '\0'; text++, c->at++) {
        int b = peek(c);
        if (b == NO_BYTE) { return false; }
        if (b != (unsigned char)*text) { return refuse(c, 400, c->at, why); }
    }
    return true;
}

static bool parse_method(struct cursor *c)
{
    static const char why[] = "the method is not GET, HEAD or POST";
    switch (peek(c)) {
    case NO_BYTE:
        return false;
    case 'G':
        c->h->method = API_GET;
        return expect(c, "GET ", why);
    case 'H':
        c->h->method = API_HEAD;
        return expect(c, "HEAD ", why);
    case 'P':
        c->h->method = API_POST;
        return expect(c, "POST ", why);
    default:
        return refuse(c, 400, c->at, why);
    }
}

static bool parse_target(struct cursor *c)
{
    size_t from = c->at;
    size_t mark = 0; /* of the first '?'; a target never begins at 0 */
    int b = peek(c);
    if (b == NO_BYTE) { return false; }
    if (b != '/') { return refuse(c, 400, c->at, "the target does not begin with '/'"); }
    for (; b != ' '; b = peek(c)) {
        if (b == NO_BYTE) { return false; }
        if (b < 0x21 || b > 0x7E) {
            return refuse(c, 400, c->at, "the target has a byte outside 0x21 to 0x7e");
        }
        if (c->at - from == API_TARGET_BYTES_MAX) {
            return refuse(c, 414, c->at, "the target is longer than 512 bytes");
        }
        if (b == '?' && mark == 0) { mark = c->at; }
        c->at++;
    }
    c->h->path = slice_of(from, mark == 0 ? c->at : mark);
    if (mark != 0) { c->h->query = slice_of(mark + 1, c->at); }
    c->at++;
    return true;
}

/* RFC 9110 5.6.2 */
static bool is_token_byte(int b)
{
    return (b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') ||
           (b > 0 && strchr("!#$%&'*+-.^_`|~", b) != NULL);
}

static bool line_full(struct cursor *c)
{
    if (c->at - c->line_at < HTTP_LINE_BYTES_MAX) { return false; }
    (void)refuse(c, 431, c->at, "a header line is longer than 4096 bytes");
    return true;
}

static bool parse_name(struct cursor *c, struct rw_span *name)
{
    size_t from = c->at;
    int b = peek(c);
    if (b == ' ' || b == '\t') { return refuse(c, 400, c->at, "a header line is folded"); }
    for (; b != ':'; b = peek(c)) {
        if (b == NO_BYTE || line_full(c)) { return false; }
        if (b == ' ' || b == '\t') {
            return refuse(c, 400, c->at, "a header name is followed by a blank");
        }
        if (!is_token_byte(b)) {
            return refuse(c, 400, c->at, "a header name has a byte that is not allowed");
        }
        c->at++;
    }
    if (c->at == from) { return refuse(c, 400, c->at, "a header has no name"); }
    *name = rw_span_of(c->in.p + from, c->at - from);
    c->at++;
    return true;
}

/* Up to CRLF; blanks around the value are not part of it (RFC 9110 5.5). */
static bool parse_value(struct cursor *c, struct http_slice *value)
{
    size_t from = c->at;
    for (int b = peek(c); b != '\r'; b = peek(c)) {
        if (b == NO_BYTE || line_full(c)) { return false; }
        if ((b < 0x20 && b != '\t') || b == 0x7F) {
            return refuse(c, 400, c->at, "a header value has a control byte");
        }
        c->at++;
    }
    size_t to = c->at;
    if (!expect(c, "\r\n", "a CR is not followed by LF")) { return false; }
    while (from < to && (c->in.p[from] == ' ' || c->in.p[from] == '\t')) {
        from++;
    }
    while (to > from && (c->in.p[to - 1] == ' ' || c->in.p[to - 1] == '\t')) {
        to--;
    }
    *value = slice_of(from, to);
    return true;
}

static bool is_word(struct rw_span s, const char *word)
{
    return s.n == strlen(word) && strncasecmp((const char *)s.p, word, s.n) == 0;
}

static bool once(struct cursor *c, unsigned bit, const char *why)
{
    if ((c->seen & bit) != 0) { return refuse(c, 400, c->line_at, why); }
    c->seen |= bit;
    return true;
}

static bool take_length(struct cursor *c, struct rw_span v)
{
    uint64_t n = 0;
    if (!once(c, SEEN_LENGTH, "Content-Length stands twice")) { return false; }
    if (v.n == 0 || v.n > HTTP_LENGTH_DIGITS_MAX) {
        return refuse(c, 400, c->line_at, "Content-Length is not 1 to 10 digits");
    }
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') {
            return refuse(c, 400, c->line_at, "Content-Length is not a number");
        }
        n = n * 10 + (uint64_t)(v.p[i] - '0'); /* at most 10 digits: no overflow */
    }
    c->h->content_length = n;
    return true;
}

/* "close" anywhere in the list; other options do not concern us. */
static void take_connection(struct cursor *c, struct rw_span v)
{
    size_t from = 0;
    for (size_t i = 0; i <= v.n; i++) {
        if (i < v.n && v.p[i] != ',') { continue; }
        struct rw_span word = rw_span_of(v.p + from, i - from);
        while (word.n > 0 && (word.p[0] == ' ' || word.p[0] == '\t')) {
            word = rw_span_of(word.p + 1, word.n - 1);
        }
        while (word.n > 0 && (word.p[word.n - 1] == ' ' || word.p[word.n - 1] == '\t')) {
            word.n--;
        }
        if (is_word(word, "close")) { c->h->close = true; }
        from = i + 1;
    }
}

static bool take_host(struct cursor *c, struct rw_span v)
{
    if (!once(c, SEEN_HOST, "Host stands twice")) { return false; }
    if (v.n == 0) { return refuse(c, 400, c->line_at, "Host is empty"); }
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] <= ' ' || v.p[i] >= 0x7F || strchr(",/@\\", v.p[i]) != NULL) {
            return refuse(c, 400, c->line_at, "Host is not one name");
        }
    }
    return true;
}

static bool take_header(struct cursor *c, struct rw_span name, struct http_slice value)
{
    const struct {
        const char *name;
        unsigned bit;
        struct http_slice *into;
    } kept[] = {{"authorization", SEEN_AUTHORIZATION, &c->h->authorization},
                {"if-none-match", SEEN_IF_NONE_MATCH, &c->h->if_none_match},
                {"if-range", SEEN_IF_RANGE, &c->h->if_range},
                {"range", SEEN_RANGE, &c->h->range}};
    struct rw_span v = rw_span_of(c->in.p + value.at, value.n);
    for (size_t i = 0; i < RW_LEN(kept); i++) {
        if (!is_word(name, kept[i].name)) { continue; }
        if (!once(c, kept[i].bit, "a header that may stand once stands twice")) { return false; }
        *kept[i].into = value;
        return true;
    }
    if (is_word(name, "host")) { return take_host(c, v); }
    if (is_word(name, "content-length")) { return take_length(c, v); }
    if (is_word(name, "transfer-encoding")) {
        return refuse(c, 400, c->line_at, "Transfer-Encoding: send Content-Length instead");
    }
    if (is_word(name, "expect")) {
        if (!once(c, SEEN_EXPECT, "Expect stands twice")) { return false; }
        c->h->expect_continue = is_word(v, "100-continue");
        if (!c->h->expect_continue) {
            return refuse(c, 417, c->line_at, "Expect is not 100-continue");
        }
    }
    if (is_word(name, "connection")) { take_connection(c, v); }
    return true;
}

static bool parse_headers(struct cursor *c)
{
    for (;;) {
        struct rw_span name;
        struct http_slice value;
        c->line_at = c->at;
        int b = peek(c);
        if (b == NO_BYTE) { return false; }
        if (b == '\r') { return expect(c, "\r\n", "a CR is not followed by LF"); }
        if (c->headers == HTTP_HEADERS_MAX) {
            return refuse(c, 431, c->at, "there are more than 48 headers");
        }
        c->headers++;
        if (!parse_name(c, &name) || !parse_value(c, &value) || !take_header(c, name, value)) {
            return false;
        }
    }
}

struct http_head http_parse_head(struct rw_span bytes)
{
    struct http_head h = {.result = HTTP_PARSE_MORE};
    struct cursor c = {.in = bytes, .h = &h};
    if (!parse_method(&c) || !parse_target(&c) ||
        !expect(&c, "HTTP/1.1\r\n", "the request line does not end in HTTP/1.1 and CRLF") ||
        !parse_headers(&c)) {
        return h;
    }
    h.bytes = c.at;
    if ((c.seen & SEEN_HOST) == 0) {
        (void)refuse(&c, 400, c.line_at, "there is no Host");
    } else if (h.method != API_POST && h.content_length > 0) {
        (void)refuse(&c, 400, c.line_at, "only POST may carry a body");
    } else {
        h.result = HTTP_PARSE_DONE;
    }
    return h;
}
