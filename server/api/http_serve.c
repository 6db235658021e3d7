#include "server/api/http_serve.h"

#include "server/api/http_route.h"
#include "server/api/http_static.h"

#define REPO_PREFIX "/repo/"

enum { LIMITED_BODY_BYTES_MAX = 65536 }; /* larger ones are not read only to be thrown away */

static const char *method_name(enum api_method method)
{
    static const char *const names[] = {"GET", "HEAD", "POST"};
    RW_ASSERT((size_t)method < RW_LEN(names));
    return names[method];
}

struct http_reply http_serve_refusal(const struct http_head *head)
{
    struct rw_err err;
    struct http_reply r = http_reply_make();
    bool too_big = head->status == 414 || head->status == 431;
    RW_IGNORE(rw_fail(&err, too_big ? RW_E_TOO_BIG : RW_E_SYNTAX, "byte %zu of the request: %s",
                      head->wrong_at, head->why),
              "it is the answer");
    http_reply_error(&r, head->status, &err);
    r.close = true; /* where the next request would begin is not known any more */
    return r;
}

static struct http_reply refuse(const struct http_ask *ask, int status, const struct rw_err *err)
{
    struct http_reply r = http_reply_make();
    r.head_only = ask->head->method == API_HEAD;
    http_reply_error(&r, status, err);
    return r;
}

static struct http_reply refuse_method(const struct http_ask *ask, const char *allow)
{
    struct rw_err err;
    RW_IGNORE(
        rw_fail(&err, RW_E_USAGE, "%s is not what this path takes", method_name(ask->head->method)),
        "it is the answer");
    RW_IGNORE(rw_hint(&err, "use %s", allow), "it is the answer");
    struct http_reply r = refuse(ask, 405, &err);
    r.allow = allow;
    return r;
}

static struct http_reply serve_file(const struct http_ask *ask, struct rw_span path)
{
    const struct http_head *h = ask->head;
    const size_t n = sizeof(REPO_PREFIX) - 1;
    if (h->method == API_POST) { return refuse_method(ask, "GET, HEAD"); }
    const struct http_static_ask file = {
        .path = rw_span_of(path.p + n, path.n - n),
        .if_none_match = http_parse_slice(ask->bytes, h->if_none_match),
        .if_range = http_parse_slice(ask->bytes, h->if_range),
        .range = http_parse_slice(ask->bytes, h->range),
        .head_only = h->method == API_HEAD,
    };
    return http_static_answer(ask->files, &file);
}

static struct rw_span moved(struct rw_span piece, struct rw_span from, const uint8_t *to)
{
    return piece.n == 0 ? rw_span_of(NULL, 0) : rw_span_of(to + (piece.p - from.p), piece.n);
}

/* Copies what the request says into the job, which outlives the input buffer. */
static void fill_request(struct api_job *job, const struct http_ask *ask,
                         const struct http_match *match)
{
    const struct http_head *h = ask->head;
    struct rw_span path = http_parse_slice(ask->bytes, h->path);
    struct rw_span query = http_parse_slice(ask->bytes, h->query);
    /* Path and query lie side by side in the head, a '?' between them. */
    struct rw_span target = path;
    if (query.n > 0) { target.n = path.n + 1 + query.n; }
    job->route = match->route;
    job->target_bytes = target.n;
    rw_copy(job->target, sizeof(job->target), target.p, target.n);
    job->req.method = h->method;
    job->req.path = moved(path, target, job->target);
    job->req.query = moved(query, target, job->target);
    for (size_t i = 0; i < API_PARAMS_MAX; i++) {
        job->req.params[i] = moved(match->params[i], target, job->target);
    }
    struct rw_span peer = rw_span_str(ask->peer.text);
    RW_ASSERT(peer.n < sizeof(job->req.peer));
    rw_copy(job->req.peer, sizeof(job->req.peer), peer.p, peer.n + 1);
    job->body = rw_buf_make(match->route->body_bytes_max == 0 ? 1 : match->route->body_bytes_max);
}

/* Who asks too much? Whoever has proven who he is answers for himself, whether his token may pass here or not; all
 * others for their address. What the worker answers alone is free. */
static RW_RC limit(const struct http_ask *ask, const struct api_route *route,
                   const struct api_identity *who, int64_t *retry_s, struct rw_err *err)
{
    if (route->auth == API_AUTH_NONE) {
        if (route->apply == NULL) { return RW_OK; }
        return http_limit_address(ask->limit, HTTP_LIMIT_OPEN, &ask->peer, retry_s, err);
    }
    if (who->level == API_AUTH_NONE) {
        return http_limit_address(ask->limit, HTTP_LIMIT_STRANGER, &ask->peer, retry_s, err);
    }
    return http_limit_known(ask->limit, who, &ask->peer, retry_s, err);
}

static RW_RC admit(const struct http_settings *set, const struct http_ask *ask,
                   const struct api_route *route, struct api_identity *who, int64_t *retry_s,
                   struct rw_err *err)
{
    const struct http_head *h = ask->head;
    struct rw_err why;
    struct rw_rc rc = RW_OK;
    if (route->auth != API_AUTH_NONE) {
        rc = http_auth_check(set->auth, route->auth, http_parse_slice(ask->bytes, h->authorization),
                             who, &why);
    }
    RW_TRY(limit(ask, route, who, retry_s, err));
    if (!rw_is_ok(rc)) {
        *err = why;
        return rc;
    }
    if (h->content_length > route->body_bytes_max) {
        return rw_fail(err, RW_E_TOO_BIG, "the body has %llu bytes, %s takes at most %zu",
                       (unsigned long long)h->content_length, route->pattern,
                       route->body_bytes_max);
    }
    return RW_OK;
}

/* Is the body read, to be thrown away? Only for those who are known, and no more than it may have here. */
static bool may_stay(const struct http_head *h, const struct api_route *route,
                     const struct api_identity *who)
{
    return who->level != API_AUTH_NONE && h->content_length <= route->body_bytes_max &&
           h->content_length <= LIMITED_BODY_BYTES_MAX;
}

struct api_job *http_serve_head(const struct http_settings *set, const struct http_ask *ask,
                                struct http_reply *reply_out)
{
    struct rw_err err;
    int64_t retry_s = -1; /* >= 0: refused by a limit */
    struct api_identity who = {.level = API_AUTH_NONE};
    struct rw_span path = http_parse_slice(ask->bytes, ask->head->path);
    if (ask->files != NULL && rw_span_starts(path, REPO_PREFIX)) {
        *reply_out = serve_file(ask, path);
        return NULL;
    }
    struct http_match match =
        http_route_find(set->routes, set->route_count, ask->head->method, path);
    if (match.route == NULL && match.allow != NULL) {
        *reply_out = refuse_method(ask, match.allow);
        return NULL;
    }
    if (match.route == NULL) {
        RW_IGNORE(rw_fail(&err, RW_E_NOT_FOUND, "there is nothing at this path"), "the answer");
        *reply_out = refuse(ask, 0, &err);
        return NULL;
    }
    struct rw_rc rc = admit(set, ask, match.route, &who, &retry_s, &err);
    if (!rw_is_ok(rc) && (retry_s < 0 || !may_stay(ask->head, match.route, &who))) {
        *reply_out = refuse(ask, 0, &err);
        if (retry_s >= 0) { reply_out->retry_after_s = retry_s; }
        return NULL;
    }
    struct api_job *job = http_inbox_job_new(ask->inbox);
    if (job == NULL) {
        RW_IGNORE(rw_fail(&err, RW_E_NOMEM, "no memory for a request"), "the answer");
        *reply_out = refuse(ask, 0, &err);
        return NULL;
    }
    fill_request(job, ask, &match);
    job->req.who = who;
    if (!rw_is_ok(rc)) {
        job->reply.retry_after_s = retry_s;
        api_reply_error(job, &err);
    }
    return job;
}

bool http_serve_job(const struct http_settings *set, struct http_limit *limit, struct api_job *job,
                    struct http_reply *reply_out)
{
    struct rw_err err;
    if (job->reply.status == 0 && job->route->prepare != NULL) { job->route->prepare(job); }
    if (job->reply.status == 0) {
        RW_ASSERT(job->route->apply != NULL); /* else `prepare` answers: api_job.h */
        struct rw_rc rc = set->sink.submit(set->sink.ctx, job, &err);
        if (rw_is_ok(rc)) { return false; }
        if (rc.code == RW_E_LIMITED) {
            job->reply.retry_after_s = http_limit_shared(limit, &job->req.who, job->req.peer);
        }
        api_reply_error(job, &err);
    }
    *reply_out = http_reply_take(job);
    http_inbox_job_free(job);
    return true;
}
