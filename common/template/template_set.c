#include "common/template/template_set.h"

#include "common/template/template_criterion.h"

#include <stdlib.h>
#include <string.h>

void template_set_drop(struct template_set *s)
{
    for (size_t i = 0; i < s->instance_count; i++) {
        struct template_instance *one = &s->instances[i];
        for (size_t c = 0; c < one->criterion_count; c++) {
            template_criterion_drop(&one->criteria[c]);
        }
        rw_mem_free(one->criteria);
    }
    rw_mem_free(s->instances);
    rw_mem_free(s->types);
    json_tree_drop(&s->tree);
    *s = (struct template_set){.tree = NULL};
}

static RW_RC make_array(const struct json *list, const char *what, size_t max, size_t each,
                        void **out, struct rw_err *err)
{
    size_t count = json_count(list);
    if (count == 0) { return rw_fail(err, RW_E_SCHEMA, "there are no %s in it", what); }
    if (count > max) {
        return rw_fail(err, RW_E_TOO_BIG, "%zu %s, at most %zu are allowed", count, what, max);
    }
    *out = rw_mem_new_array(count, each);
    if (*out == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu %s", count, what); }
    return RW_OK;
}

static RW_RC find_type(const struct template_set *s, struct rw_span name, size_t *out,
                       struct rw_err *err)
{
    for (size_t i = 0; i < s->type_count; i++) {
        if (!rw_span_is(name, s->types[i].name)) { continue; }
        *out = i;
        return RW_OK;
    }
    return rw_fail(err, RW_E_SCHEMA, "type '%.*s' is not declared",
                   (int)(name.n < 40 ? name.n : 40), name.p);
}

static RW_RC read_types(struct template_set *s, struct rw_err *err)
{
    static const char *const members[] = {"name", "fields"};
    const struct json *list = NULL;
    const struct json *fields = NULL;
    size_t total = 0;
    size_t other = 0;
    struct rw_err unused;
    RW_TRY(json_get(s->tree, "types", JSON_ARRAY, &list, err));
    RW_TRY(
        make_array(list, "types", TEMPLATE_TYPES_MAX, sizeof(*s->types), (void **)&s->types, err));
    for (const struct json *v = json_first(list); v != NULL; v = json_next(v)) {
        struct template_type *t = &s->types[s->type_count];
        RW_TRY(json_only(v, members, RW_LEN(members), err));
        RW_TRY(template_name_read(v, t->name, err));
        if (rw_is_ok(find_type(s, rw_span_str(t->name), &other, &unused))) {
            return rw_fail(err, RW_E_SCHEMA, "line %u: type '%s' is declared twice", json_line(v),
                           t->name);
        }
        RW_TRY(json_get(v, "fields", JSON_ARRAY, &fields, err));
        RW_TRY(template_fields_read(fields, t, err));
        s->type_count++;
        total += t->field_count;
    }
    if (total > TEMPLATE_FIELDS_TOTAL_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "%zu fields in all types together, at most %d", total,
                       TEMPLATE_FIELDS_TOTAL_MAX);
    }
    return RW_OK;
}

static RW_RC read_action(const struct json *v, enum template_action *out, struct rw_err *err)
{
    struct rw_span name;
    RW_TRY(json_get_span(v, "action", &name, err));
    for (size_t i = 0; i < TEMPLATE_ACTIONS; i++) {
        if (!rw_span_is(name, template_action_name((enum template_action)i))) { continue; }
        *out = (enum template_action)i;
        return RW_OK;
    }
    return rw_fail(err, RW_E_SCHEMA, "line %u: unknown action '%.*s'", json_line(v),
                   (int)(name.n < 40 ? name.n : 40), name.p);
}

static RW_RC check_id(const struct json *v, const char *id, struct rw_err *err)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (id[0] == '\0' || strchr("._-", id[0]) != NULL || strspn(id, allowed) != strlen(id)) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: the id '%s' is not [A-Za-z0-9][A-Za-z0-9._-]*",
                       json_line(v), id);
    }
    return RW_OK;
}

/* Content must agree with itself: one criterion per declared field, so that none is judged by chance. */
static RW_RC read_criteria(const struct template_set *s, const struct json *v,
                           struct template_instance *one, struct rw_err *err)
{
    const struct json *list = NULL;
    const struct template_type *type = &s->types[one->type];
    RW_TRY(json_get(v, "criteria", JSON_ARRAY, &list, err));
    if (json_count(list) != type->field_count) {
        return rw_fail(err, RW_E_SCHEMA,
                       "line %u: instance '%s' has %zu criteria, its type '%s' declares %zu fields",
                       json_line(list), one->id, json_count(list), type->name, type->field_count);
    }
    one->criteria = rw_mem_new_array(type->field_count, sizeof(*one->criteria));
    if (one->criteria == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for criteria"); }
    for (const struct json *c = json_first(list); c != NULL; c = json_next(c)) {
        size_t i = one->criterion_count;
        if (!rw_is_ok(template_criterion_read(c, &type->fields[i], &one->criteria[i], err))) {
            return rw_wrap(err, "instance '%s'", one->id);
        }
        one->criterion_count++;
    }
    return RW_OK;
}

static RW_RC read_instance(struct template_set *s, const struct json *v, struct rw_err *err)
{
    static const char *const members[] = {"id", "type", "action", "criteria"};
    struct template_instance *one = &s->instances[s->instance_count];
    struct rw_span type;
    s->instance_count++; /* from here on the set's drop sees to it */
    RW_TRY(json_only(v, members, RW_LEN(members), err));
    RW_TRY(json_get_str(v, "id", one->id, sizeof(one->id), err));
    RW_TRY(check_id(v, one->id, err));
    RW_TRY(json_get_span(v, "type", &type, err));
    if (!rw_is_ok(find_type(s, type, &one->type, err))) {
        return rw_wrap(err, "line %u, instance '%s'", json_line(v), one->id);
    }
    RW_TRY(read_action(v, &one->action, err));
    return read_criteria(s, v, one, err);
}

struct named {
    const char *id;
};

static int by_id(const void *a, const void *b)
{
    const struct named *x = a;
    const struct named *y = b;
    return strcmp(x->id, y->id);
}

typedef struct named *named_list;

static void named_list_drop(named_list *l)
{
    rw_mem_free(*l);
}

static RW_RC check_unique(const struct template_set *s, struct rw_err *err)
{
    RW_AUTO(named_list) named_list sorted = rw_mem_new_array(s->instance_count, sizeof(*sorted));
    if (sorted == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory to compare ids"); }
    for (size_t i = 0; i < s->instance_count; i++) {
        sorted[i].id = s->instances[i].id;
    }
    qsort(sorted, s->instance_count, sizeof(*sorted), by_id);
    for (size_t i = 1; i < s->instance_count; i++) {
        if (strcmp(sorted[i - 1].id, sorted[i].id) == 0) {
            return rw_fail(err, RW_E_SCHEMA, "two instances have the id '%s'", sorted[i].id);
        }
    }
    return RW_OK;
}

static RW_RC read_all(struct rw_span text, struct template_set *s, struct rw_err *err)
{
    static const struct json_limits limits = {.bytes_max = TEMPLATE_CONTENT_BYTES_MAX,
                                              .nodes_max = TEMPLATE_NODES_MAX,
                                              .depth_max = TEMPLATE_DEPTH_MAX};
    static const char *const members[] = {"format", "sensor_min", "types", "instances"};
    struct rw_span format;
    const struct json *list = NULL;
    RW_TRY(json_parse(text, &limits, &s->tree, err));
    if (json_type(s->tree) != JSON_OBJECT) {
        return rw_fail(err, RW_E_SCHEMA, "template content is an object");
    }
    RW_TRY(json_only(s->tree, members, RW_LEN(members), err));
    RW_TRY(json_get_span(s->tree, "format", &format, err));
    if (!rw_span_is(format, "ringward-template-1")) {
        return rw_fail(err, RW_E_SCHEMA, "the format is not 'ringward-template-1'");
    }
    RW_TRY(json_get_int(s->tree, "sensor_min", 1, TEMPLATE_SENSOR_MAX, &s->sensor_min, err));
    RW_TRY(read_types(s, err));
    RW_TRY(json_get(s->tree, "instances", JSON_ARRAY, &list, err));
    RW_TRY(make_array(list, "instances", TEMPLATE_INSTANCES_MAX, sizeof(*s->instances),
                      (void **)&s->instances, err));
    for (const struct json *v = json_first(list); v != NULL; v = json_next(v)) {
        RW_TRY(read_instance(s, v, err));
    }
    return check_unique(s, err);
}

RW_RC template_set_read(struct rw_span text, struct template_set *out, struct rw_err *err)
{
    RW_AUTO(template_set) struct template_set s = {.tree = NULL};
    RW_TRY(read_all(text, &s, err));
    *out = s;
    s = (struct template_set){.tree = NULL}; /* handed over */
    return RW_OK;
}
