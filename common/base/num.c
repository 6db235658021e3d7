#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

enum { DURATION_BYTES = 32 };

bool rw_add_i64(int64_t a, int64_t b, int64_t *out)
{
    int64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) { return false; }
    *out = sum;
    return true;
}

bool rw_mul_i64(int64_t a, int64_t b, int64_t *out)
{
    int64_t product = 0;
    if (__builtin_mul_overflow(a, b, &product)) { return false; }
    *out = product;
    return true;
}

/* What can be shown of a hostile value in an error: 40 bytes, unprintable ones replaced. */
static void shown(char dst[static 48], struct rw_span s)
{
    size_t n = s.n < 40 ? s.n : 40;
    for (size_t i = 0; i < n; i++) {
        dst[i] = (char)(s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '?');
    }
    (void)snprintf(dst + n, 48 - n, "%s", s.n > n ? "..." : "");
}

/* Reads leading digits without a superfluous zero; gives how many bytes they took, 0 if none. A number
 * beyond 64 bits sets *huge. */
static size_t read_digits(struct rw_span s, int64_t *value_out, bool *huge)
{
    int64_t value = 0;
    size_t i = 0;
    *huge = false;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
        if (!rw_mul_i64(value, 10, &value) || !rw_add_i64(value, s.p[i] - '0', &value)) {
            *huge = true;
        }
    }
    if (i > 1 && s.p[0] == '0') { return 0; }
    *value_out = value;
    return i;
}

RW_RC rw_parse_i64(struct rw_span s, int64_t min, int64_t max, const char *what, int64_t *out,
                   struct rw_err *err)
{
    char text[48];
    int64_t value = 0;
    bool huge = false;
    shown(text, s);
    if (s.n == 0 || read_digits(s, &value, &huge) != s.n) {
        return rw_fail(err, RW_E_SYNTAX, "%s: '%s' is not a whole decimal number", what, text);
    }
    if (huge) {
        return rw_fail(err, RW_E_RANGE, "%s: %s is outside %lld..%lld", what, text, (long long)min,
                       (long long)max);
    }
    if (value < min || value > max) {
        return rw_fail(err, RW_E_RANGE, "%s: %lld is outside %lld..%lld", what, (long long)value,
                       (long long)min, (long long)max);
    }
    *out = value;
    return RW_OK;
}

void rw_hex_encode(char *dst, size_t cap, const uint8_t *src, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    RW_ASSERT(n < SIZE_MAX / 4 && cap >= 2 * n + 1);
    for (size_t i = 0; i < n; i++) {
        dst[2 * i] = digits[src[i] >> 4];
        dst[2 * i + 1] = digits[src[i] & 0xf];
    }
    dst[2 * n] = '\0';
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') { return c - '0'; }
    if (c >= 'a' && c <= 'f') { return c - 'a' + 10; }
    return -1;
}

RW_RC rw_hex_decode(uint8_t *dst, size_t n, struct rw_span s, const char *what, struct rw_err *err)
{
    if (s.n != 2 * n) {
        return rw_fail(err, RW_E_SYNTAX, "%s: %zu characters, want %zu hex digits", what, s.n,
                       2 * n);
    }
    for (size_t i = 0; i < s.n; i++) {
        if (hex_value(s.p[i]) < 0) {
            return rw_fail(err, RW_E_SYNTAX, "%s: byte %zu is not a lower-case hex digit", what, i);
        }
    }
    for (size_t i = 0; i < n; i++) {
        dst[i] = (uint8_t)(hex_value(s.p[2 * i]) * 16 + hex_value(s.p[2 * i + 1]));
    }
    return RW_OK;
}

static const struct unit {
    const char *name;
    int64_t factor;
} duration_units[] =
    {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
},
  byte_units[] = {
      {"B", 1},
      {"KiB", 1024},
      {"MiB", INT64_C(1048576)},
      {"GiB", INT64_C(1073741824)},
};

static RW_RC parse_with_unit(struct rw_span s, const struct unit *units, size_t unit_count,
                             const char *what, int64_t *out, struct rw_err *err)
{
    char text[48];
    int64_t value = 0;
    bool huge = false;
    size_t digits = read_digits(s, &value, &huge);
    shown(text, s);
    for (size_t i = 0; digits > 0 && i < unit_count; i++) {
        if (!rw_span_is(rw_span_of(s.p + digits, s.n - digits), units[i].name)) { continue; }
        if (huge || !rw_mul_i64(value, units[i].factor, out)) {
            return rw_fail(err, RW_E_RANGE, "%s: '%s' is too large", what, text);
        }
        return RW_OK;
    }
    RW_IGNORE(rw_fail(err, RW_E_SYNTAX, "%s: '%s' is not a number with a unit (%s ... %s)", what,
                      text, units[0].name, units[unit_count - 1].name),
              "hint");
    return rw_hint(err, "a whole number and one unit, without a blank: 10%s",
                   units[unit_count - 1].name);
}

/* "90d", "1500ms": the largest unit that says it exactly. */
static void format_duration_ms(char *dst, size_t cap, int64_t ms)
{
    if (ms % 1000 == 0) {
        rw_format_duration_s(dst, cap, ms / 1000);
    } else {
        (void)snprintf(dst, cap, "%lldms", (long long)ms);
    }
}

RW_RC rw_parse_duration_ms(struct rw_span s, int64_t max_ms, const char *what, int64_t *ms_out,
                           struct rw_err *err)
{
    int64_t ms = 0;
    RW_TRY(parse_with_unit(s, duration_units, RW_LEN(duration_units), what, &ms, err));
    if (ms > max_ms) {
        char given[DURATION_BYTES];
        char limit[DURATION_BYTES];
        format_duration_ms(given, sizeof(given), ms);
        format_duration_ms(limit, sizeof(limit), max_ms);
        return rw_fail(err, RW_E_RANGE, "%s: %s is more than the limit of %s", what, given, limit);
    }
    *ms_out = ms;
    return RW_OK;
}

RW_RC rw_parse_duration_s(struct rw_span s, int64_t max_s, const char *what, int64_t *s_out,
                          struct rw_err *err)
{
    int64_t ms = 0;
    RW_TRY(parse_with_unit(s, duration_units + 1, RW_LEN(duration_units) - 1, what, &ms, err));
    if (ms / 1000 > max_s) {
        char given[DURATION_BYTES];
        char limit[DURATION_BYTES];
        rw_format_duration_s(given, sizeof(given), ms / 1000);
        rw_format_duration_s(limit, sizeof(limit), max_s);
        return rw_fail(err, RW_E_RANGE, "%s: %s is more than the limit of %s", what, given, limit);
    }
    *s_out = ms / 1000;
    return RW_OK;
}

void rw_format_duration_s(char *dst, size_t cap, int64_t seconds)
{
    static const struct unit units[] = {
        {"d", 86400},
        {"h", 3600},
        {"m", 60},
    };
    for (size_t i = 0; i < RW_LEN(units); i++) {
        if (seconds >= units[i].factor && seconds % units[i].factor == 0) {
            (void)snprintf(dst, cap, "%lld%s", (long long)(seconds / units[i].factor),
                           units[i].name);
            return;
        }
    }
    (void)snprintf(dst, cap, "%llds", (long long)seconds);
}

void rw_say_duration_s(char *dst, size_t cap, int64_t seconds)
{
    static const struct {
        int64_t s;
        char name;
        char smaller;
        int64_t smaller_s;
    } units[] = {{86400, 'd', 'h', 3600}, {3600, 'h', 'm', 60}, {60, 'm', 's', 1}};
    for (size_t i = 0; i < RW_LEN(units); i++) {
        int64_t rest = seconds % units[i].s / units[i].smaller_s;
        if (seconds < units[i].s) { continue; }
        int n = snprintf(dst, cap, "%lld%c", (long long)(seconds / units[i].s), units[i].name);
        if (rest > 0 && n > 0 && (size_t)n < cap) {
            (void)snprintf(dst + n, cap - (size_t)n, " %lld%c", (long long)rest, units[i].smaller);
        }
        return;
    }
    (void)snprintf(dst, cap, "%llds", (long long)(seconds < 0 ? 0 : seconds));
}

const char *rw_plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

RW_RC rw_parse_share_bp(struct rw_span s, const char *what, int64_t *bp_out, struct rw_err *err)
{
    char text[48];
    int64_t whole = 0;
    int64_t fraction = 0;
    bool huge = false;
    size_t at = read_digits(s, &whole, &huge);
    shown(text, s);
    bool good = at > 0 && at < s.n;
    if (good && s.p[at] == '.') {
        size_t places = 0;
        for (at++; at < s.n && s.p[at] >= '0' && s.p[at] <= '9' && places < 2; at++, places++) {
            fraction = fraction * 10 + (s.p[at] - '0');
        }
        if (places == 1) { fraction *= 10; }
        good = places > 0;
    }
    if (!good || at + 1 != s.n || s.p[at] != '%') {
        return rw_fail(err, RW_E_SYNTAX,
                       "%s: '%s' is not a share such as \"1%%\" or \"0.25%%\" (two places)", what,
                       text);
    }
    if (huge || whole > 100 || whole * 100 + fraction > 10000) {
        return rw_fail(err, RW_E_RANGE, "%s: '%s' is more than 100%%", what, text);
    }
    *bp_out = whole * 100 + fraction;
    return RW_OK;
}

RW_RC rw_parse_bytes(struct rw_span s, int64_t max, const char *what, int64_t *bytes_out,
                     struct rw_err *err)
{
    int64_t bytes = 0;
    RW_TRY(parse_with_unit(s, byte_units, RW_LEN(byte_units), what, &bytes, err));
    if (bytes > max) {
        return rw_fail(err, RW_E_RANGE, "%s: %lld bytes is more than the limit of %lld", what,
                       (long long)bytes, (long long)max);
    }
    *bytes_out = bytes;
    return RW_OK;
}
