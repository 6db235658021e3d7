/* The watch over the sensor: evidence in, decision of the rules, action. */
#include "agent/activate/activate_steps.h"

#include "common/base/log.h"

#include <stdio.h>

enum { RESTARTS_FORGOTTEN_MS = 60 * 1000, RETRY_MS = 1000 };

static struct trial_rule_evidence evidence(const struct activate *a)
{
    enum sensor_proof proof = sensor_proves(&a->sensor, &a->active);
    return (struct trial_rule_evidence){
        .phase = a->phase == ACTIVATE_LOADING ? TRIAL_LOADING : TRIAL_PROBATION,
        .now = activate_now(a),
        .since = a->since,
        .last_seen = a->sensor.last_seen,
        .load_timeout_ms = a->load_timeout_ms,
        .probation_ms = a->slots.trial.probation_s * 1000,
        .silence_ms = a->alive_ms,
        .running = sensor_running(&a->sensor) && !a->end_crashed,
        .observed = a->sensor.observed,
        .signaled = a->sensor.last_exit.signaled,
        .exit_status = a->sensor.last_exit.status,
        .proven = proof == SENSOR_PROVEN,
        /* Not told to load yet, an observed one may speak of the set before. */
        .other = proof == SENSOR_OTHER && !a->sensor.ask_due,
        .load_error = a->sensor.load_error,
        .selftest_failed = a->sensor.selftest_failed,
        .aborted = a->aborted,
        .mute = a->mute[0] != '\0',
        .storm = a->storm[0] != '\0',
        .drill = a->slots.trial.drill,
        .reach_back = a->reach_back,
        .contact = a->contact,
        .reach_ms = a->reach_ms,
    };
}

/* Once for each load: it lives and has lost its function. `fresh`: it brought another release. */
static bool fell_mute(struct activate *a, bool fresh, char detail[static DETECT_DETAIL_BYTES])
{
    struct sensor *s = &a->sensor;
    const struct detect_load load = {
        .generation = s->generation,
        .fresh = fresh,
        .failed = s->selftest_failed,
        .tested = s->tested,
        .tested_before = s->tested_before,
        .age_ms = s->last_seen.ms - a->since.ms, /* silence is not muteness */
        .wait_ms = a->alive_ms,
    };
    if (s->mute_told || !detect_mute(&s->detect, &load, detail)) { return false; }
    s->mute_told = true;
    return true;
}

/* Counts are of the load that the sensor has proven; slowness is told and lived with, a storm or a loss of function
 * ends the trial. */
static void look_at_trial(struct activate *a)
{
    char detail[DETECT_DETAIL_BYTES];
    struct detect *d = &a->sensor.detect;
    bool trial = a->slots.trial.change == SLOT_TRIAL && a->phase == ACTIVATE_PROBATION;
    if (!trial) { return; }
    if (fell_mute(a, true, detail)) { (void)snprintf(a->mute, sizeof(a->mute), "%s", detail); }
    if (d->generation != a->sensor.generation) { return; }
    if (detect_slow(d, detail)) {
        activate_report_signal(a, BEACON_SLOW, a->slots.trial.to.family, detail);
    }
    if (detect_storm_on_trial(d, detail)) {
        (void)snprintf(a->storm, sizeof(a->storm), "%s", detail);
    }
}

/* Proven content: the server decides what becomes of it. */
static void look_at_proven(struct activate *a)
{
    char detail[DETECT_DETAIL_BYTES];
    struct detect *d = &a->sensor.detect;
    if (!a->settled) { return; }
    if (fell_mute(a, a->fresh, detail)) {
        activate_report_signal(a, BEACON_MUTE, a->fresh ? a->fresh_family : "", detail);
    }
    if (d->generation != a->sensor.generation) { return; }
    if (detect_storm_of_proven(d, activate_now(a), detail)) {
        activate_report_signal(a, BEACON_STORM, d->now.family, detail);
    }
    if (a->fresh && detect_slow(d, detail)) {
        activate_report_signal(a, BEACON_SLOW, a->fresh_family, detail);
    }
}

/* No process: nothing to blame the change for. One that is found must prove it from the begin on. Somebody who starts
 * the sensor for the third time may have a reason that it cannot tell. */
static void await_sensor(struct activate *a)
{
    struct rw_mono now = activate_now(a);
    bool waited_for_end = a->end_open;
    a->since = now;
    if (now.ms >= a->restart_at.ms) { activate_start_sensor(a); }
    if (a->unstarted || a->end_crashed) { return; }
    if (waited_for_end && ++a->by_hand >= BOOT_RULE_CRASHES) {
        a->end_crashed = true;
        return;
    }
    a->settled = false;
    activate_enter(a, ACTIVATE_LOADING);
}

/* INV-3: what speaks against the change already is not forgotten for a restart. */
static bool may_be_by_hand(struct activate *a)
{
    if (a->sensor.unit.pid < 0) { return false; } /* no unit: nobody could say */
    look_at_trial(a);
    struct trial_rule_evidence e = evidence(a);
    e.running = true;
    return trial_rule_decide(&e).decision != TRIAL_GO_BACK;
}

static void step_change(struct activate *a, bool ended)
{
    struct rw_mono now = activate_now(a);
    if (ended && may_be_by_hand(a) && activate_asks_of_end(a)) { a->unstarted = true; }
    if (now.ms < a->hold_until.ms) { return; }
    if (a->unstarted && !a->aborted) {
        await_sensor(a);
        if (!a->end_crashed) { return; }
    }
    look_at_trial(a);
    struct trial_rule_evidence e = evidence(a);
    struct trial_rule_result r = trial_rule_decide(&e);
    if (r.decision == TRIAL_PROVEN) {
        a->settled = true;
        sensor_spare(&a->sensor);
        activate_enter(a, ACTIVATE_PROBATION);
        look_at_trial(a);
        e = evidence(a);
        r = trial_rule_decide(&e); /* a probation of zero is over at once */
    }
    if (r.decision == TRIAL_COMMIT) {
        (void)activate_commit(a); /* not durable yet: again after hold_until */
    } else if (r.decision == TRIAL_GO_BACK) {
        rw_log(RW_LOG_WARN, "trial_failed", "detail", r.detail);
        activate_go_back(a, &r);
    }
}

static void step_starting(struct activate *a, enum sensor_proof proof, struct rw_mono now)
{
    if (proof == SENSOR_PROVEN) {
        struct rw_log_line l;
        a->settled = true;
        a->hang_told = false;
        sensor_spare(&a->sensor);
        activate_enter(a, ACTIVATE_STEADY);
        rw_log_begin(&l, RW_LOG_INFO, "set_loaded");
        rw_log_i64(&l, "set", a->active.set);
        rw_log_i64(&l, "generation", a->sensor.generation);
        rw_log_end(&l);
        return;
    }
    if (proof == SENSOR_OTHER && a->sensor.ask_own) {
        sensor_reload(&a->sensor, now); /* what it loaded at its own start is not the set */
        return;
    }
    if (now.ms - a->since.ms >= a->load_timeout_ms) {
        activate_sensor_hangs(a, "the sensor gave no proof of load", a->load_timeout_ms);
    }
}

static void step_steady(struct activate *a, enum sensor_proof proof, struct rw_mono now)
{
    if (proof == SENSOR_OTHER) {
        rw_log(RW_LOG_WARN, "sensor_loaded_other", NULL, NULL);
        a->settled = false;
        sensor_reload(&a->sensor, activate_now(a));
        activate_enter(a, ACTIVATE_STARTING);
        return;
    }
    if (now.ms - a->sensor.last_seen.ms >= a->alive_ms) {
        activate_sensor_hangs(a, "the sensor was silent", a->alive_ms);
        return;
    }
    if (a->restarts > 0 && now.ms - a->since.ms >= RESTARTS_FORGOTTEN_MS) { a->restarts = 0; }
}

static void step_proven_set(struct activate *a, bool ended)
{
    struct rw_mono now = activate_now(a);
    if (ended) { activate_sensor_ended(a); }
    if (!sensor_running(&a->sensor)) {
        if (now.ms < a->restart_at.ms) { return; }
        activate_enter(a, ACTIVATE_STARTING);
        activate_start_sensor(a);
        return;
    }
    activate_sensor_error(a);
    if (!sensor_running(&a->sensor)) { return; }
    enum sensor_proof proof = sensor_proves(&a->sensor, &a->active);
    if (a->phase == ACTIVATE_STARTING) {
        step_starting(a, proof, now);
    } else {
        step_steady(a, proof, now);
    }
}

/* A sensor that runs goes on with what it has in memory until the link names what it shall load. */
static void link_again(struct activate *a)
{
    struct rw_err err;
    if (!a->link_owed || !sensor_running(&a->sensor) || activate_now(a).ms < a->link_at.ms ||
        !rw_is_ok(activate_link(a, a->slots.current, &err))) {
        return;
    }
    a->settled = false;
    activate_order_load(a);
    activate_enter(a, ACTIVATE_STARTING);
}

static void clear_boot_counter(struct activate *a)
{
    bool stable = a->phase == ACTIVATE_STEADY && activate_now(a).ms - a->begun.ms >= a->stable_ms;
    /* A set that came by a change in this run has not shown yet that the host starts with it. */
    bool start_proven = a->slots.current == a->begun_set;
    if (!stable || (a->slots.boot.unclean == 0 && (a->slots.stable || !start_proven))) { return; }
    a->slots.boot.unclean = 0;
    a->slots.stable = a->slots.stable || start_proven;
    (void)activate_save(a); /* the counter only makes the guard more careful than needed */
}

void activate_step(struct activate *a)
{
    if (a->phase == ACTIVATE_STOPPED) { return; }
    if (a->damage.found && activate_now(a).ms >= a->damage.until.ms) { activate_mend(a, true); }
    sensor_drain(&a->sensor, activate_now(a));
    bool ended = sensor_reap(&a->sensor);
    sensor_tend(&a->sensor, activate_now(a), a->phase != ACTIVATE_STEADY);
    switch (a->phase) {
    case ACTIVATE_STOPPED:
        break;
    case ACTIVATE_GOING_BACK:
        if (activate_now(a).ms - a->since.ms >= RETRY_MS) { activate_finish_going_back(a); }
        break;
    case ACTIVATE_LOADING:
    case ACTIVATE_PROBATION:
        step_change(a, ended);
        break;
    case ACTIVATE_STARTING:
    case ACTIVATE_STEADY:
        link_again(a);
        step_proven_set(a, ended);
        look_at_proven(a);
        break;
    }
    clear_boot_counter(a);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Its middle (a contact may be wanted from there on), its end, the end of waiting for a contact. */
static int64_t probation_wake_ms(const struct activate *a)
{
    int64_t now_ms = activate_now(a).ms;
    int64_t probation_ms = a->slots.trial.probation_s * 1000;
    int64_t middle_ms = trial_rule_contact_from(a->since, probation_ms).ms;
    int64_t end_ms = a->since.ms + probation_ms;
    if (a->reach_back && now_ms < middle_ms) { return middle_ms; }
    /* Behind the end only the sensor's next message, the contact or its want can decide. */
    return a->reach_back && now_ms >= end_ms ? end_ms + a->reach_ms : end_ms;
}

static int64_t phase_wake_ms(const struct activate *a)
{
    int64_t silent_ms = a->sensor.last_seen.ms + a->alive_ms;
    switch (a->phase) {
    case ACTIVATE_STOPPED:
        return INT64_MAX;
    case ACTIVATE_GOING_BACK:
        return a->since.ms + RETRY_MS;
    case ACTIVATE_LOADING:
        return a->unstarted ? a->restart_at.ms : a->since.ms + a->load_timeout_ms;
    case ACTIVATE_PROBATION:
        return a->unstarted ? a->restart_at.ms : earlier(silent_ms, probation_wake_ms(a));
    case ACTIVATE_STARTING:
        return sensor_running(&a->sensor) ? a->since.ms + a->load_timeout_ms : a->restart_at.ms;
    case ACTIVATE_STEADY:
        return sensor_running(&a->sensor) ? silent_ms : a->restart_at.ms;
    }
    return INT64_MAX;
}

struct rw_mono activate_wake(const struct activate *a)
{
    int64_t ms = earlier(phase_wake_ms(a), sensor_wake(&a->sensor).ms);
    if (a->damage.found) { ms = earlier(ms, a->damage.until.ms); }
    if (a->link_owed && sensor_running(&a->sensor)) { ms = earlier(ms, a->link_at.ms); }
    if (ms < a->hold_until.ms) { ms = a->hold_until.ms; }
    bool counts =
        a->slots.boot.unclean > 0 || (!a->slots.stable && a->slots.current == a->begun_set);
    if (counts && a->phase == ACTIVATE_STEADY && activate_now(a).ms - a->begun.ms < a->stable_ms) {
        ms = earlier(ms, a->begun.ms + a->stable_ms);
    }
    return (struct rw_mono){ms};
}

void activate_forgive(struct activate *a)
{
    struct rw_mono now = activate_now(a);
    a->sensor.last_seen = now;
    if (a->phase == ACTIVATE_LOADING || a->phase == ACTIVATE_STARTING) { a->since = now; }
}
