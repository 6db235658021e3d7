#include "agent/prove/box_said.h"

#include <string.h>

static const char *const members[] = {"format", "verdict", "reason", "content_sha256",
                                      "rules",  "hits",    "named"};

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
    if (strspn(s->hits, "01") != s->hit_count) {
        return rw_fail(err, RW_E_SCHEMA, "'hits' holds something else than 0 and 1");
    }
    return RW_OK;
}

static RW_RC read_strict(struct rw_span text, struct box_said *s, struct rw_err *err)
{
    static const struct json_limits limits = {
        .bytes_max = BOX_SAID_BYTES_MAX, .nodes_max = 400, .depth_max = 2};
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
    return read_named(tree, s, err);
}

void box_said_read(struct rw_span text, struct box_said *out)
{
    struct rw_err err;
    *out = (struct box_said){.valid = false};
    out->valid = rw_is_ok(read_strict(text, out, &err));
}
