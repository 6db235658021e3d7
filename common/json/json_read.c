#include "common/json/json_read.h"

#include "common/base/num.h"
#include "common/json/json_node.h"
#include "common/json/json_scan.h"

#include <stdlib.h>

const struct json_limits json_limits_metadata = {
    .bytes_max = 4194304, .nodes_max = 200000, .depth_max = 32};
const struct json_limits json_limits_small = {
    .bytes_max = 262144, .nodes_max = 20000, .depth_max = 8};

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

static RW_RC read_scalar(struct json_scan *scan, struct json_doc *doc, uint32_t index,
                         struct rw_err *err)
{
    struct json *node = &doc->nodes[index];
    switch (node->type) {
    case JSON_STR:
        return json_scan_string(scan, &doc->strings, &node->str, err);
    case JSON_INT:
        return json_scan_int(scan, &node->num, err);
    case JSON_NULL:
        return json_scan_word(scan, "null", err);
    case JSON_TRUE:
        return json_scan_word(scan, "true", err);
    case JSON_FALSE:
        return json_scan_word(scan, "false", err);
    case JSON_ARRAY:
    case JSON_OBJECT:
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

/* Reads the next member or element of the innermost open value, or closes it. */
static RW_RC step(struct parse *p, struct rw_err *err)
{
    struct level *top = &p->levels[p->depth - 1];
    struct json *open = &p->doc->nodes[top->node];
    bool object = open->type == JSON_OBJECT;
    struct json_range name = {0};
    json_scan_blank(&p->scan);
    if (json_scan_take(&p->scan, object ? '}' : ']')) {
        p->depth--;
        return object ? json_scan_unique(p->doc, top->node, err) : RW_OK;
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
        RW_TRY(step(&p, err));
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
