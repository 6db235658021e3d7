/* Evidence of a rollout as the store gives it back: refused, or understood and written back to the same. */
#include "server/rollout/rollout_evidence.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RINGS = 2, SCOPES = 3, WRITTEN_BYTES_MAX = 65536 };

struct world {
    struct rollout_evidence_scope scopes[RINGS * SCOPES];
    struct rollout_evidence e;
};

static struct rollout_evidence *begin(struct world *w)
{
    *w = (struct world){.e = {.ring_count = RINGS, .scope_count = SCOPES, .scopes = w->scopes}};
    for (int i = 0; i < RINGS * SCOPES; i++) {
        w->scopes[i].late = late_rule_begin();
    }
    return &w->e;
}

/* INV-3: a weight that is no number would compare as below every limit. */
static void check(const struct rollout_evidence *e)
{
    RW_ASSERT(e->at_s >= 0 && e->resumes >= 0);
    for (int i = 0; i < RINGS * SCOPES; i++) {
        const struct late_rule *l = &e->scopes[i].late;
        RW_ASSERT(l->borrowed_dark <= l->borrowed && l->unjudged_dark <= l->unjudged);
        for (int j = 0; j < LATE_RULE_RATIOS; j++) {
            RW_ASSERT(isfinite(l->history.l[j]) && isfinite(l->crash.l[j]) &&
                      isfinite(l->dark.l[j]));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf one = rw_buf_make(WRITTEN_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf two = rw_buf_make(WRITTEN_BYTES_MAX);
    if (!rw_is_ok(rollout_evidence_read(rw_span_of(data, size), begin(&w), &err))) { return 0; }
    check(&w.e);
    RW_ASSERT(rw_is_ok(rollout_evidence_write(&w.e, &one, &err)));
    RW_ASSERT(rw_is_ok(rollout_evidence_read(rw_buf_span(&one), begin(&w), &err)));
    RW_ASSERT(rw_is_ok(rollout_evidence_write(&w.e, &two, &err)));
    RW_ASSERT(rw_span_eq(rw_buf_span(&one), rw_buf_span(&two)));
    return 0;
}
