/* api_job.h: the contract between the HTTP side (worker threads) and the rest of the server (core thread).
 *
 * A worker reads a request, checks its token and its size, lets the route's `prepare` parse it, and hands
 * the job to the sink. The core thread runs the route's `apply` and gives the job back by api_job_done.
 *
 * memory   a job owns its bytes: every span of the request points into the job and dies with it. The
 *          receiver of a job owns it until api_job_done; `prepared` goes by prepared_drop
 * threads  a job belongs to one thread at a time: worker, then core (and the thread beside it, and core again, when
 *          the core asks for that), then the same worker
 * source   docs/protocol.md 5 to 8
 */
#ifndef RINGWARD_API_JOB_H
#define RINGWARD_API_JOB_H

#include "common/base/buf.h"

enum {
    API_PARAMS_MAX = 4,
    API_NAME_BYTES = 65,   /* operator's name and its NUL */
    API_TENANT_BYTES = 33, /* tenant and its NUL */
    API_ENDPOINT_BYTES = 16,
    API_TARGET_BYTES_MAX = 512, /* path and query of a request */
    API_REPLY_BYTES_MAX =
        16 * 1048576,      /* ceiling of a reply's body in memory; larger ones are files */
    API_RETRY_AFTER_S = 5, /* what a 503 or 429 says when the handler says nothing else */
};

/* Who a route lets in. Operator roles include the lower ones; enrolment and endpoint tokens pass only
 * their own routes, operator tokens never pass those. */
enum api_auth {
    API_AUTH_NONE,
    API_AUTH_ENROL,
    API_AUTH_ENDPOINT,
    API_AUTH_VIEWER,
    API_AUTH_OPERATOR,
    API_AUTH_PUBLISHER,
    API_AUTH_ADMIN
};

enum api_method { API_GET, API_HEAD, API_POST };

/* Beside the core each lane has a thread of its own, so that what waits in one holds up nothing in the others. Within
 * a lane one job runs at a time: no two write to the same file. */
enum api_lane {
    API_LANE_READ,    /* writes nothing */
    API_LANE_UPLOAD,  /* writes below staging */
    API_LANE_PUBLISH, /* writes into the repository, and waits for the signer */
    API_LANES
};

struct api_identity {
    enum api_auth level;                  /* of the token; API_AUTH_NONE: none was asked for */
    char name[API_NAME_BYTES];            /* operator tokens: whose; else "" */
    char tenant[API_TENANT_BYTES];        /* "" for operators of every tenant */
    uint8_t endpoint[API_ENDPOINT_BYTES]; /* endpoint tokens; else zero */
    bool once; /* enrolment tokens: good for one endpoint only; the store knows for which */
    uint8_t token_sha256[32]; /* enrolment and operator tokens */
    bool renew;               /* endpoint tokens: its bearer should ask for the next one */
};

struct api_request {
    enum api_method method;
    struct rw_span path;                   /* begins with '/'; not percent-decoded */
    struct rw_span query;                  /* behind '?'; empty when there is none */
    struct rw_span body;                   /* at most the route's body_bytes_max */
    struct rw_span params[API_PARAMS_MAX]; /* what stood for {..} in the pattern, 1 byte at least */
    struct api_identity who;
    char peer[46]; /* address of the client as text; "unix" for a local socket */
};

struct api_reply {
    int status;               /* 0: not answered yet */
    struct rw_buf body;       /* owned; ceiling API_REPLY_BYTES_MAX */
    const char *content_type; /* static text; NULL: application/json */
    int64_t retry_after_s;    /* < 0: none */
    int file_fd;              /* >= 0: the body is this file; owned by the job once set */
    uint64_t file_bytes;      /* length of that file */
};

struct api_job;

struct api_route {
    const char *method;    /* "GET" (answers HEAD too) or "POST" */
    const char *pattern;   /* "/v1/releases/{family}/{n}/payload": {..} stands for one segment */
    size_t body_bytes_max; /* larger ones are refused with 413 before they are read */
    /* On the worker thread: parsing only, no shared state. May answer at once by setting
     * reply.status. NULL: nothing to prepare. */
    void (*prepare)(struct api_job *job);
    /* On the core thread; must set reply.status, or job.aside. NULL: `prepare` answers. */
    void (*apply)(void *core, struct api_job *job);
    enum api_auth auth; /* checked before a byte of the body is read */
    /* True: `apply` only changes the fleet state, so many jobs share one journal commit and are answered
     * after it. False: `apply` does its own transaction, alone. */
    bool batched;
    /* Of several nodes the controller alone may run it: it needs the signer, or files that only one may write. */
    bool controller;
    /* It tells how the server does, so it is answered while the store fails, too: `apply` may find the fleet and the
     * rollouts stale, and must not look at them then. */
    bool probe;
};

struct http_conn;
struct http_inbox;

struct api_job {
    const struct api_route *route;
    struct api_request req;
    struct api_reply reply;
    void *prepared;                /* what `prepare` made of the body */
    void (*prepared_drop)(void *); /* frees `prepared`; NULL: nothing to free */
    struct api_job *next;          /* free for the queue of whoever holds the job */

    /* Set by `apply` in place of a reply, when what comes next takes long (not for batched routes): `aside` runs on a
     * thread beside the core and sees nothing but the job; then, unless `aside` has answered, `resume` runs on
     * the core in the place of `apply`. Whatever `apply` found may have changed by then: it looks again. */
    void (*aside)(struct api_job *job);
    enum api_lane lane;                              /* where `aside` runs */
    void (*resume)(void *core, struct api_job *job); /* NULL: `aside` answers */

    /* --- the connection's, not for handlers --- */
    struct http_conn *conn;   /* who waits; NULL once the client is gone. Its worker's alone */
    struct http_inbox *inbox; /* way back to the worker; holds a reference */
    struct rw_buf body;       /* bytes of req.body */
    size_t target_bytes;
    uint8_t target[API_TARGET_BYTES_MAX]; /* bytes of req.path, req.query and req.params */
};

/* Hands jobs to the core thread's queue. */
struct api_sink {
    /* Takes the job when it succeeds. RW_E_FULL is told to the client as 503 with Retry-After. */
    RW_RC (*submit)(void *ctx, struct api_job *job, struct rw_err *err);
    void *ctx; /* borrowed */
};

/* Any thread: gives the finished job back (takes it). Its worker sends the reply and frees it; when the
 * client or the whole HTTP side is gone meanwhile, it is just freed. */
void api_job_done(struct api_job *job);

/* The same for a chain over `next`; each worker is woken once. */
void api_job_done_all(struct api_job *jobs);

/* Makes the error the reply: {"error":{"code","text","hint"}}, status from the code's table row.
 * A body written so far is dropped; a status of 503 or 429 brings Retry-After. */
void api_reply_error(struct api_job *job, const struct rw_err *err);

/* An unbound job, for handlers under test: no route, no reply yet. api_job_drop frees what it owns. */
struct api_job api_job_make(void);
void api_job_drop(struct api_job *job);

/* The value of `name` in the query ("after=7&limit=50"), as it stands there. False: not given. */
bool api_query_find(const struct api_request *req, const char *name, struct rw_span *out);
/* The cursor "after" of a list whose entries have names of three parts (`form`, for the error): "renew/yara/0".
 * False: the query has none. Fails with RW_E_SCHEMA. */
RW_RC api_query_after(const struct api_request *req, const char *form,
                      struct rw_span parts[static 3], bool *given_out, struct rw_err *err);
/* As a number min..max; *inout keeps its value when the query does not give one.
 * Fails with RW_E_SYNTAX, RW_E_RANGE. */
RW_RC api_query_i64(const struct api_request *req, const char *name, int64_t min, int64_t max,
                    int64_t *inout, struct rw_err *err);

#endif
