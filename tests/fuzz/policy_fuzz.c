/* Policies: refused, or one in which every bucket has a ring and later rings never bake shorter. */
#include "common/policy/ring_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ring_policy p;
    struct rw_err err = {0};
    if (!rw_is_ok(ring_policy_parse(rw_span_of(data, size), &p, &err))) { return 0; }
    RW_ASSERT(p.ring_count >= 1 && p.ring_count <= RING_POLICY_RINGS_MAX && p.class_count >= 1);
    for (int64_t bucket = 0; bucket < RING_POLICY_BUCKETS; bucket += 111) {
        size_t ring = ring_policy_of_bucket(&p, bucket);
        RW_ASSERT(ring < p.ring_count && p.rings[ring].select != RING_BY_HAND);
    }
    RW_ASSERT(ring_policy_of_bucket(&p, RING_POLICY_BUCKETS - 1) == p.ring_count - 1);
    for (size_t c = 0; c < p.class_count; c++) {
        for (size_t i = 0; i < p.ring_count; i++) {
            RW_ASSERT(ring_policy_min_bake_s(&p, c, i) >= 0);
            RW_ASSERT(i == 0 || p.rings[i].bake_s >= p.rings[i - 1].bake_s);
        }
    }
    RW_ASSERT(p.confirm_deadline_s > p.confirm_probation_s && p.confirm_start >= 1 &&
              p.cohort_start >= 1);
    return 0;
}
