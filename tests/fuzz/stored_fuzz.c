/* Bodies of release requests and signatures, and what the store gives back of releases and rollouts: refused, or
 * understood and written back to the same. The first byte chooses. */
#include "server/release/release_codec.h"
#include "server/rollout/rollout_doc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_requests(struct rw_span text)
{
    struct rw_err err;
    struct release_signature sig;
    RW_AUTO(release) struct release r = release_make();
    if (rw_is_ok(release_read_request(text, &r, &err))) {
        RW_ASSERT(rw_is_ok(ring_policy_check_name(r.id.family, "family", &err)));
        RW_ASSERT(r.engine_min <= r.engine_max && r.platform_count >= 1);
    }
    if (rw_is_ok(release_read_signature(text, &sig, &err))) {
        RW_ASSERT(memchr(sig.sig_hex, '\0', sizeof(sig.sig_hex)) != NULL);
    }
}

static void try_release(struct rw_span text)
{
    struct rw_err err;
    RW_AUTO(release) struct release r = release_make();
    RW_AUTO(release) struct release again = release_make();
    RW_AUTO(rw_buf) struct rw_buf one = rw_buf_make((size_t)8 << 20);
    RW_AUTO(rw_buf) struct rw_buf two = rw_buf_make((size_t)8 << 20);
    if (!rw_is_ok(release_read_stored(text, 1, &r, &err))) { return; }
    RW_ASSERT(r.signature_count <= RELEASE_SIGNATURES_MAX);
    RW_ASSERT(rw_is_ok(release_write_stored(&r, &one, &err)));
    RW_ASSERT(rw_is_ok(release_read_stored(rw_buf_span(&one), 1, &again, &err)));
    RW_ASSERT(rw_is_ok(release_write_stored(&again, &two, &err)));
    RW_ASSERT(rw_span_eq(rw_buf_span(&one), rw_buf_span(&two)));
}

/* INV-1: whatever the disk says, no ring is open for permits when it is loaded. */
static void try_rollout(struct rw_span text)
{
    static struct rollout r;
    struct rw_err err;
    const struct store_doc doc = {.id = "yara/1", .generation = 1, .body = text};
    if (!rw_is_ok(rollout_doc_read(&doc, &r, &err))) { return; }
    RW_ASSERT(r.ring_count <= ROLLOUT_RINGS_MAX && r.cohort_count <= ROLLOUT_COHORTS_MAX);
    RW_ASSERT(r.tenant_count <= ROLLOUT_TENANTS_MAX && r.evidence == NULL);
    for (size_t i = 0; i < r.ring_count; i++) {
        RW_ASSERT(!r.rings[i].open && r.rings[i].expedited.s == 0);
    }
    (void)rollout_doc_overall(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) { return 0; }
    struct rw_span text = rw_span_of(data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        try_requests(text);
        break;
    case 1:
        try_release(text);
        break;
    default:
        try_rollout(text);
        break;
    }
    return 0;
}
