/* The sensor is lost, or fails, while nothing is on trial: what is told, counted, and when a proven set is left. */
#include "agent/activate/activate_steps.h"

#include "common/base/file.h"
#include "common/base/log.h"

#include <stdio.h>

enum {
    BACK_OFF_MS_MAX = 60 * 1000,
    LOOK_MS = 500,       /* for an observed sensor that is not there; a pid file costs little */
    LOOK_UNIT_MS = 2000, /* asking systemd costs a process */
    LOOK_ENDED_MS = 100, /* at once: a start by hand lets systemd forget how the one before ended */
};

static int64_t back_off_ms(int64_t restarts)
{
    if (restarts == 0) { return 0; }
    int64_t ms = INT64_C(1000) << (restarts < 7 ? restarts - 1 : 6);
    return ms < BACK_OFF_MS_MAX ? ms : BACK_OFF_MS_MAX;
}

static bool is_crash_loop(const struct activate *a, struct rw_mono now)
{
    int64_t ages[BOOT_RULE_CRASHES];
    int64_t commit_age_ms = -1;
    for (int i = 0; i < BOOT_RULE_CRASHES; i++) {
        ages[i] = a->crashes[i].ms == 0 ? -1 : now.ms - a->crashes[i].ms;
    }
    if (a->slots.committed.s > 0) {
        commit_age_ms = (rw_clock_wall(&a->clock).s - a->slots.committed.s) * 1000;
    }
    return a->slots.current != 0 && boot_rule_crash_loop(ages, commit_age_ms);
}

/* Away from a set that passed its probation and then began to kill the sensor again and again. */
static void leave_crash_loop(struct activate *a)
{
    static const char why[] = "the sensor crashed 3 times within 10 minutes after the commit";
    struct rw_err err;
    rw_log(RW_LOG_WARN, "crash_loop", "detail", why);
    if (!rw_is_ok(activate_fall_back(a, activate_way_back(a), true, why, &err))) {
        activate_log("fall_back_failed", &err);
        if (!a->link_owed) { return; }
    }
    a->restarts = 0;
    a->crashes[0] = a->crashes[1] = a->crashes[2] = (struct rw_mono){0};
}

/* Told once, however many it were since the last look. */
static void count_crashes(struct activate *a, int64_t signal_number, const char *detail,
                          int64_t count)
{
    struct rw_mono now = activate_now(a);
    activate_report_crash(a, signal_number, detail);
    for (int64_t i = 0; i < count && i < BOOT_RULE_CRASHES; i++) {
        a->crashes[2] = a->crashes[1];
        a->crashes[1] = a->crashes[0];
        a->crashes[0] = now;
    }
    if (is_crash_loop(a, now)) { leave_crash_loop(a); }
}

/* Another set than the sensor has. (While the link to it is owed an observed one is told to load by whoever makes
 * it.) */
static void load_what_is_left(struct activate *a)
{
    a->settled = false;
    if (!a->link_owed || !a->sensor.observed) { activate_order_load(a); }
    activate_enter(a, ACTIVATE_STARTING);
}

/* The sensor is gone while nothing was on trial. */
static void sensor_lost(struct activate *a, int64_t signal_number, const char *detail)
{
    struct rw_mono now = activate_now(a);
    rw_log(RW_LOG_WARN, "sensor_lost", "detail", detail);
    a->settled = false;
    count_crashes(a, signal_number, detail, 1);
    a->restart_at.ms = now.ms + (a->sensor.observed ? LOOK_MS : back_off_ms(a->restarts));
    a->restarts++;
    activate_enter(a, ACTIVATE_STARTING);
    activate_look_again(a);
}

static const char observed_ended[] = "the sensor's process ended";

/* A unit that is restarted by hand did not crash: what systemd says of it at its next start decides. */
bool activate_asks_of_end(struct activate *a)
{
    if (a->sensor.unit.pid < 0) { return false; } /* no unit */
    rw_log(RW_LOG_WARN, "sensor_lost", "detail", observed_ended);
    a->end_open = true;
    a->end_crashed = false;
    a->end_restarts = a->sensor.unit.restarts;
    a->end_at = activate_now(a);
    a->restart_at.ms = a->end_at.ms + LOOK_ENDED_MS;
    return true;
}

static void observed_has_ended(struct activate *a)
{
    if (!activate_asks_of_end(a)) {
        sensor_lost(a, 0, observed_ended);
        return;
    }
    a->settled = false;
    activate_enter(a, ACTIVATE_STARTING);
}

/* Before the next process is taken hold of: what is told is what the last one held. */
static void settle_end(struct activate *a, bool running, bool told)
{
    bool change = a->phase == ACTIVATE_LOADING || a->phase == ACTIVATE_PROBATION;
    const struct observe_rule_look look = {.unit = &a->sensor.unit,
                                           .restarts_before = a->end_restarts,
                                           .open_ms = activate_now(a).ms - a->end_at.ms,
                                           .told = told,
                                           .running = running,
                                           .change = change};
    if (!a->end_open) { return; }
    int64_t crashes = observe_rule_crashes(&look);
    if (crashes == OBSERVE_RULE_OPEN) { return; }
    if (change && crashes == 0 && !running) {
        a->end_at = activate_now(a); /* stopped: it may still die of the change at its next start */
        return;
    }
    a->end_open = false;
    a->end_crashed = change && crashes > 0; /* the change is given up for it */
    if (a->end_crashed) { return; }
    if (crashes > 0) {
        a->restarts++;
        count_crashes(a, 0, observed_ended, crashes);
    } else {
        rw_log(RW_LOG_INFO, "sensor_restarted", "note", "by hand: no crash");
    }
}

/* An engine that knows nothing of the active set loads at its next start what the command has made ready. */
static void prepare_start(struct activate *a)
{
    bool by_command = a->sensor.way.reload == SENSOR_BY_COMMAND;
    if (by_command && !sensor_child_running(&a->sensor.reload)) {
        sensor_reload(&a->sensor, activate_now(a));
    }
}

bool activate_find_sensor(struct activate *a)
{
    struct rw_err err;
    struct observe_found found;
    int64_t set = a->active.set;
    struct rw_rc rc = sensor_look(&a->sensor, &found, &err);
    settle_end(a, rw_is_ok(rc), rw_is_ok(rc) || err.code == RW_E_NOT_FOUND);
    if (rw_is_ok(rc) && a->link_owed) { /* what it would be told to load is what was left */
        rw_fd_drop(&found.pidfd);
        a->restart_at.ms = activate_now(a).ms + LOOK_MS;
        return false;
    }
    if (rw_is_ok(rc)) {
        rw_log(RW_LOG_INFO, "sensor_found", NULL, NULL);
        sensor_take(&a->sensor, &found, activate_now(a));
        if (a->active.set != set) { sensor_reload(&a->sensor, activate_now(a)); }
        a->absent = false;
        a->hang_told = false;
        return true;
    }
    if (!a->absent) {
        activate_log("sensor_not_there", &err);
        prepare_start(a);
    }
    a->absent = true;
    bool seldom = a->sensor.way.observed.unit != NULL && (!a->end_open || a->sensor.unit.ordered);
    a->restart_at.ms = activate_now(a).ms + (seldom ? LOOK_UNIT_MS : LOOK_MS);
    return false;
}

void activate_sensor_ended(struct activate *a)
{
    char detail[64];
    if (a->sensor.observed) {
        observed_has_ended(a);
        return;
    }
    const struct proc_exit *x = &a->sensor.last_exit;
    (void)snprintf(detail, sizeof(detail), "the sensor %s %d",
                   x->signaled ? "died by signal" : "exited with status", x->status);
    sensor_lost(a, x->signaled ? x->status : 0, detail);
}

/* Not ours to kill: told once, and asked to load again for as long as it takes. */
static void observed_hangs(struct activate *a, const char *what, int64_t limit_ms)
{
    char detail[96];
    (void)snprintf(detail, sizeof(detail), "%s for %lld ms: not killed, it is observed", what,
                   (long long)limit_ms);
    a->settled = false;
    if (!a->hang_told) {
        rw_log(RW_LOG_WARN, "sensor_hangs", "detail", detail);
        count_crashes(a, 0, detail, 1);
    }
    a->hang_told = true;
    a->restarts++; /* what it cannot load may be cured by new content: activate_idle */
    load_what_is_left(a);
}

void activate_sensor_hangs(struct activate *a, const char *what, int64_t limit_ms)
{
    char detail[96];
    if (a->sensor.observed) {
        observed_hangs(a, what, limit_ms);
        return;
    }
    (void)snprintf(detail, sizeof(detail), "%s for %lld ms: killed", what, (long long)limit_ms);
    sensor_kill(&a->sensor);
    sensor_lost(a, 0, detail);
}

/* What it has proven before it cannot load now: memory, or an engine that other content has left in disorder, may be to
 * blame as well. So it counts as a crash, and in a crash loop the set is left. */
void activate_sensor_error(struct activate *a)
{
    char detail[64 + SENSOR_DETAIL_BYTES];
    struct sensor *s = &a->sensor;
    int64_t set = a->active.set;
    if (s->error_told || !s->load_error) { return; }
    s->error_told = true;
    (void)snprintf(detail, sizeof(detail), "the sensor could not load the proven content: %s",
                   s->detail);
    rw_log(RW_LOG_WARN, "sensor_error", "detail", detail);
    if (a->phase == ACTIVATE_STARTING && !s->observed) {
        sensor_kill(s);
        sensor_lost(a, 0, detail); /* and starts again, with whatever set that left */
        return;
    }
    count_crashes(a, 0, detail, 1);
    if (a->active.set == set) { return; }
    load_what_is_left(a);
}
