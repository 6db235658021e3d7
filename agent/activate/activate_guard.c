/* The boot-loop guard: each start is counted on the disk before a sensor may load, and the set is left that starts end
 * with. A start that cannot be counted is not risked with a set that the last one may have died of (INV-3, INV-6). */
#include "agent/activate/activate_steps.h"

#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

/* Looked at twice before it counts as damaged: one read that fails is no reason to leave a set. */
static bool is_whole(const struct activate *a, int64_t set, struct manifest *out)
{
    struct rw_err unused;
    bool whole = false;
    for (int look = 0; look < 2 && !whole; look++) {
        whole = rw_is_ok(set_store_check(&a->sets, set, out, &unused));
    }
    return whole;
}

static struct boot_rule_evidence boot_evidence(const struct activate *a)
{
    const struct slot_state *s = &a->slots;
    bool trial = s->trial.change != SLOT_NO_CHANGE;
    struct manifest active;
    struct manifest fallback;
    /* What the guard counted of a start before is another start: a sensor that something else starts may have ended
     * that one before a run began, and the guard's word would hide it, start after start (INV-6). */
    struct boot_rule_evidence e = {
        .open = s->boot.open,
        .guarded = s->boot.guarded && strcmp(s->boot.id, a->boot_id) == 0,
        .unclean = s->boot.unclean,
        .active = trial ? s->trial.set : s->current,
        .fallback = trial ? s->current : s->previous,
        .trial = trial,
        .active_stable = !trial && s->stable,
    };
    e.active_valid = is_whole(a, e.active, &active);
    /* After a way back two sets may hold the same: loading the other one would be a third try of what kills. */
    e.fallback_valid = is_whole(a, e.fallback, &fallback) &&
                       !(e.active_valid && manifest_same_content(&active, &fallback));
    return e;
}

static void log_choice(const struct boot_rule_result *r)
{
    struct rw_log_line l;
    rw_log_begin(&l, r->slot == BOOT_ACTIVE ? RW_LOG_INFO : RW_LOG_WARN, "boot_guard");
    rw_log_i64(&l, "set", r->set);
    rw_log_i64(&l, "unclean", r->unclean);
    rw_log_str(&l, "reason", r->reason);
    rw_log_end(&l);
}

static RW_RC act(struct activate *a, const struct boot_rule_result *r, struct rw_err *err)
{
    char detail[BOOT_RULE_REASON_BYTES + 40];
    log_choice(r);
    if (r->slot == BOOT_ACTIVE) { return RW_OK; }
    (void)snprintf(detail, sizeof(detail), "boot guard: %s", r->reason);
    a->fell_back = true;
    struct rw_rc rc = activate_fall_back(a, r->set, r->blame, detail, err);
    report_flush(a->report); /* this process may end now */
    return rc;
}

int64_t activate_way_back(const struct activate *a)
{
    struct manifest unused;
    return is_whole(a, a->slots.previous, &unused) ? a->slots.previous : 0;
}

RW_RC activate_guard(struct activate *a, struct rw_err *err)
{
    activate_mend_at_start(a);
    struct boot_rule_evidence e = boot_evidence(a);
    struct boot_rule_result r = boot_rule_decide(&e);
    /* Counted before anything is loaded: a start that kills the host has left its trace (INV-6). With a set to leave
     * the count reaches the disk together with the choice: "guarded" must never stand beside the set that was left. */
    a->slots.boot = (struct slot_boot){.open = true, .guarded = true, .unclean = r.unclean};
    (void)snprintf(a->slots.boot.id, sizeof(a->slots.boot.id), "%s", a->boot_id);
    if (r.slot == BOOT_ACTIVE && !activate_save(a)) {
        e.uncounted = true;
        r = boot_rule_decide(&e);
    }
    return act(a, &r, err);
}

bool activate_count(struct activate *a)
{
    a->slots.boot.open = true;
    a->slots.boot.guarded = false;
    /* What the guard has just gone back to had no try yet. */
    bool saved = activate_save(a);
    a->uncounted = !saved && !a->fell_back;
    a->begun_set = a->slots.trial.change != SLOT_NO_CHANGE ? -1 : a->slots.current;
    return saved;
}

/* INV-6: the link names what was left. A sensor of our own gets the set to come by its own name, once the slots on the
 * disk tell the next start what the link does not: which set this is, and that it had a try. For one that follows the
 * link nothing starts, and no start is counted. */
static bool may_go_by_name(struct activate *a)
{
    if (a->sensor.observed) { return false; }
    bool saved = a->slots.boot.guarded ? activate_count(a) : activate_save(a);
    a->uncounted = a->uncounted && !saved;
    return saved;
}

/* On the disk the guard's word still stands, by which a start counts once: the next one would not count this one. */
bool activate_counted(struct activate *a)
{
    struct rw_err err;
    if (a->link_owed) {
        if (!rw_is_ok(activate_link(a, a->slots.current, &err))) { return may_go_by_name(a); }
        if (a->slots.boot.guarded) { (void)activate_count(a); }
    }
    if (!a->uncounted) { return true; }
    if (!activate_save(a)) {
        struct boot_rule_evidence e = boot_evidence(a);
        e.guarded = true;
        e.uncounted = true;
        const struct boot_rule_result r = boot_rule_decide(&e);
        if (!rw_is_ok(act(a, &r, &err))) {
            activate_log("fall_back_failed", &err);
            if (!a->link_owed) { return false; }
        }
    }
    a->uncounted = false;
    if (a->phase == ACTIVATE_LOADING && a->slots.trial.change == SLOT_NO_CHANGE) {
        activate_enter(a, ACTIVATE_STARTING);
    }
    return !a->link_owed;
}
