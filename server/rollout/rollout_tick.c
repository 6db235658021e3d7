#include "common/base/num.h"
#include "server/rollout/rollout_evidence.h"
#include "server/rollout/rollout_live.h"
#include "server/rollout/rollout_run.h"

#include <stdio.h>

enum { TURNS_MAX = 4 * ROLLOUT_RINGS_MAX };

/* What became of one ring's pointer. */
enum pointing { POINTING_NONE, POINTING_DONE, POINTING_FAILED };

static enum pointing point_ring(struct rollout_run *r, struct rollout *ro, size_t i, bool want)
{
    struct rollout_ring *ring = &ro->rings[i];
    struct rw_err err;
    enum rollout_pointer goal = want ? ROLLOUT_POINTER_NEW : ROLLOUT_POINTER_OLD;
    if (ring->pointer == goal) { return POINTING_NONE; }
    struct rw_rc rc = r->effects.point(r->effects.ctx, ring->name, ro->family,
                                       want ? ro->release : ro->previous, want && ring->hold, &err);
    if (!rw_is_ok(rc)) {
        (void)snprintf(ring->alarm, sizeof(ring->alarm), "%.159s", err.text);
        return POINTING_FAILED;
    }
    ring->alarm[0] = '\0';
    ring->pointer = goal;
    if (!want) { ring->hold = false; }
    return POINTING_DONE;
}

/* After the commit only. Every ring is tried: one that cannot be signed must not keep the others from going back.
 * `dirty`: a pointer has changed, which the next commit stores. */
static bool point_all(struct rollout_run *r, struct rollout *ro,
                      const struct rollout_rule_output *out, bool *dirty)
{
    bool good = true;
    for (size_t i = 0; i < ro->ring_count; i++) {
        enum pointing p = point_ring(r, ro, i, out->want_pointed[i]);
        good = good && p != POINTING_FAILED;
        *dirty = *dirty || p == POINTING_DONE;
    }
    return good;
}

/* Closes at once what the rule wants closed: before the commit, and long before anything is signed. */
static void close_rings(struct rollout *ro, const struct rollout_rule_output *out)
{
    for (size_t i = 0; i < ro->ring_count; i++) {
        ro->rings[i].open = ro->rings[i].open && out->open[i];
    }
}

static void take_over(struct rollout *ro, const struct rollout_plan *plan)
{
    struct rollout next = plan->next;
    for (size_t i = 0; i < ro->ring_count; i++) {
        next.rings[i].open = ro->rings[i].open;
    }
    *ro = next;
}

static RW_RC plan_and_store(struct rollout_run *r, struct rollout *ro, struct rollout_plan *plan,
                            struct rw_err *err)
{
    rollout_plan_make(r, ro, ROLLOUT_NO_COMMAND, NULL, r->now, plan);
    close_rings(ro, &plan->out);
    RW_TRY(rollout_plan_store(r, ro, plan, "controller", err));
    return fleet_state_flush(r->fleet, err);
}

/* Plans anew inside the transaction, which brings what other nodes committed: while a pointer was signed, somebody may
 * have halted, and a plan from before would be stored over the halt (INV-1, INV-9). */
static RW_RC commit_plan(struct rollout_run *r, struct rollout *ro, struct rollout_plan *plan,
                         struct rw_err *err)
{
    RW_TRY(store_begin(r->store, err));
    struct rw_rc rc = plan_and_store(r, ro, plan, err);
    if (!rw_is_ok(rc)) {
        store_rollback(r->store);
        return rc;
    }
    RW_TRY(store_commit(r->store, err));
    take_over(ro, plan);
    return RW_OK;
}

void rollout_live_open_rings(struct rollout *ro, const struct rollout_rule_output *out)
{
    for (size_t i = 0; i < ro->ring_count; i++) {
        ro->rings[i].open = out->open[i] && ro->rings[i].pointer == ROLLOUT_POINTER_NEW;
    }
}

void rollout_live_open_served(const struct rollout_run *r, struct rollout *ro)
{
    bool serves = rollout_live_serves(r, ro) || rollout_live_lags(ro);
    for (size_t i = 0; i < ro->ring_count; i++) {
        ro->rings[i].open = serves && ro->rings[i].pointer == ROLLOUT_POINTER_NEW;
    }
}

/* Steps one rollout until nothing moves any more, so that a published pointer opens its ring in the same tick. */
static RW_RC step_rollout(struct rollout_run *r, struct rollout *ro, struct rollout_plan *plan,
                          struct rw_err *err)
{
    bool dirty = false;
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        rollout_plan_make(r, ro, ROLLOUT_NO_COMMAND, NULL, r->now, plan);
        close_rings(ro, &plan->out);
        bool changed = plan->changed || dirty;
        if (changed) {
            RW_TRY(commit_plan(r, ro, plan, err));
            dirty = false;
        }
        bool good = point_all(r, ro, &plan->out, &dirty);
        rollout_live_open_rings(ro, &plan->out);
        if (!good || (!changed && !dirty)) { break; }
    }
    /* A pointer that changed although another failed: stored now, else a restart signs it again. */
    return dirty ? commit_plan(r, ro, plan, err) : RW_OK;
}

static RW_RC record_fleet(struct rollout_run *r, struct rw_wall now, struct rw_err *err)
{
    size_t expired = 0;
    for (size_t i = 0; i < r->policy.ring_count; i++) {
        RW_TRY(fleet_state_know_ring(r->fleet, r->policy.rings[i].name, err));
    }
    for (size_t i = 0; i < r->count; i++) {
        const struct rollout *ro = r->all[i];
        if (!rollout_live_serves(r, ro)) { continue; }
        RW_TRY(rollout_live_watch(r, ro, now, err));
    }
    return fleet_state_expire(r->fleet, now, &expired, err);
}

/* The transaction first: in a shared store it brings what other nodes recorded, and records are made behind that. */
static RW_RC prepare_fleet(struct rollout_run *r, struct rw_wall now, struct rw_err *err)
{
    RW_TRY(store_begin(r->store, err));
    struct rw_rc rc = record_fleet(r, now, err);
    if (rw_is_ok(rc) && fleet_state_pending_bytes(r->fleet) == 0) {
        store_rollback(r->store);
        return RW_OK;
    }
    if (rw_is_ok(rc)) { rc = fleet_state_flush(r->fleet, err); }
    if (!rw_is_ok(rc)) {
        store_rollback(r->store);
        return rc;
    }
    return store_commit(r->store, err);
}

/* The detector watches on for the time of the drip after a rollout has ended well, and while a hold-back lasts. */
static bool is_watched(const struct rollout_run *r, const struct rollout *ro)
{
    int64_t for_s = (int64_t)LATE_RULE_DRIPS * LATE_RULE_DRIP_S;
    for (size_t i = 0; i < r->policy.ring_count; i++) {
        if (r->policy.rings[i].hold_back_s > for_s) { for_s = r->policy.rings[i].hold_back_s; }
    }
    return ro->ended.s == 0 || r->now.s - ro->ended.s <= for_s;
}

static RW_RC open_evidence(struct rollout_run *r, struct rollout *ro, struct rw_err *err)
{
    if (ro->evidence != NULL) { return RW_OK; }
    return rollout_evidence_open(r->store, ro, r->now, &ro->evidence, err);
}

/* The transaction first: it may bring evidence that another node stored, and then this one is read anew. */
static RW_RC look_inside(struct rollout_run *r, struct rollout *ro, struct rw_err *err)
{
    RW_TRY(open_evidence(r, ro, err));
    rollout_evidence_look(ro->evidence, ro, r->fleet, r->now);
    return rollout_evidence_put(r->store, ro, ro->evidence, err);
}

static RW_RC look_and_store(struct rollout_run *r, struct rollout *ro, struct rw_err *err)
{
    RW_TRY(store_begin(r->store, err));
    struct rw_rc rc = look_inside(r, ro, err);
    if (!rw_is_ok(rc)) {
        store_rollback(r->store);
        return rc;
    }
    return store_commit(r->store, err);
}

/* Once a minute: what grows with time, before anything is decided by it. */
static RW_RC look(struct rollout_run *r, struct rollout *ro, struct rw_err *err)
{
    RW_TRY(open_evidence(r, ro, err));
    if (!is_watched(r, ro) || !rollout_evidence_due(ro->evidence, ro, r->fleet, r->now)) {
        return RW_OK;
    }
    return look_and_store(r, ro, err);
}

/* A rollout keeps the rings of the policy that it began with: found by name. What cannot be asked shortens nothing. */
void rollout_live_ask_expedite(const struct rollout_run *r, struct rollout *ro)
{
    struct rw_wall times[RING_POLICY_RINGS_MAX];
    struct rw_err err;
    bool known = r->effects.expedited != NULL &&
                 rw_is_ok(r->effects.expedited(r->effects.ctx, ro->family, ro->release, r->now,
                                               times, &err));
    for (size_t i = 0; i < ro->ring_count; i++) {
        size_t at = 0;
        ro->rings[i].expedited = (struct rw_wall){0};
        if (known && rw_is_ok(ring_policy_find(&r->policy, ro->rings[i].name, &at, &err))) {
            ro->rings[i].expedited = times[at];
        }
    }
}

static RW_RC tick(struct rollout_run *r, struct rollout_plan *plan, struct rw_err *err)
{
    RW_TRY(rollout_live_refresh(r, err));
    RW_TRY(prepare_fleet(r, r->now, err));
    for (size_t i = 0; i < r->count; i++) {
        struct rollout *ro = r->all[i];
        /* Rolling back, superseded or not: every pointer is back, so that the steps only count who follows. */
        bool following = rollout_doc_overall(ro) == ROLLOUT_ROLLING_BACK;
        bool live = rollout_live_of(r, ro->family) == ro;
        if (live) { rollout_live_ask_expedite(r, ro); }
        if (live) { RW_TRY(look(r, ro, err)); }
        if (live || following) {
            RW_TRY(step_rollout(r, ro, plan, err));
            continue;
        }
        rollout_live_open_served(r, ro);
    }
    rollout_live_note_busy(r);
    return RW_OK;
}

RW_RC rollout_run_tick(struct rollout_run *r, struct rw_wall now, struct rw_err *err)
{
    RW_ASSERT(!r->store->in_transaction);
    struct rollout_plan *plan = rw_mem_new(sizeof(*plan));
    struct rw_rc rc;
    if (now.s > r->now.s) { r->now = now; }
    if (plan == NULL) {
        rc = rw_fail(err, RW_E_NOMEM, "no memory for a step");
    } else {
        rc = tick(r, plan, err);
    }
    rw_mem_free(plan);
    if (rw_is_ok(rc)) { return RW_OK; }
    /* Fail closed: what is true is read again from the store, and nothing is granted until it was. */
    struct rw_err again;
    rollout_live_close_all(r);
    r->unsure = true;
    RW_IGNORE(fleet_state_reload(r->fleet, &again),
              "the fleet refuses changes until it has loaded");
    return rc;
}

/* INV-12: what goes on without a part must not look whole. Names nobody: viewers of every tenant read it (INV-11). */
static void put_kept_out(const struct rollout_run *r, const struct rollout *ro,
                         struct json_writer *w)
{
    char text[256];
    size_t cohorts = 0;
    enum rollout_rule_state state = rollout_doc_overall(ro);
    bool ending = ro->halt.there || state == ROLLOUT_ROLLED_BACK;
    for (size_t i = 0; i < ro->cohort_count; i++) {
        cohorts += ro->cohorts[i].halted;
    }
    if (ending || cohorts + ro->tenant_count == 0 || rollout_live_of(r, ro->family) != ro) {
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "%s/%lld goes on without parts of the fleet that it failed in, %zu cohort%s and "
                   "%zu tenant%s: ringward explain %s/%lld",
                   ro->family, (long long)ro->release, cohorts, rw_plural((int64_t)cohorts),
                   ro->tenant_count, rw_plural((int64_t)ro->tenant_count), ro->family,
                   (long long)ro->release);
    json_put_str(w, NULL, text);
}

void rollout_run_write_alarms(const struct rollout_run *r, struct json_writer *w)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct rollout *ro = r->all[i];
        put_kept_out(r, ro, w);
        if (ro->drill.on && ro->ended.s == 0) {
            char drill[200];
            (void)snprintf(drill, sizeof(drill), "a drill is under way: %s/%lld in ring %s, by %s",
                           ro->family, (long long)ro->release, ro->rings[0].name, ro->drill.by);
            json_put_str(w, NULL, drill);
        }
        for (size_t k = 0; k < ro->ring_count; k++) {
            char text[320];
            if (ro->rings[k].alarm[0] == '\0') { continue; }
            (void)snprintf(text, sizeof(text), "ring %s of %s/%lld cannot be pointed: %s",
                           ro->rings[k].name, ro->family, (long long)ro->release,
                           ro->rings[k].alarm);
            json_put_str(w, NULL, text);
        }
    }
}
