#include "common/json/json_read.h"

#include "common/base/num.h"
#include "common/json/json_node.h"
#include "common/json/json_scan.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH_BYTES = 160 };

const struct json_limits json_limits_metadata = {
    .bytes_max = 4194304, .nodes_max = 200000, .depth_max = 32};
const struct json_limits json_limits_small = {
    .bytes_max = 262144, .nodes_max = 20000, .depth_max = 8};

const struct json_limits json_limits_policy = {
    .bytes_max = 262144, .nodes_max = 20000, .depth_max = 8, .decimals = true};

/* Growing arena of one tree: nodes stand in one array, strings in one buffer, so a tree is freed in two
 * calls and parsing a beacon takes a handful of allocations. Pointers into the arrays are made at the end
 * (seal), since both may move while they grow. */
static RW_RC new_node(struct json_doc *doc, enum json_type type, unsigned line, uint32_t *index_out,
                      struct rw_err *err)
{
    if (doc->node_count >= doc->limits->nodes_max) {
        return rw_fail(err, RW_E_TOO_BIG, "line %u: more than %zu JSON values", line,
                       doc->limits->nodes_max);
    }
    if (doc->node_count == doc->node_cap) {
        size_t cap = doc->node_cap == 0 ? 32 : doc->node_cap * 2;
        struct json *grown = rw_mem_grow(doc->nodes, cap, sizeof(*grown));
        if (grown == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu values", cap); }
        doc->nodes = grown;
        doc->node_cap = cap;
    }
    doc->nodes[doc->node_count] = (struct json){.type = type, .line = line};
    *index_out = (uint32_t)doc->node_count++;
    return RW_OK;
}

static RW_RC read_number(struct json_scan *scan, struct json *node, struct rw_err *err)
{
    bool decimal = false;
    RW_TRY(json_scan_decimal(scan, &node->num, &decimal, err));
    if (decimal) { node->type = JSON_DECIMAL; }
    return RW_OK;
}

static RW_RC read_scalar(struct json_scan *scan, struct json_doc *doc, uint32_t index,
                         struct rw_err *err)
{
    struct json *node = &doc->nodes[index];
    switch (node->type) {
    case JSON_STR:
        return json_scan_string(scan, &doc->strings, &node->str, err);
    case JSON_INT:
        return doc->limits->decimals ? read_number(scan, node, err)
                                     : json_scan_int(scan, &node->num, err);
    case JSON_NULL:
        return json_scan_word(scan, "null", err);
    case JSON_TRUE:
        return json_scan_word(scan, "true", err);
    case JSON_FALSE:
        return json_scan_word(scan, "false", err);
    case JSON_ARRAY:
    case JSON_OBJECT:
    case JSON_DECIMAL: /* known only when it has been read */
        break;
    }
    return json_scan_fail(scan, "unexpected byte", err);
}

/* One open array or object on the explicit stack. */
struct level {
    uint32_t node;
    uint32_t last_child; /* 0: none yet (node 0 is the root and nobody's child) */
};

struct parse {
    struct json_scan scan;
    struct json_doc *doc;
    struct level *levels;
    size_t depth;
};

static RW_RC open_value(struct parse *p, struct json_range name, struct rw_err *err)
{
    enum json_type type = JSON_NULL;
    uint32_t index = 0;
    RW_TRY(json_scan_type(&p->scan, &type, err));
    RW_TRY(new_node(p->doc, type, p->scan.line, &index, err));
    p->doc->nodes[index].name = name;
    if (p->depth > 0) {
        struct level *parent = &p->levels[p->depth - 1];
        if (parent->last_child == 0) {
            p->doc->nodes[parent->node].first_child = index;
        } else {
            p->doc->nodes[parent->last_child].next_sibling = index;
        }
        parent->last_child = index;
        p->doc->nodes[parent->node].child_count++;
    }
    if (type != JSON_ARRAY && type != JSON_OBJECT) {
        return read_scalar(&p->scan, p->doc, index, err);
    }
    if (p->depth == p->doc->limits->depth_max) {
        return json_scan_fail(&p->scan, "nested too deeply", err);
    }
    json_scan_skip(&p->scan);
    p->levels[p->depth++] = (struct level){.node = index};
    return RW_OK;
}

/* Puts before the failure where the innermost open value stands: "rings[0].gate". Nothing at the top. */
static RW_RC name_place(const struct parse *p, struct rw_rc failed, struct rw_err *err)
{
    char path[PATH_BYTES] = "";
    size_t used = 0;
    for (size_t i = 1; i < p->depth && used < sizeof(path); i++) {
        const struct json *parent = &p->doc->nodes[p->levels[i - 1].node];
        struct rw_span name = json_range_span(p->doc, p->doc->nodes[p->levels[i].node].name);
        int n = parent->type == JSON_ARRAY
                    ? snprintf(path + used, sizeof(path) - used, "[%u]", parent->child_count - 1)
                    : snprintf(path + used, sizeof(path) - used, "%s%.*s", used == 0 ? "" : ".",
                               (int)(name.n < 40 ? name.n : 40), (const char *)name.p);
        used += n > 0 ? (size_t)n : 0;
    }
    return used == 0 ? failed : rw_wrap(err, "%s", path);
}

/* Reads the next member or element of the innermost open value, or closes it. */
static RW_RC step(struct parse *p, struct rw_err *err)
{
    struct level *top = &p->levels[p->depth - 1];
    struct json *open = &p->doc->nodes[top->node];
    bool object = open->type == JSON_OBJECT;
    struct json_range name = {0};
    json_scan_blank(&p->scan);
    if (json_scan_take(&p->scan, object ? '}' : ']')) {
        if (object) { RW_TRY(json_scan_unique(p->doc, top->node, err)); }
        p->depth--;
        return RW_OK;
    }
    if (top->last_child != 0) {
        if (!json_scan_take(&p->scan, ',')) {
            return json_scan_fail(&p->scan, object ? "want ',' or '}'" : "want ',' or ']'", err);
        }
        json_scan_blank(&p->scan);
    }
    if (object) {
        RW_TRY(json_scan_string(&p->scan, &p->doc->strings, &name, err));
        json_scan_blank(&p->scan);
        if (!json_scan_take(&p->scan, ':')) { return json_scan_fail(&p->scan, "want ':'", err); }
        json_scan_blank(&p->scan);
    }
    return open_value(p, name, err);
}

static RW_RC parse_into(struct json_doc *doc, const struct json_limits *limits, struct rw_span text,
                        struct level *levels, struct rw_err *err)
{
    doc->limits = limits;
    doc->strings = rw_buf_make(text.n + 1); /* unescaping never makes text longer */
    struct parse p = {.scan = json_scan_begin(text), .doc = doc, .levels = levels};
    json_scan_blank(&p.scan);
    RW_TRY(open_value(&p, (struct json_range){0}, err));
    while (p.depth > 0) {
        struct rw_rc rc = step(&p, err);
        if (!rw_is_ok(rc)) { return name_place(&p, rc, err); }
    }
    json_scan_blank(&p.scan);
    if (!json_scan_at_end(&p.scan)) {
        return json_scan_fail(&p.scan, "something stands behind the value", err);
    }
    return RW_OK;
}

/* Offsets become pointers: from here on nothing moves. */
static void seal(struct json_doc *doc)
{
    for (size_t i = 0; i < doc->node_count; i++) {
        doc->nodes[i].doc = doc;
    }
}

RW_RC json_parse(struct rw_span text, const struct json_limits *limits, struct json **tree_out,
                 struct rw_err *err)
{
    if (text.n > limits->bytes_max) {
        return rw_fail(err, RW_E_TOO_BIG, "JSON of %zu bytes, at most %zu are allowed", text.n,
                       limits->bytes_max);
    }
    struct json_doc *doc = rw_mem_new(sizeof(*doc));
    struct level *levels = rw_mem_new_array(limits->depth_max, sizeof(*levels));
    struct rw_rc rc = doc == NULL || levels == NULL
                          ? rw_fail(err, RW_E_NOMEM, "no memory for a JSON tree")
                          : parse_into(doc, limits, text, levels, err);
    rw_mem_free(levels);
    if (!rw_is_ok(rc)) {
        json_doc_drop(doc);
        return rc;
    }
    seal(doc);
    *tree_out = &doc->nodes[0];
    return RW_OK;
}

void json_doc_drop(struct json_doc *doc)
{
    if (doc == NULL) { return; }
    rw_buf_drop(&doc->strings);
    rw_mem_free(doc->nodes);
    rw_mem_free(doc);
}

void json_tree_drop(json_tree *tree)
{
    if (*tree != NULL) { json_doc_drop((*tree)->doc); }
    *tree = NULL;
}
