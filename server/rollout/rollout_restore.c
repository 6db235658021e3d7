#include "server/rollout/rollout_restore.h"

#include "server/report/audit_log.h"
#include "server/rollout/rollout_doc.h"

#include <stdio.h>

/* Documents are written while none is being read: first their ids are gathered. */
enum { ROLLOUTS_MAX = 100000 };

struct ids {
    char (*ids)[STORE_ID_BYTES];
    size_t count;
    size_t room;
};

static RW_RC gather(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    struct ids *all = arg;
    if (all->count == ROLLOUTS_MAX) {
        return rw_fail(err, RW_E_FULL, "more than %d rollouts", ROLLOUTS_MAX);
    }
    if (all->count == all->room) {
        size_t room = all->room == 0 ? 64 : 2 * all->room;
        char(*more)[STORE_ID_BYTES] = rw_mem_grow(all->ids, room, sizeof(*more));
        if (more == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for rollouts"); }
        all->ids = more;
        all->room = room;
    }
    rw_copy(all->ids[all->count++], STORE_ID_BYTES, doc->id, STORE_ID_BYTES);
    return RW_OK;
}

/* The ring that is next to grant permits; ring_count: none, it is complete or goes back. */
static size_t front_of(const struct rollout *ro)
{
    size_t front = ro->ring_count;
    for (size_t i = ro->ring_count; i > 0; i--) {
        int s = ro->rings[i - 1].state;
        if (s == ROLLOUT_HALTED || s == ROLLOUT_ROLLING_BACK || s == ROLLOUT_ROLLED_BACK) {
            return ro->ring_count;
        }
        if (s != ROLLOUT_PASSED && s != ROLLOUT_COMPLETE) { front = i - 1; }
    }
    return front;
}

static RW_RC hold(struct store *store, struct rollout *ro, size_t front, const char *why,
                  struct rw_wall now, struct rw_err *err)
{
    struct rollout_ring *ring = &ro->rings[front];
    char object[128];
    RW_TRY(sm_move(&rollout_rule_table, &ring->state, ROLLOUT_HELD, err));
    ring->since = now;
    rollout_doc_text(ring->reason, sizeof(ring->reason), why);
    ro->generation++;
    (void)snprintf(object, sizeof(object), "ring %s of %s/%lld", ring->name, ro->family,
                   (long long)ro->release);
    const struct audit_log_entry entry = {.actor = "server",
                                          .action = ro->drill.on ? "drill.held" : "rollout.held",
                                          .object = object,
                                          .reason = ring->reason};
    RW_TRY(rollout_doc_put(store, ro, err));
    return audit_log_append(store, &entry, now, err);
}

static RW_RC hold_one(struct store *store, const char *id, const char *why, struct rw_wall now,
                      size_t *held, struct rw_err *err)
{
    struct store_doc doc = {.generation = 0};
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(ROLLOUT_STORED_BYTES_MAX);
    rw_copy(doc.id, sizeof(doc.id), id, STORE_ID_BYTES);
    RW_TRY(store_doc_get(store, ROLLOUT_DOC_KIND, id, &body, &doc.generation, err));
    doc.body = rw_buf_span(&body);
    struct rollout *ro = rw_mem_new(sizeof(*ro));
    if (ro == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a rollout"); }
    struct rw_rc rc = rollout_doc_read(&doc, ro, err);
    size_t front = rw_is_ok(rc) ? front_of(ro) : 0;
    if (rw_is_ok(rc) && front < ro->ring_count && ro->rings[front].state != ROLLOUT_HELD) {
        rc = hold(store, ro, front, why, now, err);
        *held += rw_is_ok(rc);
    }
    rw_mem_free(ro);
    return rc;
}

RW_RC rollout_restore_hold(struct store *store, const char *why, struct rw_wall now,
                           size_t *held_out, struct rw_err *err)
{
    struct ids all = {.ids = NULL};
    size_t held = 0;
    struct rw_rc rc = store_doc_each(store, ROLLOUT_DOC_KIND, gather, &all, err);
    for (size_t i = 0; rw_is_ok(rc) && i < all.count; i++) {
        rc = hold_one(store, all.ids[i], why, now, &held, err);
    }
    rw_mem_free(all.ids);
    if (rw_is_ok(rc)) { *held_out = held; }
    return rc;
}
