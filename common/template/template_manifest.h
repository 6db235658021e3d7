/* template_manifest.h: what an installed sensor supplies, and whether content agrees with that.
 *
 * The sensor's own table is the one source: the sensor prints it, the validator reads it, both compare and read
 * events by the same functions. Content says what it *believes*; only this says what is.
 *
 * memory   plain values (large: not for the stack); events own their values until template_event_drop
 * threads  no shared state
 * source   docs/protocol.md 14; sandbox page "Template content"
 */
#ifndef RINGWARD_TEMPLATE_MANIFEST_H
#define RINGWARD_TEMPLATE_MANIFEST_H

#include "common/template/template_set.h"

enum {
    TEMPLATE_MANIFEST_BYTES_MAX = 128 * 1024,
    TEMPLATE_EVENT_BYTES_MAX = 64 * 1024, /* one event */
};

struct template_manifest {
    char sensor[TEMPLATE_NAME_BYTES];   /* name of the engine */
    int64_t version;                    /* 1..TEMPLATE_SENSOR_MAX */
    uint32_t operators[TEMPLATE_TYPES]; /* per type of field: bit 1 << enum template_rule_op */
    struct template_type types[TEMPLATE_TYPES_MAX];
    size_t type_count;
};

/* JSON text with each type's hash and one over everything. */
RW_RC template_manifest_write(const struct template_manifest *m, struct rw_buf *into,
                              struct rw_err *err);
/* Strict; hashes are computed anew and must agree. Fails with RW_E_SYNTAX, RW_E_SCHEMA, RW_E_TUF_HASH. */
RW_RC template_manifest_read(struct rw_span text, struct template_manifest *out,
                             struct rw_err *err);
/* NULL: the sensor has no such type. */
const struct template_type *template_manifest_find(const struct template_manifest *m,
                                                   struct rw_span name);

/* Every declared type must be supplied, field by field, name, type and order; the number of fields must be equal
 * *even if nothing but wildcards judges the surplus*; every operator must be one that the sensor has; the sensor
 * must be new enough. Fails with RW_E_SCHEMA, saying what differs. */
RW_RC template_manifest_check(const struct template_manifest *m, const struct template_set *s,
                              struct rw_err *err);

/* --- events: {"type":"NAME", FIELD: VALUE, ...}; a field that is left out is absent --- */
struct template_event {
    const struct template_type *type;   /* borrowed from the manifest */
    struct template_rule_value *values; /* owned; exactly type->field_count */
    struct json *tree;                  /* owned: texts borrow from it */
};

void template_event_drop(struct template_event *e);
/* Fails with RW_E_SYNTAX, RW_E_SCHEMA (unknown type or field, value of another type), RW_E_TOO_BIG, RW_E_NOMEM. */
RW_RC template_event_read(struct rw_span line, const struct template_manifest *m,
                          struct template_event *out, struct rw_err *err);
/* The next line of a text of events, without its end; blank lines are left out. False at the end. */
bool template_event_line(struct rw_span *rest, struct rw_span *line_out);

#endif
