/* Damage of content on the disk, by whoever: the set is made anew under a new number from the content store, and the
 * link is flipped as in every other change, so at every instant it names a whole set (INV-6). What the store lost too
 * is wanted from the server by its hash; the sensor goes on meanwhile with what it has in memory, and must not load
 * (INV-5). When that does not come, the set is left for the one before, then for the empty one, and nothing is blamed:
 * the release is as good as it was. All of it is told (INV-12). */
#include "agent/activate/activate_steps.h"

#include "agent/fetch/content_store.h"
#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

enum { WAIT_FOR_CONTENT_MS = 60 * 1000, RETRY_MS = 1000 };

static void tell(struct activate *a, const char *event, const struct manifest *set)
{
    char note[BEACON_DETAIL_BYTES];
    struct rw_log_line l;
    (void)snprintf(note, sizeof(note), "integrity: %.110s: %s", a->damage.text, event);
    report_note(a->report, note);
    rw_log_begin(&l, RW_LOG_WARN, "integrity");
    rw_log_str(&l, "outcome", event);
    rw_log_i64(&l, "set", set->set);
    rw_log_str(&l, "text", a->damage.text);
    rw_log_end(&l);
}

static void note_damage(struct activate *a, const char *text)
{
    (void)snprintf(a->damage.text, sizeof(a->damage.text), "%s", text);
    a->damage.at = rw_clock_wall(&a->clock);
    a->damage.count++;
}

/* The same content under a new number; the store's copies are verified, then the whole set is. */
static RW_RC build_again(struct activate *a, struct manifest *set, struct rw_err *err)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct manifest_entry *e = &set->content[i];
        if (!content_store_mend(a->sets.store, e->sha256, e->bytes)) {
            return rw_fail(err, RW_E_NOT_FOUND, "the store has no intact copy of %s/%lld",
                           e->family, (long long)e->release);
        }
    }
    set->set = a->slots.next;
    RW_TRY(set_store_build(&a->sets, set, NULL, err));
    a->slots.next++;
    a->collect_due = true;
    return RW_OK;
}

/* Slots before link: a start that finds them apart lets the link follow. */
static RW_RC mend_active(struct activate *a, struct rw_err *err)
{
    struct manifest set = a->active;
    RW_TRY(build_again(a, &set, err));
    struct slot_state s = a->slots;
    s.current = set.set;
    RW_TRY(slot_save(a->state_dir, &s, err));
    if (a->begun_set == a->slots.current) { a->begun_set = set.set; }
    a->slots = s;
    RW_TRY(set_store_switch(&a->sets, set.set, err));
    a->active = set;
    return RW_OK;
}

static RW_RC mend_previous(struct activate *a, struct manifest *set, struct rw_err *err)
{
    RW_TRY(build_again(a, set, err));
    struct slot_state s = a->slots;
    s.previous = set->set;
    RW_TRY(slot_save(a->state_dir, &s, err));
    a->slots = s;
    return RW_OK;
}

/* A start has time to look, and no sensor that could go on without: what the store cannot mend is the guard's. */
void activate_mend_at_start(struct activate *a)
{
    struct manifest m;
    struct rw_err err;
    struct rw_err unread;
    if (a->slots.trial.change != SLOT_NO_CHANGE) { return; }
    if (rw_is_ok(set_store_check(&a->sets, a->slots.current, &m, &err))) {
        a->active = m; /* reading it may have failed once before */
        return;
    }
    note_damage(a, err.text);
    if (a->active.count == 0 &&
        !rw_is_ok(set_store_read(&a->sets, a->slots.current, &a->active, &unread))) {
        return; /* nothing says what the set held */
    }
    m = a->active;
    if (rw_is_ok(mend_active(a, &err))) {
        a->damage.repaired++;
        tell(a, "repaired from the store", &a->active);
    } else {
        activate_log("integrity_not_repaired", &err);
        tell(a, "not repaired", &m);
    }
}

size_t activate_check_list(const struct activate *a,
                           struct manifest out[static ACTIVATE_CHECK_SETS])
{
    struct rw_err unused;
    size_t n = 0;
    if (a->phase != ACTIVATE_STEADY || a->damage.found) { return 0; }
    out[n++] = a->active;
    if (a->slots.previous != 0 &&
        rw_is_ok(set_store_read(&a->sets, a->slots.previous, &out[n], &unused))) {
        n++;
    } else if (a->slots.previous != 0) {
        out[n++] = (struct manifest){.set = a->slots.previous};
    }
    return n;
}

static void previous_damaged(struct activate *a, const struct manifest *found, const char *text)
{
    struct manifest set = *found;
    struct rw_err err;
    note_damage(a, text);
    if (set.count > 0 && rw_is_ok(mend_previous(a, &set, &err))) {
        a->damage.repaired++;
        tell(a, "previous set repaired from the store", &set);
        return;
    }
    /* The empty set is the way back from now on: it cannot be damaged for long. */
    a->slots.previous = 0;
    a->slots.previous_stable = false;
    (void)activate_save(a);
    tell(a, "previous set given up", found);
}

void activate_damaged(struct activate *a, const struct manifest *set, const char *text)
{
    if (a->phase != ACTIVATE_STEADY) {
        return;
    } /* a change came between: the next check looks again */
    if (set->set == a->slots.previous && set->set != a->active.set) {
        previous_damaged(a, set, text);
    } else if (set->set == a->active.set) {
        note_damage(a, text);
        a->damage.found = true;
        a->damage.until.ms = activate_now(a).ms + WAIT_FOR_CONTENT_MS;
        activate_mend(a, false);
    }
}

void activate_look_again(struct activate *a)
{
    enum { LOOKS = 2 }; /* one read that fails is no damage */
    struct manifest unused;
    struct rw_err err = {.code = RW_E_NONE};
    if (a->slots.trial.change != SLOT_NO_CHANGE || a->damage.found) { return; }
    for (int i = 0; i < LOOKS; i++) {
        if (rw_is_ok(set_store_check(&a->sets, a->active.set, &unused, &err))) { return; }
    }
    note_damage(a, err.text);
    if (rw_is_ok(mend_active(a, &err))) {
        a->damage.repaired++;
        tell(a, "repaired", &a->active);
        return;
    }
    activate_log("integrity_not_repaired", &err);
    a->damage.found = true;
    a->damage.until.ms = activate_now(a).ms + WAIT_FOR_CONTENT_MS;
}

void activate_leave_damaged(struct activate *a)
{
    struct rw_err err;
    char detail[BEACON_DETAIL_BYTES];
    a->damage.found = false;
    (void)snprintf(detail, sizeof(detail), "integrity: %.120s", a->damage.text);
    if (!rw_is_ok(activate_fall_back(a, activate_way_back(a), false, detail, &err)) &&
        !a->link_owed) {
        a->damage.found = true;
        a->damage.until.ms = activate_now(a).ms + RETRY_MS;
        activate_log("fall_back_failed", &err);
        return;
    }
    tell(a, a->active.set == 0 ? "left for the empty set" : "left for the previous set",
         &a->active);
}

void activate_mend(struct activate *a, bool last)
{
    struct rw_err err;
    if (!a->damage.found) { return; }
    if (rw_is_ok(mend_active(a, &err))) {
        a->damage.found = false;
        a->damage.repaired++;
        tell(a, "repaired", &a->active);
    } else if (last || activate_now(a).ms >= a->damage.until.ms) {
        activate_log("integrity_not_repaired", &err);
        activate_leave_damaged(a);
        /* No order to load what nobody proved. */
        if (a->damage.found || (a->link_owed && a->sensor.observed)) { return; }
    } else {
        activate_log("integrity_waits_for_content", &err);
        return;
    }
    a->settled = false;
    activate_order_load(a);
    activate_enter(a, ACTIVATE_STARTING);
}

size_t activate_wanted(const struct activate *a,
                       struct manifest_entry out[static MANIFEST_FAMILIES_MAX])
{
    for (size_t i = 0; a->damage.found && i < a->active.count; i++) {
        out[i] = a->active.content[i];
    }
    return a->damage.found ? a->active.count : 0;
}
