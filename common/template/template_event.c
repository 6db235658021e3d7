/* Events of template_manifest.h: one line of JSON into as many values as the type has fields. */
#include "common/template/template_manifest.h"

#include <string.h>

void template_event_drop(struct template_event *e)
{
    rw_mem_free(e->values);
    json_tree_drop(&e->tree);
    *e = (struct template_event){.tree = NULL};
}

static RW_RC read_member(const struct json *v, struct template_event *e, struct rw_err *err)
{
    struct rw_span name = json_name(v);
    for (size_t i = 0; i < e->type->field_count; i++) {
        const struct template_field *f = &e->type->fields[i];
        if (!rw_span_is(name, f->name)) { continue; }
        if (!rw_is_ok(template_value_read(v, f->type, &e->values[i], err))) {
            return rw_wrap(err, "event field '%s'", f->name);
        }
        return RW_OK;
    }
    return rw_fail(err, RW_E_SCHEMA, "events of type '%s' have no field '%.*s'", e->type->name,
                   (int)(name.n < 40 ? name.n : 40), name.p);
}

RW_RC template_event_read(struct rw_span line, const struct template_manifest *m,
                          struct template_event *out, struct rw_err *err)
{
    static const struct json_limits limits = {.bytes_max = TEMPLATE_EVENT_BYTES_MAX,
                                              .nodes_max = TEMPLATE_FIELDS_MAX + 2,
                                              .depth_max = 2};
    RW_AUTO(template_event) struct template_event e = {.tree = NULL};
    struct rw_span name;
    RW_TRY(json_parse(line, &limits, &e.tree, err));
    RW_TRY(json_get_span(e.tree, "type", &name, err));
    e.type = template_manifest_find(m, name);
    if (e.type == NULL) {
        return rw_fail(err, RW_E_SCHEMA, "the sensor has no events of type '%.*s'",
                       (int)(name.n < 40 ? name.n : 40), name.p);
    }
    e.values = rw_mem_new_array(e.type->field_count, sizeof(*e.values));
    if (e.values == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for an event"); }
    for (size_t i = 0; i < e.type->field_count; i++) {
        e.values[i].type = e.type->fields[i].type;
    }
    for (const struct json *v = json_first(e.tree); v != NULL; v = json_next(v)) {
        if (rw_span_is(json_name(v), "type")) { continue; }
        RW_TRY(read_member(v, &e, err));
    }
    *out = e;
    e = (struct template_event){.tree = NULL}; /* handed over */
    return RW_OK;
}

bool template_event_line(struct rw_span *rest, struct rw_span *line_out)
{
    while (rest->n > 0) {
        const uint8_t *end = memchr(rest->p, '\n', rest->n);
        size_t n = end != NULL ? (size_t)(end - rest->p) : rest->n;
        struct rw_span line = rw_span_of(rest->p, n);
        size_t used = end != NULL ? n + 1 : n;
        *rest = rw_span_of(rest->p + used, rest->n - used);
        while (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t')) {
            line = rw_span_of(line.p + 1, line.n - 1);
        }
        while (line.n > 0 && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' ')) {
            line.n--;
        }
        if (line.n > 0) {
            *line_out = line;
            return true;
        }
    }
    return false;
}
