#include "common/json/json_scan.h"

#include "common/base/num.h"
#include "common/base/utf8.h"

#include <stdlib.h>
#include <string.h>

struct json_scan json_scan_begin(struct rw_span text)
{
    return (struct json_scan){.text = text, .line = 1};
}

bool json_scan_at_end(const struct json_scan *s)
{
    return s->at == s->text.n;
}

static int peek(const struct json_scan *s)
{
    return s->at < s->text.n ? s->text.p[s->at] : -1;
}

void json_scan_skip(struct json_scan *s)
{
    RW_ASSERT(s->at < s->text.n);
    s->at++;
}

void json_scan_blank(struct json_scan *s)
{
    for (int c = peek(s); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = peek(s)) {
        s->at++;
        if (c == '\n') {
            s->line++;
            s->line_start = s->at;
        }
    }
}

bool json_scan_take(struct json_scan *s, char c)
{
    if (peek(s) != c) { return false; }
    s->at++;
    return true;
}

RW_RC json_scan_fail(const struct json_scan *s, const char *what, struct rw_err *err)
{
    return rw_fail(err, RW_E_SYNTAX, "JSON line %u, column %zu: %s", s->line,
                   s->at - s->line_start + 1, json_scan_at_end(s) ? "the text ends here" : what);
}

RW_RC json_scan_type(const struct json_scan *s, enum json_type *out, struct rw_err *err)
{
    int c = peek(s);
    switch (c) {
    case '{':
        *out = JSON_OBJECT;
        return RW_OK;
    case '[':
        *out = JSON_ARRAY;
        return RW_OK;
    case '"':
        *out = JSON_STR;
        return RW_OK;
    case 't':
        *out = JSON_TRUE;
        return RW_OK;
    case 'f':
        *out = JSON_FALSE;
        return RW_OK;
    case 'n':
        *out = JSON_NULL;
        return RW_OK;
    default:
        break;
    }
    if (c != '-' && (c < '0' || c > '9')) { return json_scan_fail(s, "no JSON value", err); }
    *out = JSON_INT;
    return RW_OK;
}

RW_RC json_scan_word(struct json_scan *s, const char *word, struct rw_err *err)
{
    if (!rw_span_starts(rw_span_of(s->text.p + s->at, s->text.n - s->at), word)) {
        return json_scan_fail(s, "no JSON value", err);
    }
    s->at += strlen(word);
    return RW_OK;
}

/* The digits before a point, with the sign; stands behind them. */
static RW_RC read_whole(struct json_scan *s, bool *negative_out, int64_t *out, struct rw_err *err)
{
    bool negative = json_scan_take(s, '-');
    size_t digits = 0;
    int64_t value = 0;
    int first = peek(s);
    for (int c = first; c >= '0' && c <= '9'; c = peek(s)) {
        if (digits == 16) { return json_scan_fail(s, "number beyond 2^53-1", err); }
        value = value * 10 + (c - '0');
        digits++;
        s->at++;
    }
    bool minus_zero = first == '0' && negative && peek(s) != '.';
    if (digits == 0 || (first == '0' && digits > 1) || minus_zero) {
        return json_scan_fail(s, "no integer in its one plain form", err);
    }
    *negative_out = negative;
    *out = value;
    return RW_OK;
}

RW_RC json_scan_int(struct json_scan *s, int64_t *out, struct rw_err *err)
{
    bool negative = false;
    int64_t value = 0;
    RW_TRY(read_whole(s, &negative, &value, err));
    int after = peek(s);
    if (after == '.' || after == 'e' || after == 'E') {
        return json_scan_fail(s, "only integers are allowed", err);
    }
    if (value > RW_JSON_INT_MAX) { return json_scan_fail(s, "number beyond 2^53-1", err); }
    *out = negative ? -value : value;
    return RW_OK;
}

RW_RC json_scan_decimal(struct json_scan *s, int64_t *out, bool *decimal_out, struct rw_err *err)
{
    bool negative = false;
    int64_t value = 0;
    size_t places = 0;
    RW_TRY(read_whole(s, &negative, &value, err));
    bool decimal = json_scan_take(s, '.');
    if (decimal && value > RW_JSON_INT_MAX / 1000) {
        return json_scan_fail(s, "number beyond 2^53-1 thousandths", err);
    }
    for (int c = peek(s); decimal && c >= '0' && c <= '9'; c = peek(s)) {
        if (++places > 3) { break; }
        value = value * 10 + (c - '0');
        s->at++;
    }
    bool exponent = peek(s) == 'e' || peek(s) == 'E';
    if ((decimal && (places < 1 || places > 3)) || exponent) {
        return json_scan_fail(s, "want an integer or one to three decimals", err);
    }
    for (; decimal && places < 3; places++) {
        value *= 10;
    }
    if (value > RW_JSON_INT_MAX) { return json_scan_fail(s, "number beyond 2^53-1", err); }
    *out = negative ? -value : value;
    *decimal_out = decimal;
    return RW_OK;
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9') { return c - '0'; }
    if (c >= 'a' && c <= 'f') { return c - 'a' + 10; }
    if (c >= 'A' && c <= 'F') { return c - 'A' + 10; }
    return -1;
}

static RW_RC read_hex4(struct json_scan *s, uint32_t *out, struct rw_err *err)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(peek(s));
        if (digit < 0) { return json_scan_fail(s, "want four hex digits", err); }
        code = code << 4 | (uint32_t)digit;
        s->at++;
    }
    *out = code;
    return RW_OK;
}

static RW_RC read_unicode_escape(struct json_scan *s, uint8_t utf8[static 4], size_t *n_out,
                                 struct rw_err *err)
{
    uint32_t code = 0;
    RW_TRY(read_hex4(s, &code, err));
    if (code >= 0xD800 && code <= 0xDBFF) {
        uint32_t low = 0;
        if (!json_scan_take(s, '\\') || !json_scan_take(s, 'u')) {
            return json_scan_fail(s, "lone surrogate", err);
        }
        RW_TRY(read_hex4(s, &low, err));
        if (low < 0xDC00 || low > 0xDFFF) { return json_scan_fail(s, "lone surrogate", err); }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
        return json_scan_fail(s, "lone surrogate", err);
    }
    if (code == 0) { return json_scan_fail(s, "NUL is not allowed in strings", err); }
    if (code < 0x80) {
        utf8[0] = (uint8_t)code;
        *n_out = 1;
    } else if (code < 0x800) {
        utf8[0] = (uint8_t)(0xC0 | code >> 6);
        utf8[1] = (uint8_t)(0x80 | (code & 0x3F));
        *n_out = 2;
    } else if (code < 0x10000) {
        utf8[0] = (uint8_t)(0xE0 | code >> 12);
        utf8[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        utf8[2] = (uint8_t)(0x80 | (code & 0x3F));
        *n_out = 3;
    } else {
        utf8[0] = (uint8_t)(0xF0 | code >> 18);
        utf8[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
        utf8[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        utf8[3] = (uint8_t)(0x80 | (code & 0x3F));
        *n_out = 4;
    }
    return RW_OK;
}

static RW_RC read_escape(struct json_scan *s, struct rw_buf *strings, struct rw_err *err)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    if (json_scan_take(s, 'u')) {
        uint8_t utf8[4];
        size_t n = 0;
        RW_TRY(read_unicode_escape(s, utf8, &n, err));
        return rw_buf_append(strings, rw_span_of(utf8, n), err);
    }
    for (size_t i = 0; i + 1 < sizeof(letters); i++) {
        if (json_scan_take(s, letters[i])) {
            return rw_buf_append(strings, rw_span_of(&bytes[i], 1), err);
        }
    }
    return json_scan_fail(s, "unknown escape", err);
}

/* Appends the longest run of plain characters. */
static RW_RC read_plain(struct json_scan *s, struct rw_buf *strings, struct rw_err *err)
{
    size_t from = s->at;
    for (int c = peek(s); c >= 0x20 && c != '"' && c != '\\'; c = peek(s)) {
        size_t n = rw_utf8_length(s->text.p + s->at, s->text.n - s->at);
        if (n == 0) { return json_scan_fail(s, "not valid UTF-8", err); }
        s->at += n;
    }
    return rw_buf_append(strings, rw_span_of(s->text.p + from, s->at - from), err);
}

RW_RC json_scan_string(struct json_scan *s, struct rw_buf *strings, struct json_range *out,
                       struct rw_err *err)
{
    if (!json_scan_take(s, '"')) { return json_scan_fail(s, "want a string", err); }
    size_t from = strings->n;
    while (!json_scan_take(s, '"')) {
        if (json_scan_take(s, '\\')) {
            RW_TRY(read_escape(s, strings, err));
        } else if (peek(s) < 0x20) { /* also the end of the text */
            return json_scan_fail(s, "control byte in a string", err);
        } else {
            RW_TRY(read_plain(s, strings, err));
        }
    }
    *out = (struct json_range){.at = (uint32_t)from, .n = (uint32_t)(strings->n - from)};
    return RW_OK;
}

static int compare_spans(const void *a, const void *b)
{
    const struct rw_span *x = a;
    const struct rw_span *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int order = n == 0 ? 0 : memcmp(x->p, y->p, n);
    if (order != 0) { return order; }
    return x->n < y->n ? -1 : x->n > y->n;
}

RW_RC json_scan_unique(struct json_doc *doc, uint32_t object, struct rw_err *err)
{
    const struct json *o = &doc->nodes[object];
    if (o->child_count < 2) { return RW_OK; }
    /* Sorted rather than compared pairwise: a hostile object of 200,000 members stays cheap. */
    struct rw_span *names = rw_mem_new_array(o->child_count, sizeof(*names));
    if (names == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a JSON tree"); }
    size_t n = 0;
    for (uint32_t i = o->first_child; i != 0; i = doc->nodes[i].next_sibling) {
        names[n++] = json_range_span(doc, doc->nodes[i].name);
    }
    RW_ASSERT(n == o->child_count);
    qsort(names, n, sizeof(*names), compare_spans);
    struct rw_rc rc = RW_OK;
    for (size_t i = 1; i < n && rw_is_ok(rc); i++) {
        if (rw_span_eq(names[i - 1], names[i])) {
            rc = rw_fail(err, RW_E_SYNTAX, "JSON line %u: the object has member '%.*s' twice",
                         o->line, (int)(names[i].n < 60 ? names[i].n : 60), names[i].p);
        }
    }
    rw_mem_free(names);
    return rc;
}
