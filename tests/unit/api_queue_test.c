/* Goal: the queue is bounded, keeps the order of arrival, loses nothing between threads and never makes the core
 * thread wait when there is work. */
#include "server/api/api_queue.h"
#include "tests/harness.h"

#include <pthread.h>
#include <time.h>

enum { FOREVER_MS = 60000, PRODUCERS = 4, EACH = 500 };

static const struct api_route together = {.method = "POST", .pattern = "/", .batched = true};

static struct api_queue *make(size_t capacity)
{
    struct rw_err err;
    struct api_queue *q = NULL;
    MUST(api_queue_new(capacity, 100, &q, &err));
    return q;
}

static void init(struct api_job *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        jobs[i] = api_job_make();
        jobs[i].route = &together;
    }
}

TEST(jobs_come_out_in_the_order_of_arrival)
{
    struct rw_err err;
    struct api_job jobs[3];
    struct api_queue *q = make(3);
    struct api_sink sink = api_queue_sink(q);
    init(jobs, 3);
    for (size_t i = 0; i < 3; i++) {
        MUST(sink.submit(sink.ctx, &jobs[i], &err));
    }
    assert_int_equal(api_queue_depth(q), 3);
    struct api_job *taken = api_queue_take(q, FOREVER_MS);
    assert_ptr_equal(taken, &jobs[0]);
    assert_ptr_equal(taken->next, &jobs[1]);
    assert_ptr_equal(taken->next->next, &jobs[2]);
    assert_null(taken->next->next->next);
    assert_int_equal(api_queue_depth(q), 0);
    assert_null(api_queue_take(q, 0));
    api_queue_free(q);
}

TEST(a_full_queue_refuses_and_leaves_the_job_with_the_caller)
{
    struct rw_err err;
    struct api_job jobs[2];
    struct api_queue *q = make(1);
    struct api_sink sink = api_queue_sink(q);
    init(jobs, 2);
    MUST(sink.submit(sink.ctx, &jobs[0], &err));
    MUST_FAIL(sink.submit(sink.ctx, &jobs[1], &err), RW_E_FULL);
    assert_ptr_equal(api_queue_take(q, 0), &jobs[0]);
    MUST(sink.submit(sink.ctx, &jobs[1], &err));
    assert_ptr_equal(api_queue_take(q, 0), &jobs[1]);
    api_queue_free(q);
}

/* INV-11: whatever one tenant sends, another finds room; and operators do, whose tenant floods. */
TEST(a_tenant_gets_its_share_and_leaves_room_for_others)
{
    struct rw_err err;
    struct api_job jobs[20];
    struct api_queue *q = NULL;
    size_t red = 0;
    MUST(api_queue_new(16, 75, &q, &err));
    struct api_sink sink = api_queue_sink(q);
    init(jobs, RW_LEN(jobs));
    for (size_t i = 0; i < RW_LEN(jobs); i++) {
        bool floods = i < 17;
        jobs[i].req.who.level = i == 18 ? API_AUTH_OPERATOR : API_AUTH_ENDPOINT;
        (void)snprintf(jobs[i].req.who.tenant, API_TENANT_BYTES,
                       floods || i == 18 ? "red" : "blue");
        struct rw_rc rc = sink.submit(sink.ctx, &jobs[i], &err);
        if (floods && rw_is_ok(rc)) { red++; }
        if (floods && !rw_is_ok(rc)) { assert_int_equal(rc.code, RW_E_LIMITED); }
        if (!floods) { MUST(rc); }
    }
    assert_int_equal(red, 12); /* three quarters */
    assert_int_equal(api_queue_depth(q), 15);
    assert_non_null(api_queue_take(q, 0));
    MUST(sink.submit(sink.ctx, &jobs[0], &err)); /* an empty queue forgets */
    assert_non_null(api_queue_take(q, 0));
    api_queue_free(q);
}

TEST(a_job_that_runs_alone_takes_the_room_of_many)
{
    static const struct api_route alone = {.method = "GET", .pattern = "/"};
    static struct api_job jobs[130];
    struct rw_err err;
    struct api_queue *q = make(1280);
    struct api_sink sink = api_queue_sink(q);
    init(jobs, RW_LEN(jobs));
    for (size_t i = 0; i < 128; i++) {
        jobs[i].route = &alone;
        MUST(sink.submit(sink.ctx, &jobs[i], &err));
    }
    MUST_FAIL(sink.submit(sink.ctx, &jobs[128], &err), RW_E_FULL);
    api_queue_put_back(q, &jobs[129]); /* what was in is never refused */
    assert_int_equal(api_queue_depth(q), 129);
    assert_non_null(api_queue_take(q, 0));
    api_queue_free(q);
}

TEST(a_closed_queue_refuses_and_gives_what_is_in_it)
{
    struct rw_err err;
    struct api_job jobs[2];
    struct api_queue *q = make(2);
    struct api_sink sink = api_queue_sink(q);
    init(jobs, 2);
    MUST(sink.submit(sink.ctx, &jobs[0], &err));
    api_queue_close(q);
    MUST_FAIL(sink.submit(sink.ctx, &jobs[1], &err), RW_E_BUSY);
    assert_ptr_equal(api_queue_take(q, FOREVER_MS), &jobs[0]);
    api_queue_free(q);
}

TEST(a_wake_before_the_wait_is_not_lost)
{
    struct api_queue *q = make(1);
    api_queue_wake(q);
    assert_null(api_queue_take(q, FOREVER_MS)); /* returns at once, or the test times out */
    api_queue_free(q);
}

TEST(a_wait_without_work_ends_at_its_time)
{
    struct api_queue *q = make(1);
    struct timespec before;
    struct timespec behind;
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    assert_null(api_queue_take(q, 30));
    (void)clock_gettime(CLOCK_MONOTONIC, &behind);
    int64_t ms =
        (behind.tv_sec - before.tv_sec) * 1000 + (behind.tv_nsec - before.tv_nsec) / 1000000;
    assert_true(ms >= 29);
    api_queue_free(q);
}

static struct api_job many[PRODUCERS][EACH];
static struct api_queue *shared;

static void *produce(void *arg)
{
    struct api_sink sink = api_queue_sink(shared);
    struct api_job *mine = arg;
    for (size_t i = 0; i < EACH; i++) {
        struct rw_err err;
        while (!rw_is_ok(sink.submit(sink.ctx, &mine[i], &err))) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 10000}, NULL); /* full: try again */
        }
    }
    return NULL;
}

TEST(many_threads_lose_no_job_and_keep_their_own_order)
{
    pthread_t threads[PRODUCERS];
    size_t next[PRODUCERS] = {0};
    size_t total = 0;
    shared = make(64);
    for (size_t p = 0; p < PRODUCERS; p++) {
        init(many[p], EACH);
        assert_int_equal(pthread_create(&threads[p], NULL, produce, many[p]), 0);
    }
    while (total < (size_t)PRODUCERS * EACH) {
        for (struct api_job *job = api_queue_take(shared, FOREVER_MS); job != NULL;
             job = job->next) {
            size_t p = (size_t)(job - &many[0][0]) / EACH;
            assert_ptr_equal(job, &many[p][next[p]]);
            next[p]++;
            total++;
        }
    }
    for (size_t p = 0; p < PRODUCERS; p++) {
        (void)pthread_join(threads[p], NULL);
    }
    assert_int_equal(api_queue_depth(shared), 0);
    api_queue_free(shared);
}

RUN_TESTS(cmocka_unit_test(jobs_come_out_in_the_order_of_arrival),
          cmocka_unit_test(a_full_queue_refuses_and_leaves_the_job_with_the_caller),
          cmocka_unit_test(a_tenant_gets_its_share_and_leaves_room_for_others),
          cmocka_unit_test(a_job_that_runs_alone_takes_the_room_of_many),
          cmocka_unit_test(a_closed_queue_refuses_and_gives_what_is_in_it),
          cmocka_unit_test(a_wake_before_the_wait_is_not_lost),
          cmocka_unit_test(a_wait_without_work_ends_at_its_time),
          cmocka_unit_test(many_threads_lose_no_job_and_keep_their_own_order))
