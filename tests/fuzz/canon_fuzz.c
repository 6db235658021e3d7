/* What parses has one canonical form, and printed and parsed again it has the same one: no two readings. */
#include "common/json/json_canon.h"
#include "common/json/json_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_BYTES_MAX = 8 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(json_tree) json_tree again = NULL;
    RW_AUTO(rw_buf) struct rw_buf canon = rw_buf_make(OUT_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf printed = rw_buf_make(OUT_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf canon_again = rw_buf_make(OUT_BYTES_MAX);
    if (!rw_is_ok(json_parse(rw_span_of(data, size), &json_limits_metadata, &tree, &err))) {
        return 0;
    }
    RW_ASSERT(rw_is_ok(json_canon(tree, &canon, &err)));
    struct json_writer w = json_begin(&printed);
    json_put_tree(&w, NULL, tree);
    RW_ASSERT(rw_is_ok(json_done(&w, &err)));
    RW_ASSERT(rw_is_ok(json_parse(rw_buf_span(&printed), &json_limits_metadata, &again, &err)));
    RW_ASSERT(rw_is_ok(json_canon(again, &canon_again, &err)));
    RW_ASSERT(rw_span_eq(rw_buf_span(&canon), rw_buf_span(&canon_again)));
    return 0;
}
