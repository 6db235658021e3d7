/* Hostile samples files: what reads must write back to the very same bytes. */
#include "common/box/samples_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err;
    RW_AUTO(samples_list) struct samples_list list = {.count = 0};
    struct rw_span text = rw_span_of(data, size);
    if (!rw_is_ok(samples_read(text, &list, &err))) { return 0; }
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(SAMPLES_BYTES_MAX);
    RW_ASSERT(rw_is_ok(samples_write(&list, &out, &err)));
    RW_ASSERT(rw_span_eq(rw_buf_span(&out), text));
    return 0;
}
