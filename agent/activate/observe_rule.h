/* observe_rule.h: what a pid file, /proc and systemd say about a sensor that somebody else starts, and what follows.
 *
 * memory   borrows every text until return
 * threads  pure
 * source   docs/sensor.md "Observed sensors"; proc(5), systemctl(1) show
 */
#ifndef RINGWARD_OBSERVE_RULE_H
#define RINGWARD_OBSERVE_RULE_H

#include "common/base/buf.h"
#include "common/base/clock.h"

enum { OBSERVE_RULE_GROUP_BYTES = 512, OBSERVE_RULE_UNIT_BYTES = 256 };

/* Decimal, at most one line end behind it, 2 or more. Fails with RW_E_SYNTAX, RW_E_RANGE. */
RW_RC observe_rule_pid(struct rw_span file, int64_t *pid_out, struct rw_err *err);
/* Of /proc/PID/stat, whatever the program calls itself: clock ticks since boot at its start. Fails with RW_E_NOT_FOUND
 * when it is a zombie, RW_E_SYNTAX. */
RW_RC observe_rule_start(struct rw_span stat, int64_t *ticks_out, struct rw_err *err);
/* Of /proc/PID/status: its real user. Fails with RW_E_SYNTAX. */
RW_RC observe_rule_uid(struct rw_span status, int64_t *uid_out, struct rw_err *err);
/* Of the same: does it handle, ignore or block the signal (1..64)? If not, the signal would end it. */
bool observe_rule_takes(struct rw_span status, int signal_number);

struct observe_rule_unit {
    int64_t pid;      /* 0: it does not run */
    int64_t restarts; /* by the manager itself, not by hand */
    bool success;     /* how it ended last, as the manager saw it */
    bool ended;       /* a process of it has ended, and none has begun since */
    bool ordered;     /* ended: the manager had been told to stop it */
    bool stopped;     /* ordered: and it was no fault that ended it */
    char group[OBSERVE_RULE_GROUP_BYTES];
};
/* Of `systemctl show`. Fails with RW_E_SCHEMA when one of the properties is missing, RW_E_NOT_FOUND when there is no
 * such unit. Without the times of the main process `stopped` stays false. */
RW_RC observe_rule_unit(struct rw_span shown, struct observe_rule_unit *out, struct rw_err *err);
/* Of /proc/PID/cgroup: is the process in that control group or below it? */
bool observe_rule_in_group(struct rw_span cgroup, const char *group);
/* A name that systemd takes for a service: NAME.service. */
bool observe_rule_is_unit(const char *name);

/* The number in the file belonged to another process: this one began after the file was written. */
bool observe_rule_is_stale(struct rw_wall written, struct rw_wall started);
/* A look at the unit after its process had ended. */
struct observe_rule_look {
    const struct observe_rule_unit *unit; /* as the manager said last */
    int64_t restarts_before; /* by the manager, when the process that ended was found */
    int64_t open_ms;         /* since it ended */
    bool told;               /* the manager has answered just now */
    bool running;            /* told: a process runs again */
    bool
        change; /* content is on trial: an end that nobody ordered is its end, whatever the status */
};
enum { OBSERVE_RULE_OPEN = -1 };
/* How many of the ends since then were crashes: what was stopped, or started again, by hand did not crash. What nobody
 * could tell of for a minute did (INV-3). OBSERVE_RULE_OPEN: not known yet, look again. */
int64_t observe_rule_crashes(const struct observe_rule_look *look);
/* A process that has just begun loads by itself, and may not listen yet: when to ask it to load at the earliest. */
struct rw_mono observe_rule_ask_at(struct rw_mono now, int64_t age_ms, int64_t load_timeout_ms);

#endif
