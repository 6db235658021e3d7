/* agent_integrity.h: the slow check of content on the disk while the agent runs: one timer, one quiet thread.
 *
 * At each start the boot guard verifies the sets anyway. From then on, about every `verify_interval`, a thread of idle
 * I/O priority reads the active and the previous set in small slices; the loop sleeps meanwhile.
 *
 * memory   belongs to struct agent; the job's data to the thread while it runs
 * threads  begin, take and stop from the loop's thread
 * source   docs/architecture.md "Integrity of what is active"; INV-5, INV-6, INV-12
 */
#ifndef RINGWARD_AGENT_INTEGRITY_H
#define RINGWARD_AGENT_INTEGRITY_H

#include "agent/activate/activate.h"
#include "agent/agent_worker.h"

/* What the thread reads, and what it found. */
struct agent_integrity_job {
    const struct set_store *sets;
    struct manifest set[ACTIVATE_CHECK_SETS];
    size_t count;
    bool damaged[ACTIVATE_CHECK_SETS];
    struct rw_err why[ACTIVATE_CHECK_SETS];
    atomic_bool stop;
};

struct agent_integrity {
    struct agent_worker worker;
    struct agent_integrity_job job;
    int64_t interval_ms; /* 0: never */
    struct rw_mono at;   /* of the next check */
    struct rw_wall last; /* a check ended then; 0: none yet */
    int64_t checks;      /* that ended */
};

/* Starts the thread; the first check comes within 1.5 intervals. */
RW_RC agent_integrity_open(struct agent_integrity *g, struct activate *a, int64_t interval_ms,
                           struct rw_err *err);
/* Begins a check that is due, when nothing else is under way. */
void agent_integrity_begin(struct agent_integrity *g, struct activate *a);
/* Takes what a check found. True: content is wanted from the server now. */
bool agent_integrity_take(struct agent_integrity *g, struct activate *a);
struct rw_mono agent_integrity_wake(const struct agent_integrity *g);
/* False: the thread did not end in time; its data must stay. */
bool agent_integrity_stop(struct agent_integrity *g, int64_t timeout_ms);

#endif
