#include "server/api/http_worker.h"

#include "common/base/log.h"
#include "server/api/http_crowd_rule.h"
#include "server/api/http_deadline.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_AT_DRAIN_MAX = 4096, /* the kernel's queue */
    PAUSE_PERCENT = 95,          /* of the share: listener off */
    RESUME_PERCENT = 90,         /* on again */
    OPEN_FILES = 128, /* kept open by all workers together: part of the reserve of descriptors */
};

int64_t http_worker_now_ms(const struct http_worker *w)
{
    return rw_clock_mono(&w->clock).ms;
}

const char *http_worker_date(struct http_worker *w)
{
    int64_t now_s = rw_clock_wall(&w->clock).s;
    if (now_s != w->date_s) {
        http_reply_date(w->date, now_s);
        w->date_s = now_s;
    }
    return w->date;
}

static void tally(atomic_ullong *n)
{
    (void)atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

static bool is_stopping(const struct http_worker *w)
{
    return atomic_load(&w->shared->stop);
}

static void pause_listener(struct http_worker *w, const char *why)
{
    if (w->paused || w->listener == NULL) { return; }
    w->paused = true;
    (void)evconnlistener_disable(w->listener);
    uint64_t left_out = 0;
    if (!log_limit_rule_next(&w->log_limit, rw_clock_mono(&w->clock), &left_out)) { return; }
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_WARN, "http_listener_paused");
    rw_log_str(&l, "reason", why);
    if (left_out > 0) { rw_log_i64(&l, "lines_left_out", (int64_t)left_out); }
    rw_log_end(&l);
}

static void resume_listener(struct http_worker *w)
{
    if (!w->paused || w->listener == NULL) { return; }
    if (w->open > w->share * RESUME_PERCENT / 100) { return; }
    if (w->newcomers >= w->newcomer_share) { return; }
    w->paused = w->crowded = false;
    (void)evconnlistener_enable(w->listener);
}

/* Before the handshake, which costs a thousand times as much. */
static bool is_flood(struct http_worker *w, const struct sockaddr *addr,
                     const struct http_conn_peer *peer)
{
    const struct http_limit_peer from = {
        .text = peer->text, .key = peer->key, .known = peer->capped};
    return peer->capped && !http_networks_have(&w->shared->set.limits.connect_free, addr) &&
           !http_limit_connect(w->shared->limit, &from);
}

/* Without an end that the kernel would have to remember for a minute. */
static void close_at_once(int fd)
{
    const struct linger none = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    (void)close(fd);
}

static void let_in(struct http_worker *w, int fd, const struct sockaddr *addr)
{
    struct http_conn_peer peer = {.key = 0};
    peer.capped = http_listen_peer(addr, peer.text, &peer.key);
    if (is_flood(w, addr, &peer)) {
        tally(&w->tally.turned_away);
        close_at_once(fd);
        return;
    }
    if (peer.capped && !http_peers_enter(w->shared->peers, peer.key)) {
        tally(&w->tally.turned_away);
        (void)close(fd);
        return;
    }
    http_conn_open(w, fd, &peer);
    if (w->open > w->most_open) { w->most_open = w->open; }
    http_deadline_newcomers(w);
    if (w->newcomers >= w->newcomer_share) {
        w->crowded = !w->paused || w->crowded;
        pause_listener(w, "too many connections have sent no request yet");
    }
    if (w->open >= (w->share * PAUSE_PERCENT + 99) / 100) {
        pause_listener(w, "the worker's share of connections is used up");
    }
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int n,
                      void *arg)
{
    (void)l;
    (void)n;
    let_in(arg, fd, addr);
}

/* Out of descriptors or memory: without a pause the loop would spin on a socket that stays readable. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
    (void)l;
    pause_listener(arg, "accept failed: no descriptors or memory");
}

/* Clients in the kernel's queue would be reset with the listener: let them in first. One that was handed over stays
 * with its owner, and so does its queue: whoever comes next serves them. */
static void begin_drain(struct http_worker *w)
{
    w->draining = true;
    int fd = evconnlistener_get_fd(w->listener);
    (void)evconnlistener_disable(w->listener);
    int most = w->shared->listen.inherited ? 0 : ACCEPTS_AT_DRAIN_MAX;
    for (int i = 0; i < most; i++) {
        struct sockaddr_storage addr = {.ss_family = AF_UNIX};
        socklen_t n = sizeof(addr);
        int client = accept4(fd, (struct sockaddr *)&addr, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client < 0) { break; }
        let_in(w, client, (const struct sockaddr *)&addr);
    }
    evconnlistener_free(w->listener);
    w->listener = NULL;
    http_conn_drain(w);
}

static void leave_when_stopped(struct http_worker *w)
{
    bool late = http_worker_now_ms(w) >= atomic_load(&w->shared->stop_by_ms);
    if (w->open == 0 || late) { (void)event_base_loopbreak(w->base); }
}

void http_worker_left(struct http_worker *w)
{
    if (w->open == 0 && is_stopping(w)) { (void)event_base_loopbreak(w->base); }
}

void http_worker_eased(struct http_worker *w)
{
    if (w->crowded) { resume_listener(w); }
}

/* The allocator keeps what a crowd has left between what others still hold, and would for ever. What was closed in
 * this turn of the loop is freed at its end, so this looks before the sweep. */
static void give_back(struct http_worker *w)
{
    if (!http_crowd_rule_gives_back(w->most_open, w->open)) { return; }
    w->most_open = w->open;
    rw_mem_give_back();
}

static void on_inbox(evutil_socket_t fd, short what, void *arg)
{
    struct http_worker *w = arg;
    (void)fd;
    (void)what;
    struct api_job *next = NULL;
    for (struct api_job *job = http_inbox_take(w->inbox); job != NULL; job = next) {
        next = job->next;
        if (job->conn == NULL) {
            http_inbox_job_free(job); /* the client has gone */
        } else {
            http_conn_deliver(job->conn, job);
        }
    }
    if (!w->draining && atomic_load(&w->shared->drain)) { begin_drain(w); }
    if (is_stopping(w)) { leave_when_stopped(w); }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct http_worker *w = arg;
    (void)fd;
    (void)what;
    give_back(w);
    http_deadline_sweep(w);
    resume_listener(w);
    if (is_stopping(w)) { leave_when_stopped(w); }
}

static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    if (config == NULL) { return NULL; }
    struct event_base *base = NULL;
    /* One thread, one loop: no locks. The environment does not choose the method. */
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0) {
        base = event_base_new_with_config(config);
    }
    event_config_free(config);
    return base;
}

static bool make_events(struct http_worker *w)
{
    int64_t tick_ms = w->shared->set.limits.tick_ms;
    const struct timeval tick = {.tv_sec = tick_ms / 1000, .tv_usec = (tick_ms % 1000) * 1000};
    w->tick = event_new(w->base, -1, EV_PERSIST, on_tick, w);
    w->inbox_event = event_new(w->base, http_inbox_fd(w->inbox), EV_READ | EV_PERSIST, on_inbox, w);
    return w->tick != NULL && w->inbox_event != NULL && event_add(w->tick, &tick) == 0 &&
           event_add(w->inbox_event, NULL) == 0;
}

RW_RC http_worker_init(struct http_worker *w, struct http_shared *shared, int listen_fd,
                       struct rw_err *err)
{
    const struct http_limits *l = &shared->set.limits;
    *w = (struct http_worker){.shared = shared, .clock = rw_clock_system(), .date_s = -1};
    w->scratch = rw_buf_make(HTTP_REPLY_HEAD_MAX + HTTP_REPLY_SMALL);
    w->share = l->connections_max / shared->set.workers;
    if (w->share == 0) { w->share = 1; }
    w->newcomer_share = http_crowd_rule_share(l->connections_max, shared->set.workers);
    w->base = make_base();
    if (w->base != NULL) {
        w->listener = evconnlistener_new(
            w->base, on_accept, w, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, listen_fd);
    }
    if (w->listener == NULL) {
        (void)close(listen_fd);
        return rw_fail(err, RW_E_NOMEM, "no memory for an event loop");
    }
    evconnlistener_set_error_cb(w->listener, on_accept_error);
    RW_TRY(http_inbox_new(&w->inbox, err));
    if (shared->set.repo_dir >= 0) {
        size_t kept = OPEN_FILES / shared->set.workers; /* HTTP_WORKERS_MAX leaves two */
        if (kept > HTTP_FILES_KEPT_MAX) { kept = HTTP_FILES_KEPT_MAX; }
        RW_TRY(http_files_new(shared->set.repo_dir, kept, &w->files, err));
    }
    if (!make_events(w)) { return rw_fail(err, RW_E_NOMEM, "no memory for a timer"); }
    return RW_OK;
}

static void *run(void *arg)
{
    struct http_worker *w = arg;
    (void)event_base_dispatch(w->base);
    http_conn_free_all(w);
    struct api_job *next = NULL;
    for (struct api_job *job = http_inbox_close(w->inbox); job != NULL; job = next) {
        next = job->next;
        http_inbox_job_free(job);
    }
    return NULL;
}

RW_RC http_worker_start(struct http_worker *w, struct rw_err *err)
{
    int failed = pthread_create(&w->thread, NULL, run, w);
    if (failed != 0) { return rw_fail_errno(err, RW_E_IO, failed, "thread of the HTTP server"); }
    w->running = true;
    (void)pthread_setname_np(w->thread, "http");
    return RW_OK;
}

void http_worker_wake(struct http_worker *w)
{
    http_inbox_wake(w->inbox);
}

void http_worker_join(struct http_worker *w)
{
    if (!w->running) { return; }
    (void)pthread_join(w->thread, NULL);
    w->running = false;
}

void http_worker_drop(struct http_worker *w)
{
    RW_ASSERT(!w->running);
    if (w->tick != NULL) { event_free(w->tick); }
    if (w->inbox_event != NULL) { event_free(w->inbox_event); }
    if (w->listener != NULL) { evconnlistener_free(w->listener); }
    if (w->base != NULL) { event_base_free(w->base); } /* runs what connections left to be freed */
    if (w->inbox != NULL) { http_inbox_unref(w->inbox); }
    http_files_free(w->files);
    rw_buf_drop(&w->scratch);
    *w = (struct http_worker){.shared = NULL};
}
