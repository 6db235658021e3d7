#include "common/policy/policy_read.h"

#include "common/base/num.h"

#include <stdarg.h>
#include <stdio.h>

enum { DURATION_BYTES = 32, LIST_BYTES = 128, FACT_BYTES = 320, SHOWN = 40 };

static const char duration_hint[] =
    "durations are one whole number and one unit, as text: \"30s\", \"15m\", \"2h\", \"7d\"";
static const char page_hint[] = "docs/policy.md tells each member and shows a whole policy";
static const char share_hint[] =
    "shares are text with a percent sign and at most two decimals: \"1%\", \"0.25%\"";

struct policy_at policy_read_top(const struct json *tree)
{
    return (struct policy_at){.v = tree, .path = ""};
}

struct policy_at policy_read_element(const struct policy_at *a, const struct json *v, size_t index)
{
    struct policy_at at = {.v = v};
    (void)snprintf(at.path, sizeof(at.path), "%.90s[%zu]", a->path, index);
    return at;
}

struct policy_at policy_read_find(const struct policy_at *o, const char *name)
{
    struct policy_at at = {.v = json_find(o->v, name)};
    (void)snprintf(at.path, sizeof(at.path), "%.*s%s%.*s", POLICY_READ_PATH_BYTES / 2, o->path,
                   o->path[0] == '\0' ? "" : ".", SHOWN, name);
    return at;
}

RW_RC policy_read_refuse(const struct policy_at *at, enum rw_code code, struct rw_err *err,
                         const char *format, ...)
{
    char fact[FACT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(fact, sizeof(fact), format, args);
    va_end(args);
    return rw_fail(err, code, "line %u: %s: %s", json_line(at->v),
                   at->path[0] == '\0' ? "the policy" : at->path, fact);
}

/* "limit, min_healthy" */
static void list_names(const char *const *names, size_t count, char dst[static LIST_BYTES])
{
    size_t used = 0;
    dst[0] = '\0';
    for (size_t i = 0; i < count && used < LIST_BYTES; i++) {
        int n = snprintf(dst + used, LIST_BYTES - used, "%s%s", i == 0 ? "" : ", ", names[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

static RW_RC wrong_type(const struct policy_at *at, const char *want, struct rw_err *err)
{
    return policy_read_refuse(at, RW_E_SCHEMA, err, "is %s, want %s",
                              json_type_name(json_type(at->v)), want);
}

/* An absent member has no line: that of what should hold it is the place to put it. */
static RW_RC missing(const struct policy_at *o, const struct policy_at *at, struct rw_err *err)
{
    struct policy_at place = *at;
    place.v = o->v;
    RW_IGNORE(policy_read_refuse(&place, RW_E_SCHEMA, err, "is missing"), "hint");
    return rw_hint(err, "add it; the rings.json that comes with Ringward shows a whole policy");
}

RW_RC policy_read_opt(const struct policy_at *o, const char *name, enum json_type type,
                      struct policy_at *out, struct rw_err *err)
{
    struct policy_at at = policy_read_find(o, name);
    if (at.v != NULL && json_type(at.v) != type) {
        RW_IGNORE(wrong_type(&at, json_type_name(type), err), "hint");
        return rw_hint(err, "%s", page_hint);
    }
    *out = at;
    return RW_OK;
}

RW_RC policy_read_need(const struct policy_at *o, const char *name, enum json_type type,
                       struct policy_at *out, struct rw_err *err)
{
    struct policy_at at;
    RW_TRY(policy_read_opt(o, name, type, &at, err));
    if (at.v == NULL) { return missing(o, &at, err); }
    *out = at;
    return RW_OK;
}

static RW_RC unknown_member(const struct policy_at *at, const struct json *v,
                            const char *const *names, size_t count, struct rw_err *err)
{
    char list[LIST_BYTES];
    char name[SHOWN + 1];
    struct rw_span full = json_name(v);
    size_t n = full.n < SHOWN ? full.n : SHOWN;
    rw_copy(name, sizeof(name), full.p, n);
    name[n] = '\0';
    struct policy_at place = policy_read_find(at, name);
    place.v = v;
    list_names(names, count, list);
    RW_IGNORE(policy_read_refuse(&place, RW_E_SCHEMA, err, "unknown member '%s'", name), "hint");
    return rw_hint(err, "known here: %s", list);
}

RW_RC policy_read_only(const struct policy_at *at, const char *const *names, size_t count,
                       struct rw_err *err)
{
    if (json_type(at->v) != JSON_OBJECT) {
        RW_IGNORE(wrong_type(at, "an object", err), "hint");
        return rw_hint(err, "%s", page_hint);
    }
    for (const struct json *v = json_first(at->v); v != NULL; v = json_next(v)) {
        bool known = false;
        for (size_t i = 0; i < count && !known; i++) {
            known = rw_span_is(json_name(v), names[i]);
        }
        if (!known) { return unknown_member(at, v, names, count, err); }
    }
    return RW_OK;
}

RW_RC policy_read_int(const struct policy_at *o, const char *name, struct policy_range range,
                      int64_t *out, struct rw_err *err)
{
    struct policy_at at = policy_read_find(o, name);
    if (at.v == NULL) { return RW_OK; }
    if (json_type(at.v) != JSON_INT) {
        RW_IGNORE(wrong_type(&at, "a whole number", err), "hint");
        return rw_hint(err, "write it without quotes and decimals, from %lld to %lld",
                       (long long)range.min, (long long)range.max);
    }
    int64_t value = json_int(at.v);
    if (value < range.min || value > range.max) {
        RW_IGNORE(policy_read_refuse(&at, RW_E_RANGE, err, "is %lld, want %lld..%lld",
                                     (long long)value, (long long)range.min, (long long)range.max),
                  "hint");
        return rw_hint(err, "docs/policy.md says what it does; left out, it has its default");
    }
    *out = value;
    return RW_OK;
}

RW_RC policy_read_decimal(const struct policy_at *o, const char *name, struct policy_range range,
                          int64_t *out, struct rw_err *err)
{
    struct policy_at at = policy_read_find(o, name);
    int64_t value_m = 0;
    if (at.v == NULL) { return RW_OK; }
    bool fits = json_type(at.v) == JSON_DECIMAL;
    if (fits) { value_m = json_thousandths(at.v); }
    if (json_type(at.v) == JSON_INT) { fits = rw_mul_i64(json_int(at.v), 1000, &value_m); }
    if (!fits || value_m < range.min || value_m > range.max) {
        bool number = json_type(at.v) == JSON_INT || json_type(at.v) == JSON_DECIMAL;
        RW_IGNORE(policy_read_refuse(&at, number ? RW_E_RANGE : RW_E_SCHEMA, err,
                                     "want a number from %lld to %lld", (long long)range.min / 1000,
                                     (long long)range.max / 1000),
                  "hint");
        return rw_hint(err, "at most three decimals, without quotes: 1, 1.0, 0.25");
    }
    *out = value_m;
    return RW_OK;
}

RW_RC policy_read_duration(const struct policy_at *o, const char *name, struct policy_range range,
                           int64_t *out, struct rw_err *err)
{
    struct policy_at at = policy_read_find(o, name);
    int64_t value_s = 0;
    if (at.v == NULL) { return RW_OK; }
    if (json_type(at.v) != JSON_STR) {
        RW_IGNORE(wrong_type(&at, "a duration", err), "hint");
        return rw_hint(err, "%s", duration_hint);
    }
    if (!rw_is_ok(rw_parse_duration_s(json_str(at.v), range.max, at.path, &value_s, err))) {
        RW_IGNORE(rw_wrap(err, "line %u", json_line(at.v)), "hint");
        return err->code == RW_E_RANGE ? rw_hint(err, "write a shorter time")
                                       : rw_hint(err, "%s", duration_hint);
    }
    if (value_s < range.min) {
        char given[DURATION_BYTES];
        char least[DURATION_BYTES];
        char most[DURATION_BYTES];
        rw_format_duration_s(given, sizeof(given), value_s);
        rw_format_duration_s(least, sizeof(least), range.min);
        rw_format_duration_s(most, sizeof(most), range.max);
        RW_IGNORE(policy_read_refuse(&at, RW_E_RANGE, err, "is %s, want at least %s", given, least),
                  "hint");
        return rw_hint(err, "from %s to %s", least, most);
    }
    *out = value_s;
    return RW_OK;
}

RW_RC policy_read_share(const struct policy_at *o, const char *name, struct policy_range range,
                        int64_t *out, struct rw_err *err)
{
    struct policy_at at = policy_read_find(o, name);
    int64_t bp = 0;
    if (at.v == NULL) { return RW_OK; }
    if (json_type(at.v) != JSON_STR) {
        RW_IGNORE(wrong_type(&at, "a share", err), "hint");
        return rw_hint(err, "%s", share_hint);
    }
    if (!rw_is_ok(rw_parse_share_bp(json_str(at.v), at.path, &bp, err))) {
        RW_IGNORE(rw_wrap(err, "line %u", json_line(at.v)), "hint");
        return rw_hint(err, "%s", share_hint);
    }
    if (bp < range.min || bp > range.max) {
        RW_IGNORE(policy_read_refuse(&at, RW_E_RANGE, err,
                                     "is %lld.%02lld%%, want %lld.%02lld%% to %lld.%02lld%%",
                                     (long long)bp / 100, (long long)bp % 100,
                                     (long long)range.min / 100, (long long)range.min % 100,
                                     (long long)range.max / 100, (long long)range.max % 100),
                  "hint");
        return rw_hint(err, "%s", share_hint);
    }
    *out = bp;
    return RW_OK;
}

RW_RC policy_read_bool(const struct policy_at *o, const char *name, bool *out, struct rw_err *err)
{
    struct policy_at at = policy_read_find(o, name);
    if (at.v == NULL) { return RW_OK; }
    if (json_type(at.v) != JSON_TRUE && json_type(at.v) != JSON_FALSE) {
        RW_IGNORE(wrong_type(&at, "true or false", err), "hint");
        return rw_hint(err, "write it without quotes");
    }
    *out = json_type(at.v) == JSON_TRUE;
    return RW_OK;
}
