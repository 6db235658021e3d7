#include "server/api/api_queue.h"

#include "server/api/api_share.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

struct api_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct api_job *first;
    struct api_job **last; /* where the next job is hung */
    size_t depth;          /* jobs */
    size_t places;         /* that they take: api_share.h */
    size_t capacity;
    struct api_share *share;
    bool woken;
    bool closed;
};

RW_RC api_queue_new(size_t capacity, unsigned share, struct api_queue **out, struct rw_err *err)
{
    RW_ASSERT(capacity >= 1);
    struct api_queue *q = rw_mem_new(sizeof(*q));
    if (q == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the queue"); }
    struct rw_rc rc = api_share_new(capacity, share, &q->share, err);
    if (!rw_is_ok(rc)) {
        rw_mem_free(q);
        return rc;
    }
    pthread_condattr_t attr;
    int failed = pthread_condattr_init(&attr);
    if (failed == 0) { failed = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); }
    if (failed == 0) { failed = pthread_cond_init(&q->changed, &attr); }
    if (failed == 0) { failed = pthread_mutex_init(&q->lock, NULL); }
    if (failed != 0) {
        api_share_free(q->share);
        rw_mem_free(q);
        return rw_fail_errno(err, RW_E_NOMEM, failed, "queue");
    }
    (void)pthread_condattr_destroy(&attr);
    q->last = &q->first;
    q->capacity = capacity;
    *out = q;
    return RW_OK;
}

void api_queue_free(struct api_queue *q)
{
    if (q == NULL) { return; }
    struct api_job *job = q->first;
    while (job != NULL) {
        struct api_job *next = job->next;
        struct rw_err err;
        RW_IGNORE(rw_fail(&err, RW_E_BUSY, "the server is stopping"), "it is the answer");
        api_reply_error(job, &err);
        api_job_done(job);
        job = next;
    }
    (void)pthread_cond_destroy(&q->changed);
    (void)pthread_mutex_destroy(&q->lock);
    api_share_free(q->share);
    rw_mem_free(q);
}

/* Under the lock. */
static void append(struct api_queue *q, struct api_job *job, size_t places)
{
    job->next = NULL;
    *q->last = job;
    q->last = &job->next;
    q->depth++;
    q->places += places;
    (void)pthread_cond_signal(&q->changed);
}

static RW_RC submit(void *ctx, struct api_job *job, struct rw_err *err)
{
    struct api_queue *q = ctx;
    uint64_t class = api_share_class(q->share, &job->req.who);
    size_t places = api_share_places(q->share, job->route);
    (void)pthread_mutex_lock(&q->lock);
    bool closed = q->closed;
    bool full = q->places + places > q->capacity;
    bool in = !closed && !full && api_share_enter(q->share, class, q->places, places);
    if (in) { append(q, job, places); }
    (void)pthread_mutex_unlock(&q->lock);
    if (closed) { return rw_fail(err, RW_E_BUSY, "the server is stopping"); }
    if (full) {
        return rw_fail(err, RW_E_FULL, "%zu requests wait already; send it again later",
                       q->capacity);
    }
    if (!in) {
        RW_IGNORE(rw_fail(err, RW_E_LIMITED, "too many requests of this tenant wait already"),
                  "a hint follows");
        return rw_hint(err, "nothing was done; send it again later (Retry-After)");
    }
    return RW_OK;
}

void api_queue_put_back(struct api_queue *q, struct api_job *job)
{
    (void)pthread_mutex_lock(&q->lock);
    append(q, job, api_share_places(q->share, job->route));
    (void)pthread_mutex_unlock(&q->lock);
}

struct api_sink api_queue_sink(struct api_queue *q)
{
    return (struct api_sink){.submit = submit, .ctx = q};
}

static struct timespec deadline_after(int64_t wait_ms)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += wait_ms / 1000;
    t.tv_nsec += (wait_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

struct api_job *api_queue_take(struct api_queue *q, int64_t wait_ms)
{
    struct timespec deadline = deadline_after(wait_ms > 0 ? wait_ms : 0);
    int waited = wait_ms > 0 ? 0 : ETIMEDOUT;
    (void)pthread_mutex_lock(&q->lock);
    while (q->first == NULL && !q->woken && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&q->changed, &q->lock, &deadline);
    }
    /* A worker that shares our core was stopped by what it sent us: it may send the rest of what it has read first,
     * for one commit of all. Nobody waits for requests that are not there: with nothing else to run this returns at
     * once. */
    if (q->first != NULL) {
        (void)pthread_mutex_unlock(&q->lock);
        (void)sched_yield();
        (void)pthread_mutex_lock(&q->lock);
    }
    struct api_job *jobs = q->first;
    q->first = NULL;
    q->last = &q->first;
    q->depth = 0;
    q->places = 0;
    api_share_clear(q->share);
    q->woken = false;
    (void)pthread_mutex_unlock(&q->lock);
    return jobs;
}

void api_queue_wake(struct api_queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->woken = true;
    (void)pthread_cond_signal(&q->changed);
    (void)pthread_mutex_unlock(&q->lock);
}

void api_queue_close(struct api_queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->closed = true;
    (void)pthread_mutex_unlock(&q->lock);
}

size_t api_queue_depth(struct api_queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    size_t depth = q->depth;
    (void)pthread_mutex_unlock(&q->lock);
    return depth;
}
