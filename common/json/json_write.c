#include "common/json/json_write.h"

#include "common/base/utf8.h"

#include <stdio.h>
#include <string.h>

struct json_writer json_begin(struct rw_buf *into)
{
    return (struct json_writer){.into = into};
}

static void keep(struct json_writer *w, struct rw_rc rc)
{
    if (!rw_is_ok(rc)) { w->failed = true; }
}

static void put_text(struct json_writer *w, const char *text)
{
    if (!w->failed) { keep(w, rw_buf_append_str(w->into, text, &w->err)); }
}

/* One byte that cannot stand in a string as it is. */
static void put_escape(struct json_writer *w, uint8_t byte, bool valid)
{
    char escape[8] = "?";
    if (valid && byte >= 0x20) {
        (void)snprintf(escape, sizeof(escape), "\\%c", byte);
    } else if (valid) {
        (void)snprintf(escape, sizeof(escape), "\\u%04x", byte);
    }
    put_text(w, escape);
}

static void put_quoted(struct json_writer *w, struct rw_span s)
{
    put_text(w, "\"");
    size_t from = 0;
    for (size_t i = 0; i < s.n && !w->failed;) {
        size_t step = rw_utf8_length(s.p + i, s.n - i);
        if (step > 0 && s.p[i] >= 0x20 && s.p[i] != '"' && s.p[i] != '\\') {
            i += step;
            continue;
        }
        keep(w, rw_buf_append(w->into, rw_span_of(s.p + from, i - from), &w->err));
        put_escape(w, s.p[i], step > 0);
        i++;
        from = i;
    }
    if (!w->failed && from < s.n) {
        keep(w, rw_buf_append(w->into, rw_span_of(s.p + from, s.n - from), &w->err));
    }
    put_text(w, "\"");
}

/* Comma and name before a value. */
static void lead(struct json_writer *w, const char *name)
{
    if (w->depth > 0) {
        if (w->has_members[w->depth - 1]) { put_text(w, ","); }
        w->has_members[w->depth - 1] = true;
    }
    if (name != NULL) {
        put_quoted(w, rw_span_str(name));
        put_text(w, ":");
    }
}

static void open_container(struct json_writer *w, const char *name, const char *bracket)
{
    lead(w, name);
    put_text(w, bracket);
    RW_ASSERT(w->depth < JSON_WRITE_DEPTH_MAX);
    w->has_members[w->depth++] = false;
}

static void close_container(struct json_writer *w, const char *bracket)
{
    RW_ASSERT(w->depth > 0);
    w->depth--;
    put_text(w, bracket);
}

void json_open_object(struct json_writer *w, const char *name)
{
    open_container(w, name, "{");
}

void json_close_object(struct json_writer *w)
{
    close_container(w, "}");
}

void json_open_array(struct json_writer *w, const char *name)
{
    open_container(w, name, "[");
}

void json_close_array(struct json_writer *w)
{
    close_container(w, "]");
}

void json_put_str(struct json_writer *w, const char *name, const char *value)
{
    json_put_span(w, name, rw_span_str(value));
}

void json_put_span(struct json_writer *w, const char *name, struct rw_span value)
{
    lead(w, name);
    put_quoted(w, value);
}

void json_put_int(struct json_writer *w, const char *name, int64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    lead(w, name);
    put_text(w, text);
}

void json_put_bool(struct json_writer *w, const char *name, bool value)
{
    lead(w, name);
    put_text(w, value ? "true" : "false");
}

void json_put_null(struct json_writer *w, const char *name)
{
    lead(w, name);
    put_text(w, "null");
}

void json_put_raw(struct json_writer *w, const char *name, struct rw_span json_text)
{
    lead(w, name);
    if (!w->failed) { keep(w, rw_buf_append(w->into, json_text, &w->err)); }
}

static void put_decimal(struct json_writer *w, const char *name, int64_t thousandths)
{
    char text[32];
    int64_t size = thousandths < 0 ? -thousandths : thousandths;
    (void)snprintf(text, sizeof(text), "%s%lld.%03lld", thousandths < 0 ? "-" : "",
                   (long long)(size / 1000), (long long)(size % 1000));
    lead(w, name);
    put_text(w, text);
}

/* Opens a container or writes a scalar; true when `v` has children to walk. */
static bool put_node(struct json_writer *w, const char *name, const struct json *v)
{
    switch (json_type(v)) {
    case JSON_NULL:
        json_put_null(w, name);
        return false;
    case JSON_TRUE:
        json_put_bool(w, name, true);
        return false;
    case JSON_FALSE:
        json_put_bool(w, name, false);
        return false;
    case JSON_INT:
        json_put_int(w, name, json_int(v));
        return false;
    case JSON_DECIMAL:
        put_decimal(w, name, json_thousandths(v));
        return false;
    case JSON_STR:
        json_put_span(w, name, json_str(v));
        return false;
    case JSON_ARRAY:
        json_open_array(w, name);
        return true;
    case JSON_OBJECT:
        json_open_object(w, name);
        return true;
    }
    return false;
}

void json_put_tree(struct json_writer *w, const char *name, const struct json *v)
{
    /* Path from the value to the node being written; the limits of json_read bound its depth. */
    const struct json *open[JSON_WRITE_DEPTH_MAX];
    const struct json *next[JSON_WRITE_DEPTH_MAX];
    size_t depth = 0;
    if (!put_node(w, name, v)) { return; }
    open[depth] = v;
    next[depth++] = json_first(v);
    while (depth > 0) {
        const struct json *child = next[depth - 1];
        if (child == NULL) {
            depth--;
            if (json_type(open[depth]) == JSON_OBJECT) {
                json_close_object(w);
            } else {
                json_close_array(w);
            }
            continue;
        }
        next[depth - 1] = json_next(child);
        bool named = json_type(open[depth - 1]) == JSON_OBJECT;
        char *member = named ? rw_span_dup(json_name(child)) : NULL;
        if (named && member == NULL) {
            keep(w, rw_fail(&w->err, RW_E_NOMEM, "no memory"));
            member = rw_str_dup("");
        }
        if (put_node(w, member, child)) {
            RW_ASSERT(depth < JSON_WRITE_DEPTH_MAX);
            open[depth] = child;
            next[depth++] = json_first(child);
        }
        rw_mem_free(member);
    }
}

RW_RC json_done(struct json_writer *w, struct rw_err *err)
{
    RW_ASSERT(w->failed || w->depth == 0);
    if (w->failed) {
        *err = w->err;
        return (struct rw_rc){w->err.code};
    }
    return RW_OK;
}
