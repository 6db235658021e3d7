/* Hostile verdicts and hostile words of a validator: read or refused, never believed half. What reads must write
 * and read again to the same kind. */
#include "agent/prove/box_said.h"
#include "common/box/verdict_codec.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct box_said said;
    struct rw_err err;
    struct verdict v;
    struct verdict again;
    struct rw_span text = rw_span_of(data, size);
    box_said_read(text, &said);
    if (said.valid) { RW_ASSERT(strlen(said.hits) == said.hit_count); }
    if (!rw_is_ok(verdict_read(text, &v, &err))) { return 0; }
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make((size_t)8 * VERDICT_TEXT_BYTES_MAX);
    RW_ASSERT(rw_is_ok(verdict_write(&v, &out, &err)));
    if (out.n <= VERDICT_TEXT_BYTES_MAX) {
        RW_ASSERT(rw_is_ok(verdict_read(rw_buf_span(&out), &again, &err)));
        RW_ASSERT(again.kind == v.kind && again.final == v.final);
    }
    return 0;
}
