#include "server/api/api_aside.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LOOK_MS = 60000 };

struct api_aside {
    struct api_queue *waiting;
    struct api_queue *back;
    pthread_t thread;
    bool running; /* the caller's */
    atomic_bool ending;
};

void api_aside_run(struct api_job *job, struct api_queue *back)
{
    void (*step)(struct api_job * job) = job->aside;
    job->aside = NULL;
    step(job);
    if (job->reply.status != 0) {
        api_job_done(job);
        return;
    }
    RW_ASSERT(job->resume != NULL);
    api_queue_put_back(back, job);
}

static void *run(void *arg)
{
    struct api_aside *a = arg;
    for (;;) {
        /* Asked for before the look: what was submitted before the end is worked off. */
        bool ending = atomic_load(&a->ending);
        struct api_job *job = api_queue_take(a->waiting, ending ? 0 : LOOK_MS);
        if (job == NULL && ending) { return NULL; }
        while (job != NULL) {
            struct api_job *next = job->next;
            api_aside_run(job, a->back);
            job = next;
        }
    }
}

RW_RC api_aside_start(size_t capacity, struct api_queue *back, struct api_aside **out,
                      struct rw_err *err)
{
    struct api_aside *a = rw_mem_new(sizeof(*a));
    if (a == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a thread"); }
    a->back = back;
    struct rw_rc rc = api_queue_new(capacity, &a->waiting, err);
    if (rw_is_ok(rc)) {
        int failed = pthread_create(&a->thread, NULL, run, a);
        if (failed != 0) {
            rc = rw_fail_errno(err, RW_E_PROCESS, failed, "starting the thread beside the core");
        }
    }
    if (!rw_is_ok(rc)) {
        api_queue_free(a->waiting);
        rw_mem_free(a);
        return rc;
    }
    a->running = true;
    *out = a;
    return RW_OK;
}

RW_RC api_aside_submit(struct api_aside *a, struct api_job *job, struct rw_err *err)
{
    struct api_sink sink = api_queue_sink(a->waiting);
    return sink.submit(sink.ctx, job, err);
}

bool api_aside_end(struct api_aside *a)
{
    if (!a->running) { return false; }
    api_queue_close(a->waiting);
    atomic_store(&a->ending, true);
    api_queue_wake(a->waiting);
    (void)pthread_join(a->thread, NULL);
    a->running = false;
    return true;
}

void api_aside_free(struct api_aside *a)
{
    if (a == NULL) { return; }
    (void)api_aside_end(a);
    api_queue_free(a->waiting);
    rw_mem_free(a);
}
