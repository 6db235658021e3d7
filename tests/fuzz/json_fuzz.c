/* Any bytes: refused, or a tree within its limits whose every value can be walked. */
#include "common/json/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Walks all values once, in the order of the text; no recursion, as in the code under test. */
static size_t walk(const struct json *v)
{
    const struct json *open[40];
    size_t depth = 0;
    size_t count = 0;
    while (v != NULL) {
        count++;
        RW_ASSERT(json_line(v) >= 1);
        if (json_type(v) == JSON_STR) {
            struct rw_span s = json_str(v);
            for (size_t i = 0; i < s.n; i++) {
                RW_ASSERT(s.p[i] != 0);
            }
        }
        if (json_first(v) != NULL) {
            RW_ASSERT(depth < RW_LEN(open));
            open[depth++] = v;
            v = json_first(v);
            continue;
        }
        while (depth > 0 && json_next(v) == NULL) {
            v = open[--depth];
        }
        v = json_next(v); /* the top has none: the end */
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    if (!rw_is_ok(json_parse(rw_span_of(data, size), &json_limits_small, &tree, &err))) {
        RW_ASSERT(tree == NULL && err.text[0] != '\0');
        return 0;
    }
    RW_ASSERT(walk(tree) <= json_limits_small.nodes_max);
    return 0;
}
