/* The durable steps of activate.h, in the order in which they must reach the disk.
 *
 *   begin      1 intent into the slots  2 build sets/N  3 flip the link  4 tell the sensor
 *   commit     1 beacon  2 slots: N is current
 *   go back    1 slots: failed, abandoned  2 flip the link back  3 beacon  4 slots: no change under way, which tells
 *              the next start enough when 2 has failed
 *   fall back  1 beacons (repeated by the next guard with the same ids)  2 slots: the other set  3 flip the link,
 *              which tells the next start enough when 2 has failed
 *
 * After a kill between any two of them activate_open finds the place and goes on or back (INV-6).
 */
#include "agent/activate/activate_steps.h"

#include "agent/fetch/content_store.h"
#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

enum {
    RETRY_MS = 1000,
    STOP_GRACE_MS = 1000,
    LINK_SHIFT_MAX = 6, /* a minute between two tries */
};

static RW_RC make_intent(struct activate *a, const struct activate_plan *plan,
                         const struct manifest *next, struct rw_err *err)
{
    struct slot_trial t = {.change = plan->change, .set = next->set};
    const struct manifest_entry *had = manifest_find(&a->active, plan->family);
    if (plan->change != SLOT_REMOVE) { t.to = plan->to; }
    if (had != NULL) { t.left = *had; }
    t.own = plan->change == SLOT_REVERT && plan->own;
    if (plan->change == SLOT_TRIAL) {
        t.probation_s = plan->probation_s;
        t.drill = plan->drill;
    }
    RW_TRY(digest_random(t.beacon, sizeof(t.beacon), err));
    struct slot_state s = a->slots;
    s.trial = t;
    s.next = next->set + 1;
    RW_TRY(slot_save(a->state_dir, &s, err));
    a->slots = s;
    return RW_OK;
}

static void forget_intent(struct activate *a)
{
    a->slots.trial = (struct slot_trial){.change = SLOT_NO_CHANGE};
    a->collect_due = true;
    (void)activate_save(
        a); /* still there after a failure: an intent without a switch is forgotten at start */
}

/* INV-2, INV-7: the last look before the content may run. */
static RW_RC still_allowed(const struct activate *a, const struct activate_plan *plan,
                           struct rw_err *err)
{
    if (plan->change == SLOT_TRIAL && activate_now(a).ms >= plan->valid_until.ms) {
        return rw_fail(err, RW_E_POLICY, "the permit for %s/%lld is no longer valid", plan->family,
                       (long long)plan->to.release);
    }
    return plan->recheck == NULL ? RW_OK : plan->recheck(plan->ctx, err);
}

static RW_RC build_and_switch(struct activate *a, const struct activate_plan *plan,
                              const struct manifest *next, struct rw_err *err)
{
    struct rw_err back;
    RW_TRY(set_store_build(&a->sets, next, plan->change == SLOT_TRIAL ? plan->family : NULL, err));
    RW_TRY(still_allowed(a, plan, err));
    struct rw_rc rc = set_store_switch(&a->sets, next->set, err);
    if (!rw_is_ok(rc)) {
        /* The rename may have happened before its sync failed: the old set must be named again. */
        RW_IGNORE(activate_link(a, a->slots.current, &back), "owed before a sensor starts");
    }
    return rc;
}

/* One that is away takes the good set at its next start; it is not there to try another one. */
static RW_RC tell_observed(struct activate *a, bool trial, struct rw_err *err)
{
    a->unstarted = false;
    if (trial && !sensor_running(&a->sensor)) {
        return rw_fail(err, RW_E_PROCESS, "the observed sensor is not running");
    }
    activate_order_load(a);
    return RW_OK;
}

/* Starts a sensor that is down. That it cannot be started at all is not the content's fault. */
static RW_RC tell_sensor(struct activate *a, bool trial, struct rw_err *err)
{
    if (a->sensor.observed) { return tell_observed(a, trial, err); }
    if (trial && sensor_running(&a->sensor) && a->settled) {
        sensor_reload(&a->sensor, activate_now(a));
        return RW_OK;
    }
    /* On the way back the present content may be what keeps the sensor from listening. */
    if (a->settled) { sensor_stop(&a->sensor, STOP_GRACE_MS); }
    /* An unsettled sensor may still be loading the old set: a fresh one cannot be misunderstood. */
    sensor_kill(&a->sensor);
    a->unstarted = false;
    return sensor_start(&a->sensor, activate_now(a), err);
}

RW_RC activate_begin(struct activate *a, const struct activate_plan *plan, struct rw_err *err)
{
    struct manifest next = a->active;
    struct rw_err back;
    RW_ASSERT(activate_idle(a));
    RW_ASSERT(plan->change != SLOT_NO_CHANGE);
    next.set = a->slots.next;
    if (plan->change == SLOT_REMOVE) {
        manifest_remove(&next, plan->family);
    } else {
        RW_TRY(manifest_put(&next, &plan->to, err));
    }
    RW_TRY(still_allowed(a, plan, err));
    RW_TRY(make_intent(a, plan, &next, err));
    struct rw_rc rc = build_and_switch(a, plan, &next, err);
    if (!rw_is_ok(rc)) {
        forget_intent(a);
        return rc;
    }
    struct manifest old = a->active;
    a->active = next;
    rc = tell_sensor(a, plan->change == SLOT_TRIAL, err);
    if (!rw_is_ok(rc)) {
        a->active = old;
        RW_IGNORE(activate_link(a, a->slots.current, &back), "owed before a sensor starts");
        forget_intent(a);
        a->settled = false;
        activate_enter(a, ACTIVATE_STARTING);
        return rc;
    }
    a->settled = false;
    a->aborted = false;
    a->by_hand = 0;
    a->told = false;
    a->storm[0] = '\0';
    a->mute[0] = '\0';
    a->fresh = plan->change == SLOT_TRIAL;
    (void)snprintf(a->fresh_family, sizeof(a->fresh_family), "%s", plan->family);
    /* Known of this life only: a host that started without a network has not lost it by the content. */
    a->reach_back = plan->change == SLOT_TRIAL && a->reach_ms > 0 && a->contact.ms > 0;
    activate_enter(a, ACTIVATE_LOADING);
    return RW_OK;
}

/* The set to fall back to must not hold what was just given up for good. */
static int64_t next_previous(const struct activate *a, const struct slot_trial *t)
{
    struct manifest m;
    struct rw_err unused;
    if (t->change == SLOT_TRIAL) { return a->slots.current; }
    if (!rw_is_ok(set_store_read(&a->sets, a->slots.previous, &m, &unused))) { return 0; }
    const struct manifest_entry *e = manifest_find(&m, t->left.family);
    return e != NULL && memcmp(e->sha256, t->left.sha256, DIGEST_BYTES) == 0 ? 0
                                                                             : a->slots.previous;
}

void activate_unmark(struct activate *a)
{
    struct rw_err err;
    if (rw_is_ok(set_store_unmark(&a->sets, a->slots.current, &err))) { return; }
    /* The sensor goes on within its budget: careful, not harmful. The next start tries again. */
    activate_log("trial_mark_not_removed", &err);
}

bool activate_commit(struct activate *a)
{
    struct rw_err err;
    struct slot_state s = a->slots;
    struct slot_trial t = a->slots.trial;
    bool trial = t.change == SLOT_TRIAL;
    t.generation = a->sensor.generation;
    /* The beacon first: a change that is durable but never told would count as dark. Once is enough. */
    a->told = a->told || t.own ||
              activate_report_outcome(a, trial ? BEACON_HEALTHY : BEACON_REVERTED,
                                      trial ? &t.to : &t.left, &t);
    if (!a->told) {
        a->hold_until.ms = activate_now(a).ms + RETRY_MS;
        return false;
    }
    /* Not for another ring's sake: there the release may be right (see slot_state.ring). Nor when a control took it
     * back: that says nothing about the release, and it comes again when the control ends. */
    if (!trial && !t.own && t.left.release > 0 && strcmp(s.ring, a->report->ring) == 0) {
        slot_leave(&s, t.left.sha256);
    }
    s.previous = next_previous(a, &t);
    s.previous_stable = s.previous == s.current ? s.stable : s.previous != 0 && s.previous_stable;
    s.stable = false;
    s.current = t.set;
    s.committed = rw_clock_wall(&a->clock);
    (void)snprintf(s.ring, sizeof(s.ring), "%s", a->report->ring);
    s.trial = (struct slot_trial){.change = SLOT_NO_CHANGE};
    if (!rw_is_ok(slot_save(a->state_dir, &s, &err))) {
        activate_log("commit_not_durable", &err);
        a->hold_until.ms = activate_now(a).ms + RETRY_MS;
        return false;
    }
    a->slots = s;
    activate_unmark(a);
    a->collect_due = true;
    a->crashes[0] = a->crashes[1] = a->crashes[2] = (struct rw_mono){0};
    rw_log(RW_LOG_INFO, "change_committed", "change", slot_change_name(t.change));
    activate_enter(a, ACTIVATE_STEADY);
    return true;
}

void activate_go_back(struct activate *a, const struct trial_rule_result *why)
{
    struct slot_trial *t = &a->slots.trial;
    a->end_open = a->end_crashed = a->unstarted = false;
    t->failed = true;
    t->aborted = a->aborted;
    t->storm = why->storm;
    t->mute = why->mute;
    t->stage = a->phase == ACTIVATE_PROBATION ? BEACON_STAGE_PROBATION : BEACON_STAGE_LOAD;
    t->signal = why->signal;
    t->generation = a->sensor.generation;
    if (why->storm) {
        (void)snprintf(t->detail, sizeof(t->detail), "%s", a->storm);
    } else if (why->mute && a->mute[0] != '\0') {
        (void)snprintf(t->detail, sizeof(t->detail), "%s", a->mute);
    } else {
        (void)snprintf(t->detail, sizeof(t->detail), "%s%.110s%s%.70s",
                       why->unreached ? BEACON_UNREACHED : "", why->detail,
                       a->sensor.load_error ? ": " : "",
                       a->sensor.load_error ? a->sensor.detail : "");
    }
    if (t->to.release > 0 && (t->aborted || why->unreached || t->drill)) {
        /* No fault of its own was seen, an outage may have been it, or it was a drill: left, not blamed. */
        slot_leave(&a->slots, t->to.sha256);
    } else if (t->to.release > 0) {
        slot_abandon(&a->slots, t->to.sha256);
    }
    (void)activate_save(a); /* a full disk must not keep the bad set active */
    if (why->kill) { sensor_kill(&a->sensor); }
    activate_finish_going_back(a);
}

void activate_forget_failed(struct activate *a)
{
    struct slot_trial t = a->slots.trial;
    RW_ASSERT(t.failed);
    enum beacon_kind kind = t.storm ? BEACON_STORM : (t.mute ? BEACON_MUTE : BEACON_FAILED);
    bool told = activate_report_outcome(a, t.aborted ? BEACON_REVERTED : kind,
                                        t.change == SLOT_REMOVE ? &t.left : &t.to, &t);
    a->slots.trial = (struct slot_trial){.change = SLOT_NO_CHANGE};
    /* Repeated after a crash: the beacon's id is the same. Not told yet: the slots on disk still owe it. */
    if (told) { (void)activate_save(a); }
    a->collect_due = true;
    a->aborted = false;
    a->fresh = false;
    a->storm[0] = '\0';
    a->mute[0] = '\0';
    a->settled = false;
}

RW_RC activate_give_up(struct activate *a, struct rw_err *err)
{
    struct rw_rc linked = activate_link(a, a->slots.current, err);
    if (!rw_is_ok(linked) && a->sensor.observed) { return linked; }
    RW_TRY(set_store_read(&a->sets, a->slots.current, &a->active, err));
    activate_forget_failed(a);
    return RW_OK;
}

void activate_finish_going_back(struct activate *a)
{
    struct rw_err err;
    if (!rw_is_ok(activate_give_up(a, &err))) {
        activate_log("going_back_delayed", &err);
        /* Rather no sensor than one with content that failed. (An observed one goes on.) */
        sensor_kill(&a->sensor);
        activate_enter(a, ACTIVATE_GOING_BACK);
        return;
    }
    activate_order_load(a);
    activate_enter(a, ACTIVATE_STARTING);
}

static bool is_in(const struct manifest *m, const struct manifest_entry *had)
{
    const struct manifest_entry *has = manifest_find(m, had->family);
    return has != NULL && memcmp(has->sha256, had->sha256, DIGEST_BYTES) == 0;
}

/* Content of the set that is left, unless the set to come holds it too. */
static void abandon_difference(struct activate *a, const struct manifest *to)
{
    for (size_t i = 0; i < a->active.count; i++) {
        const struct manifest_entry *had = &a->active.content[i];
        if (!is_in(to, had)) { slot_abandon(&a->slots, had->sha256); }
    }
}

/* The same after a kill: the guard finds what the last one found, and the server takes one of two equal ids. */
static void fall_id(const struct activate *a, const struct manifest_entry *had,
                    uint8_t id[static BEACON_ID_BYTES])
{
    char text[256];
    uint8_t hash[DIGEST_BYTES];
    struct rw_err unused;
    (void)snprintf(text, sizeof(text), "fall back %s %lld %s %lld", a->endpoint,
                   (long long)a->active.set, had->family, (long long)had->release);
    if (rw_is_ok(digest_sha256(rw_span_str(text), hash, &unused))) {
        rw_copy(id, BEACON_ID_BYTES, hash, BEACON_ID_BYTES);
    }
}

/* What is not to blame must not count against the release: it is told in the words of the guard, as a sign of life. */
static void report_spared(const struct activate *a, const struct manifest_entry *had,
                          const char *detail)
{
    char text[BEACON_DETAIL_BYTES];
    struct beacon b = {.kind = BEACON_ALIVE};
    (void)snprintf(text, sizeof(text), "%s/%lld left: %s", had->family, (long long)had->release,
                   detail);
    report_detail(&b, text);
    fall_id(a, had, b.id);
    (void)report_add(a->report, &b);
}

static void report_failed(const struct activate *a, const struct manifest_entry *had,
                          const char *detail, bool trial)
{
    struct slot_trial t = {.stage = trial ? BEACON_STAGE_PROBATION : BEACON_STAGE_ACTIVE,
                           .generation = a->sensor.generation};
    (void)snprintf(t.detail, sizeof(t.detail), "%s", detail);
    fall_id(a, had, t.beacon);
    (void)activate_report_outcome(a, BEACON_FAILED, had, &t);
}

static void report_fall(const struct activate *a, const struct manifest *to, bool blame,
                        const char *detail)
{
    bool trial = a->slots.trial.change != SLOT_NO_CHANGE;
    for (size_t i = 0; i < a->active.count; i++) {
        const struct manifest_entry *had = &a->active.content[i];
        if (is_in(to, had)) { continue; }
        if (blame) {
            report_failed(a, had, detail, trial);
        } else {
            report_spared(a, had, detail);
        }
    }
}

RW_RC activate_link(struct activate *a, int64_t set, struct rw_err *err)
{
    enum { TRIES = 2 }; /* one call that fails is no reason to leave the host without a sensor */
    struct rw_rc rc = RW_OK;
    int64_t failures = a->link_failures < LINK_SHIFT_MAX ? a->link_failures : LINK_SHIFT_MAX;
    a->link_owed = false;
    a->link_failures = 0;
    for (int i = 0; i < TRIES; i++) {
        struct rw_err unread;
        int64_t names = -1;
        rc = set_store_switch(&a->sets, set, err);
        if (rw_is_ok(rc)) { return rc; }
        activate_log("link_uncertain", err);
        if (rw_is_ok(set_store_active(&a->sets, &names, &unread)) && names == set) { return RW_OK; }
    }
    a->link_owed = true;
    a->link_at.ms = activate_now(a).ms + ((int64_t)RETRY_MS << failures);
    a->link_failures = failures + 1;
    return rc;
}

RW_RC activate_fall_back(struct activate *a, int64_t set, bool blame, const char *detail,
                         struct rw_err *err)
{
    struct manifest to;
    RW_TRY(set_store_check(&a->sets, set, &to, err));
    report_fall(a, &to, blame, detail);
    if (blame) { abandon_difference(a, &to); }
    a->slots.stable = set != 0 && set == a->slots.previous && a->slots.previous_stable;
    a->slots.previous_stable = false;
    a->slots.current = set;
    a->slots.previous = 0;
    a->slots.committed = (struct rw_wall){0};
    a->slots.trial = (struct slot_trial){.change = SLOT_NO_CHANGE};
    (void)activate_save(
        a); /* unsaved, the link alone tells the next start (activate_open): the set must be left anyhow */
    struct rw_rc rc = activate_link(a, set, err);
    a->active = to;
    a->fresh = false;
    a->settled = false;
    a->collect_due = true;
    return rc;
}

RW_RC activate_collect(struct activate *a, const uint8_t (*keep)[DIGEST_BYTES], size_t keep_count,
                       struct rw_err *err)
{
    enum { SETS = 3, POINTERS_MAX = 2 * MANIFEST_FAMILIES_MAX };
    uint8_t hashes[SETS * MANIFEST_FAMILIES_MAX + POINTERS_MAX][DIGEST_BYTES];
    int64_t sets[SETS] = {a->slots.current, a->slots.previous, a->slots.trial.set};
    size_t n = 0;
    size_t removed = 0;
    RW_ASSERT(keep_count <= POINTERS_MAX);
    if (a->link_owed) { return RW_OK; } /* the link names what nobody needs, and must not dangle */
    RW_TRY(set_store_collect(&a->sets, sets, SETS, err));
    for (size_t i = 0; i < SETS; i++) {
        struct manifest m = {.count = 0};
        struct rw_rc rc = set_store_read(&a->sets, sets[i], &m, err);
        if (!rw_is_ok(rc) && rc.code != RW_E_NOT_FOUND) { return rc; }
        for (size_t k = 0; k < m.count; k++) {
            rw_copy(hashes[n++], DIGEST_BYTES, m.content[k].sha256, DIGEST_BYTES);
        }
    }
    for (size_t i = 0; i < keep_count; i++) {
        rw_copy(hashes[n++], DIGEST_BYTES, keep[i], DIGEST_BYTES);
    }
    RW_TRY(content_store_collect(a->sets.store, (const uint8_t(*)[DIGEST_BYTES])hashes, n, &removed,
                                 err));
    a->collect_due = false;
    return RW_OK;
}
