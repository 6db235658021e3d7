#include "server/api/api_job.h"

#include "common/base/file.h"
#include "common/base/num.h"
#include "server/api/http_inbox.h"
#include "server/api/http_reply.h"

#include <string.h>

struct api_job api_job_make(void)
{
    return (struct api_job){
        .reply = {.body = rw_buf_make(API_REPLY_BYTES_MAX), .retry_after_s = -1, .file_fd = -1},
        .body = rw_buf_make(1)};
}

void api_job_drop(struct api_job *job)
{
    if (job->prepared_drop != NULL && job->prepared != NULL) { job->prepared_drop(job->prepared); }
    rw_buf_drop(&job->reply.body);
    if (job->reply.file_fd >= 0) { rw_fd_drop(&job->reply.file_fd); }
    rw_buf_drop(&job->body);
    *job = api_job_make();
}

/* Cuts the jobs of one inbox out of the chain; their order stays. */
static struct api_job *take_of(const struct http_inbox *in, struct api_job **jobs)
{
    struct api_job *taken = NULL;
    struct api_job **end = &taken;
    while (*jobs != NULL) {
        struct api_job *job = *jobs;
        if (job->inbox != in) {
            jobs = &job->next;
            continue;
        }
        *jobs = job->next;
        *end = job;
        end = &job->next;
    }
    *end = NULL;
    return taken;
}

void api_job_done_all(struct api_job *jobs)
{
    while (jobs != NULL) {
        struct http_inbox *in = jobs->inbox;
        struct api_job *same = take_of(in, &jobs);
        bool taken = false;
        if (in != NULL) {
            (void)http_inbox_ref(
                in); /* its jobs may be gone, and with them the last reference, before put returns */
            taken = http_inbox_put(in, same);
        }
        while (!taken && same != NULL) {
            struct api_job *next = same->next;
            http_inbox_job_free(same);
            same = next;
        }
        if (in != NULL) { http_inbox_unref(in); }
    }
}

void api_job_done(struct api_job *job)
{
    job->next = NULL;
    api_job_done_all(job);
}

void api_reply_error(struct api_job *job, const struct rw_err *err)
{
    struct rw_err unused;
    struct api_reply *r = &job->reply;
    rw_buf_clear(&r->body);
    if (r->file_fd >= 0) { rw_fd_drop(&r->file_fd); }
    r->content_type = NULL;
    r->status = rw_code_http_status(err->code);
    bool later = r->status == 503 || r->status == 429;
    if (later && r->retry_after_s < 0) { r->retry_after_s = API_RETRY_AFTER_S; }
    /* Without memory for the text the status alone must do. */
    if (!rw_is_ok(http_reply_error_json(err, &r->body, &unused))) { rw_buf_clear(&r->body); }
}

bool api_query_find(const struct api_request *req, const char *name, struct rw_span *out)
{
    struct rw_span rest = req->query;
    size_t name_n = strlen(name);
    while (rest.n > 0) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] != '&') {
            n++;
        }
        struct rw_span pair = rw_span_of(rest.p, n);
        if (pair.n > name_n && pair.p[name_n] == '=' && rw_span_starts(pair, name)) {
            *out = rw_span_of(pair.p + name_n + 1, pair.n - name_n - 1);
            return true;
        }
        rest = n == rest.n ? rw_span_of(NULL, 0) : rw_span_of(rest.p + n + 1, rest.n - n - 1);
    }
    return false;
}

RW_RC api_query_after(const struct api_request *req, const char *form,
                      struct rw_span parts[static 3], bool *given_out, struct rw_err *err)
{
    struct rw_span rest;
    *given_out = api_query_find(req, "after", &rest);
    if (!*given_out) { return RW_OK; }
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *slash = rest.n == 0 ? NULL : memchr(rest.p, '/', rest.n);
        if (slash == NULL) { return rw_fail(err, RW_E_SCHEMA, "'after' is not %s", form); }
        size_t n = (size_t)(slash - rest.p);
        parts[i] = rw_span_of(rest.p, n);
        rest = rw_span_of(slash + 1, rest.n - n - 1);
    }
    parts[2] = rest;
    return RW_OK;
}

RW_RC api_query_i64(const struct api_request *req, const char *name, int64_t min, int64_t max,
                    int64_t *inout, struct rw_err *err)
{
    struct rw_span value;
    if (!api_query_find(req, name, &value)) { return RW_OK; }
    return rw_parse_i64(value, min, max, name, inout, err);
}
