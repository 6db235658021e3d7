/* The loop of a rehearsal. */
#include "common/base/file.h"
#include "tests/fleet/fleet_life.h"

#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

enum { PROGRESS_S = 5, EVENTS = 4 };

static int32_t now_ms(const struct fleet_run *f)
{
    return (int32_t)((fleet_http_now_us() - f->begun_us) / 1000) + 1; /* 0 means never */
}

void fleet_run_ask(struct fleet_run *f, uint32_t who, enum fleet_kind kind)
{
    const struct fleet_job job = {.due_us = fleet_http_now_us(),
                                  .who = who & FLEET_HTTP_WHO_NONE,
                                  .kind = (uint32_t)kind & 0xf};
    f->lives[who].busy = true;
    f->lives[who].asked_at = f->now_ms;
    f->stats[kind].sent++;
    if (rw_is_ok(fleet_http_push(f->http, &job, f->err))) { return; }
    f->failed = true;
    (void)event_base_loopbreak(f->base);
}

static RW_RC build(void *ctx, const struct fleet_job *job, struct fleet_request *out,
                   struct rw_err *err)
{
    const struct fleet_run *f = ctx;
    if (f->warming) {
        fleet_wire_poll("", out);
        return RW_OK;
    }
    return fleet_say_build(ctx, job, out, err);
}

static void done(void *ctx, const struct fleet_job *job, const struct fleet_reply *r)
{
    struct fleet_run *f = ctx;
    if (f->warming) {
        if (fleet_http_open_jobs(f->http) == 0) { (void)event_base_loopbreak(f->base); }
        return;
    }
    f->now_ms = now_ms(f);
    fleet_stat_answer(&f->stats[job->kind], r->status, r->took_us);
    fleet_life_answer(f, job, r);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct fleet_run *f = arg;
    (void)fd;
    (void)what;
    f->now_ms = now_ms(f);
    fleet_wheel_turn(&f->wheel, f->now_ms, fleet_life_wake, f);
    if (f->o->for_ms > 0 && f->now_ms >= f->o->for_ms) { (void)event_base_loopbreak(f->base); }
}

static void on_progress(evutil_socket_t fd, short what, void *arg)
{
    const struct fleet_run *f = arg;
    const struct fleet_ledger_release *r =
        f->ledger.count == 0 ? NULL : &f->ledger.releases[f->ledger.count - 1];
    (void)fd;
    (void)what;
    (void)fprintf(stderr, "fleet: %d s, requests %" PRIu64 ", open %zu", f->now_ms / 1000,
                  f->stats[FLEET_POLL].sent + f->stats[FLEET_PERMIT].sent +
                      f->stats[FLEET_BEACON].sent,
                  fleet_http_open_jobs(f->http));
    if (r != NULL) {
        (void)fprintf(stderr,
                      "; release %" PRId64 ": exposed %" PRId64 ", healthy %" PRId64
                      ", harmed %" PRId64 ", back %" PRId64,
                      r->release, fleet_ledger_sum_exposed(r), r->healthy,
                      fleet_ledger_sum_harmed(r), r->reverted);
    }
    (void)fprintf(stderr, "\n");
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    struct fleet_run *f = arg;
    (void)fd;
    (void)what;
    (void)event_base_loopbreak(f->base);
}

static RW_RC add(struct fleet_run *f, struct event **out, struct event *e, int64_t us,
                 struct rw_err *err)
{
    const struct timeval every = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
    (void)f;
    *out = e;
    if (e == NULL || event_add(e, us == 0 ? NULL : &every) != 0) {
        return rw_fail(err, RW_E_NOMEM, "no event");
    }
    return RW_OK;
}

static RW_RC loop(struct fleet_run *f, struct event *events[static EVENTS], struct rw_err *err)
{
    RW_TRY(add(f, &events[0], event_new(f->base, -1, EV_PERSIST, on_tick, f),
               INT64_C(1000) * FLEET_WHEEL_TICK_MS, err));
    RW_TRY(add(f, &events[1], event_new(f->base, -1, EV_PERSIST, on_progress, f),
               INT64_C(1000000) * PROGRESS_S, err));
    RW_TRY(add(f, &events[2], evsignal_new(f->base, SIGTERM, on_signal, f), 0, err));
    RW_TRY(add(f, &events[3], evsignal_new(f->base, SIGINT, on_signal, f), 0, err));
    if (f->o->ready_file != NULL) {
        RW_TRY(rw_file_replace(f->o->ready_file, 0644, rw_span_str("ready\n"), err));
    }
    (void)event_base_dispatch(f->base);
    return f->failed ? rw_failed((struct rw_rc){err->code}) : RW_OK;
}

/* One request on every connection of the pool before time is taken: hundreds of handshakes in one moment would be what
 * the first endpoints wait for, and nothing that a fleet does. */
static RW_RC warm_up(struct fleet_run *f, const struct fleet_http_options *http, struct rw_err *err)
{
    const struct fleet_job job = {.due_us = fleet_http_now_us(), .kind = FLEET_POLL};
    if (http->own) { return RW_OK; }
    f->warming = true;
    for (unsigned i = 0; i < http->connections; i++) {
        RW_TRY(fleet_http_push(f->http, &job, err));
    }
    (void)event_base_dispatch(f->base);
    f->warming = false;
    return RW_OK;
}

static RW_RC open_all(struct fleet_run *f, const struct fleet_http_options *http,
                      struct rw_err *err)
{
    const struct fleet_http_calls calls = {.build = build, .done = done, .ctx = f};
    f->wire = fleet_wire_make(f->book);
    f->lives = rw_mem_new_array(f->book->count, sizeof(*f->lives));
    f->etags = rw_mem_new_array(FLEET_ETAGS_MAX, sizeof(*f->etags));
    if (f->lives == NULL || f->etags == NULL) {
        return rw_fail(err, RW_E_NOMEM, "no memory for %zu endpoints", f->book->count);
    }
    RW_TRY(fleet_wheel_open(f->book->count, &f->wheel, err));
    RW_TRY(fleet_http_open(f->base, http, &calls, &f->http, err));
    RW_TRY(warm_up(f, http, err));
    f->begun_us = fleet_http_now_us();
    f->now_ms = now_ms(f);
    for (uint32_t i = 0; i < f->book->count; i++) {
        fleet_life_begin(f, i);
    }
    return RW_OK;
}

RW_RC fleet_run(struct fleet_run *f, const struct fleet_http_options *http, struct rw_err *err)
{
    struct event *events[EVENTS] = {NULL};
    f->err = err;
    RW_TRY(open_all(f, http, err));
    struct rw_rc rc = loop(f, events, err);
    f->now_ms = now_ms(f);
    fleet_http_counters(f->http, &f->http_counters);
    for (size_t i = 0; i < EVENTS; i++) {
        if (events[i] != NULL) { event_free(events[i]); }
    }
    return rc;
}

void fleet_run_drop(struct fleet_run *f)
{
    fleet_http_drop(&f->http);
    fleet_wheel_drop(&f->wheel);
    fleet_wire_drop(&f->wire);
    rw_mem_free(f->lives);
    rw_mem_free(f->etags);
    f->lives = NULL;
    f->etags = NULL;
}
