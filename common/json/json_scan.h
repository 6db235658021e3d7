/* json_scan.h: the tokens of strict JSON, byte by byte.
 *
 * memory   borrows the text; strings are appended to a buffer of the caller
 * threads  no shared state
 * source   RFC 8259 with the refusals listed in json_read.h
 */
#ifndef RINGWARD_JSON_SCAN_H
#define RINGWARD_JSON_SCAN_H

#include "common/json/json_node.h"

struct json_scan {
    struct rw_span text;
    size_t at;         /* next byte */
    size_t line_start; /* offset of the present line */
    unsigned line;     /* from 1 */
};

struct json_scan json_scan_begin(struct rw_span text);
bool json_scan_at_end(const struct json_scan *s);
void json_scan_blank(struct json_scan *s); /* space, tab, LF, CR only */
void json_scan_skip(struct json_scan *s);  /* one byte, known to be there */
bool json_scan_take(struct json_scan *s, char c);
/* Fails with RW_E_SYNTAX naming line and column of the next byte. */
RW_RC json_scan_fail(const struct json_scan *s, const char *what, struct rw_err *err);
/* The type that the next byte announces; nothing is consumed. */
RW_RC json_scan_type(const struct json_scan *s, enum json_type *out, struct rw_err *err);
RW_RC json_scan_word(struct json_scan *s, const char *word, struct rw_err *err);
/* Fits -?(0|[1-9][0-9]{0,15}), not "-0", within +-(2^53-1); anything else is refused. */
RW_RC json_scan_int(struct json_scan *s, int64_t *out, struct rw_err *err);
/* The same, or with a point and one to three digits behind it: then *decimal_out is true and *out in thousandths. */
RW_RC json_scan_decimal(struct json_scan *s, int64_t *out, bool *decimal_out, struct rw_err *err);
/* Unescapes into `strings`; refuses NUL, control bytes, bad UTF-8, lone surrogates. */
RW_RC json_scan_string(struct json_scan *s, struct rw_buf *strings, struct json_range *out,
                       struct rw_err *err);
/* Refuses an object that has one member twice. */
RW_RC json_scan_unique(struct json_doc *doc, uint32_t object, struct rw_err *err);

#endif
