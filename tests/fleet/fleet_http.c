#include "tests/fleet/fleet_http.h"

#include "common/base/num.h"
#include "tests/fleet/fleet_pool.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { SWEEP_US = 250000, QUEUE_MIN = 1024, SPARE_DESCRIPTORS = 64 };

int64_t fleet_http_now_us(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* --- where to --- */

static RW_RC resolve(struct fleet_http *h, const char *port, struct rw_err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(h->host, port, &hints, &found);
    if (failed != 0) {
        return rw_fail(err, RW_E_NET, "%s: %s", h->host_port, gai_strerror(failed));
    }
    rw_copy(&h->addr, sizeof(h->addr), found->ai_addr, found->ai_addrlen);
    h->addr_bytes = found->ai_addrlen;
    freeaddrinfo(found);
    return RW_OK;
}

static RW_RC read_url(struct fleet_http *h, const struct fleet_http_options *o, struct rw_err *err)
{
    bool tls = strncmp(o->url, "https://", 8) == 0;
    const char *rest = o->url + (tls ? 8 : 7);
    if (!tls && strncmp(o->url, "http://", 7) != 0) {
        return rw_fail(err, RW_E_USAGE, "'%s' does not begin with https:// or http://", o->url);
    }
    const char *colon = strrchr(rest, ':');
    if (colon == NULL || colon == rest || strchr(rest, '/') != NULL) {
        return rw_fail(err, RW_E_USAGE, "'%s': want scheme://host:port", o->url);
    }
    const char *host = rest[0] == '[' ? rest + 1 : rest;
    size_t n = (size_t)(colon - host) - (rest[0] == '[' ? 1 : 0);
    RW_TRY(rw_span_to_str(h->host, sizeof(h->host), rw_span_of(host, n), "host", err));
    RW_TRY(rw_span_to_str(h->host_port, sizeof(h->host_port), rw_span_str(rest), "host", err));
    if (tls && o->ca_file == NULL) {
        return rw_fail(err, RW_E_USAGE, "https needs the file of the server's authority");
    }
    if (tls) { RW_TRY(fleet_conn_tls(o->ca_file, &h->tls, err)); }
    return resolve(h, colon + 1, err);
}

static RW_RC raise_descriptors(unsigned connections, struct rw_err *err)
{
    struct rlimit files = {0};
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < SPARE_DESCRIPTORS + (rlim_t)connections) {
        return rw_fail(err, RW_E_USAGE, "%u connections need more than the %llu descriptors here",
                       connections, (unsigned long long)files.rlim_max);
    }
    return RW_OK;
}

/* --- the pool --- */

static bool pop(struct fleet_http *h, struct fleet_job *out)
{
    if (h->queue_n == 0) { return false; }
    *out = h->queue[h->queue_at];
    h->queue_at = (h->queue_at + 1) % h->queue_cap;
    h->queue_n--;
    return true;
}

static RW_RC grow(struct fleet_http *h, struct rw_err *err)
{
    size_t cap = h->queue_cap == 0 ? QUEUE_MIN : 2 * h->queue_cap;
    struct fleet_job *bigger = rw_mem_new_array(cap, sizeof(*bigger));
    if (bigger == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for waiting requests"); }
    for (size_t i = 0; i < h->queue_n; i++) {
        bigger[i] = h->queue[(h->queue_at + i) % h->queue_cap];
    }
    rw_mem_free(h->queue);
    h->queue = bigger;
    h->queue_cap = cap;
    h->queue_at = 0;
    return RW_OK;
}

void fleet_pool_release(struct fleet_conn *c)
{
    struct fleet_http *h = c->pool;
    struct fleet_job job;
    if (c->busy || h->own) { return; }
    if (pop(h, &job)) {
        fleet_conn_start(c, &job);
        return;
    }
    uint32_t self = (uint32_t)(c - h->conns);
    c->next_idle = FLEET_POOL_NONE;
    if (h->idle == FLEET_POOL_NONE) { h->idle = self; }
    if (h->idle_last != FLEET_POOL_NONE) { h->conns[h->idle_last].next_idle = self; }
    h->idle_last = self;
}

RW_RC fleet_http_push(struct fleet_http *h, const struct fleet_job *job, struct rw_err *err)
{
    if (h->own) {
        RW_ASSERT(job->who < h->count);
        h->open_jobs++;
        fleet_conn_start(&h->conns[job->who], job);
        return RW_OK;
    }
    if (h->idle != FLEET_POOL_NONE) {
        struct fleet_conn *c = &h->conns[h->idle];
        h->idle = c->next_idle;
        if (h->idle == FLEET_POOL_NONE) { h->idle_last = FLEET_POOL_NONE; }
        h->open_jobs++;
        fleet_conn_start(c, job);
        return RW_OK;
    }
    if (h->queue_n == h->queue_cap) { RW_TRY(grow(h, err)); }
    h->queue[(h->queue_at + h->queue_n) % h->queue_cap] = *job;
    h->queue_n++;
    h->open_jobs++;
    if (h->queue_n > h->counters.waiting_most) { h->counters.waiting_most = h->queue_n; }
    return RW_OK;
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct fleet_http *h = arg;
    int64_t now = fleet_http_now_us();
    (void)fd;
    (void)what;
    for (unsigned i = 0; i < h->count; i++) {
        struct fleet_conn *c = &h->conns[i];
        if (!c->busy) { continue; }
        if (c->sent_us == INT64_MIN) {
            fleet_conn_fail(c, "the request could not be made");
        } else if (now - c->sent_us > h->timeout_us) {
            fleet_conn_fail(c, "no answer in time");
        }
    }
}

static RW_RC start(struct fleet_http *h, const struct fleet_http_options *o, struct rw_err *err)
{
    const struct timeval every = {.tv_usec = SWEEP_US};
    RW_TRY(raise_descriptors(o->connections, err));
    RW_TRY(read_url(h, o, err));
    h->conns = rw_mem_new_array(o->connections, sizeof(*h->conns));
    h->sweep = event_new(h->base, -1, EV_PERSIST, on_sweep, h);
    if (h->conns == NULL || h->sweep == NULL || event_add(h->sweep, &every) != 0) {
        return rw_fail(err, RW_E_NOMEM, "no memory for %u connections", o->connections);
    }
    h->count = o->connections;
    for (unsigned i = 0; i < o->connections; i++) {
        h->conns[i].pool = h;
        fleet_pool_release(&h->conns[i]);
    }
    return RW_OK;
}

RW_RC fleet_http_open(struct event_base *base, const struct fleet_http_options *o,
                      const struct fleet_http_calls *calls, struct fleet_http **out,
                      struct rw_err *err)
{
    struct fleet_http *h = rw_mem_new(sizeof(*h));
    if (h == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for connections"); }
    h->base = base;
    h->body = rw_buf_make(FLEET_REPLY_BODY_BYTES_MAX + 2);
    h->calls = *calls;
    h->own = o->own;
    h->timeout_us = o->timeout_ms * 1000;
    h->idle = h->idle_last = FLEET_POOL_NONE;
    struct rw_rc rc = start(h, o, err);
    if (!rw_is_ok(rc)) {
        fleet_http_drop(&h);
        return rc;
    }
    *out = h;
    return RW_OK;
}

void fleet_http_drop(struct fleet_http **h)
{
    if (*h == NULL) { return; }
    for (unsigned i = 0; i < (*h)->count; i++) {
        fleet_conn_close(&(*h)->conns[i]);
    }
    if ((*h)->sweep != NULL) { event_free((*h)->sweep); }
    fleet_conn_tls_drop(&(*h)->tls);
    rw_mem_free((*h)->conns);
    rw_mem_free((*h)->queue);
    rw_buf_drop(&(*h)->body);
    rw_mem_free(*h);
    *h = NULL;
}

size_t fleet_http_open_jobs(const struct fleet_http *h)
{
    return h->open_jobs;
}

void fleet_http_counters(const struct fleet_http *h, struct fleet_http_counters *out)
{
    *out = h->counters;
}
