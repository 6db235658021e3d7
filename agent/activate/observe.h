/* observe.h: finds the process of a sensor that somebody else starts: by its pid file, or by its unit of systemd.
 *
 * Never by a name: what is found is held by a descriptor (pidfd) and by the time of its start, so that no later process
 * of the same number can take its place.
 *
 * memory   borrows the target's texts; gives the descriptor in observe_found
 * threads  one thread; a unit is asked for with a child of ours, for UNIT_MS at most
 * source   docs/sensor.md "Observed sensors"
 */
#ifndef RINGWARD_OBSERVE_H
#define RINGWARD_OBSERVE_H

#include "agent/activate/observe_rule.h"
#include "common/base/proc.h"

struct observe_target {
    const char *pid_file;  /* absolute; NULL: none */
    const char *unit;      /* NAME.service; NULL: none */
    const char *systemctl; /* NULL: the system's */
};

struct observe_found {
    pid_t pid;
    int pidfd; /* owned by the caller */
    int64_t start_ticks;
    uid_t uid; /* real */
    int64_t age_ms;
};

/* Fails with RW_E_NOT_FOUND when it does not run, RW_E_CONFIG when the pid file could be somebody else's word (owner,
 * mode), RW_E_PROCESS, RW_E_TIMEOUT. `unit_out` is written as soon as systemd has answered, also when it does not run;
 * its pid is -1 when it has not. */
RW_RC observe_find(const struct observe_target *t, struct observe_found *out,
                   struct observe_rule_unit *unit_out, struct rw_err *err);
/* Has what the descriptor stands for ended? */
bool observe_ended(int pidfd);
/* Is a process of that number the one that began then? One that is gone is nobody else. */
bool observe_is_same(pid_t pid, int64_t start_ticks);
/* Its real user now: it may have given up rights since it was found. (uid_t)-1: it is gone. */
uid_t observe_uid(pid_t pid);
/* May the signal be sent, or would it end a process that does not listen (yet)? */
bool observe_takes(pid_t pid, int signal_number);

#endif
