#include "common/policy/control_codec.h"

#include "common/base/num.h"
#include "common/policy/ring_policy.h"

#include <stdio.h>
#include <string.h>

enum { DELAY_S_MAX = 90 * 86400 };

_Static_assert((int)CONTROL_FAMILY_BYTES == (int)RING_POLICY_NAME_BYTES, "one size of name");

static RW_RC read_back(struct rw_span text, struct control *out, struct rw_err *err)
{
    if (!rw_span_is(text, "n-1") && !rw_span_is(text, "n-2")) {
        return rw_fail(err, RW_E_SYNTAX, "pin '%.*s': want n-1, n-2 or FAMILY/NUMBER",
                       (int)(text.n < 40 ? text.n : 40), (const char *)text.p);
    }
    *out = (struct control){.kind = CONTROL_BACK, .amount = text.p[2] - '0'};
    return RW_OK;
}

RW_RC control_codec_read_pin(struct rw_span text, struct control *out, struct rw_err *err)
{
    struct control c = {.kind = CONTROL_RELEASE};
    size_t n = 0;
    while (n < text.n && text.p[n] != '/') {
        n++;
    }
    if (n == text.n) { return read_back(text, out, err); }
    RW_TRY(rw_span_to_str(c.family, sizeof(c.family), rw_span_of(text.p, n), "pin", err));
    RW_TRY(ring_policy_check_name(c.family, "pin: family", err));
    RW_TRY(rw_parse_i64(rw_span_of(text.p + n + 1, text.n - n - 1), 1, RW_JSON_INT_MAX,
                        "pin: number", &c.amount, err));
    *out = c;
    return RW_OK;
}

RW_RC control_codec_read_hold(struct rw_span text, struct control *out, struct rw_err *err)
{
    struct control c = {.kind = CONTROL_HOLD};
    if (!rw_is_ok(rw_wall_parse(text, "hold", &c.until, err))) {
        RW_IGNORE(rw_fail(err, RW_E_SYNTAX, "hold: '%.*s' is no time at which it ends",
                          (int)(text.n < 40 ? text.n : 40), (const char *)text.p),
                  "hint follows");
        return rw_hint(err, "a hold needs an end, such as 2026-12-01T00:00:00Z");
    }
    *out = c;
    return RW_OK;
}

void control_codec_text(const struct control *c, char dst[static CONTROL_TEXT_BYTES])
{
    char text[32];
    const char *space = c->family[0] == '\0' ? "" : " ";
    switch (c->kind) {
    case CONTROL_PAUSE:
        (void)snprintf(dst, CONTROL_TEXT_BYTES, "pause%s%s", space, c->family);
        break;
    case CONTROL_HOLD:
        rw_wall_format(text, c->until);
        (void)snprintf(dst, CONTROL_TEXT_BYTES, "hold%s%s until %s", space, c->family, text);
        break;
    case CONTROL_DELAY:
        rw_format_duration_s(text, sizeof(text), c->amount);
        (void)snprintf(dst, CONTROL_TEXT_BYTES, "delay%s%s %s", space, c->family, text);
        break;
    case CONTROL_BACK:
        (void)snprintf(dst, CONTROL_TEXT_BYTES, "pin%s%s n-%lld", space, c->family,
                       (long long)c->amount);
        break;
    case CONTROL_RELEASE:
        (void)snprintf(dst, CONTROL_TEXT_BYTES, "pin %s/%lld", c->family, (long long)c->amount);
        break;
    }
}

static void put_time(struct json_writer *w, const char *name, struct rw_wall t)
{
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, t);
    json_put_str(w, name, text);
}

static void put_members(struct json_writer *w, const struct control *c)
{
    json_put_str(w, "kind", control_rule_kind_name(c->kind));
    if (c->family[0] != '\0') { json_put_str(w, "family", c->family); }
    if (c->kind == CONTROL_DELAY) { json_put_int(w, "delay_s", c->amount); }
    if (c->kind == CONTROL_BACK) { json_put_int(w, "back", c->amount); }
    if (c->kind == CONTROL_RELEASE) { json_put_int(w, "release", c->amount); }
    if (c->kind == CONTROL_HOLD) { put_time(w, "until", c->until); }
    put_time(w, "since", c->since);
}

void control_codec_put(struct json_writer *w, const char *name, const struct control *c)
{
    json_open_object(w, name);
    put_members(w, c);
    json_close_object(w);
}

static RW_RC get_time(const struct json *o, const char *name, struct rw_wall *out,
                      struct rw_err *err)
{
    struct rw_span text;
    RW_TRY(json_get_span(o, name, &text, err));
    return rw_wall_parse(text, name, out, err);
}

static RW_RC get_pin(const struct json *o, struct control *c, struct rw_err *err)
{
    static const char *const back[] = {"kind", "family", "back", "since"};
    static const char *const release[] = {"kind", "family", "release", "since"};
    c->kind = json_find(o, "back") != NULL ? CONTROL_BACK : CONTROL_RELEASE;
    if (c->kind == CONTROL_BACK) {
        RW_TRY(json_only(o, back, RW_LEN(back), err));
        return json_get_int(o, "back", 1, CONTROL_BACK_MAX, &c->amount, err);
    }
    RW_TRY(json_only(o, release, RW_LEN(release), err));
    if (c->family[0] == '\0') {
        return rw_fail(err, RW_E_SCHEMA, "line %u: a pin to a release needs its family",
                       json_line(o));
    }
    return json_get_int(o, "release", 1, RW_JSON_INT_MAX, &c->amount, err);
}

static RW_RC get_kind(const struct json *o, struct control *c, struct rw_err *err)
{
    static const char *const plain[] = {"kind", "family", "since"};
    static const char *const hold[] = {"kind", "family", "until", "since"};
    static const char *const delay[] = {"kind", "family", "delay_s", "since"};
    struct rw_span kind;
    RW_TRY(json_get_span(o, "kind", &kind, err));
    if (rw_span_is(kind, "pause")) {
        c->kind = CONTROL_PAUSE;
        return json_only(o, plain, RW_LEN(plain), err);
    }
    if (rw_span_is(kind, "hold")) {
        c->kind = CONTROL_HOLD;
        RW_TRY(json_only(o, hold, RW_LEN(hold), err));
        return get_time(o, "until", &c->until, err);
    }
    if (rw_span_is(kind, "delay")) {
        c->kind = CONTROL_DELAY;
        RW_TRY(json_only(o, delay, RW_LEN(delay), err));
        return json_get_int(o, "delay_s", 1, DELAY_S_MAX, &c->amount, err);
    }
    if (rw_span_is(kind, "pin")) { return get_pin(o, c, err); }
    return rw_fail(err, RW_E_SCHEMA, "line %u: 'kind' is not pause, hold, delay or pin",
                   json_line(o));
}

RW_RC control_codec_get(const struct json *object, struct control *out, struct rw_err *err)
{
    struct control c = {.kind = CONTROL_PAUSE};
    if (json_find(object, "family") != NULL) {
        RW_TRY(json_get_str(object, "family", c.family, sizeof(c.family), err));
        RW_TRY(ring_policy_check_name(c.family, "family", err));
    }
    RW_TRY(get_kind(object, &c, err));
    RW_TRY(get_time(object, "since", &c.since, err));
    *out = c;
    return RW_OK;
}

RW_RC control_codec_get_list(const struct json *array, struct control out[static CONTROL_MAX],
                             size_t *count_out, struct rw_err *err)
{
    size_t n = 0;
    if (json_count(array) > CONTROL_MAX) {
        return rw_fail(err, RW_E_RANGE, "line %u: %zu controls, at most %d", json_line(array),
                       json_count(array), CONTROL_MAX);
    }
    for (const struct json *o = json_first(array); o != NULL; o = json_next(o), n++) {
        if (!rw_is_ok(control_codec_get(o, &out[n], err))) {
            return rw_wrap(err, "controls[%zu]", n);
        }
    }
    *count_out = n;
    return RW_OK;
}

RW_RC control_codec_check(const struct control *c, const struct control_limits *l,
                          struct rw_err *err)
{
    char limit[32];
    if (c->kind == CONTROL_HOLD) {
        rw_format_duration_s(limit, sizeof(limit), l->hold_longest_s);
        if (c->until.s <= c->since.s) {
            return rw_fail(err, RW_E_POLICY, "hold: its end has passed already");
        }
        if (c->until.s - c->since.s > l->hold_longest_s) {
            return rw_fail(err, RW_E_POLICY, "hold: longer than the policy allows (%s)", limit);
        }
    }
    if (c->kind == CONTROL_DELAY && c->amount > l->delay_longest_s) {
        rw_format_duration_s(limit, sizeof(limit), l->delay_longest_s);
        return rw_fail(err, RW_E_POLICY, "delay: longer than the policy allows (%s)", limit);
    }
    return RW_OK;
}

void control_codec_put_view(struct json_writer *w, const struct control *c,
                            const struct control_limits *l, struct rw_wall passed)
{
    char text[CONTROL_TEXT_BYTES];
    struct rw_wall ends;
    enum control_life life = control_rule_life(c, l, passed, &ends);
    control_codec_text(c, text);
    json_put_str(w, "control", text);
    put_members(w, c);
    json_put_str(w, "by", c->by_operator ? "operator" : "administrator");
    json_put_str(w, "state", control_rule_life_name(life));
    json_put_int(w, "age_s", passed.s > c->since.s ? passed.s - c->since.s : 0);
    json_put_bool(w, "old", control_rule_is_old(c, l, passed));
    if (ends.s == 0) { return; }
    put_time(w, "ends", ends);
    json_put_int(w, "left_s", ends.s > passed.s ? ends.s - passed.s : 0);
}
