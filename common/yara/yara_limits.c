#include "common/yara/yara_limits.h"

#include "common/yara/yara_regex.h"

#include <string.h>

struct reader {
    struct rw_span text;
    size_t at;
    int64_t line;
    int64_t braces;
    int64_t parens;
    int64_t strings; /* of the present rule */
    bool in_for;     /* between "for" and its colon */
    struct yara_limits found;
};

static uint8_t peek(const struct reader *r, size_t ahead)
{
    return r->at + ahead < r->text.n ? r->text.p[r->at + ahead] : 0;
}

static void skip(struct reader *r, size_t n)
{
    for (size_t i = 0; i < n && r->at < r->text.n; i++) {
        if (r->text.p[r->at++] == '\n') { r->line++; }
    }
}

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void skip_comment(struct reader *r)
{
    bool block = peek(r, 1) == '*';
    skip(r, 2);
    while (r->at < r->text.n) {
        if (!block && peek(r, 0) == '\n') { return; }
        if (block && peek(r, 0) == '*' && peek(r, 1) == '/') {
            skip(r, 2);
            return;
        }
        skip(r, 1);
    }
}

/* Up to the delimiter or the end of the line; a backslash takes the byte behind it along. */
static struct rw_span take_quoted(struct reader *r, uint8_t delimiter)
{
    skip(r, 1);
    size_t from = r->at;
    while (r->at < r->text.n && peek(r, 0) != delimiter && peek(r, 0) != '\n') {
        skip(r, peek(r, 0) == '\\' ? 2 : 1);
    }
    struct rw_span inside = rw_span_of(r->text.p + from, r->at - from);
    skip(r, 1);
    return inside;
}

static RW_RC take_regex(struct reader *r, struct rw_err *err)
{
    int64_t line = r->line;
    struct rw_span inside = take_quoted(r, '/');
    if ((int64_t)inside.n > r->found.regex_most) { r->found.regex_most = (int64_t)inside.n; }
    if (!rw_is_ok(yara_regex_check(inside, err))) {
        return rw_wrap(err, "line %lld", (long long)line);
    }
    return RW_OK;
}

static RW_RC begin_rule(struct reader *r, struct rw_err *err)
{
    r->found.rules++;
    r->strings = 0;
    if (r->found.rules <= YARA_RULES_MAX) { return RW_OK; }
    return rw_fail(err, RW_E_RANGE, "line %lld: more than %d rules", (long long)r->line,
                   YARA_RULES_MAX);
}

static RW_RC take_word(struct reader *r, struct rw_err *err)
{
    size_t from = r->at;
    while (is_word(peek(r, 0))) {
        r->at++;
    }
    struct rw_span word = rw_span_of(r->text.p + from, r->at - from);
    if (r->braces == 0 && rw_span_is(word, "rule")) { return begin_rule(r, err); }
    if (rw_span_is(word, "for")) { r->in_for = true; }
    return RW_OK;
}

/* "$name =" and "$ =" declare a string; "$name" alone speaks of one. */
static RW_RC take_string_name(struct reader *r, struct rw_err *err)
{
    r->at++;
    while (is_word(peek(r, 0))) {
        r->at++;
    }
    while (peek(r, 0) == ' ' || peek(r, 0) == '\t') {
        r->at++;
    }
    if (peek(r, 0) != '=' || peek(r, 1) == '=') { return RW_OK; }
    r->strings++;
    if (r->strings > r->found.strings_most) { r->found.strings_most = r->strings; }
    if (r->strings <= YARA_STRINGS_MAX) { return RW_OK; }
    return rw_fail(err, RW_E_RANGE, "line %lld: a rule with more than %d strings",
                   (long long)r->line, YARA_STRINGS_MAX);
}

/* ".." of a loop's range, with a number behind it. Decimal and hexadecimal, KB and MB as libyara has them. */
static RW_RC take_range_end(struct reader *r, struct rw_err *err)
{
    int64_t n = 0;
    int64_t base = 10;
    skip(r, 2);
    while (peek(r, 0) == ' ' || peek(r, 0) == '\t') {
        r->at++;
    }
    if (peek(r, 0) == '0' && peek(r, 1) == 'x') {
        base = 16;
        r->at += 2;
    }
    for (;; r->at++) {
        uint8_t c = peek(r, 0);
        uint8_t low = (uint8_t)(c | 0x20U);
        bool digit = c >= '0' && c <= '9';
        if (!digit && !(base == 16 && low >= 'a' && low <= 'f')) { break; }
        /* Beyond any loop already; what follows stays below 2^60. */
        if (n < INT64_C(1) << 36) { n = n * base + (digit ? c - '0' : low - 'a' + 10); }
    }
    if (peek(r, 0) == 'K' && peek(r, 1) == 'B') { n *= 1024; }
    if (peek(r, 0) == 'M' && peek(r, 1) == 'B') { n *= 1048576; }
    if (!r->in_for) { return RW_OK; } /* a range of offsets, not a loop */
    if (n > r->found.loop_most) { r->found.loop_most = n; }
    if (n <= YARA_LOOP_MAX) { return RW_OK; }
    return rw_fail(err, RW_E_RANGE, "line %lld: a loop up to %lld, at most %d", (long long)r->line,
                   (long long)n, YARA_LOOP_MAX);
}

static RW_RC take_paren(struct reader *r, struct rw_err *err)
{
    skip(r, 1);
    r->parens++;
    if (r->parens > r->found.parens_most) { r->found.parens_most = r->parens; }
    if (r->parens <= YARA_PARENS_MAX) { return RW_OK; }
    return rw_fail(err, RW_E_RANGE, "line %lld: more than %d parentheses open", (long long)r->line,
                   YARA_PARENS_MAX);
}

static void take_sign(struct reader *r)
{
    uint8_t c = peek(r, 0);
    if (c == '{') { r->braces++; }
    if (c == '}' && r->braces > 0) {
        r->braces--;
        r->parens = 0;
    }
    if (c == ')' && r->parens > 0) { r->parens--; }
    if (c == ':') { r->in_for = false; }
    skip(r, 1);
}

static RW_RC step(struct reader *r, struct rw_err *err)
{
    uint8_t c = peek(r, 0);
    if (c == '/' && (peek(r, 1) == '/' || peek(r, 1) == '*')) {
        skip_comment(r);
        return RW_OK;
    }
    if (c == '/') { return take_regex(r, err); }
    if (c == '"') {
        (void)take_quoted(r, '"');
        return RW_OK;
    }
    if (c == '$') { return take_string_name(r, err); }
    if (is_word(c)) { return take_word(r, err); }
    if (c == '.' && peek(r, 1) == '.') { return take_range_end(r, err); }
    if (c == '(') { return take_paren(r, err); }
    take_sign(r);
    return RW_OK;
}

RW_RC yara_limits_check(struct rw_span text, struct yara_limits *out, struct rw_err *err)
{
    struct reader r = {.text = text, .line = 1};
    while (r.at < text.n) {
        RW_TRY(step(&r, err));
    }
    *out = r.found;
    return RW_OK;
}
