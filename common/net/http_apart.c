/* The engine in a process of its own, which waits in a share (http_share.h) between requests. */
#include "common/base/clock.h"
#include "common/net/http_share.h"
#include "common/net/http_wire.h"

#include <stdio.h>

/* libcurl keeps the deadline; who is that much later hangs. */
enum { LATE_MS = 10 * 1000 };

struct http_engine {
    struct http_share *share;
    struct http_share *own; /* where none was given; NULL: one was */
};

RW_RC http_engine_open(const char *program, struct http_share *share, struct http_engine **out,
                       struct rw_err *err)
{
    struct http_engine *e = rw_mem_new(sizeof(*e));
    if (e == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for an HTTP client"); }
    struct rw_rc rc = RW_OK;
    if (share == NULL) { rc = http_share_open(program, &e->own, err); }
    if (!rw_is_ok(rc)) {
        rw_mem_free(e);
        return rc;
    }
    e->share = share != NULL ? share : e->own;
    *out = e;
    return RW_OK;
}

void http_engine_drop(struct http_engine **e)
{
    if (*e == NULL) { return; }
    http_share_drop(&(*e)->own);
    rw_mem_free(*e);
    *e = NULL;
}

static RW_RC send_request(int fd, const struct http_exchange *x, struct rw_err *err)
{
    struct frame_writer w = frame_begin(HTTP_WIRE_REQUEST);
    struct rw_rc rc = http_wire_put_request(&w, x, err);
    if (rw_is_ok(rc)) { rc = frame_send(fd, &w, x->total_ms, err); }
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

static RW_RC run(int fd, const struct http_exchange *x, struct http_outcome *out,
                 struct rw_err *err)
{
    const struct rw_clock clock = rw_clock_system();
    int64_t end_ms = rw_clock_mono(&clock).ms + x->total_ms + LATE_MS;
    bool done = false;
    RW_AUTO(rw_buf) struct rw_buf frame = rw_buf_make(HTTP_WIRE_ANSWER_BYTES_MAX);
    RW_TRY(send_request(fd, x, err));
    while (!done) {
        struct frame_reader r;
        struct http_wire_answer a;
        int64_t left_ms = end_ms - rw_clock_mono(&clock).ms;
        RW_TRY(frame_recv(fd, &frame, left_ms, &r, err));
        RW_TRY(http_wire_get_answer(&r, &a, err));
        RW_TRY(take(x, &a, out, &done, err));
    }
    return RW_OK;
}

void http_engine_perform(struct http_engine *e, const struct http_exchange *x,
                         struct http_outcome *out)
{
    struct rw_err err;
    struct http_helper h;
    *out = (struct http_outcome){.code = RW_E_NONE};
    struct rw_rc rc = http_share_take(e->share, &h, &err);
    if (rw_is_ok(rc)) {
        rc = run(h.socket, x, out, &err);
        if (rw_is_ok(rc)) {
            http_share_give(e->share, &h);
            return;
        }
        http_helper_drop(&h);
    }
    out->code = rc.code == RW_E_TIMEOUT || rc.code == RW_E_NOMEM ? rc.code : RW_E_NET;
    (void)snprintf(out->text, sizeof(out->text), "%.250s", err.text);
}
