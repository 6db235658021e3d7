#include "tests/fleet/fleet_load.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

enum { TICK_US = 1000, LAST_ANSWERS_S = 30, PERMIT_BYTES = 8192 };

struct load {
    struct event_base *base;
    struct fleet_http *http;
    struct fleet_book *book;
    struct fleet_wire wire;
    const struct fleet_load_options *o;
    struct fleet_load_result *out;
    struct beacon_permit_request permit; /* the same for all */
    struct beacon beacon;                /* what is the same in all */
    int64_t begun_us;
    uint64_t permits_due, beacons_due; /* so far */
    size_t next_permit, next_beacon;   /* endpoints, in turn */
    uint32_t *granted;                 /* endpoints that may confirm, in order */
    size_t granted_at, granted_n;
    struct rw_err *err;
    bool failed;
};

static void stop(struct load *l)
{
    l->failed = true;
    (void)event_base_loopbreak(l->base);
}

/* --- one request --- */

static RW_RC build_beacons(struct load *l, const struct fleet_job *job, struct fleet_request *out,
                           struct rw_err *err)
{
    struct beacon batch[BEACON_BATCH_MAX];
    struct fleet_member *m = &l->book->at[job->who];
    struct rw_clock clock = rw_clock_system();
    size_t n = (size_t)l->o->batch;
    l->beacon.at = rw_clock_wall(&clock);
    for (size_t i = 0; i < n; i++) {
        batch[i] = l->beacon;
        fleet_wire_id(m, m->beacons++, batch[i].id);
    }
    if (job->kind == FLEET_CONFIRM) {
        batch[0].kind = BEACON_HEALTHY;
        batch[0].stage = BEACON_STAGE_PROBATION;
        batch[0].release = l->permit.release;
        batch[0].generation = 1;
        rw_copy(batch[0].sha256, sizeof(batch[0].sha256), l->permit.sha256, DIGEST_BYTES);
        (void)snprintf(batch[0].family, sizeof(batch[0].family), "%s", l->permit.family);
    }
    return fleet_wire_beacons(&l->wire, m, batch, n, out, err);
}

static RW_RC build(void *ctx, const struct fleet_job *job, struct fleet_request *out,
                   struct rw_err *err)
{
    struct load *l = ctx;
    if (job->kind == FLEET_POLL) {
        fleet_wire_poll("", out);
        return RW_OK;
    }
    if (job->kind != FLEET_PERMIT) { return build_beacons(l, job, out, err); }
    return fleet_wire_permit(&l->wire, &l->book->at[job->who], &l->permit, out, err);
}

static void take_permit(struct load *l, uint32_t who, struct rw_span body)
{
    struct beacon_permit_answer a;
    struct rw_err unused;
    if (!rw_is_ok(beacon_permit_read_answer(body, &a, &unused))) { return; }
    switch (a.decision) {
    case BEACON_PERMIT_GRANTED:
        l->out->granted++;
        if (l->granted_n < l->book->count) { l->granted[l->granted_n++] = who; }
        break;
    case BEACON_PERMIT_WAIT:
        l->out->waited++;
        break;
    case BEACON_PERMIT_REFUSED:
        l->out->refused++;
        break;
    }
}

static void take_beacons(struct load *l, struct rw_span body)
{
    struct rw_err unused;
    int64_t accepted = 0;
    RW_AUTO(json_tree) json_tree tree = NULL;
    if (rw_is_ok(json_parse(body, &json_limits_small, &tree, &unused)) &&
        rw_is_ok(json_get_int(tree, "accepted", 0, BEACON_BATCH_MAX, &accepted, &unused))) {
        l->out->accepted += (uint64_t)accepted;
    }
}

static void done(void *ctx, const struct fleet_job *job, const struct fleet_reply *r)
{
    struct load *l = ctx;
    if (job->kind == FLEET_POLL) { /* of the warm-up */
        if (fleet_http_open_jobs(l->http) == 0) { (void)event_base_loopbreak(l->base); }
        return;
    }
    bool is_permit = job->kind == FLEET_PERMIT;
    fleet_stat_answer(is_permit ? &l->out->permits : &l->out->beacons, r->status, r->took_us);
    if (r->status != 200) { return; }
    if (is_permit) {
        take_permit(l, job->who, r->body);
    } else {
        take_beacons(l, r->body);
    }
}

/* --- the open loop: what is due by now is sent, however many answers are missing --- */

static void send_due(struct load *l, enum fleet_kind kind, uint64_t nth, int64_t per_s)
{
    struct fleet_job job = {.due_us = l->begun_us + (int64_t)(nth * 1000000 / (uint64_t)per_s),
                            .kind = kind & 0xf};
    size_t who = 0;
    if (kind == FLEET_PERMIT) {
        who = l->next_permit++ % l->book->count;
        l->out->permits.sent++;
    } else {
        bool confirms = l->granted_at < l->granted_n;
        who = confirms ? l->granted[l->granted_at++] : l->next_beacon++ % l->book->count;
        if (confirms) { job.kind = FLEET_CONFIRM; }
        l->out->beacons.sent++;
    }
    job.who = (uint32_t)who & FLEET_HTTP_WHO_NONE;
    if (!rw_is_ok(fleet_http_push(l->http, &job, l->err))) { stop(l); }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct load *l = arg;
    (void)fd;
    (void)what;
    int64_t since_us = fleet_http_now_us() - l->begun_us;
    int64_t end_us = l->o->seconds * 1000000;
    uint64_t upto_us = (uint64_t)(since_us < end_us ? since_us : end_us);
    uint64_t permits = upto_us * (uint64_t)l->o->permits_per_s / 1000000;
    uint64_t beacons = upto_us * (uint64_t)l->o->beacons_per_s / 1000000;
    while (l->permits_due < permits && !l->failed) {
        send_due(l, FLEET_PERMIT, l->permits_due++, l->o->permits_per_s);
    }
    while (l->beacons_due < beacons && !l->failed) {
        send_due(l, FLEET_BEACON, l->beacons_due++, l->o->beacons_per_s);
    }
    bool over = since_us >= end_us && fleet_http_open_jobs(l->http) == 0;
    if (over || since_us >= end_us + LAST_ANSWERS_S * INT64_C(1000000)) {
        l->out->seconds = (double)since_us / 1e6;
        (void)event_base_loopbreak(l->base);
    }
}

static RW_RC fill(struct load *l, const struct fleet_view *view, struct rw_err *err)
{
    size_t ring = 0;
    const struct fleet_load_options *o = l->o;
    RW_TRY(ring_policy_find(fleet_view_policy(view), o->ring, &ring, err));
    const struct fleet_view_ring *r = fleet_view_of(view, ring);
    if (!r->has_pointer && o->permits_per_s > 0) {
        return rw_fail(err, RW_E_NOT_FOUND, "ring '%s' has no release of '%s': start a rollout",
                       o->ring, o->family);
    }
    l->permit = (struct beacon_permit_request){.release = r->pointer.release, .cohort = o->cohort};
    rw_copy(l->permit.sha256, sizeof(l->permit.sha256), r->pointer.sha256, DIGEST_BYTES);
    (void)snprintf(l->permit.family, sizeof(l->permit.family), "%s", o->family);
    (void)snprintf(l->permit.ring, sizeof(l->permit.ring), "%s", o->ring);
    l->beacon =
        (struct beacon){.kind = BEACON_ALIVE, .cohort = o->cohort, .grade = "full", .trust = "ok"};
    (void)snprintf(l->beacon.ring, sizeof(l->beacon.ring), "%s", o->ring);
    l->out->release = r->pointer.release;
    l->granted = rw_mem_new_array(l->book->count, sizeof(*l->granted));
    if (l->granted == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the load"); }
    return RW_OK;
}

/* One request on every connection first: what TLS costs to set up is not what is measured. */
static RW_RC warm_up(struct load *l, unsigned connections, struct rw_err *err)
{
    const struct fleet_job job = {.due_us = fleet_http_now_us(), .kind = FLEET_POLL};
    for (unsigned i = 0; i < connections; i++) {
        RW_TRY(fleet_http_push(l->http, &job, err));
    }
    (void)event_base_dispatch(l->base);
    return RW_OK;
}

static RW_RC run(struct load *l, struct rw_err *err)
{
    const struct timeval every = {.tv_usec = TICK_US};
    struct event *tick = event_new(l->base, -1, EV_PERSIST, on_tick, l);
    if (tick == NULL || event_add(tick, &every) != 0) {
        if (tick != NULL) { event_free(tick); }
        return rw_fail(err, RW_E_NOMEM, "no timer");
    }
    l->begun_us = fleet_http_now_us();
    (void)event_base_dispatch(l->base);
    event_free(tick);
    fleet_http_counters(l->http, &l->out->http);
    return l->failed ? rw_failed((struct rw_rc){err->code}) : RW_OK;
}

RW_RC fleet_load_run(const struct fleet_load_sides *sides, const struct fleet_load_options *o,
                     struct fleet_load_result *out, struct rw_err *err)
{
    struct load l = {.base = sides->base,
                     .book = sides->book,
                     .o = o,
                     .out = out,
                     .err = err,
                     .wire = fleet_wire_make(sides->book)};
    const struct fleet_http_calls calls = {.build = build, .done = done, .ctx = &l};
    *out = (struct fleet_load_result){.seconds = 0};
    struct rw_rc rc = fill(&l, sides->view, err);
    if (rw_is_ok(rc)) { rc = fleet_http_open(sides->base, sides->http, &calls, &l.http, err); }
    if (rw_is_ok(rc)) { rc = warm_up(&l, sides->http->connections, err); }
    if (rw_is_ok(rc)) { rc = run(&l, err); }
    fleet_http_drop(&l.http);
    fleet_wire_drop(&l.wire);
    rw_mem_free(l.granted);
    return rc;
}
