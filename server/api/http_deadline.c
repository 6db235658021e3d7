#include "server/api/http_deadline.h"

#include "server/api/http_crowd_rule.h"
#include "server/api/http_send.h"
#include "server/api/http_worker.h"

#include <event2/bufferevent.h>
#include <limits.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

enum { BODY_BYTES_S = 65536 }; /* slowest upload that is waited for */

int64_t http_deadline_of(const struct http_worker *w, int state, uint64_t body_bytes)
{
    const struct http_limits *l = &w->shared->set.limits;
    int64_t now = http_worker_now_ms(w);
    switch ((enum http_conn_state)state) {
    case HTTP_CONN_FRESH:
    case HTTP_CONN_HEAD:
        return now + l->head_ms;
    case HTTP_CONN_BODY:
        return now + l->body_ms + (int64_t)(body_bytes / BODY_BYTES_S) * 1000;
    case HTTP_CONN_SEND:
        return now + l->stall_ms;
    case HTTP_CONN_IDLE:
        return now + l->idle_ms;
    case HTTP_CONN_LINGER:
        return now + HTTP_LINGER_MS;
    case HTTP_CONN_WAIT: /* the core answers every job: not the client's fault */
    case HTTP_CONN_STATES:
        break;
    }
    return INT64_MAX;
}

static void cut(struct http_conn *c)
{
    if (c->state != HTTP_CONN_LINGER && c->state != HTTP_CONN_IDLE) {
        (void)atomic_fetch_add_explicit(&c->worker->tally.cut, 1, memory_order_relaxed);
    }
    http_conn_free(c);
}

/* What the client has not taken: the kernel's queue counts too, as it becomes writable in large steps only. */
static uint64_t untaken_by(const struct http_conn *c)
{
    int queued = 0;
    if (ioctl(bufferevent_getfd(c->bev), SIOCOUTQ, &queued) != 0 || queued < 0) { queued = 0; }
    return http_send_unsent(c) + (uint64_t)queued;
}

/* A reply must move at all within stall_ms, and a long one at the floor's rate on average. */
static void look_at_sending(struct http_conn *c, int64_t now)
{
    const struct http_limits *l = &c->worker->shared->set.limits;
    uint64_t untaken = untaken_by(c);
    int64_t window_ms = l->stall_ms * HTTP_RATE_WINDOW_STALLS;
    if (untaken < c->untaken_seen) { c->deadline_ms = now + l->stall_ms; }
    c->untaken_seen = untaken;
    if (now - c->rate_since_ms >= window_ms) {
        /* TLS makes more bytes of what it sends: the difference may be below zero. */
        uint64_t moved = c->rate_untaken > untaken ? c->rate_untaken - untaken : 0;
        if (moved * 1000 / (uint64_t)window_ms < HTTP_RATE_BYTES_S) {
            cut(c);
            return;
        }
        c->rate_since_ms = now;
        c->rate_untaken = untaken;
    }
    if (c->deadline_ms <= now) { cut(c); }
}

void http_deadline_newcomers(struct http_worker *w)
{
    int64_t now = http_worker_now_ms(w);
    int64_t head_ms = w->shared->set.limits.head_ms;
    unsigned share = w->draining ? UINT_MAX : w->newcomer_share;
    const struct http_conn_list *list = &w->lists[HTTP_CONN_FRESH];
    while (list->first != NULL &&
           http_crowd_rule_cuts(w->newcomers, share, head_ms, list->first->deadline_ms - now)) {
        cut(list->first);
    }
}

void http_deadline_sweep(struct http_worker *w)
{
    /* These have one patience each, so their lists are in order of deadline. */
    static const enum http_conn_state in_order[] = {HTTP_CONN_HEAD, HTTP_CONN_IDLE,
                                                    HTTP_CONN_LINGER};
    int64_t now = http_worker_now_ms(w);
    http_deadline_newcomers(w);
    for (size_t i = 0; i < RW_LEN(in_order); i++) {
        const struct http_conn_list *list = &w->lists[in_order[i]];
        while (list->first != NULL && list->first->deadline_ms <= now) {
            cut(list->first);
        }
    }
    struct http_conn *next = NULL;
    for (struct http_conn *c = w->lists[HTTP_CONN_BODY].first; c != NULL; c = next) {
        next = c->next;
        if (c->deadline_ms <= now) { cut(c); }
    }
    for (struct http_conn *c = w->lists[HTTP_CONN_SEND].first; c != NULL; c = next) {
        next = c->next;
        look_at_sending(c, now);
    }
}
