/* sensor_child.h: a command of the sensor's vendor that the agent runs beside the sensor: for a while only, with an
 * environment of its own, and with everything that it has started ended at its end.
 *
 * memory   owns the words of the command and the process
 * threads  one thread; the process dies with it
 * source   docs/sensor.md "Observed sensors"
 */
#ifndef RINGWARD_SENSOR_CHILD_H
#define RINGWARD_SENSOR_CHILD_H

#include "common/base/clock.h"
#include "common/base/proc.h"

enum { SENSOR_ARGS_MAX = 32, SENSOR_CHILD_DETAIL_BYTES = 120 };

struct sensor_child {
    const char *setting; /* its name, for errors; borrowed */
    char *text;          /* owned; cut into words; NULL: there is no such command */
    char *argv[SENSOR_ARGS_MAX + 1];
    struct proc proc;
    struct rw_mono begun;
    struct rw_mono end; /* it is ended then */
};

enum sensor_child_state {
    SENSOR_CHILD_NONE,
    SENSOR_CHILD_RUNS,
    SENSOR_CHILD_GOOD,   /* exit status 0, told once */
    SENSOR_CHILD_FAILED, /* any other end, told once */
};

/* `command` NULL or "": none. Fails with RW_E_CONFIG (no path, too many words), RW_E_NOMEM. */
RW_RC sensor_child_open(struct sensor_child *c, const char *setting, const char *command,
                        struct rw_err *err);
void sensor_child_drop(struct sensor_child *c);

/* Required state: it does not run. Fails with RW_E_PROCESS. */
RW_RC sensor_child_start(struct sensor_child *c, char *const *envp, struct rw_mono now,
                         int64_t limit_ms, struct rw_err *err);
bool sensor_child_running(const struct sensor_child *c);
/* Reaps, or ends what has run for too long; `detail` says why it failed. Never waits for it. */
enum sensor_child_state sensor_child_look(struct sensor_child *c, struct rw_mono now,
                                          char detail[static SENSOR_CHILD_DETAIL_BYTES]);
void sensor_child_kill(struct sensor_child *c);

#endif
