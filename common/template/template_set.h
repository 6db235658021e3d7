/* template_set.h: content of the template family: declared types and instances, read strictly.
 *
 * memory   a set owns its arrays and the parsed text until template_set_drop; names and literals borrow from it
 * threads  read-only after reading
 * source   docs/protocol.md 14
 */
#ifndef RINGWARD_TEMPLATE_SET_H
#define RINGWARD_TEMPLATE_SET_H

#include "common/json/json_read.h"
#include "common/template/template_rule.h"

enum {
    TEMPLATE_CONTENT_BYTES_MAX = 8 * 1024 * 1024,
    TEMPLATE_NODES_MAX = 400000,
    TEMPLATE_DEPTH_MAX = 6,
    TEMPLATE_TYPES_MAX = 32,
    TEMPLATE_FIELDS_MAX = 64, /* of one type */
    TEMPLATE_FIELDS_TOTAL_MAX =
        512, /* of all types of one content: bounds the validator's report */
    TEMPLATE_INSTANCES_MAX = 8192,
    TEMPLATE_LITERAL_BYTES_MAX = 1024,
    TEMPLATE_LITERALS_MAX = 256, /* of one criterion */
    TEMPLATE_NAME_BYTES = 33,    /* types and fields: [a-z][a-z0-9_]{0,31} */
    TEMPLATE_ID_BYTES = 65,      /* instances: [A-Za-z0-9][A-Za-z0-9._-]{0,63} */
    TEMPLATE_SENSOR_MAX = 999999,
};

struct template_field {
    char name[TEMPLATE_NAME_BYTES];
    enum template_rule_type type;
};

struct template_type {
    char name[TEMPLATE_NAME_BYTES];
    struct template_field fields[TEMPLATE_FIELDS_MAX];
    size_t field_count; /* 1..TEMPLATE_FIELDS_MAX */
};

enum template_action { TEMPLATE_ALERT, TEMPLATE_BLOCK, TEMPLATE_QUARANTINE, TEMPLATE_ACTIONS };

struct template_instance {
    char id[TEMPLATE_ID_BYTES];
    size_t type; /* index */
    enum template_action action;
    struct template_rule_criterion *criteria; /* owned; one per declared field */
    size_t criterion_count;
};

struct template_set {
    struct json *tree; /* owned: literals borrow from it */
    int64_t sensor_min;
    struct template_type *types; /* owned */
    size_t type_count;
    struct template_instance *instances; /* owned */
    size_t instance_count;
};

void template_set_drop(struct template_set *s);
/* Reads what the content says of itself; compares it with nothing (template_manifest.h does).
 * Fails with RW_E_SYNTAX, RW_E_SCHEMA, RW_E_RANGE, RW_E_TOO_BIG (all name line or place) or RW_E_NOMEM. */
RW_RC template_set_read(struct rw_span text, struct template_set *out, struct rw_err *err);

/* "string", "int", "ip"; "any", "is", ...; "alert", ... The inverse gives false for an unknown name. */
const char *template_type_name(enum template_rule_type type);
const char *template_op_name(enum template_rule_op op);
const char *template_action_name(enum template_action action);
bool template_type_find(struct rw_span name, enum template_rule_type *out);
bool template_op_find(struct rw_span name, enum template_rule_op *out);

/* Declared fields, as content and manifest write them: [{"name","type"}, ...]. */
RW_RC template_fields_read(const struct json *list, struct template_type *into, struct rw_err *err);
/* A name of type or field. Fails with RW_E_SCHEMA. */
RW_RC template_name_read(const struct json *object, char dst[static TEMPLATE_NAME_BYTES],
                         struct rw_err *err);
/* Literal of a field's type: text, integer, or an address. Fails with RW_E_SCHEMA, RW_E_RANGE. */
RW_RC template_value_read(const struct json *v, enum template_rule_type type,
                          struct template_rule_value *out, struct rw_err *err);

#endif
