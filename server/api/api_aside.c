#include "server/api/api_aside.h"

#include "server/api/limit_rule.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LOOK_MS = 60000 };

struct lane {
    struct api_aside *whole;
    struct api_queue *waiting;
    pthread_t thread;
    bool running; /* the caller's */
};

struct api_aside {
    struct lane lanes[API_LANES];
    struct api_queue *back;
    bool ended; /* the caller's */
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
    struct lane *l = arg;
    for (;;) {
        /* Asked for before the look: what was submitted before the end is worked off. */
        bool ending = atomic_load(&l->whole->ending);
        struct api_job *job = api_queue_take(l->waiting, ending ? 0 : LOOK_MS);
        if (job == NULL && ending) { return NULL; }
        while (job != NULL) {
            struct api_job *next = job->next;
            api_aside_run(job, l->whole->back);
            job = next;
        }
    }
}

static RW_RC start(struct api_aside *a, struct lane *l, size_t capacity, struct rw_err *err)
{
    l->whole = a;
    RW_TRY(api_queue_new(capacity, LIMIT_SHARE_MAX, &l->waiting, err));
    int failed = pthread_create(&l->thread, NULL, run, l);
    if (failed != 0) {
        return rw_fail_errno(err, RW_E_PROCESS, failed, "starting a thread beside the core");
    }
    l->running = true;
    return RW_OK;
}

RW_RC api_aside_start(size_t capacity, struct api_queue *back, struct api_aside **out,
                      struct rw_err *err)
{
    struct rw_rc rc = RW_OK;
    struct api_aside *a = rw_mem_new(sizeof(*a));
    if (a == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for threads"); }
    a->back = back;
    for (size_t i = 0; rw_is_ok(rc) && i < API_LANES; i++) {
        rc = start(a, &a->lanes[i], capacity, err);
    }
    if (!rw_is_ok(rc)) {
        api_aside_free(a);
        return rc;
    }
    *out = a;
    return RW_OK;
}

RW_RC api_aside_submit(struct api_aside *a, struct api_job *job, struct rw_err *err)
{
    RW_ASSERT(job->lane < API_LANES);
    struct api_sink sink = api_queue_sink(a->lanes[job->lane].waiting);
    return sink.submit(sink.ctx, job, err);
}

bool api_aside_end(struct api_aside *a)
{
    if (a->ended) { return false; }
    a->ended = true;
    atomic_store(&a->ending, true);
    for (size_t i = 0; i < API_LANES; i++) { /* all are told before one is waited for */
        if (!a->lanes[i].running) { continue; }
        api_queue_close(a->lanes[i].waiting);
        api_queue_wake(a->lanes[i].waiting);
    }
    for (size_t i = 0; i < API_LANES; i++) {
        if (a->lanes[i].running) { (void)pthread_join(a->lanes[i].thread, NULL); }
        a->lanes[i].running = false;
    }
    return true;
}

void api_aside_free(struct api_aside *a)
{
    if (a == NULL) { return; }
    (void)api_aside_end(a);
    for (size_t i = 0; i < API_LANES; i++) {
        api_queue_free(a->lanes[i].waiting);
    }
    rw_mem_free(a);
}
