/* Whatever stands in manifest.json or in the slots: read strictly, and what was read writes and reads the same. */
#include "agent/activate/manifest_codec.h"
#include "agent/activate/slot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_manifest(struct rw_span text)
{
    struct rw_err err;
    struct manifest m;
    struct manifest again;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(MANIFEST_BYTES_MAX);
    if (!rw_is_ok(manifest_read(text, &m, &err))) { return; }
    RW_ASSERT(m.count <= MANIFEST_FAMILIES_MAX);
    RW_ASSERT(rw_is_ok(manifest_write(&m, &out, &err)));
    RW_ASSERT(rw_is_ok(manifest_read(rw_buf_span(&out), &again, &err)));
    RW_ASSERT(again.count == m.count && again.set == m.set);
}

static void try_slots(struct rw_span text)
{
    struct rw_err err;
    struct slot_state s;
    struct slot_state again;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(65536);
    if (!rw_is_ok(slot_read(text, &s, &err))) { return; }
    RW_ASSERT(rw_is_ok(slot_write(&s, &out, &err)));
    RW_ASSERT(rw_is_ok(slot_read(rw_buf_span(&out), &again, &err)));
    RW_ASSERT(again.trial.change == s.trial.change && again.abandoned_count == s.abandoned_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_manifest(rw_span_of(data, size));
    try_slots(rw_span_of(data, size));
    return 0;
}
