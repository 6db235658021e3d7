/* Opening, begin and end of a run. The boot-loop guard: activate_guard.c. The steps of a change: activate_switch.c; the
 * watch: activate_run.c; a sensor that is lost: activate_lost.c. */
#include "agent/activate/activate_steps.h"

#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

enum { STOP_GRACE_MS = 5000, RELOAD_GRACE_MS = 1000 };

struct rw_mono activate_now(const struct activate *a)
{
    return rw_clock_mono(&a->clock);
}

void activate_enter(struct activate *a, enum activate_phase phase)
{
    if (a->phase != phase) {
        rw_log(RW_LOG_DEBUG, "activate_phase", "phase", activate_phase_name(phase));
    }
    a->phase = phase;
    a->since = activate_now(a);
}

const char *activate_phase_name(enum activate_phase p)
{
    static const char *const names[] = {"stopped", "starting",  "steady",
                                        "loading", "probation", "going_back"};
    return names[p];
}

void activate_log(const char *event, const struct rw_err *err)
{
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_ERROR, event);
    rw_log_err(&l, err);
    rw_log_end(&l);
}

bool activate_save(struct activate *a)
{
    struct rw_err err;
    if (rw_is_ok(slot_save(a->state_dir, &a->slots, &err))) { return true; }
    activate_log("slots_not_saved", &err);
    return false;
}

/* Slots that are missing or cannot be understood: what the link names is what was proven. */
static void begin_anew(struct activate *a, int64_t active)
{
    struct manifest m;
    struct rw_err err;
    a->slots = (struct slot_state){.next = active + 1};
    if (rw_is_ok(set_store_check(&a->sets, active, &m, &err))) { a->slots.current = active; }
}

/* Slots are saved before the link is flipped, and a change flips it to its own set only. So a link that names the
 * empty or the previous set although another one is current was flipped by a way back that could not be saved: what
 * was left must not come back by itself. */
static bool was_left_unsaved(const struct activate *a, int64_t active)
{
    const struct slot_state *s = &a->slots;
    return s->trial.change == SLOT_NO_CHANGE && active != s->current && !a->sets.relinked &&
           (active == 0 || active == s->previous);
}

static void adopt(struct activate *a, int64_t active)
{
    struct slot_state *s = &a->slots;
    rw_log(RW_LOG_WARN, "way_back_was_not_saved", NULL, NULL);
    s->stable = active != 0 && s->previous_stable;
    s->current = active;
    s->previous = 0;
    s->previous_stable = false;
    s->committed = (struct rw_wall){0};
    a->collect_due = true;
    (void)activate_save(a); /* else the next start finds the same */
}

/* Finds where the last life ended between two durable steps (see activate_switch.c). */
static RW_RC reconcile(struct activate *a, int64_t active, struct rw_err *err)
{
    struct slot_trial *t = &a->slots.trial;
    bool failed = t->change != SLOT_NO_CHANGE && t->failed;
    if (failed && active != a->slots.current) {
        /* INV-6: a link that is stuck does not end the agent. */
        RW_IGNORE(activate_link(a, a->slots.current, err), "owed: tried again while it runs");
        active = a->slots.current;
    }
    if (failed) {
        activate_forget_failed(a);
    } else if (t->change != SLOT_NO_CHANGE && active != t->set) {
        *t = (struct slot_trial){.change = SLOT_NO_CHANGE}; /* intent without a switch */
        a->collect_due = true;
        (void)activate_save(a);
    }
    if (was_left_unsaved(a, active)) { adopt(a, active); }
    if (t->change == SLOT_NO_CHANGE) { activate_unmark(a); } /* killed right after a commit */
    int64_t wanted = t->change != SLOT_NO_CHANGE ? t->set : a->slots.current;
    /* Where it fails the link is owed. */
    if (active != wanted) { RW_IGNORE(activate_link(a, wanted, err), "tried again while it runs"); }
    /* A manifest that cannot be read is the guard's business. */
    if (!rw_is_ok(set_store_read(&a->sets, wanted, &a->active, err))) {
        activate_log("active_set_unreadable", err);
        a->active = (struct manifest){.set = wanted};
    }
    return RW_OK;
}

RW_RC activate_open(struct activate *a, const struct activate_options *o, struct rw_err *err)
{
    int64_t active = 0;
    bool fresh = false;
    *a = (struct activate){.state_dir = o->state_dir,
                           .sets = {.sets = -1, .store = -1},
                           .report = o->report,
                           .clock = o->clock,
                           .load_timeout_ms = o->load_timeout_ms,
                           .alive_ms = o->alive_ms,
                           .stable_ms = o->stable_ms,
                           .reach_ms = o->reach_ms,
                           .collect_due = true};
    (void)snprintf(a->endpoint, sizeof(a->endpoint), "%s", o->endpoint);
    (void)snprintf(a->boot_id, sizeof(a->boot_id), "%s", o->boot_id == NULL ? "" : o->boot_id);
    RW_TRY(set_store_open(o->state_dir, &a->sets, err));
    struct rw_rc rc = set_store_active(&a->sets, &active, err);
    if (rw_is_ok(rc)) {
        rc = slot_load(o->state_dir, &a->slots, &fresh, err);
        if (!rw_is_ok(rc)) { activate_log("slots_unreadable", err); }
        if (fresh || !rw_is_ok(rc)) { begin_anew(a, active); }
        (void)snprintf(a->report->ring, sizeof(a->report->ring), "%s", a->slots.seen_ring);
        rc = reconcile(a, active, err);
    }
    if (rw_is_ok(rc)) {
        const struct sensor_options sensor = {.command = o->sensor_command,
                                              .way = o->sensor_way,
                                              .load_timeout_ms = o->load_timeout_ms,
                                              .alive_ms = o->alive_ms,
                                              .state_path = o->state_path,
                                              .endpoint = o->endpoint,
                                              .detect = o->detect};
        rc = sensor_open(&a->sensor, &sensor, err);
    }
    if (!rw_is_ok(rc)) { activate_drop(a); }
    return rc;
}

void activate_drop(struct activate *a)
{
    sensor_drop(&a->sensor);
    set_store_drop(&a->sets);
}

static bool start_allowed(struct activate *a)
{
    if (!activate_counted(a)) {
        rw_log(RW_LOG_ERROR, "sensor_not_started", "text",
               "this start can be neither counted nor spared");
        return false; /* INV-6: it would load what the last start may have died of, untold */
    }
    if (!a->damage.found) { return true; }
    activate_leave_damaged(a);
    if (!a->damage.found) { return activate_counted(a); }
    rw_log(RW_LOG_ERROR, "sensor_not_started", "text", "no intact set is left");
    return false; /* INV-5: it would load what nobody proved */
}

void activate_start_sensor(struct activate *a)
{
    struct rw_err err;
    struct rw_mono now = activate_now(a);
    bool allowed = start_allowed(a);
    a->unstarted = false;
    if (allowed && a->sensor.observed) {
        a->unstarted = !activate_find_sensor(a);
        return;
    }
    if (allowed) { sensor_aim(&a->sensor, a->link_owed ? a->slots.current : -1); }
    if (allowed && rw_is_ok(sensor_start(&a->sensor, now, &err))) { return; }
    a->unstarted = true;
    if (allowed) { activate_log("sensor_not_started", &err); }
    int64_t shift = a->restarts < 6 ? a->restarts : 6;
    a->restarts++;
    a->restart_at.ms = now.ms + (INT64_C(1000) << shift);
}

void activate_order_load(struct activate *a)
{
    bool by_command = a->sensor.observed && a->sensor.way.reload == SENSOR_BY_COMMAND;
    /* What it loads stands in its environment. */
    if (a->sensor.named || (a->link_owed && !a->sensor.observed)) {
        sensor_stop(&a->sensor, RELOAD_GRACE_MS);
    }
    if (sensor_running(&a->sensor) || by_command) { sensor_reload(&a->sensor, activate_now(a)); }
    if (!sensor_running(&a->sensor)) { activate_start_sensor(a); }
}

void activate_start(struct activate *a)
{
    RW_ASSERT(a->phase == ACTIVATE_STOPPED);
    if (!a->link_owed) { (void)activate_count(a); }
    (void)activate_counted(a); /* tried again before a sensor starts */
    a->begun = activate_now(a);
    a->settled = false;
    activate_enter(a,
                   a->slots.trial.change != SLOT_NO_CHANGE ? ACTIVATE_LOADING : ACTIVATE_STARTING);
    activate_start_sensor(a);
}

RW_RC activate_stop(struct activate *a, struct rw_err *err)
{
    sensor_stop(&a->sensor, STOP_GRACE_MS);
    report_flush(a->report);
    activate_enter(a, ACTIVATE_STOPPED);
    a->slots.boot = (struct slot_boot){.open = false};
    return slot_save(a->state_dir, &a->slots, err);
}

bool activate_idle(const struct activate *a)
{
    /* A sensor that cannot load the proven set any more may be cured by a new one. */
    bool steady =
        a->phase == ACTIVATE_STEADY || (a->phase == ACTIVATE_STARTING && a->restarts >= 2);
    return steady && !a->link_owed &&
           !a->damage.found; /* a trial must have a whole set to go back to */
}

void activate_abort(struct activate *a, const char *family)
{
    const struct slot_trial *t = &a->slots.trial;
    bool running = a->phase == ACTIVATE_LOADING || a->phase == ACTIVATE_PROBATION;
    if (running && t->change == SLOT_TRIAL && strcmp(t->to.family, family) == 0) {
        a->aborted = true;
    }
}

void activate_contact(struct activate *a, struct rw_mono begun)
{
    if (begun.ms > a->contact.ms) { a->contact = begun; }
}

bool activate_wants_contact(const struct activate *a)
{
    const struct slot_trial *t = &a->slots.trial;
    int64_t from_ms = trial_rule_contact_from(a->since, t->probation_s * 1000).ms;
    return a->phase == ACTIVATE_PROBATION && a->reach_back && a->contact.ms < from_ms &&
           activate_now(a).ms >= from_ms;
}

void activate_set_ring(struct activate *a, const char *ring)
{
    (void)snprintf(a->report->ring, sizeof(a->report->ring), "%s", ring);
    if (strcmp(a->slots.seen_ring, ring) == 0) { return; }
    (void)snprintf(a->slots.seen_ring, sizeof(a->slots.seen_ring), "%s", ring);
    (void)activate_save(a); /* only spares the next life an unknown ring in its first beacons */
}

const struct manifest_entry *activate_installed(const struct activate *a, const char *family)
{
    return manifest_find(&a->active, family);
}
