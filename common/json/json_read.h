/* json_read.h: one strict parse of hostile JSON into a tree that decisions are read from.
 *
 * Refused: duplicate members (after unescaping), NUL in any spelling, bytes < 0x20 in strings, invalid
 * UTF-8, lone surrogates, a BOM, numbers that are not integers within +-(2^53-1) ("-0", "1e2" and, unless
 * the limits allow decimals, "1.0" included), depth, node and size above the limits, anything behind the value.
 *
 * memory   a tree owns all its nodes and strings; getters borrow from it
 * threads  no shared state; a tree may be read from many threads
 * source   docs/trust.md "One strict parse"; the tree also yields the canonical form (json_canon.h)
 */
#ifndef RINGWARD_JSON_READ_H
#define RINGWARD_JSON_READ_H

#include "common/base/buf.h"

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_INT,
    JSON_STR,
    JSON_ARRAY,
    JSON_OBJECT,
    JSON_DECIMAL, /* "1.0": only where the limits allow decimals */
};

struct json; /* one value */

struct json_limits {
    size_t bytes_max; /* of the text */
    size_t nodes_max;
    unsigned depth_max;
    bool decimals; /* numbers may have one to three decimals; else they are refused */
};

extern const struct json_limits json_limits_metadata; /* TUF metadata and policy */
extern const struct json_limits json_limits_small;    /* beacons, API bodies, verdicts */
extern const struct json_limits json_limits_policy;   /* rings.json, which people write: decimals */

/* Parses the whole text; gives the tree. Fails with RW_E_SYNTAX (with line and column), RW_E_TOO_BIG,
 * RW_E_NOMEM. */
RW_RC json_parse(struct rw_span text, const struct json_limits *limits, struct json **tree_out,
                 struct rw_err *err);
typedef struct json *json_tree;
void json_tree_drop(json_tree *tree); /* RW_AUTO(json_tree) json_tree t = NULL; */

enum json_type json_type(const struct json *v);
const char *json_type_name(enum json_type type);
unsigned json_line(const struct json *v); /* line of the text where the value begins, from 1 */

/* --- walking: borrowed, NULL at the end. Works for arrays and objects; others have no children. --- */
const struct json *json_first(const struct json *v);
const struct json *json_next(const struct json *v);
size_t json_count(const struct json *v);
struct rw_span json_name(const struct json *v); /* member name, unescaped; empty in arrays */

/* --- values of a node; the type must fit (asserted: check before, or use the getters below) --- */
int64_t json_int(const struct json *v);
int64_t json_thousandths(const struct json *v); /* of a JSON_DECIMAL */
struct rw_span json_str(const struct json *v);  /* unescaped UTF-8 without NUL */

/* --- members of an object. `find` gives NULL when absent. The others fail with RW_E_SCHEMA naming the
 * member, its line and what is wrong. A value that is no object has no members. --- */
const struct json *json_find(const struct json *object, const char *name);
RW_RC json_get(const struct json *object, const char *name, enum json_type type,
               const struct json **out, struct rw_err *err);
RW_RC json_get_int(const struct json *object, const char *name, int64_t min, int64_t max,
                   int64_t *out, struct rw_err *err);
RW_RC json_get_bool(const struct json *object, const char *name, bool *out, struct rw_err *err);
RW_RC json_get_span(const struct json *object, const char *name, struct rw_span *out,
                    struct rw_err *err);
RW_RC json_get_str(const struct json *object, const char *name, char *dst, size_t cap,
                   struct rw_err *err);
/* Members outside `names` are refused (RW_E_SCHEMA): for bodies and files of our own. */
RW_RC json_only(const struct json *object, const char *const *names, size_t name_count,
                struct rw_err *err);

#endif
