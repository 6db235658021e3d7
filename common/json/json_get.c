/* The getters of json_read.h. */
#include "common/json/json_node.h"

static const char *const type_names[] = {
    "null",     "false",    "true",      "an integer",
    "a string", "an array", "an object", "a number with decimals"};

enum json_type json_type(const struct json *v)
{
    return v->type;
}

const char *json_type_name(enum json_type type)
{
    return type_names[type];
}

unsigned json_line(const struct json *v)
{
    return v->line;
}

const struct json *json_first(const struct json *v)
{
    return v->first_child == 0 ? NULL : &v->doc->nodes[v->first_child];
}

const struct json *json_next(const struct json *v)
{
    return v->next_sibling == 0 ? NULL : &v->doc->nodes[v->next_sibling];
}

size_t json_count(const struct json *v)
{
    return v->child_count;
}

struct rw_span json_name(const struct json *v)
{
    return json_range_span(v->doc, v->name);
}

int64_t json_int(const struct json *v)
{
    RW_ASSERT(v->type == JSON_INT);
    return v->num;
}

int64_t json_thousandths(const struct json *v)
{
    RW_ASSERT(v->type == JSON_DECIMAL);
    return v->num;
}

struct rw_span json_str(const struct json *v)
{
    RW_ASSERT(v->type == JSON_STR);
    return json_range_span(v->doc, v->str);
}

const struct json *json_find(const struct json *object, const char *name)
{
    if (object->type != JSON_OBJECT) { return NULL; }
    for (const struct json *v = json_first(object); v != NULL; v = json_next(v)) {
        if (rw_span_is(json_name(v), name)) { return v; }
    }
    return NULL;
}

static RW_RC find(const struct json *object, const char *name, const struct json **out,
                  struct rw_err *err)
{
    const struct json *v = json_find(object, name);
    if (v == NULL) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: '%s' is missing", object->line, name);
    }
    *out = v;
    return RW_OK;
}

RW_RC json_get(const struct json *object, const char *name, enum json_type type,
               const struct json **out, struct rw_err *err)
{
    const struct json *v = NULL;
    RW_TRY(find(object, name, &v, err));
    if (v->type != type) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: '%s' is %s, want %s", v->line, name,
                       type_names[v->type], type_names[type]);
    }
    *out = v;
    return RW_OK;
}

RW_RC json_get_int(const struct json *object, const char *name, int64_t min, int64_t max,
                   int64_t *out, struct rw_err *err)
{
    const struct json *v = NULL;
    RW_TRY(json_get(object, name, JSON_INT, &v, err));
    if (v->num < min || v->num > max) {
        return rw_fail(err, RW_E_RANGE, "line %u: '%s' is %lld, want %lld..%lld", v->line, name,
                       (long long)v->num, (long long)min, (long long)max);
    }
    *out = v->num;
    return RW_OK;
}

RW_RC json_get_bool(const struct json *object, const char *name, bool *out, struct rw_err *err)
{
    const struct json *v = NULL;
    RW_TRY(find(object, name, &v, err));
    if (v->type != JSON_TRUE && v->type != JSON_FALSE) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: '%s' is %s, want true or false", v->line, name,
                       type_names[v->type]);
    }
    *out = v->type == JSON_TRUE;
    return RW_OK;
}

RW_RC json_get_span(const struct json *object, const char *name, struct rw_span *out,
                    struct rw_err *err)
{
    const struct json *v = NULL;
    RW_TRY(json_get(object, name, JSON_STR, &v, err));
    *out = json_str(v);
    return RW_OK;
}

RW_RC json_get_str(const struct json *object, const char *name, char *dst, size_t cap,
                   struct rw_err *err)
{
    struct rw_span s;
    RW_TRY(json_get_span(object, name, &s, err));
    if (s.n >= cap) {
        return rw_fail(err, RW_E_RANGE, "line %u: '%s' has %zu bytes, at most %zu are allowed",
                       json_find(object, name)->line, name, s.n, cap - 1);
    }
    return rw_span_to_str(dst, cap, s, name, err);
}

RW_RC json_only(const struct json *object, const char *const *names, size_t name_count,
                struct rw_err *err)
{
    if (object->type != JSON_OBJECT) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: %s, want an object", object->line,
                       type_names[object->type]);
    }
    for (const struct json *v = json_first(object); v != NULL; v = json_next(v)) {
        bool known = false;
        for (size_t i = 0; i < name_count && !known; i++) {
            known = rw_span_is(json_name(v), names[i]);
        }
        struct rw_span name = json_name(v);
        if (!known) {
            return rw_fail(err, RW_E_SCHEMA, "line %u: unknown member '%.*s'", v->line,
                           (int)(name.n < 60 ? name.n : 60), name.p);
        }
    }
    return RW_OK;
}
