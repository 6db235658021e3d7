#include "server/rollout/rollout_run.h"

#include "server/report/audit_log.h"
#include "server/rollout/rollout_evidence.h"
#include "server/rollout/rollout_live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rollout_facts_from rollout_live_from(const struct rollout_run *r, const struct rollout *ro,
                                            struct rw_wall now)
{
    return (struct rollout_facts_from){
        .fleet = r->fleet, .policy = &r->policy, .rollout = ro, .now = now};
}

/* --- loading --- */

static void drop_all(struct rollout **all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rollout_evidence_drop(&all[i]->evidence);
        rw_mem_free(all[i]);
    }
    rw_mem_free((void *)all);
}

/* Room for one more; `all` may move. */
RW_RC rollout_live_room(struct rollout_run *r, struct rw_err *err)
{
    if (r->count < r->cap) { return RW_OK; }
    if (r->count >= ROLLOUT_KEPT_MAX) {
        return rw_fail(err, RW_E_FULL, "%zu rollouts, at most %d are kept", r->count,
                       ROLLOUT_KEPT_MAX);
    }
    size_t cap = r->cap == 0 ? 16 : r->cap * 2;
    struct rollout **all = rw_mem_grow((void *)r->all, cap, sizeof(struct rollout *));
    if (all == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu rollouts", cap); }
    r->all = all;
    r->cap = cap;
    return RW_OK;
}

static RW_RC load_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    struct rollout_run *r = arg;
    RW_TRY(rollout_live_room(r, err));
    struct rollout *ro = rw_mem_new(sizeof(*ro));
    if (ro == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a rollout"); }
    struct rw_rc rc = rollout_doc_read(doc, ro, err);
    if (!rw_is_ok(rc)) {
        rw_mem_free(ro);
        return rc;
    }
    r->all[r->count++] = ro;
    return RW_OK;
}

static int by_seq(const void *a, const void *b)
{
    const struct rollout *x = *(const struct rollout *const *)a;
    const struct rollout *y = *(const struct rollout *const *)b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

void rollout_live_forget_busy(struct rollout_run *r)
{
    r->busy.count = 0;
    r->busy.known = 0;
}

void rollout_live_note_busy(struct rollout_run *r)
{
    rollout_live_forget_busy(r);
    for (size_t i = 0; i < r->count; i++) {
        enum rollout_rule_state s = rollout_doc_overall(r->all[i]);
        if (s == ROLLOUT_COMPLETE || s == ROLLOUT_ROLLED_BACK) { continue; }
        if (r->busy.count == ROLLOUT_BUSY_MAX) {
            rollout_live_forget_busy(r);
            return;
        }
        r->busy.at[r->busy.count++] = i;
    }
    r->busy.known = r->count;
}

void rollout_live_sort(struct rollout_run *r)
{
    rollout_live_forget_busy(r);
    if (r->count > 1) { qsort((void *)r->all, r->count, sizeof(struct rollout *), by_seq); }
}

static RW_RC load_all(struct rollout_run *r, struct rw_err *err)
{
    struct rollout_run fresh = {.store = r->store};
    struct rw_rc rc = store_doc_each(r->store, ROLLOUT_DOC_KIND, load_one, &fresh, err);
    if (!rw_is_ok(rc)) {
        drop_all(fresh.all, fresh.count);
        return rc;
    }
    rollout_live_sort(&fresh);
    drop_all(r->all, r->count);
    r->all = fresh.all;
    r->count = fresh.count;
    r->cap = fresh.cap;
    rollout_live_forget_busy(r);
    return RW_OK;
}

RW_RC rollout_live_refresh(struct rollout_run *r, struct rw_err *err)
{
    if (!r->unsure) { return RW_OK; }
    rollout_live_close_all(r);
    RW_TRY(load_all(r, err));
    /* Inside a transaction the store shows what may still be lost: look once more outside. */
    r->unsure = r->store->in_transaction;
    return RW_OK;
}

RW_RC rollout_run_open(struct store *store, struct fleet_state *fleet,
                       const struct ring_policy *policy, struct rollout_run_effects effects,
                       struct rollout_run **out, struct rw_err *err)
{
    RW_ASSERT(effects.point != NULL && effects.release_info != NULL);
    RW_ASSERT(effects.release_sha256 != NULL && effects.gone != NULL);
    struct rollout_run *r = rw_mem_new(sizeof(*r));
    if (r == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the controller"); }
    r->store = store;
    r->fleet = fleet;
    r->policy = *policy;
    r->effects = effects;
    struct rw_rc rc = load_all(r, err);
    if (!rw_is_ok(rc)) {
        rollout_run_drop(&r);
        return rc;
    }
    *out = r;
    return RW_OK;
}

void rollout_run_drop(struct rollout_run **r)
{
    if (*r == NULL) { return; }
    drop_all((*r)->all, (*r)->count);
    rw_mem_free(*r);
    *r = NULL;
}

void rollout_run_set_policy(struct rollout_run *r, const struct ring_policy *policy)
{
    r->policy = *policy;
}

struct rollout *rollout_live_find(const struct rollout_run *r, const char *family, int64_t release)
{
    for (size_t i = r->count; i > 0; i--) {
        struct rollout *ro = r->all[i - 1];
        if (ro->release == release && strcmp(ro->family, family) == 0) { return ro; }
    }
    return NULL;
}

struct rollout *rollout_live_of(const struct rollout_run *r, const char *family)
{
    for (size_t i = r->count; i > 0; i--) {
        struct rollout *ro = r->all[i - 1];
        if (strcmp(ro->family, family) == 0 && rollout_doc_overall(ro) != ROLLOUT_ROLLED_BACK) {
            return ro;
        }
    }
    return NULL;
}

int64_t rollout_run_in_place(const struct rollout_run *r, const char *family)
{
    for (size_t i = r->count; i > 0; i--) {
        const struct rollout *ro = r->all[i - 1];
        if (strcmp(ro->family, family) == 0 && !ro->drill.on &&
            rollout_doc_overall(ro) == ROLLOUT_COMPLETE) {
            return ro->release;
        }
    }
    return 0;
}

bool rollout_run_halted(const struct rollout_run *r, const char *family, int64_t release)
{
    const struct rollout *ro = rollout_live_find(r, family, release);
    return ro != NULL && ro->halt.there;
}

bool rollout_live_serves(const struct rollout_run *r, const struct rollout *ro)
{
    const struct rollout *live = rollout_live_of(r, ro->family);
    if (live == ro || live == NULL) { return live == ro; }
    return rollout_doc_overall(live) != ROLLOUT_COMPLETE && live->previous == ro->release &&
           rollout_doc_overall(ro) == ROLLOUT_COMPLETE;
}

void rollout_live_close_all(struct rollout_run *r)
{
    for (size_t i = 0; i < r->count; i++) {
        for (size_t k = 0; k < r->all[i]->ring_count; k++) {
            r->all[i]->rings[k].open = false;
        }
    }
}

/* --- commands --- */

const struct second_person *rollout_run_second(const struct rollout_run *r)
{
    return &r->policy.second;
}

RW_RC rollout_live_unknown(const char *family, int64_t release, struct rw_err *err)
{
    RW_IGNORE(
        rw_fail(err, RW_E_NOT_FOUND, "there is no rollout of %s/%lld", family, (long long)release),
        "hint");
    return rw_hint(err, "'ringward rollout history' lists the rollouts, 'ringward release list' "
                        "the releases");
}

RW_RC rollout_run_generation(const struct rollout_run *r, const char *family, int64_t release,
                             int64_t *out, struct rw_err *err)
{
    const struct rollout *ro = rollout_live_find(r, family, release);
    if (ro == NULL) { return rollout_live_unknown(family, release, err); }
    *out = ro->generation;
    return RW_OK;
}

RW_RC rollout_live_audit(struct rollout_run *r, const struct rollout *ro, const char *verb,
                         const struct rollout_run_actor *actor, struct rw_wall now,
                         struct rw_err *err)
{
    char action[48];
    char object[64];
    (void)snprintf(action, sizeof(action), "%s.%s", ro->drill.on ? "drill" : "rollout", verb);
    (void)snprintf(object, sizeof(object), "%s/%lld", ro->family, (long long)ro->release);
    const struct audit_log_entry entry = {
        .actor = actor->name, .action = action, .object = object, .reason = actor->reason};
    return audit_log_append(r->store, &entry, now, err);
}

static const char *const verbs[] = {"", "pause", "resume", "promote", "halt"};

/* Whether the step did what the command asks for; the controller's own moves do not count. */
static bool obeyed(const struct rollout *ro, const struct rollout_plan *plan,
                   enum rollout_rule_command command)
{
    static const enum rollout_rule_state wanted[] = {
        [ROLLOUT_NO_COMMAND] = ROLLOUT_PENDING, [ROLLOUT_PAUSE] = ROLLOUT_HELD,
        [ROLLOUT_RESUME] = ROLLOUT_RAMPING,     [ROLLOUT_PROMOTE] = ROLLOUT_PASSED,
        [ROLLOUT_HALT] = ROLLOUT_HALTED,
    };
    for (size_t i = 0; i < ro->ring_count; i++) {
        if (!plan->out.moved[i]) { continue; }
        bool resumed = ro->rings[i].state == ROLLOUT_HELD && plan->out.to[i] != ROLLOUT_HALTED;
        if (command == ROLLOUT_RESUME ? resumed : plan->out.to[i] == wanted[command]) {
            return true;
        }
    }
    return false;
}

static RW_RC steerable(const struct rollout_run *r, const struct rollout *ro, int64_t generation,
                       struct rw_err *err)
{
    const struct rollout *live = rollout_live_of(r, ro->family);
    if (live != ro) {
        if (rollout_doc_overall(ro) == ROLLOUT_ROLLED_BACK) {
            RW_IGNORE(rw_fail(err, RW_E_POLICY, "%s/%lld is rolled back", ro->family,
                              (long long)ro->release),
                      "hint");
            return rw_hint(err, "a halt is for good: publish the mended content as a new release");
        }
        RW_IGNORE(rw_fail(err, RW_E_POLICY, "%s/%lld has been followed by %s/%lld", ro->family,
                          (long long)ro->release, ro->family, (long long)live->release),
                  "hint");
        return rw_hint(err, "only the latest rollout of a family can be steered: %s/%lld",
                       ro->family, (long long)live->release);
    }
    if (generation != 0 && generation != ro->generation) {
        RW_IGNORE(rw_fail(err, RW_E_STALE, "%s/%lld is at generation %lld, not %lld any more",
                          ro->family, (long long)ro->release, (long long)ro->generation,
                          (long long)generation),
                  "hint");
        return rw_hint(err, "look again: ringward rollout status %s/%lld", ro->family,
                       (long long)ro->release);
    }
    return RW_OK;
}

static RW_RC no_ring(const struct rollout *ro, enum rollout_rule_command command,
                     struct rw_err *err)
{
    enum rollout_rule_state state = rollout_doc_overall(ro);
    RW_IGNORE(rw_fail(err, RW_E_POLICY, "%s/%lld is %s: there is no ring to %s", ro->family,
                      (long long)ro->release, sm_name(&rollout_rule_table, (int)state),
                      verbs[command]),
              "hint");
    if (ro->halt.there) {
        return rw_hint(err, "a halt is for good: publish the mended content as a new release");
    }
    return rw_hint(err, "see where it stands: ringward rollout status %s/%lld", ro->family,
                   (long long)ro->release);
}

static RW_RC obey(struct rollout_run *r, struct rollout *ro, enum rollout_rule_command command,
                  const struct rollout_run_actor *actor, struct rollout_plan *plan,
                  struct rw_err *err)
{
    RW_TRY(rollout_live_audit(r, ro, verbs[command], actor, r->now, err));
    RW_TRY(rollout_plan_store(r, ro, plan, actor->name, err));
    struct rollout before = *ro;
    *ro = plan->next;
    for (size_t i = 0; i < ro->ring_count; i++) {
        /* Closing takes effect now, opening waits for the tick that knows it was committed. */
        ro->rings[i].open = before.rings[i].open && plan->out.open[i];
    }
    r->unsure = true;
    return RW_OK;
}

/* NOLINTNEXTLINE(readability-function-size): which rollout, what, by whom and when */
RW_RC rollout_run_command(struct rollout_run *r, const char *family, int64_t release,
                          enum rollout_rule_command command, int64_t generation,
                          const struct rollout_run_actor *actor, struct rw_wall now,
                          struct rw_err *err)
{
    RW_ASSERT(command > ROLLOUT_NO_COMMAND && command <= ROLLOUT_HALT);
    RW_TRY(rollout_live_refresh(r, err));
    struct rollout *ro = rollout_live_find(r, family, release);
    if (ro == NULL) { return rollout_live_unknown(family, release, err); }
    RW_TRY(steerable(r, ro, generation, err));
    if (ro->drill.on && command == ROLLOUT_PROMOTE) {
        RW_IGNORE(rw_fail(err, RW_E_POLICY, "%s/%lld is a drill: it is never promoted", family,
                          (long long)release),
                  "hint");
        return rw_hint(err, "it ends by itself, or: ringward rollout halt --reason \"...\" %s/%lld",
                       family, (long long)release);
    }
    struct rollout_plan *plan = rw_mem_new(sizeof(*plan));
    if (plan == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a step"); }
    if (now.s > r->now.s) { r->now = now; }
    rollout_plan_make(r, ro, command, actor, r->now, plan);
    struct rw_rc rc;
    if (obeyed(ro, plan, command)) {
        rc = obey(r, ro, command, actor, plan, err);
    } else {
        rc = no_ring(ro, command, err);
    }
    rw_mem_free(plan);
    return rc;
}
