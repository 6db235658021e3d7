/* Hostile manifests of a sensor: what reads must write back and read again to the same. */
#include "common/template/template_manifest.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct template_manifest m;
    static struct template_manifest again;
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TEMPLATE_MANIFEST_BYTES_MAX);
    if (!rw_is_ok(template_manifest_read(rw_span_of(data, size), &m, &err))) { return 0; }
    RW_ASSERT(rw_is_ok(template_manifest_write(&m, &text, &err)));
    RW_ASSERT(rw_is_ok(template_manifest_read(rw_buf_span(&text), &again, &err)));
    RW_ASSERT(m.type_count == again.type_count &&
              memcmp(m.types, again.types, sizeof(m.types)) == 0);
    return 0;
}
