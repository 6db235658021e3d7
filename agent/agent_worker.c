#include "agent/agent_worker.h"

#include "common/base/file.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static void *work(void *ctx)
{
    struct agent_worker *w = ctx;
    const uint64_t one = 1;
    (void)pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        void (*job)(void *) = w->job;
        if (job == NULL) {
            (void)pthread_cond_wait(&w->wake, &w->lock);
            continue;
        }
        w->job = NULL;
        (void)pthread_mutex_unlock(&w->lock);
        job(w->ctx);
        ssize_t put = write(w->done_fd, &one, sizeof(one)); /* cannot block: read after each job */
        (void)put;
        (void)pthread_mutex_lock(&w->lock);
    }
    w->ended = true;
    (void)pthread_cond_broadcast(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

RW_RC agent_worker_start(struct agent_worker *w, struct rw_err *err)
{
    *w = (struct agent_worker){.done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (w->done_fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "eventfd"); }
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->wake, NULL);
    int failed = pthread_create(&w->thread, NULL, work, w);
    if (failed != 0) {
        rw_fd_drop(&w->done_fd);
        return rw_fail_errno(err, RW_E_NOMEM, failed, "helper thread");
    }
    return RW_OK;
}

void agent_worker_submit(struct agent_worker *w, void (*job)(void *ctx), void *ctx)
{
    RW_ASSERT(!w->busy);
    w->busy = true;
    (void)pthread_mutex_lock(&w->lock);
    w->job = job;
    w->ctx = ctx;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
}

bool agent_worker_take(struct agent_worker *w)
{
    uint64_t count = 0;
    if (read(w->done_fd, &count, sizeof(count)) != (ssize_t)sizeof(count)) { return false; }
    w->busy = false;
    return true;
}

bool agent_worker_stop(struct agent_worker *w, int64_t timeout_ms)
{
    struct timespec end = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &end); /* not the clock that somebody may set meanwhile */
    end.tv_sec += timeout_ms / 1000;
    (void)pthread_mutex_lock(&w->lock);
    w->stop = true;
    (void)pthread_cond_broadcast(&w->wake);
    int waited = 0;
    while (!w->ended && waited == 0) {
        waited = pthread_cond_clockwait(&w->wake, &w->lock, CLOCK_MONOTONIC, &end);
    }
    bool ended = w->ended;
    (void)pthread_mutex_unlock(&w->lock);
    if (!ended) { return false; }
    (void)pthread_join(w->thread, NULL);
    rw_fd_drop(&w->done_fd);
    (void)pthread_mutex_destroy(&w->lock);
    (void)pthread_cond_destroy(&w->wake);
    return true;
}
