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

void api_job_done(struct api_job *job)
{
    if (job->inbox == NULL) { /* bound to no worker */
        http_inbox_job_free(job);
        return;
    }
    /* The worker may free the job, and the inbox with its last reference, before put returns. */
    struct http_inbox *in = http_inbox_ref(job->inbox);
    if (!http_inbox_put(in, job)) { http_inbox_job_free(job); }
    http_inbox_unref(in);
}

void api_reply_error(struct api_job *job, const struct rw_err *err)
{
    struct rw_err unused;
    struct api_reply *r = &job->reply;
    rw_buf_clear(&r->body);
    if (r->file_fd >= 0) { rw_fd_drop(&r->file_fd); }
    r->content_type = NULL;
    r->status = rw_code_http_status(err->code);
    if (r->status == 503 && r->retry_after_s < 0) { r->retry_after_s = API_RETRY_AFTER_S; }
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

RW_RC api_query_i64(const struct api_request *req, const char *name, int64_t min, int64_t max,
                    int64_t *inout, struct rw_err *err)
{
    struct rw_span value;
    if (!api_query_find(req, name, &value)) { return RW_OK; }
    return rw_parse_i64(value, min, max, name, inout, err);
}
