#include "common/json/json_canon.h"

#include "common/json/json_node.h"

#include <stdlib.h>
#include <string.h>

/* One open container: its children in output order, and how far they are written. */
struct canon_level {
    const struct json **children;
    size_t count;
    size_t done;
    bool object;
};

struct canon {
    struct rw_buf *into;
    struct canon_level levels[64]; /* json_limits depth is at most 32 */
    size_t depth;
};

static int by_name(const void *a, const void *b)
{
    struct rw_span x = json_name(*(const struct json *const *)a);
    struct rw_span y = json_name(*(const struct json *const *)b);
    size_t n = x.n < y.n ? x.n : y.n;
    int order = n == 0 ? 0 : memcmp(x.p, y.p, n);
    if (order != 0) { return order; }
    return x.n < y.n ? -1 : x.n > y.n;
}

static RW_RC write_string(struct rw_buf *into, struct rw_span s, struct rw_err *err)
{
    RW_TRY(rw_buf_append_str(into, "\"", err));
    size_t from = 0;
    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] != '"' && s.p[i] != '\\') { continue; }
        RW_TRY(rw_buf_append(into, rw_span_of(s.p + from, i - from), err));
        if (i < s.n) { RW_TRY(rw_buf_append_str(into, "\\", err)); }
        from = i;
    }
    return rw_buf_append_str(into, "\"", err);
}

static RW_RC open_level(struct canon *c, const struct json *v, struct rw_err *err)
{
    RW_ASSERT(c->depth < RW_LEN(c->levels));
    struct canon_level *l = &c->levels[c->depth++];
    *l = (struct canon_level){.count = json_count(v), .object = json_type(v) == JSON_OBJECT};
    if (l->count > 0) {
        l->children = rw_mem_new_array(l->count, sizeof(struct json *));
        if (l->children == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory"); }
        size_t n = 0;
        for (const struct json *child = json_first(v); child != NULL; child = json_next(child)) {
            l->children[n++] = child;
        }
        if (l->object) { qsort(l->children, n, sizeof(struct json *), by_name); }
    }
    return rw_buf_append_str(c->into, l->object ? "{" : "[", err);
}

static RW_RC write_value(struct canon *c, const struct json *v, struct rw_err *err)
{
    switch (json_type(v)) {
    case JSON_NULL:
        return rw_buf_append_str(c->into, "null", err);
    case JSON_TRUE:
        return rw_buf_append_str(c->into, "true", err);
    case JSON_FALSE:
        return rw_buf_append_str(c->into, "false", err);
    case JSON_INT:
        return rw_buf_appendf(c->into, err, "%lld", (long long)json_int(v));
    case JSON_STR:
        return write_string(c->into, json_str(v), err);
    case JSON_DECIMAL: /* nothing that is hashed or signed by its tree may have them */
        return rw_fail(err, RW_E_SCHEMA, "a number with decimals has no canonical form");
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return open_level(c, v, err);
}

static RW_RC step(struct canon *c, struct rw_err *err)
{
    struct canon_level *l = &c->levels[c->depth - 1];
    if (l->done == l->count) {
        c->depth--;
        rw_mem_free(l->children);
        l->children = NULL;
        return rw_buf_append_str(c->into, l->object ? "}" : "]", err);
    }
    if (l->done > 0) { RW_TRY(rw_buf_append_str(c->into, ",", err)); }
    const struct json *child = l->children[l->done++];
    if (l->object) {
        RW_TRY(write_string(c->into, json_name(child), err));
        RW_TRY(rw_buf_append_str(c->into, ":", err));
    }
    return write_value(c, child, err);
}

RW_RC json_canon(const struct json *v, struct rw_buf *into, struct rw_err *err)
{
    struct canon c = {.into = into};
    struct rw_rc rc = write_value(&c, v, err);
    while (rw_is_ok(rc) && c.depth > 0) {
        rc = step(&c, err);
    }
    while (c.depth > 0) {
        rw_mem_free(c.levels[--c.depth].children);
    }
    return rc;
}
