/* api_clock.h: the clock of the core: wall_rule.h over the machine's clocks, and what people are told of it.
 *
 * memory   plain; borrows what the real clock borrows; must not move while a clock that it gave is in use
 * threads  any: it has a lock of its own
 * source   docs/health.md "Time"; INV-3, INV-12
 */
#ifndef RINGWARD_API_CLOCK_H
#define RINGWARD_API_CLOCK_H

#include "common/json/json_write.h"
#include "server/rollout/wall_rule.h"

#include <pthread.h>

struct api_clock {
    struct rw_clock real;
    pthread_mutex_t lock;
    struct wall_rule rule;
};

/* Begins at the time that `real` says. Fails with RW_E_PROCESS. */
RW_RC api_clock_open(struct api_clock *c, struct rw_clock real, struct rw_err *err);
void api_clock_close(struct api_clock *c); /* accepts a zeroed one */
/* Monotonic time as of the real clock, wall time by the rule. */
struct rw_clock api_clock_of(struct api_clock *c);

/* Both accept NULL: a core without one. */
RW_RC api_clock_metrics(struct api_clock *c, struct rw_buf *into, struct rw_err *err);
/* One line into an open array while the wall clock is elsewhere. */
void api_clock_write_alarms(struct api_clock *c, struct json_writer *w);

#endif
