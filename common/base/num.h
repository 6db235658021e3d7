/* num.h: checked arithmetic and strict text forms of numbers, hex, durations and shares.
 *
 * memory   borrows every argument; writes only into what the caller gives
 * threads  no shared state
 * source   style guide 6: arithmetic on input goes through checked helpers
 */
#ifndef RINGWARD_NUM_H
#define RINGWARD_NUM_H

#include "common/base/buf.h"

/* 2^53-1: the largest integer that every JSON peer keeps exactly. */
#define RW_JSON_INT_MAX INT64_C(9007199254740991)

/* False, and *out untouched, when the result does not fit. */
bool rw_add_i64(int64_t a, int64_t b, int64_t *out);
bool rw_mul_i64(int64_t a, int64_t b, int64_t *out);

/* Decimal without sign, blanks or leading zeros, min..max. `what` names the value in the error.
 * Fails with RW_E_SYNTAX (not a number) or RW_E_RANGE (names the limits). */
RW_RC rw_parse_i64(struct rw_span s, int64_t min, int64_t max, const char *what, int64_t *out,
                   struct rw_err *err);

/* Lower-case hex. dst needs 2*n+1 bytes, is NUL-terminated. */
void rw_hex_encode(char *dst, size_t cap, const uint8_t *src, size_t n);
/* Exactly 2*n lower-case digits. Fails with RW_E_SYNTAX. */
RW_RC rw_hex_decode(uint8_t *dst, size_t n, struct rw_span s, const char *what, struct rw_err *err);

/* "90s", "15m", "2h", "7d", "500ms": one number, one unit. Seconds form refuses "ms".
 * Fails with RW_E_SYNTAX (form, names the units) or RW_E_RANGE (negative, above max). */
RW_RC rw_parse_duration_ms(struct rw_span s, int64_t max_ms, const char *what, int64_t *ms_out,
                           struct rw_err *err);
RW_RC rw_parse_duration_s(struct rw_span s, int64_t max_s, const char *what, int64_t *s_out,
                          struct rw_err *err);
/* Shortest exact form with one unit ("90s", "2h", "0s"). dst of 32 bytes is enough. */
void rw_format_duration_s(char *dst, size_t cap, int64_t seconds);
/* A time for people: "45s", "59m 59s", "1h 30m", "2d 3h": two units at most, rounded down; negative is "0s". */
void rw_say_duration_s(char *dst, size_t cap, int64_t seconds);
/* What a counted noun ends with: "" for one, else "s". */
const char *rw_plural(int64_t n);

/* "1%", "0.5%", "12.25%": a share in hundredths of a percent (basis points), 0..10000.
 * Fails with RW_E_SYNTAX or RW_E_RANGE. */
RW_RC rw_parse_share_bp(struct rw_span s, const char *what, int64_t *bp_out, struct rw_err *err);

/* "64KiB", "10MiB", "1GiB", "512B". Fails with RW_E_SYNTAX or RW_E_RANGE. */
RW_RC rw_parse_bytes(struct rw_span s, int64_t max, const char *what, int64_t *bytes_out,
                     struct rw_err *err);

#endif
