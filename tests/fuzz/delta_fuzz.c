/* Differences come from anywhere: whatever the bytes say, the result keeps to its memory. The input's first two bytes
 * are the signed length, the next two how much of it is the base. */
#include "agent/fetch/delta_apply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err;
    struct delta_apply d = {.decoder = NULL};
    if (size < 4) { return 0; }
    size_t length = (size_t)data[0] << 8 | data[1];
    size_t base = (size_t)data[2] << 8 | data[3];
    size_t rest = size - 4;
    if (base > rest) { base = rest; }
    uint8_t *out = rw_mem_new(length > 0 ? length : 1); /* ASan sees the byte behind it */
    if (out == NULL || !rw_is_ok(delta_apply_open(&d, &err))) { return 0; }
    RW_IGNORE(delta_apply_run(&d, rw_span_of(data + 4, base),
                              rw_span_of(data + 4 + base, rest - base), out, length, &err),
              "any outcome is fine");
    delta_apply_drop(&d);
    rw_mem_free(out);
    return 0;
}
