/* Goal: finished jobs reach the worker they came from, in their order, whatever others are handed back with them. */
#include "server/api/http_inbox.h"
#include "tests/harness.h"

#include <poll.h>

enum { WORKERS = 3, JOBS = 40 };

static bool is_told(const struct http_inbox *in)
{
    struct pollfd p = {.fd = http_inbox_fd(in), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

TEST(jobs_of_many_workers_come_back_to_their_own_in_order)
{
    struct rw_err err = {0};
    struct http_inbox *in[WORKERS];
    struct api_job *chain = NULL;
    struct api_job **end = &chain;
    for (size_t i = 0; i < WORKERS; i++) {
        MUST(http_inbox_new(&in[i], &err));
    }
    for (size_t i = 0; i < JOBS; i++) {
        struct api_job *job = http_inbox_job_new(in[i * i % WORKERS]);
        assert_non_null(job);
        job->target_bytes = i;
        *end = job;
        end = &job->next;
    }
    api_job_done_all(chain);
    size_t seen = 0;
    for (size_t w = 0; w < WORKERS; w++) {
        bool told = is_told(in[w]);
        struct api_job *job = http_inbox_take(in[w]);
        assert_int_equal(told, job != NULL);
        struct api_job *next = NULL;
        for (size_t before = 0; job != NULL; job = next) {
            next = job->next;
            assert_ptr_equal(job->inbox, in[w]);
            assert_true(before == 0 || job->target_bytes > before);
            before = job->target_bytes;
            http_inbox_job_free(job);
            seen++;
        }
        http_inbox_unref(in[w]);
    }
    assert_int_equal(seen, JOBS);
}

/* Leaks and uses after the end are for the sanitizers to see. */
TEST(jobs_of_a_worker_that_is_gone_are_freed_and_others_come_back)
{
    struct rw_err err = {0};
    struct http_inbox *gone = NULL;
    struct http_inbox *here = NULL;
    MUST(http_inbox_new(&gone, &err));
    MUST(http_inbox_new(&here, &err));
    struct api_job *a = http_inbox_job_new(gone);
    struct api_job *b = http_inbox_job_new(here);
    struct api_job *c = http_inbox_job_new(gone);
    assert_true(a != NULL && b != NULL && c != NULL);
    a->next = b;
    b->next = c;
    assert_null(http_inbox_close(gone));
    http_inbox_unref(gone); /* its jobs hold the last references */
    api_job_done_all(a);
    assert_ptr_equal(http_inbox_take(here), b);
    assert_null(b->next);
    api_job_done(b);
    assert_ptr_equal(http_inbox_take(here), b);
    http_inbox_job_free(b);
    http_inbox_unref(here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_of_many_workers_come_back_to_their_own_in_order),
        cmocka_unit_test(jobs_of_a_worker_that_is_gone_are_freed_and_others_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
