#include "common/template/template_manifest.h"

#include "common/crypto/digest.h"
#include "common/json/json_write.h"

#include <stdio.h>
#include <string.h>

enum { CANON_BYTES_MAX = 64 * 1024, MANIFEST_NODES_MAX = 8000, MANIFEST_DEPTH_MAX = 5 };

/* What is hashed: one name per line; no name holds a blank or a line end. */
static RW_RC canon_type(const struct template_type *t, struct rw_buf *into, struct rw_err *err)
{
    RW_TRY(rw_buf_appendf(into, err, "type %s\n", t->name));
    for (size_t i = 0; i < t->field_count; i++) {
        RW_TRY(rw_buf_appendf(into, err, "field %s %s\n", t->fields[i].name,
                              template_type_name(t->fields[i].type)));
    }
    return RW_OK;
}

static RW_RC hash_type(const struct template_type *t, char hex[static DIGEST_HEX_BYTES],
                       struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CANON_BYTES_MAX);
    RW_TRY(canon_type(t, &text, err));
    return digest_sha256_hex(rw_buf_span(&text), hex, err);
}

static RW_RC hash_all(const struct template_manifest *m, char hex[static DIGEST_HEX_BYTES],
                      struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CANON_BYTES_MAX);
    RW_TRY(rw_buf_appendf(&text, err, "sensor %s %lld\n", m->sensor, (long long)m->version));
    for (size_t i = 0; i < TEMPLATE_TYPES; i++) {
        RW_TRY(rw_buf_appendf(&text, err, "operators %s %u\n",
                              template_type_name((enum template_rule_type)i), m->operators[i]));
    }
    for (size_t i = 0; i < m->type_count; i++) {
        RW_TRY(canon_type(&m->types[i], &text, err));
    }
    return digest_sha256_hex(rw_buf_span(&text), hex, err);
}

static void write_operators(const struct template_manifest *m, struct json_writer *w)
{
    json_open_object(w, "operators");
    for (size_t t = 0; t < TEMPLATE_TYPES; t++) {
        json_open_array(w, template_type_name((enum template_rule_type)t));
        for (size_t op = 0; op < TEMPLATE_OPS; op++) {
            if ((m->operators[t] >> op & 1U) == 0) { continue; }
            json_put_str(w, NULL, template_op_name((enum template_rule_op)op));
        }
        json_close_array(w);
    }
    json_close_object(w);
}

static RW_RC write_type(const struct template_type *t, struct json_writer *w, struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    RW_TRY(hash_type(t, hex, err));
    json_open_object(w, NULL);
    json_put_str(w, "name", t->name);
    json_put_int(w, "field_count", (int64_t)t->field_count);
    json_put_str(w, "sha256", hex);
    json_open_array(w, "fields");
    for (size_t i = 0; i < t->field_count; i++) {
        json_open_object(w, NULL);
        json_put_str(w, "name", t->fields[i].name);
        json_put_str(w, "type", template_type_name(t->fields[i].type));
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
    return RW_OK;
}

RW_RC template_manifest_write(const struct template_manifest *m, struct rw_buf *into,
                              struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    struct json_writer w = json_begin(into);
    RW_TRY(hash_all(m, hex, err));
    json_open_object(&w, NULL);
    json_put_str(&w, "format", "ringward-manifest-1");
    json_put_str(&w, "sensor", m->sensor);
    json_put_int(&w, "version", m->version);
    json_put_str(&w, "sha256", hex);
    write_operators(m, &w);
    json_open_array(&w, "types");
    for (size_t i = 0; i < m->type_count; i++) {
        RW_TRY(write_type(&m->types[i], &w, err));
    }
    json_close_array(&w);
    json_close_object(&w);
    return json_done(&w, err);
}

/* Sensor and validator are installed together: an operator that only one of them knows is a broken installation. */
static RW_RC read_operators(const struct json *tree, struct template_manifest *m,
                            struct rw_err *err)
{
    static const char *const members[] = {"string", "int", "ip"};
    const struct json *o = NULL;
    RW_TRY(json_get(tree, "operators", JSON_OBJECT, &o, err));
    RW_TRY(json_only(o, members, RW_LEN(members), err));
    for (size_t t = 0; t < TEMPLATE_TYPES; t++) {
        const struct json *list = NULL;
        RW_TRY(json_get(o, template_type_name((enum template_rule_type)t), JSON_ARRAY, &list, err));
        for (const struct json *v = json_first(list); v != NULL; v = json_next(v)) {
            enum template_rule_op op = TEMPLATE_ANY;
            if (json_type(v) != JSON_STR || !template_op_find(json_str(v), &op)) {
                return rw_fail(err, RW_E_SCHEMA,
                               "line %u: the manifest names an operator that this "
                               "version does not know",
                               json_line(v));
            }
            m->operators[t] |= 1U << op;
        }
    }
    return RW_OK;
}

static RW_RC same_hash(const struct json *object, const char *hex, const char *of,
                       struct rw_err *err)
{
    char said[DIGEST_HEX_BYTES];
    RW_TRY(json_get_str(object, "sha256", said, sizeof(said), err));
    if (strcmp(said, hex) == 0) { return RW_OK; }
    return rw_fail(err, RW_E_TUF_HASH, "the manifest's hash of %s is not that of its text", of);
}

static RW_RC read_type(const struct json *v, struct template_manifest *m, struct rw_err *err)
{
    static const char *const members[] = {"name", "field_count", "sha256", "fields"};
    char hex[DIGEST_HEX_BYTES];
    int64_t count = 0;
    const struct json *fields = NULL;
    struct template_type *t = &m->types[m->type_count];
    if (m->type_count == TEMPLATE_TYPES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "the manifest has more than %d types",
                       TEMPLATE_TYPES_MAX);
    }
    RW_TRY(json_only(v, members, RW_LEN(members), err));
    RW_TRY(template_name_read(v, t->name, err));
    if (template_manifest_find(m, rw_span_str(t->name)) != NULL) {
        return rw_fail(err, RW_E_SCHEMA, "the manifest has type '%s' twice", t->name);
    }
    RW_TRY(json_get_int(v, "field_count", 1, TEMPLATE_FIELDS_MAX, &count, err));
    RW_TRY(json_get(v, "fields", JSON_ARRAY, &fields, err));
    RW_TRY(template_fields_read(fields, t, err));
    if (t->field_count != (size_t)count) {
        return rw_fail(err, RW_E_SCHEMA, "the manifest counts %lld fields of '%s' and lists %zu",
                       (long long)count, t->name, t->field_count);
    }
    RW_TRY(hash_type(t, hex, err));
    RW_TRY(same_hash(v, hex, t->name, err));
    m->type_count++;
    return RW_OK;
}

RW_RC template_manifest_read(struct rw_span text, struct template_manifest *out, struct rw_err *err)
{
    static const struct json_limits limits = {.bytes_max = TEMPLATE_MANIFEST_BYTES_MAX,
                                              .nodes_max = MANIFEST_NODES_MAX,
                                              .depth_max = MANIFEST_DEPTH_MAX};
    static const char *const members[] = {"format", "sensor",    "version",
                                          "sha256", "operators", "types"};
    char hex[DIGEST_HEX_BYTES];
    struct rw_span format;
    const struct json *list = NULL;
    RW_AUTO(json_tree) json_tree tree = NULL;
    *out = (struct template_manifest){.type_count = 0};
    RW_TRY(json_parse(text, &limits, &tree, err));
    RW_TRY(json_only(tree, members, RW_LEN(members), err));
    RW_TRY(json_get_span(tree, "format", &format, err));
    if (!rw_span_is(format, "ringward-manifest-1")) {
        return rw_fail(err, RW_E_SCHEMA, "the manifest's format is not 'ringward-manifest-1'");
    }
    RW_TRY(json_get_str(tree, "sensor", out->sensor, sizeof(out->sensor), err));
    RW_TRY(json_get_int(tree, "version", 1, TEMPLATE_SENSOR_MAX, &out->version, err));
    RW_TRY(read_operators(tree, out, err));
    RW_TRY(json_get(tree, "types", JSON_ARRAY, &list, err));
    for (const struct json *v = json_first(list); v != NULL; v = json_next(v)) {
        RW_TRY(read_type(v, out, err));
    }
    RW_TRY(hash_all(out, hex, err));
    return same_hash(tree, hex, "everything", err);
}

const struct template_type *template_manifest_find(const struct template_manifest *m,
                                                   struct rw_span name)
{
    for (size_t i = 0; i < m->type_count; i++) {
        if (rw_span_is(name, m->types[i].name)) { return &m->types[i]; }
    }
    return NULL;
}

static RW_RC check_type(const struct template_manifest *m, const struct template_type *declared,
                        struct rw_err *err)
{
    const struct template_type *supplied = template_manifest_find(m, rw_span_str(declared->name));
    if (supplied == NULL) {
        return rw_fail(err, RW_E_SCHEMA, "the sensor has no type '%s'", declared->name);
    }
    /* Never "enough fields": a surplus one that only wildcards judge today is judged by a literal tomorrow, and
     * nothing would have read it before then. */
    if (declared->field_count != supplied->field_count) {
        return rw_fail(err, RW_E_SCHEMA, "type '%s' declares %zu fields, the sensor supplies %zu",
                       declared->name, declared->field_count, supplied->field_count);
    }
    for (size_t i = 0; i < declared->field_count; i++) {
        const struct template_field *d = &declared->fields[i];
        const struct template_field *s = &supplied->fields[i];
        if (strcmp(d->name, s->name) != 0 || d->type != s->type) {
            return rw_fail(err, RW_E_SCHEMA,
                           "field %zu of type '%s' is declared as %s %s, the sensor supplies %s %s",
                           i + 1, declared->name, template_type_name(d->type), d->name,
                           template_type_name(s->type), s->name);
        }
    }
    return RW_OK;
}

static RW_RC check_operators(const struct template_manifest *m, const struct template_instance *one,
                             struct rw_err *err)
{
    for (size_t i = 0; i < one->criterion_count; i++) {
        const struct template_rule_criterion *c = &one->criteria[i];
        if ((m->operators[c->type] >> c->op & 1U) != 0) { continue; }
        return rw_fail(
            err, RW_E_SCHEMA,
            "instance '%s', criterion %zu: the sensor has no operator '%s' for %s fields", one->id,
            i + 1, template_op_name(c->op), template_type_name(c->type));
    }
    return RW_OK;
}

RW_RC template_manifest_check(const struct template_manifest *m, const struct template_set *s,
                              struct rw_err *err)
{
    if (m->version < s->sensor_min) {
        return rw_fail(err, RW_E_SCHEMA, "it wants sensor version %lld, installed is %s %lld",
                       (long long)s->sensor_min, m->sensor, (long long)m->version);
    }
    for (size_t i = 0; i < s->type_count; i++) {
        RW_TRY(check_type(m, &s->types[i], err));
    }
    for (size_t i = 0; i < s->instance_count; i++) {
        RW_TRY(check_operators(m, &s->instances[i], err));
    }
    return RW_OK;
}
