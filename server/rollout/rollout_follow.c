#include "server/rollout/rollout_evidence.h"
#include "server/rollout/rollout_live.h"

#include <string.h>

/* --- documents of other nodes --- */

/* What is not stored goes on: it is this node's own. Closed until the step has looked (INV-3). */
static void replace(struct rollout *ro, const struct rollout *with)
{
    struct rollout next = *with;
    next.evidence = ro->evidence;
    for (size_t i = 0; i < next.ring_count && i < ro->ring_count; i++) {
        rw_copy(next.rings[i].alarm, sizeof(next.rings[i].alarm), ro->rings[i].alarm,
                sizeof(ro->rings[i].alarm));
    }
    *ro = next;
}

static RW_RC take_rollout(struct rollout_run *r, struct rollout *fresh, bool *used_out,
                          bool *changed_out, struct rw_err *err)
{
    struct rollout *ro = rollout_live_find(r, fresh->family, fresh->release);
    if (ro != NULL) {
        if (ro->generation == fresh->generation) { return RW_OK; } /* our own, or read already */
        replace(ro, fresh);
    } else {
        RW_TRY(rollout_live_room(r, err));
        r->all[r->count++] = fresh;
        *used_out = true;
        rollout_live_sort(r);
    }
    *changed_out = true;
    return RW_OK;
}

static void take_evidence(struct rollout_run *r, const char *kind, const struct store_doc *doc,
                          bool *changed_out)
{
    for (size_t i = r->count; i > 0; i--) {
        struct rollout *ro = r->all[i - 1];
        if (!rollout_evidence_is(ro, kind, doc->id)) { continue; }
        if (ro->evidence == NULL || ro->evidence->generation == doc->generation) { return; }
        rollout_evidence_drop(&ro->evidence); /* read anew when it is needed */
        *changed_out = true;
        return;
    }
}

RW_RC rollout_run_take(struct rollout_run *r, const char *kind, const struct store_doc *doc,
                       bool *changed_out, struct rw_err *err)
{
    bool used = false;
    if (strcmp(kind, ROLLOUT_DOC_KIND) != 0) {
        take_evidence(r, kind, doc, changed_out);
        return RW_OK;
    }
    struct rollout *fresh = rw_mem_new(sizeof(*fresh));
    if (fresh == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a rollout"); }
    struct rw_rc rc = rollout_doc_read(doc, fresh, err);
    if (rw_is_ok(rc)) { rc = take_rollout(r, fresh, &used, changed_out, err); }
    if (!used) { rw_mem_free(fresh); }
    return rc;
}

/* --- rings of a node that does not steer --- */

static RW_RC follow_one(struct rollout_run *r, struct rollout *ro, struct rollout_plan *plan,
                        struct rw_err *err)
{
    if (rollout_live_of(r, ro->family) != ro) {
        if (rollout_doc_overall(ro) == ROLLOUT_ROLLING_BACK) { return RW_OK; } /* closed */
        rollout_live_open_served(r, ro);
        return RW_OK;
    }
    if (ro->evidence == NULL) {
        RW_TRY(rollout_evidence_open(r->store, ro, r->now, &ro->evidence, err));
    }
    rollout_live_ask_expedite(r, ro);
    rollout_plan_make(r, ro, ROLLOUT_NO_COMMAND, NULL, r->now, plan);
    rollout_live_open_rings(ro, &plan->out);
    return RW_OK;
}

RW_RC rollout_run_follow(struct rollout_run *r, struct rw_wall now, struct rw_err *err)
{
    struct rw_rc rc = RW_OK;
    if (now.s > r->now.s) { r->now = now; }
    RW_TRY(rollout_live_refresh(r, err));
    struct rollout_plan *plan = rw_mem_new(sizeof(*plan));
    if (plan == NULL) { rc = rw_fail(err, RW_E_NOMEM, "no memory for a step"); }
    for (size_t i = 0; i < r->count && rw_is_ok(rc); i++) {
        rc = follow_one(r, r->all[i], plan, err);
    }
    rw_mem_free(plan);
    rollout_live_note_busy(r);
    if (!rw_is_ok(rc)) {
        rollout_live_close_all(r);
    } /* nothing that is not known is open (INV-3) */
    return rc;
}
