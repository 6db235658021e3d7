/* Goal: jobs that take long run on another thread than the core's, come back exactly once, and are not lost by an
 * end. */
#include "server/api/api_aside.h"
#include "tests/harness.h"

#include <pthread.h>

enum { FOREVER_MS = 60000, CAPACITY = 2 };

static struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int entered;
    bool open;
    pthread_t seen; /* the thread that ran the last one */
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Stands in the gate until it is opened. */
static void stand(struct api_job *job)
{
    (void)job;
    (void)pthread_mutex_lock(&gate.lock);
    gate.entered++;
    gate.seen = pthread_self();
    (void)pthread_cond_broadcast(&gate.changed);
    while (!gate.open) {
        (void)pthread_cond_wait(&gate.changed, &gate.lock);
    }
    (void)pthread_mutex_unlock(&gate.lock);
}

static void pass(struct api_job *job)
{
    (void)job;
}

static void open_gate(void)
{
    (void)pthread_mutex_lock(&gate.lock);
    gate.open = true;
    (void)pthread_cond_broadcast(&gate.changed);
    (void)pthread_mutex_unlock(&gate.lock);
}

static void wait_entered(int n)
{
    (void)pthread_mutex_lock(&gate.lock);
    while (gate.entered < n) {
        (void)pthread_cond_wait(&gate.changed, &gate.lock);
    }
    (void)pthread_mutex_unlock(&gate.lock);
}

static void resume(void *core, struct api_job *job)
{
    (void)core;
    job->reply.status = 200;
}

struct rig {
    struct api_queue *back;
    struct api_aside *aside;
    struct api_job jobs[CAPACITY + 2];
};

static const struct api_route alone = {.method = "GET", .pattern = "/"};

static void begin(struct rig *r)
{
    struct rw_err err;
    *r = (struct rig){.back = NULL};
    gate.entered = 0;
    gate.open = false;
    MUST(api_queue_new(1, 100, &r->back, &err));
    MUST(api_aside_start(CAPACITY, r->back, &r->aside, &err));
    for (size_t i = 0; i < RW_LEN(r->jobs); i++) {
        r->jobs[i] = api_job_make();
        r->jobs[i].route = &alone;
        r->jobs[i].aside = stand;
        r->jobs[i].resume = resume;
    }
}

static void end(struct rig *r)
{
    (void)api_aside_end(r->aside);
    (void)api_queue_take(r->back, 0); /* the jobs are ours */
    api_aside_free(r->aside);
    api_queue_free(r->back);
}

TEST(a_job_runs_on_another_thread_and_comes_back_to_be_resumed)
{
    struct rw_err err;
    struct rig r;
    begin(&r);
    open_gate();
    MUST(api_aside_submit(r.aside, &r.jobs[0], &err));
    assert_ptr_equal(api_queue_take(r.back, FOREVER_MS), &r.jobs[0]);
    assert_false(pthread_equal(gate.seen, pthread_self()));
    assert_null(r.jobs[0].aside); /* it must not go there again */
    assert_ptr_equal(r.jobs[0].resume, resume);
    assert_int_equal(r.jobs[0].reply.status, 0);
    end(&r);
}

TEST(more_than_may_wait_are_refused_and_left_with_the_caller)
{
    struct rw_err err;
    struct rig r;
    begin(&r);
    MUST(api_aside_submit(r.aside, &r.jobs[0], &err));
    wait_entered(1); /* out of the queue, on the thread */
    MUST(api_aside_submit(r.aside, &r.jobs[1], &err));
    MUST(api_aside_submit(r.aside, &r.jobs[2], &err));
    MUST_FAIL(api_aside_submit(r.aside, &r.jobs[3], &err), RW_E_FULL);
    assert_ptr_equal(r.jobs[3].aside, stand);
    open_gate();
    end(&r);
}

/* A stop: what was taken is finished, in order, also when the way back is closed and full; nothing more is taken. */
TEST(an_end_works_off_what_waits)
{
    struct rw_err err;
    struct rig r;
    begin(&r);
    api_queue_close(r.back);
    MUST(api_aside_submit(r.aside, &r.jobs[0], &err));
    wait_entered(1);
    MUST(api_aside_submit(r.aside, &r.jobs[1], &err));
    MUST(api_aside_submit(r.aside, &r.jobs[2], &err));
    open_gate();
    assert_true(api_aside_end(r.aside));
    assert_false(api_aside_end(r.aside));
    assert_int_equal(api_queue_depth(r.back), 3);
    struct api_job *job = api_queue_take(r.back, 0);
    for (size_t i = 0; i < 3; i++, job = job->next) {
        assert_ptr_equal(job, &r.jobs[i]);
    }
    assert_null(job);
    MUST_FAIL(api_aside_submit(r.aside, &r.jobs[3], &err), RW_E_BUSY);
    end(&r);
}

/* A publication waits for the signer, an upload for the disk: neither holds up what somebody fetches to sign. */
TEST(a_lane_that_stands_still_holds_up_no_other)
{
    struct rw_err err;
    struct rig r;
    begin(&r);
    r.jobs[0].lane = API_LANE_PUBLISH;
    r.jobs[1].lane = API_LANE_UPLOAD;
    r.jobs[2].lane = API_LANE_PUBLISH;
    r.jobs[3].lane = API_LANE_READ;
    r.jobs[3].aside = pass;
    for (size_t i = 0; i < RW_LEN(r.jobs); i++) {
        MUST(api_aside_submit(r.aside, &r.jobs[i], &err));
    }
    assert_ptr_equal(api_queue_take(r.back, FOREVER_MS), &r.jobs[3]);
    wait_entered(2); /* and no third: within a lane they follow each other */
    assert_int_equal(api_queue_depth(r.back), 0);
    (void)pthread_mutex_lock(&gate.lock);
    assert_int_equal(gate.entered, 2);
    (void)pthread_mutex_unlock(&gate.lock);
    open_gate();
    assert_true(api_aside_end(r.aside));
    assert_int_equal(gate.entered, 3);
    assert_int_equal(api_queue_depth(r.back), 3);
    end(&r);
}

RUN_TESTS(cmocka_unit_test(a_job_runs_on_another_thread_and_comes_back_to_be_resumed),
          cmocka_unit_test(more_than_may_wait_are_refused_and_left_with_the_caller),
          cmocka_unit_test(an_end_works_off_what_waits),
          cmocka_unit_test(a_lane_that_stands_still_holds_up_no_other))
