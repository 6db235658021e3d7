/* json_node.h: the tree's inside, shared by the files of common/json only.
 *
 * memory   a json_doc owns an array of nodes and one buffer with all strings
 * threads  read-only after parsing
 * source   json_read.h is the public face
 */
#ifndef RINGWARD_JSON_NODE_H
#define RINGWARD_JSON_NODE_H

#include "common/json/json_read.h"

struct json_range {
    uint32_t at; /* offset in the document's string buffer */
    uint32_t n;  /* bytes */
};

struct json {
    enum json_type type;
    unsigned line;
    struct json_doc *doc;
    struct json_range name;
    uint32_t first_child;  /* index; 0: none */
    uint32_t next_sibling; /* index; 0: none */
    uint32_t child_count;
    struct json_range str; /* JSON_STR */
    int64_t num;           /* JSON_INT; JSON_DECIMAL: thousandths */
};

struct json_doc {
    const struct json_limits *limits;
    struct json *nodes;
    size_t node_count;
    size_t node_cap;
    struct rw_buf strings;
};

void json_doc_drop(struct json_doc *doc); /* accepts NULL */

static inline struct rw_span json_range_span(const struct json_doc *doc, struct json_range r)
{
    return r.n == 0 ? rw_span_of("", 0) : rw_span_of(doc->strings.p + r.at, r.n);
}

#endif
