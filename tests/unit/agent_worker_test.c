/* Goal: a helper runs one job at a time, wakes the loop when it is done, and a job that hangs does not keep the
 * agent. */
#include "agent/agent_worker.h"

#include "tests/harness.h"

#include <poll.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

/* So much the wall clock is set back right after it was read. */
static time_t wall_lead_s;

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, out);
    if (clock == CLOCK_REALTIME) { out->tv_sec += wall_lead_s; }
    return failed;
}

struct job {
    int runs;
    sem_t begun; /* hanging jobs tell */
    sem_t go;    /* and wait for it */
};

static void count(void *ctx)
{
    struct job *j = ctx;
    j->runs++;
}

static void hang(void *ctx)
{
    struct job *j = ctx;
    (void)sem_post(&j->begun);
    (void)sem_wait(&j->go);
    j->runs++;
}

static bool wait_done(struct agent_worker *w, int timeout_ms)
{
    struct pollfd p = {.fd = w->done_fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) > 0;
}

TEST(each_job_wakes_the_loop_once)
{
    struct rw_err err;
    struct agent_worker w;
    struct job j = {.runs = 0};
    MUST(agent_worker_start(&w, &err));
    assert_false(agent_worker_take(&w));
    for (int i = 1; i <= 20; i++) {
        agent_worker_submit(&w, count, &j);
        assert_true(w.busy);
        assert_true(wait_done(&w, 5000));
        assert_true(agent_worker_take(&w));
        assert_false(w.busy);
        assert_false(agent_worker_take(&w));
        assert_int_equal(j.runs, i);
    }
    assert_true(agent_worker_stop(&w, 5000));
}

TEST(a_job_that_hangs_does_not_keep_the_loop_nor_the_end)
{
    struct rw_err err;
    struct agent_worker w;
    struct job j = {.runs = 0};
    (void)sem_init(&j.begun, 0, 0);
    (void)sem_init(&j.go, 0, 0);
    MUST(agent_worker_start(&w, &err));
    agent_worker_submit(&w, hang, &j);
    assert_false(wait_done(&w, 50));
    assert_false(agent_worker_take(&w));
    assert_false(agent_worker_stop(&w, 50)); /* its data must stay */
    assert_int_equal(j.runs, 0);
    (void)sem_post(&j.go);
    assert_true(agent_worker_stop(&w, 5000));
    assert_int_equal(j.runs, 1);
    (void)sem_destroy(&j.begun);
    (void)sem_destroy(&j.go);
}

TEST(a_wall_clock_that_is_set_back_does_not_keep_the_end)
{
    struct rw_err err;
    struct agent_worker w;
    struct timespec from;
    struct timespec to;
    struct job j = {.runs = 0};
    (void)sem_init(&j.begun, 0, 0);
    (void)sem_init(&j.go, 0, 0);
    MUST(agent_worker_start(&w, &err));
    agent_worker_submit(&w, hang, &j);
    assert_int_equal(sem_wait(&j.begun), 0);
    wall_lead_s = 20;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &from), 0);
    assert_false(agent_worker_stop(&w, 50));
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &to), 0);
    wall_lead_s = 0;
    assert_in_range(to.tv_sec - from.tv_sec, 0, 15);
    (void)sem_post(&j.go);
    assert_true(agent_worker_stop(&w, 5000));
    (void)sem_destroy(&j.begun);
    (void)sem_destroy(&j.go);
}

TEST(a_worker_without_a_job_ends_at_once)
{
    struct rw_err err;
    int before = harness_open_fds();
    struct agent_worker w;
    MUST(agent_worker_start(&w, &err));
    assert_true(agent_worker_stop(&w, 5000));
    assert_int_equal(harness_open_fds(), before);
}

RUN_TESTS(cmocka_unit_test(each_job_wakes_the_loop_once),
          cmocka_unit_test(a_job_that_hangs_does_not_keep_the_loop_nor_the_end),
          cmocka_unit_test(a_wall_clock_that_is_set_back_does_not_keep_the_end),
          cmocka_unit_test(a_worker_without_a_job_ends_at_once))
