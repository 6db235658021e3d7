#include "agent/agent_integrity.h"

#include "common/base/log.h"

#include <sys/syscall.h>
#include <unistd.h>

enum {
    SLICE_BYTES = 256 * 1024,
    PAUSE_MS = 10, /* 25 MiB per second at most */
    AGAIN_MS = 60 * 1000,
    IOPRIO_WHO_PROCESS = 1,
    IOPRIO_IDLE = 3 << 13, /* class idle of ioprio_set(2) */
};

/* Somewhere in 0.5 .. 1.5 intervals: a fleet that started at once does not read at once for ever. */
static int64_t next_ms(int64_t interval_ms)
{
    uint32_t random = 0;
    struct rw_err unused;
    RW_IGNORE(digest_random((uint8_t *)&random, sizeof(random), &unused), "jitter may be missing");
    return interval_ms / 2 + (int64_t)((double)interval_ms * ((double)random / 4294967295.0));
}

static void run_check(void *ctx)
{
    struct agent_integrity_job *j = ctx;
    const struct set_store_pace pace = {
        .slice_bytes = SLICE_BYTES, .pause_ms = PAUSE_MS, .stop = &j->stop};
    /* 0: this thread. A kernel that refuses leaves the normal priority: the pauses are there all the same. */
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
    for (size_t i = 0; i < j->count; i++) {
        struct rw_rc rc = set_store_check_slowly(j->sets, &j->set[i], &pace, &j->why[i]);
        j->damaged[i] = !rw_is_ok(rc) && rc.code != RW_E_BUSY && rc.code != RW_E_NOMEM &&
                        rc.code != RW_E_CRYPTO;
    }
}

RW_RC agent_integrity_open(struct agent_integrity *g, struct activate *a, int64_t interval_ms,
                           struct rw_err *err)
{
    *g = (struct agent_integrity){.interval_ms = interval_ms, .job.sets = &a->sets};
    g->at.ms = interval_ms == 0 ? INT64_MAX : rw_clock_mono(&a->clock).ms + next_ms(interval_ms);
    return agent_worker_start(&g->worker, err);
}

void agent_integrity_begin(struct agent_integrity *g, struct activate *a)
{
    struct rw_mono now = rw_clock_mono(&a->clock);
    if (g->worker.busy || now.ms < g->at.ms) { return; }
    g->job.count = activate_check_list(a, g->job.set);
    if (g->job.count == 0) {
        g->at.ms = now.ms + (g->interval_ms < AGAIN_MS ? g->interval_ms : AGAIN_MS);
        return;
    }
    agent_worker_submit(&g->worker, run_check, &g->job);
}

bool agent_integrity_take(struct agent_integrity *g, struct activate *a)
{
    bool found = a->damage.found;
    if (!agent_worker_take(&g->worker)) { return false; }
    g->at.ms = rw_clock_mono(&a->clock).ms + next_ms(g->interval_ms);
    g->last = rw_clock_wall(&a->clock);
    g->checks++;
    for (size_t i = 0; i < g->job.count; i++) {
        if (g->job.damaged[i]) { activate_damaged(a, &g->job.set[i], g->job.why[i].text); }
    }
    return !found && a->damage.found;
}

struct rw_mono agent_integrity_wake(const struct agent_integrity *g)
{
    const struct rw_mono never = {INT64_MAX};
    return g->worker.busy ? never : g->at;
}

bool agent_integrity_stop(struct agent_integrity *g, int64_t timeout_ms)
{
    atomic_store(&g->job.stop, true);
    return agent_worker_stop(&g->worker, timeout_ms);
}
