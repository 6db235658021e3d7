/* The engine in a process of its own: started by the first request, ended by rest. */
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/proc.h"
#include "common/net/http_wire.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

/* libcurl keeps the deadline; who is that much later hangs. */
enum { LATE_MS = 10 * 1000 };

struct http_engine {
    char *program;
    struct proc child;
    int socket;          /* -1: no process */
    struct rw_buf frame; /* the last one received */
};

RW_RC http_engine_open(const char *program, struct http_engine **out, struct rw_err *err)
{
    RW_ASSERT(program != NULL);
    struct http_engine *e = rw_mem_new(sizeof(*e));
    if (e == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for an HTTP client"); }
    e->child.pidfd = -1;
    e->socket = -1;
    e->frame = rw_buf_make(HTTP_WIRE_ANSWER_BYTES_MAX);
    e->program = rw_str_dup(program);
    if (e->program == NULL) {
        rw_mem_free(e);
        return rw_fail(err, RW_E_NOMEM, "no memory for an HTTP client");
    }
    *out = e;
    return RW_OK;
}

/* It keeps nothing that would have to be saved: killed, so that nobody waits for it. */
void http_engine_rest(struct http_engine *e)
{
    rw_fd_drop(&e->socket);
    proc_drop(&e->child);
    rw_buf_drop(&e->frame);
}

void http_engine_drop(struct http_engine **e)
{
    if (*e == NULL) { return; }
    http_engine_rest(*e);
    rw_mem_free((*e)->program);
    rw_mem_free(*e);
    *e = NULL;
}

static RW_RC start(struct http_engine *e, struct rw_err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return rw_fail_errno(err, RW_E_PROCESS, errno, "socket pair for '%s'", e->program);
    }
    RW_AUTO(rw_fd) rw_fd own = pair[0];
    RW_AUTO(rw_fd) rw_fd other = pair[1];
    char *const argv[] = {e->program, NULL};
    const struct proc_fd fds[] = {{other, HTTP_WIRE_FD}};
    /* Its environment is ours: the settings of proxies and of the TLS store are read there. */
    const struct proc_spec spec = {.path = e->program,
                                   .argv = argv,
                                   .fds = fds,
                                   .fd_count = RW_LEN(fds),
                                   .die_with_parent = true};
    RW_TRY(proc_start(&spec, &e->child, err));
    e->socket = rw_fd_steal(&own);
    return RW_OK;
}

static RW_RC send_request(struct http_engine *e, const struct http_exchange *x, struct rw_err *err)
{
    struct frame_writer w = frame_begin(HTTP_WIRE_REQUEST);
    struct rw_rc rc = http_wire_put_request(&w, x, err);
    if (rw_is_ok(rc)) { rc = frame_send(e->socket, &w, x->total_ms, err); }
    if (w.buf.n > 0) { rw_wipe(w.buf.p, w.buf.n); } /* a token is in it */
    frame_writer_drop(&w);
    return rc;
}

/* *done: no frame follows. */
static RW_RC take(const struct http_exchange *x, const struct http_wire_answer *a,
                  struct http_outcome *out, bool *done, struct rw_err *err)
{
    switch (a->type) {
    case HTTP_WIRE_HEADER:
        x->on_header(x->ctx, a->bytes);
        break;
    case HTTP_WIRE_BODY:
        out->status = a->status;
        if (!x->on_body(x->ctx, a->status, a->bytes)) {
            return rw_fail(err, RW_E_NET, "the rest of the answer was not wanted");
        }
        break;
    case HTTP_WIRE_SENT:
        if (x->on_sent != NULL) { x->on_sent(x->on_sent_ctx, a->sent_bytes, a->total_bytes); }
        break;
    case HTTP_WIRE_OUTCOME:
        *out = a->out;
        *done = true;
        break;
    case HTTP_WIRE_REQUEST:
        return rw_fail(err, RW_E_PROTOCOL, "a request for an answer");
    }
    return RW_OK;
}

static RW_RC run(struct http_engine *e, const struct http_exchange *x, struct http_outcome *out,
                 struct rw_err *err)
{
    const struct rw_clock clock = rw_clock_system();
    int64_t end_ms = rw_clock_mono(&clock).ms + x->total_ms + LATE_MS;
    bool done = false;
    if (e->socket < 0) { RW_TRY(start(e, err)); }
    RW_TRY(send_request(e, x, err));
    while (!done) {
        struct frame_reader r;
        struct http_wire_answer a;
        int64_t left_ms = end_ms - rw_clock_mono(&clock).ms;
        RW_TRY(frame_recv(e->socket, &e->frame, left_ms, &r, err));
        RW_TRY(http_wire_get_answer(&r, &a, err));
        RW_TRY(take(x, &a, out, &done, err));
    }
    return RW_OK;
}

void http_engine_perform(struct http_engine *e, const struct http_exchange *x,
                         struct http_outcome *out)
{
    struct rw_err err;
    *out = (struct http_outcome){.code = RW_E_NONE};
    struct rw_rc rc = run(e, x, out, &err);
    if (rw_is_ok(rc)) { return; }
    /* In the middle of an exchange the process is of no more use: the next request gets a new one. */
    http_engine_rest(e);
    out->code = rc.code == RW_E_TIMEOUT || rc.code == RW_E_NOMEM ? rc.code : RW_E_NET;
    (void)snprintf(out->text, sizeof(out->text), "%.250s", err.text);
}
