/* Names of template_set.h, both directions, and lists of declared fields. */
#include "common/template/template_set.h"

#include <string.h>

static const char *const type_names[TEMPLATE_TYPES] = {"string", "int", "ip"};
static const char *const op_names[TEMPLATE_OPS] = {"any",    "is",       "one_of", "prefix",
                                                   "suffix", "contains", "range",  "net"};
static const char *const action_names[TEMPLATE_ACTIONS] = {"alert", "block", "quarantine"};

const char *template_type_name(enum template_rule_type type)
{
    return type_names[type];
}

const char *template_op_name(enum template_rule_op op)
{
    return op_names[op];
}

const char *template_action_name(enum template_action action)
{
    return action_names[action];
}

bool template_type_find(struct rw_span name, enum template_rule_type *out)
{
    for (size_t i = 0; i < TEMPLATE_TYPES; i++) {
        if (!rw_span_is(name, type_names[i])) { continue; }
        *out = (enum template_rule_type)i;
        return true;
    }
    return false;
}

bool template_op_find(struct rw_span name, enum template_rule_op *out)
{
    for (size_t i = 0; i < TEMPLATE_OPS; i++) {
        if (!rw_span_is(name, op_names[i])) { continue; }
        *out = (enum template_rule_op)i;
        return true;
    }
    return false;
}

RW_RC template_name_read(const struct json *object, char dst[static TEMPLATE_NAME_BYTES],
                         struct rw_err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    RW_TRY(json_get_str(object, "name", dst, TEMPLATE_NAME_BYTES, err));
    if (dst[0] < 'a' || dst[0] > 'z' || strspn(dst, allowed) != strlen(dst)) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: the name '%s' is not [a-z][a-z0-9_]*",
                       json_line(object), dst);
    }
    return RW_OK;
}

static RW_RC read_field(const struct json *v, struct template_type *into, struct rw_err *err)
{
    static const char *const members[] = {"name", "type"};
    struct template_field *f = &into->fields[into->field_count];
    struct rw_span type;
    if (into->field_count == TEMPLATE_FIELDS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "line %u: type '%s' has more than %d fields",
                       json_line(v), into->name, TEMPLATE_FIELDS_MAX);
    }
    RW_TRY(json_only(v, members, RW_LEN(members), err));
    RW_TRY(template_name_read(v, f->name, err));
    RW_TRY(json_get_span(v, "type", &type, err));
    if (!template_type_find(type, &f->type)) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: field '%s' has a type that nobody knows: '%.*s'",
                       json_line(v), f->name, (int)(type.n < 40 ? type.n : 40), type.p);
    }
    if (strcmp(f->name, "type") == 0) { /* an event says its type under this name */
        return rw_fail(err, RW_E_SCHEMA, "line %u: no field may be called 'type'", json_line(v));
    }
    for (size_t i = 0; i < into->field_count; i++) {
        if (strcmp(into->fields[i].name, f->name) == 0) {
            return rw_fail(err, RW_E_SCHEMA, "line %u: type '%s' has two fields '%s'", json_line(v),
                           into->name, f->name);
        }
    }
    into->field_count++;
    return RW_OK;
}

RW_RC template_fields_read(const struct json *list, struct template_type *into, struct rw_err *err)
{
    into->field_count = 0;
    for (const struct json *v = json_first(list); v != NULL; v = json_next(v)) {
        RW_TRY(read_field(v, into, err));
    }
    if (into->field_count == 0) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: type '%s' has no field", json_line(list),
                       into->name);
    }
    return RW_OK;
}
