/* agent_worker.h: one helper thread with one job at a time, so that network and box never delay the watch
 * over the sensor.
 *
 * A job's data belong to the thread from submit until done; nothing else is shared.
 * memory   owns the thread and an eventfd; borrows the job's context
 * threads  submit, take and stop from the loop's thread only
 * source   docs/architecture.md "The agent's loop"
 */
#ifndef RINGWARD_AGENT_WORKER_H
#define RINGWARD_AGENT_WORKER_H

#include "common/base/err.h"

#include <pthread.h>

struct agent_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    void (*job)(void *ctx); /* NULL: none waits */
    void *ctx;
    bool stop;
    bool ended;  /* the thread has left */
    bool busy;   /* the loop's view: submitted and not yet taken */
    int done_fd; /* eventfd: readable when a job is done */
};

RW_RC agent_worker_start(struct agent_worker *w, struct rw_err *err);
/* Required state: not busy. */
void agent_worker_submit(struct agent_worker *w, void (*job)(void *ctx), void *ctx);
/* True when a job has ended since the last call. */
bool agent_worker_take(struct agent_worker *w);
/* Asks the thread to end and waits. False: it is still in a job after `timeout_ms`; its data must stay. */
bool agent_worker_stop(struct agent_worker *w, int64_t timeout_ms);

#endif
