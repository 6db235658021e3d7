#include "agent/prove/box_said.h"

#include "common/base/num.h"

#include <string.h>

static const char *const members[] = {"format",  "verdict",   "reason", "content_sha256",
                                      "rules",   "hits",      "named",  "checks",
                                      "covered", "slowest_us"};
/* What a validator may speak of: everything else is the launcher's to judge. */
static const char *const fact_ids[] = {"schema", "limits", "dry_run"};

static void keep_printable(struct rw_span text, char *dst, size_t cap)
{
    size_t n = text.n < cap - 1 ? text.n : cap - 1;
    for (size_t i = 0; i < n; i++) {
        dst[i] = (char)(text.p[i] >= 0x20 && text.p[i] < 0x7f ? text.p[i] : '?');
    }
    dst[n] = '\0';
}

static RW_RC read_named(const struct json *tree, struct box_said *s, struct rw_err *err)
{
    const struct json *list = NULL;
    if (json_find(tree, "named") == NULL) { return RW_OK; }
    RW_TRY(json_get(tree, "named", JSON_ARRAY, &list, err));
    for (const struct json *name = json_first(list); name != NULL; name = json_next(name)) {
        if (json_type(name) != JSON_STR || s->named_count == BOX_SAID_NAMED_MAX) {
            return rw_fail(err, RW_E_SCHEMA, "'named' holds something else than rule names");
        }
        keep_printable(json_str(name), s->named[s->named_count++], BOX_SAID_NAME_BYTES);
    }
    return RW_OK;
}

static RW_RC read_hits(const struct json *tree, struct box_said *s, struct rw_err *err)
{
    RW_TRY(json_get_str(tree, "hits", s->hits, sizeof(s->hits), err));
    s->hit_count = strlen(s->hits);
    if (strspn(s->hits, "012") != s->hit_count) {
        return rw_fail(err, RW_E_SCHEMA, "'hits' holds something else than 0, 1 and 2");
    }
    return RW_OK;
}

static RW_RC read_fact(const struct json *v, struct box_said *s, struct rw_err *err)
{
    static const char *const names[] = {"id", "ok", "n", "wrong"};
    struct box_said_fact *f = &s->facts[s->fact_count];
    if (s->fact_count == BOX_SAID_FACTS_MAX) {
        return rw_fail(err, RW_E_SCHEMA, "'checks' is too long");
    }
    RW_TRY(json_only(v, names, RW_LEN(names), err));
    RW_TRY(json_get_str(v, "id", f->id, sizeof(f->id), err));
    RW_TRY(json_get_bool(v, "ok", &f->ok, err));
    RW_TRY(json_get_int(v, "n", 0, RW_JSON_INT_MAX, &f->count, err));
    RW_TRY(json_get_int(v, "wrong", 0, RW_JSON_INT_MAX, &f->wrong, err));
    for (size_t i = 0; i < s->fact_count; i++) {
        if (strcmp(s->facts[i].id, f->id) == 0) {
            return rw_fail(err, RW_E_SCHEMA, "check '%s' stands twice", f->id);
        }
    }
    for (size_t i = 0; i < RW_LEN(fact_ids); i++) {
        if (strcmp(fact_ids[i], f->id) != 0) { continue; }
        s->fact_count++;
        return RW_OK;
    }
    return rw_fail(err, RW_E_SCHEMA, "a validator makes no check '%s'", f->id);
}

/* "type/field:1,7" */
static RW_RC read_covered_by(struct rw_span list, struct box_said_covered *c, struct rw_err *err)
{
    while (list.n > 0) {
        const uint8_t *comma = memchr(list.p, ',', list.n);
        size_t n = comma != NULL ? (size_t)(comma - list.p) : list.n;
        if (c->by_count == BOX_SAID_COVERED_BY_MAX) {
            return rw_fail(err, RW_E_SCHEMA, "'covered' names too many samples");
        }
        RW_TRY(rw_parse_i64(rw_span_of(list.p, n), 0, SAMPLES_BLIND_COUNT_MAX, "sample",
                            &c->by[c->by_count++], err));
        size_t used = comma != NULL ? n + 1 : n;
        list = rw_span_of(list.p + used, list.n - used);
    }
    return RW_OK;
}

static RW_RC read_covered(const struct json *v, struct box_said *s, struct rw_err *err)
{
    struct box_said_covered *c = &s->covered[s->covered_count];
    if (json_type(v) != JSON_STR || s->covered_count == BOX_SAID_COVERED_MAX) {
        return rw_fail(err, RW_E_SCHEMA, "'covered' holds something else than fields");
    }
    struct rw_span text = json_str(v);
    const uint8_t *colon = memchr(text.p, ':', text.n);
    if (colon == NULL) { return rw_fail(err, RW_E_SCHEMA, "'covered' wants NAME:SAMPLES"); }
    size_t n = (size_t)(colon - text.p);
    *c = (struct box_said_covered){.by_count = 0};
    keep_printable(rw_span_of(text.p, n), c->name, sizeof(c->name));
    s->covered_count++;
    return read_covered_by(rw_span_of(text.p + n + 1, text.n - n - 1), c, err);
}

/* Members that a validator may leave out. */
static RW_RC read_extras(const struct json *tree, struct box_said *s, struct rw_err *err)
{
    const struct json *list = NULL;
    if (json_find(tree, "slowest_us") != NULL) {
        RW_TRY(json_get_int(tree, "slowest_us", 0, RW_JSON_INT_MAX, &s->slowest_us, err));
    }
    if (json_find(tree, "checks") != NULL) {
        RW_TRY(json_get(tree, "checks", JSON_ARRAY, &list, err));
        for (const struct json *v = json_first(list); v != NULL; v = json_next(v)) {
            RW_TRY(read_fact(v, s, err));
        }
    }
    if (json_find(tree, "covered") != NULL) {
        RW_TRY(json_get(tree, "covered", JSON_ARRAY, &list, err));
        for (const struct json *v = json_first(list); v != NULL; v = json_next(v)) {
            RW_TRY(read_covered(v, s, err));
        }
    }
    return RW_OK;
}

static RW_RC read_strict(struct rw_span text, struct box_said *s, struct rw_err *err)
{
    static const struct json_limits limits = {
        .bytes_max = BOX_SAID_BYTES_MAX, .nodes_max = 1000, .depth_max = 3};
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct rw_span span;
    RW_TRY(json_parse(text, &limits, &tree, err));
    RW_TRY(json_only(tree, members, RW_LEN(members), err));
    RW_TRY(json_get_span(tree, "format", &span, err));
    if (!rw_span_is(span, "rwv1")) { return rw_fail(err, RW_E_SCHEMA, "unknown format"); }
    RW_TRY(json_get_span(tree, "verdict", &span, err));
    s->accepted = rw_span_is(span, "accepted");
    if (!s->accepted && !rw_span_is(span, "refused")) {
        return rw_fail(err, RW_E_SCHEMA, "unknown verdict");
    }
    RW_TRY(json_get_span(tree, "reason", &span, err));
    keep_printable(span, s->reason, sizeof(s->reason));
    RW_TRY(json_get_str(tree, "content_sha256", s->hash, sizeof(s->hash), err));
    RW_TRY(json_get_int(tree, "rules", 0, 100000000, &s->rules, err));
    RW_TRY(read_hits(tree, s, err));
    RW_TRY(read_named(tree, s, err));
    return read_extras(tree, s, err);
}

void box_said_read(struct rw_span text, struct box_said *out)
{
    struct rw_err err;
    *out = (struct box_said){.valid = false};
    out->valid = rw_is_ok(read_strict(text, out, &err));
}
