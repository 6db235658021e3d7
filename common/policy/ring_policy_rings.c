#include "common/policy/ring_policy_rings.h"

#include "common/base/num.h"

#include <string.h>

enum { DAY_S = 86400, COUNT_MAX = 1000000000, DURATION_BYTES = 32, NAME_CUT = 40 };

static const struct policy_range times = {0, RING_POLICY_TIME_S_MAX};

/* --- rings --- */
static RW_RC read_gate(const struct policy_at *o, struct ring_policy_ring *r, struct rw_err *err)
{
    static const char *const known[] = {"limit", "min_healthy"};
    struct policy_at gate;
    r->gate_limit_bp = 1000;
    r->gate_min_healthy = 4;
    RW_TRY(policy_read_opt(o, "gate", JSON_OBJECT, &gate, err));
    if (gate.v == NULL) { return RW_OK; }
    RW_TRY(policy_read_only(&gate, known, RW_LEN(known), err));
    RW_TRY(policy_read_share(&gate, "limit", (struct policy_range){1, RING_POLICY_BUCKETS},
                             &r->gate_limit_bp, err));
    return policy_read_int(&gate, "min_healthy", (struct policy_range){1, COUNT_MAX},
                           &r->gate_min_healthy, err);
}

static RW_RC read_hold_back(const struct policy_at *o, struct ring_policy_ring *r,
                            struct rw_err *err)
{
    static const char *const known[] = {"share", "for"};
    struct policy_at hold;
    RW_TRY(policy_read_opt(o, "hold_back", JSON_OBJECT, &hold, err));
    if (hold.v == NULL) { return RW_OK; }
    RW_TRY(policy_read_only(&hold, known, RW_LEN(known), err));
    r->hold_back_s = DAY_S;
    RW_TRY(policy_read_share(&hold, "share", (struct policy_range){0, RING_POLICY_BUCKETS},
                             &r->hold_back_bp, err));
    if (r->hold_back_bp == RING_POLICY_BUCKETS) {
        const struct policy_at at = policy_read_find(&hold, "share");
        RW_IGNORE(policy_read_refuse(&at, RW_E_RANGE, err, "is 100%%, want less"), "hint");
        return rw_hint(err, "a ring in which nobody may install gives no evidence; 1%% to 5%% are "
                            "a good control");
    }
    return policy_read_duration(&hold, "for", times, &r->hold_back_s, err);
}

static RW_RC read_rest(const struct policy_at *at, struct ring_policy_ring *r, struct rw_err *err)
{
    r->select = RING_BY_REST;
    r->bucket_hi = RING_POLICY_BUCKETS;
    if (r->bucket_lo < r->bucket_hi) { return RW_OK; }
    /* A ring without endpoints never shows the evidence that a rollout ends with. */
    RW_IGNORE(
        policy_read_refuse(at, RW_E_RANGE, err,
                           "the shares before leave nothing for \"rest\", at most 99.99%% are "
                           "allowed"),
        "hint");
    return rw_hint(err, "make the shares of the rings before it smaller");
}

static RW_RC read_share(const struct policy_at *at, const struct policy_at *o,
                        struct ring_policy_ring *r, struct rw_err *err)
{
    int64_t share_bp = 0;
    RW_TRY(policy_read_share(o, "share", (struct policy_range){1, RING_POLICY_BUCKETS}, &share_bp,
                             err));
    r->bucket_hi = r->bucket_lo + share_bp;
    if (r->bucket_hi <= RING_POLICY_BUCKETS) { return RW_OK; }
    RW_IGNORE(policy_read_refuse(at, RW_E_RANGE, err,
                                 "the shares up to here add up to %lld.%02lld%%, at most 100%% are "
                                 "there",
                                 (long long)(r->bucket_hi / 100), (long long)(r->bucket_hi % 100)),
              "hint");
    return rw_hint(err, "make shares smaller: something must be left for the last ring");
}

/* Exactly one of "share" and "select" says who belongs to the ring. */
static RW_RC read_membership(const struct policy_at *o, struct ring_policy_ring *r,
                             int64_t *next_bucket, struct rw_err *err)
{
    const struct policy_at share = policy_read_find(o, "share");
    const struct policy_at select = policy_read_find(o, "select");
    if ((share.v == NULL) == (select.v == NULL)) {
        RW_IGNORE(policy_read_refuse(o, RW_E_SCHEMA, err, "want either 'share' or 'select'"),
                  "hint");
        return rw_hint(err, "\"share\": \"1%%\", \"share\": \"rest\" on the last ring, or "
                            "\"select\": \"local\" for a ring that endpoints join by hand");
    }
    if (select.v != NULL) {
        if (json_type(select.v) != JSON_STR || !rw_span_is(json_str(select.v), "local")) {
            RW_IGNORE(policy_read_refuse(&select, RW_E_SCHEMA, err, "can only be \"local\""),
                      "hint");
            return rw_hint(err, "a ring that takes a part of the fleet has \"share\" instead");
        }
        r->select = RING_BY_HAND;
        return RW_OK;
    }
    r->bucket_lo = *next_bucket;
    bool rest = json_type(share.v) == JSON_STR && rw_span_is(json_str(share.v), "rest");
    RW_TRY(rest ? read_rest(&share, r, err) : read_share(&share, o, r, err));
    *next_bucket = r->bucket_hi;
    return RW_OK;
}

static RW_RC read_name(const struct policy_at *o, struct ring_policy *p, struct ring_policy_ring *r,
                       struct rw_err *err)
{
    struct policy_at at;
    RW_TRY(policy_read_need(o, "name", JSON_STR, &at, err));
    bool fits = rw_is_ok(rw_span_to_str(r->name, sizeof(r->name), json_str(at.v), "name", err));
    if (!fits || !rw_is_ok(ring_policy_check_name(r->name, "ring", err))) {
        const struct rw_span name = json_str(at.v);
        RW_IGNORE(policy_read_refuse(&at, RW_E_SCHEMA, err,
                                     "'%.*s': want 1 to %d of a-z, 0-9 and '-', with a letter, not "
                                     "'-' first",
                                     (int)(name.n < 40 ? name.n : 40), (const char *)name.p,
                                     RING_POLICY_NAME_BYTES - 1),
                  "hint");
        return rw_hint(err, "for example: internal, canary, ring-2");
    }
    for (size_t i = 0; i < p->ring_count; i++) {
        if (strcmp(p->rings[i].name, r->name) == 0) {
            RW_IGNORE(policy_read_refuse(&at, RW_E_SCHEMA, err,
                                         "ring '%s' stands twice, first as rings[%zu]", r->name, i),
                      "hint");
            return rw_hint(err, "give one of them another name");
        }
    }
    return RW_OK;
}

static RW_RC read_bake(const struct policy_at *o, const struct ring_policy *p,
                       struct ring_policy_ring *r, struct rw_err *err)
{
    char given[DURATION_BYTES];
    char before[DURATION_BYTES];
    int64_t before_s = p->ring_count == 0 ? 0 : p->rings[p->ring_count - 1].bake_s;
    r->bake_s = before_s;
    RW_TRY(policy_read_duration(o, "bake", times, &r->bake_s, err));
    if (r->bake_s >= before_s) { return RW_OK; }
    const struct policy_at at = policy_read_find(o, "bake");
    rw_format_duration_s(given, sizeof(given), r->bake_s);
    rw_format_duration_s(before, sizeof(before), before_s);
    RW_IGNORE(policy_read_refuse(&at, RW_E_RANGE, err,
                                 "%s is shorter than the %s of ring '%s' before it", given, before,
                                 p->rings[p->ring_count - 1].name),
              "hint");
    return rw_hint(err, "at least %s; without 'bake' it is that of the ring before", before);
}

static RW_RC read_ring(const struct policy_at *o, struct ring_policy *p, int64_t *next_bucket,
                       struct rw_err *err)
{
    static const char *const known[] = {"name", "select", "share",    "bake",
                                        "gate", "spread", "hold_back"};
    struct ring_policy_ring *r = &p->rings[p->ring_count];
    RW_TRY(policy_read_only(o, known, RW_LEN(known), err));
    RW_TRY(read_name(o, p, r, err));
    if (p->ring_count > 0 && p->rings[p->ring_count - 1].select == RING_BY_REST) {
        RW_IGNORE(policy_read_refuse(o, RW_E_SCHEMA, err,
                                     "no ring can follow the one with share \"rest\""),
                  "hint");
        return rw_hint(err, "move the ring with \"rest\" to the end");
    }
    RW_TRY(read_membership(o, r, next_bucket, err));
    RW_TRY(read_bake(o, p, r, err));
    RW_TRY(policy_read_duration(o, "spread", times, &r->spread_s, err));
    RW_TRY(read_gate(o, r, err));
    RW_TRY(read_hold_back(o, r, err));
    p->ring_count++;
    return RW_OK;
}

static RW_RC count_within(const struct policy_at *at, const char *what, size_t most,
                          struct rw_err *err)
{
    size_t count = json_count(at->v);
    if (count >= 1 && count <= most) { return RW_OK; }
    RW_IGNORE(policy_read_refuse(at, RW_E_RANGE, err, "%zu %s, want 1..%zu", count, what, most),
              "hint");
    return rw_hint(err, "the rings.json that comes with Ringward has 4 rings and 3 classes");
}

RW_RC ring_policy_rings_read(const struct policy_at *root, struct ring_policy *p,
                             struct rw_err *err)
{
    struct policy_at rings;
    int64_t next_bucket = 0;
    size_t index = 0;
    RW_TRY(policy_read_need(root, "rings", JSON_ARRAY, &rings, err));
    RW_TRY(count_within(&rings, "rings", RING_POLICY_RINGS_MAX, err));
    struct policy_at last = rings;
    for (const struct json *v = json_first(rings.v); v != NULL; v = json_next(v), index++) {
        last = policy_read_element(&rings, v, index);
        RW_TRY(read_ring(&last, p, &next_bucket, err));
    }
    if (p->rings[p->ring_count - 1].select != RING_BY_REST) {
        RW_IGNORE(
            policy_read_refuse(&last, RW_E_SCHEMA, err, "the last ring must have share \"rest\""),
            "hint");
        return rw_hint(err, "every endpoint needs a ring: give the last one \"share\": \"rest\"");
    }
    return RW_OK;
}

/* --- classes --- */
static RW_RC find_ring(const struct policy_at *at, const struct ring_policy *p, size_t *index_out,
                       struct rw_err *err)
{
    struct rw_span name = json_name(at->v);
    for (size_t i = 0; i < p->ring_count; i++) {
        if (rw_span_is(name, p->rings[i].name)) {
            *index_out = i;
            return RW_OK;
        }
    }
    RW_IGNORE(policy_read_refuse(at, RW_E_NOT_FOUND, err, "the policy has no ring '%.*s'",
                                 (int)(name.n < 40 ? name.n : 40), (const char *)name.p),
              "hint");
    return rw_hint(err, "its rings are named in \"rings\"; the first is '%s'", p->rings[0].name);
}

static RW_RC read_min_bake(const struct policy_at *o, const struct ring_policy *p,
                           struct ring_policy_class *c, struct rw_err *err)
{
    struct policy_at min;
    RW_TRY(policy_read_opt(o, "min_bake", JSON_OBJECT, &min, err));
    for (const struct json *m = min.v == NULL ? NULL : json_first(min.v); m != NULL;
         m = json_next(m)) {
        struct policy_at at = min;
        size_t index = 0;
        at.v = m;
        RW_TRY(find_ring(&at, p, &index, err));
        RW_TRY(policy_read_duration(&min, p->rings[index].name, times, &c->min_bake_s[index], err));
    }
    return RW_OK;
}

static RW_RC read_class(const struct policy_at *o, struct ring_policy *p, struct rw_err *err)
{
    static const char *const known[] = {"min_bake", "unpausable"};
    struct ring_policy_class *c = &p->classes[p->class_count];
    struct rw_span name = json_name(o->v);
    bool fits = rw_is_ok(rw_span_to_str(c->name, sizeof(c->name), name, "class", err));
    if (!fits || !rw_is_ok(ring_policy_check_name(c->name, "class", err))) {
        RW_IGNORE(policy_read_refuse(o, RW_E_SCHEMA, err,
                                     "a class is named by 1 to %d of a-z, 0-9 and '-', with a "
                                     "letter, not '-' first",
                                     RING_POLICY_NAME_BYTES - 1),
                  "hint");
        return rw_hint(err, "for example: data, rules, engine");
    }
    RW_TRY(policy_read_only(o, known, RW_LEN(known), err));
    RW_TRY(read_min_bake(o, p, c, err));
    const struct policy_at unpausable = policy_read_find(o, "unpausable");
    RW_TRY(policy_read_bool(o, "unpausable", &c->unpausable, err));
    if (unpausable.v != NULL) { c->unpausable_line = json_line(unpausable.v); }
    p->class_count++;
    return RW_OK;
}

RW_RC ring_policy_rings_classes(const struct policy_at *root, struct ring_policy *p,
                                struct rw_err *err)
{
    struct policy_at classes;
    RW_TRY(policy_read_need(root, "classes", JSON_OBJECT, &classes, err));
    RW_TRY(count_within(&classes, "classes", RING_POLICY_CLASSES_MAX, err));
    for (const struct json *v = json_first(classes.v); v != NULL; v = json_next(v)) {
        char name[64];
        struct rw_span span = json_name(v);
        struct policy_at at = classes;
        /* Cut here, refused by read_class: no class has a name of that length. */
        span.n = span.n < sizeof(name) - 1 ? span.n : sizeof(name) - 1;
        rw_copy(name, sizeof(name), span.p, span.n);
        name[span.n] = '\0';
        at = policy_read_find(&classes, name);
        at.v = v;
        RW_TRY(read_class(&at, p, err));
    }
    return RW_OK;
}
