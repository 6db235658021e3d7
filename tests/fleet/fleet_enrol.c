#include "tests/fleet/fleet_enrol.h"

#include <event2/event.h>
#include <stdio.h>

enum { RETRY_S = 1, PATIENCE_S = 60, TELL_S = 5, IN_FLIGHT_MAX = 2048 };

struct enrol {
    struct event_base *base;
    struct fleet_http *http;
    struct fleet_book *book;
    struct fleet_wire wire;
    struct fleet_enrol_result *result;
    size_t next; /* endpoint that was not asked for yet */
    size_t enrolled;
    uint32_t again[IN_FLIGHT_MAX]; /* to be tried once more: 503, 429, or no answer */
    size_t again_n;
    size_t enrolled_seen;
    unsigned idle_s;
    bool failed;
    struct rw_err *err;
};

static void stop(struct enrol *e)
{
    e->failed = true;
    (void)event_base_loopbreak(e->base);
}

static void ask(struct enrol *e, uint32_t who)
{
    const struct fleet_job job = {
        .due_us = fleet_http_now_us(), .who = who & FLEET_HTTP_WHO_NONE, .kind = FLEET_ENROL};
    e->result->stat.sent++;
    if (!rw_is_ok(fleet_http_push(e->http, &job, e->err))) { stop(e); }
}

static RW_RC build(void *ctx, const struct fleet_job *job, struct fleet_request *out,
                   struct rw_err *err)
{
    struct enrol *e = ctx;
    return fleet_wire_enrol(&e->wire, &e->book->at[job->who], out, err);
}

static void done(void *ctx, const struct fleet_job *job, const struct fleet_reply *r)
{
    struct enrol *e = ctx;
    fleet_stat_answer(&e->result->stat, r->status, r->took_us);
    if (r->status == 0 || r->status == 503 || r->status == 429) {
        e->again[e->again_n++] = job->who;
        return;
    }
    if (r->status != 200) {
        RW_IGNORE(rw_fail(e->err, RW_E_HTTP, "/v1/enrol: status %d: %.*s", r->status,
                          (int)(r->body.n < 200 ? r->body.n : 200), (const char *)r->body.p),
                  "told by the caller");
        stop(e);
        return;
    }
    if (!rw_is_ok(fleet_book_take_token(e->book, &e->book->at[job->who], r->body, e->err))) {
        stop(e);
        return;
    }
    e->enrolled++;
    if (e->enrolled == e->book->count) { (void)event_base_loopbreak(e->base); }
    if (e->next < e->book->count) { ask(e, (uint32_t)e->next++); }
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
    struct enrol *e = arg;
    (void)fd;
    (void)what;
    size_t n = e->again_n;
    e->again_n = 0;
    for (size_t i = 0; i < n && !e->failed; i++) {
        ask(e, e->again[i]);
    }
    e->idle_s = e->enrolled == e->enrolled_seen ? e->idle_s + 1 : 0;
    e->enrolled_seen = e->enrolled;
    if (e->idle_s >= PATIENCE_S) {
        RW_IGNORE(rw_fail(e->err, RW_E_TIMEOUT, "nobody could enrol for %d s", PATIENCE_S),
                  "told by the caller");
        stop(e);
    }
    (void)fprintf(stderr, "\rfleet: enrolled %zu of %zu ", e->enrolled, e->book->count);
}

static RW_RC run(struct enrol *e, struct rw_err *err)
{
    const struct timeval every = {.tv_sec = RETRY_S};
    struct event *second = event_new(e->base, -1, EV_PERSIST, on_second, e);
    if (second == NULL || event_add(second, &every) != 0) {
        if (second != NULL) { event_free(second); }
        return rw_fail(err, RW_E_NOMEM, "no timer");
    }
    int64_t begun = fleet_http_now_us();
    while (e->next < e->book->count && e->next < IN_FLIGHT_MAX && !e->failed) {
        ask(e, (uint32_t)e->next++);
    }
    while (!e->failed && e->enrolled < e->book->count) {
        (void)event_base_dispatch(e->base);
    }
    e->result->seconds = (double)(fleet_http_now_us() - begun) / 1e6;
    (void)fprintf(stderr, "\rfleet: enrolled %zu of %zu\n", e->enrolled, e->book->count);
    event_free(second);
    return e->failed ? rw_failed((struct rw_rc){err->code}) : RW_OK;
}

RW_RC fleet_enrol_run(struct event_base *base, const struct fleet_http_options *http,
                      struct fleet_book *book, struct fleet_enrol_result *out, struct rw_err *err)
{
    struct enrol *e = rw_mem_new(sizeof(*e));
    if (e == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory to enrol"); }
    *out = (struct fleet_enrol_result){.seconds = 0};
    e->base = base;
    e->book = book;
    e->result = out;
    e->err = err;
    e->wire = fleet_wire_make(book);
    const struct fleet_http_calls calls = {.build = build, .done = done, .ctx = e};
    struct rw_rc rc = fleet_http_open(base, http, &calls, &e->http, err);
    if (rw_is_ok(rc)) { rc = run(e, err); }
    fleet_http_drop(&e->http);
    fleet_wire_drop(&e->wire);
    rw_mem_free(e);
    return rc;
}
