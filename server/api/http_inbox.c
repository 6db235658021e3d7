#include "server/api/http_inbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct http_inbox {
    pthread_mutex_t lock; /* guards first, last, closed */
    struct api_job *first;
    struct api_job *last;
    bool closed;
    int fd;
    atomic_uint refs;
};

RW_RC http_inbox_new(struct http_inbox **out, struct rw_err *err)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "eventfd"); }
    struct http_inbox *in = rw_mem_new(sizeof(*in));
    if (in == NULL) {
        (void)close(fd);
        return rw_fail(err, RW_E_NOMEM, "no memory for an inbox");
    }
    in->fd = fd;
    atomic_init(&in->refs, 1U);
    (void)pthread_mutex_init(&in->lock, NULL); /* default attributes: cannot fail on Linux */
    *out = in;
    return RW_OK;
}

struct http_inbox *http_inbox_ref(struct http_inbox *in)
{
    unsigned had = atomic_fetch_add(&in->refs, 1U);
    RW_ASSERT(had >= 1);
    return in;
}

void http_inbox_unref(struct http_inbox *in)
{
    unsigned had = atomic_fetch_sub(&in->refs, 1U);
    RW_ASSERT(had >= 1);
    if (had > 1) { return; }
    RW_ASSERT(in->first == NULL); /* every queued job holds a reference */
    (void)pthread_mutex_destroy(&in->lock);
    (void)close(in->fd);
    rw_mem_free(in);
}

int http_inbox_fd(const struct http_inbox *in)
{
    return in->fd;
}

/* A full counter still is readable, so a write that would block has done its work already. */
void http_inbox_wake(struct http_inbox *in)
{
    const uint64_t one = 1;
    while (write(in->fd, &one, sizeof(one)) < 0 && errno == EINTR) {}
}

bool http_inbox_put(struct http_inbox *in, struct api_job *jobs)
{
    struct api_job *last = jobs;
    while (last->next != NULL) {
        last = last->next;
    }
    (void)pthread_mutex_lock(&in->lock);
    bool taken = !in->closed;
    bool first = in->first == NULL;
    if (taken) {
        if (first) { in->first = jobs; }
        if (!first) { in->last->next = jobs; }
        in->last = last;
        /* Inside the lock: behind it the jobs' references, and with it the descriptor, may be gone. */
        if (first) { http_inbox_wake(in); }
    }
    (void)pthread_mutex_unlock(&in->lock);
    return taken;
}

static struct api_job *take_all(struct http_inbox *in)
{
    struct api_job *jobs = in->first;
    in->first = NULL;
    in->last = NULL;
    return jobs;
}

struct api_job *http_inbox_take(struct http_inbox *in)
{
    uint64_t count = 0;
    while (read(in->fd, &count, sizeof(count)) < 0 && errno == EINTR) {}
    (void)pthread_mutex_lock(&in->lock);
    struct api_job *jobs = take_all(in);
    (void)pthread_mutex_unlock(&in->lock);
    return jobs;
}

struct api_job *http_inbox_close(struct http_inbox *in)
{
    (void)pthread_mutex_lock(&in->lock);
    in->closed = true;
    struct api_job *jobs = take_all(in);
    (void)pthread_mutex_unlock(&in->lock);
    return jobs;
}

struct api_job *http_inbox_job_new(struct http_inbox *in)
{
    struct api_job *job = rw_mem_new(sizeof(*job));
    if (job == NULL) { return NULL; }
    *job = api_job_make();
    job->inbox = http_inbox_ref(in);
    return job;
}

void http_inbox_job_free(struct api_job *job)
{
    if (job == NULL) { return; }
    struct http_inbox *in = job->inbox;
    api_job_drop(job);
    rw_mem_free(job);
    if (in != NULL) { http_inbox_unref(in); }
}
