#include "server/api/http_conn.h"

#include "server/api/http_deadline.h"
#include "server/api/http_parse.h"
#include "server/api/http_send.h"
#include "server/api/http_serve.h"
#include "server/api/http_worker.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    INPUT_BYTES_MAX = 16384,    /* requests sent ahead; then the client has to wait */
    LINGER_BYTES_MAX = 1048576, /* read and forgotten behind a refusal */
    DRAIN_PATIENCE_MS = 1000,   /* a stopping server waits for a first request so long */
};

static const struct sm_state states[HTTP_CONN_STATES] = {
    [HTTP_CONN_FRESH] = {"fresh", SM_TO(HTTP_CONN_BODY) | SM_TO(HTTP_CONN_SEND), SM_INITIAL},
    [HTTP_CONN_HEAD] = {"head", SM_TO(HTTP_CONN_BODY) | SM_TO(HTTP_CONN_SEND), 0},
    [HTTP_CONN_BODY] = {"body", SM_TO(HTTP_CONN_WAIT) | SM_TO(HTTP_CONN_SEND), 0},
    [HTTP_CONN_WAIT] = {"wait", SM_TO(HTTP_CONN_SEND), 0},
    [HTTP_CONN_SEND] = {"send", SM_TO(HTTP_CONN_IDLE) | SM_TO(HTTP_CONN_LINGER), 0},
    [HTTP_CONN_IDLE] = {"idle", SM_TO(HTTP_CONN_HEAD), 0},
    [HTTP_CONN_LINGER] = {"linger", 0, SM_FINAL},
};

const struct sm_table http_conn_table = {
    .name = "http connection", .states = states, .count = HTTP_CONN_STATES};

static void unlink_conn(struct http_conn *c)
{
    struct http_conn_list *list = &c->worker->lists[c->state];
    if (c->prev != NULL) { c->prev->next = c->next; }
    if (c->next != NULL) { c->next->prev = c->prev; }
    if (list->first == c) { list->first = c->next; }
    if (list->last == c) { list->last = c->prev; }
    if (c->state == HTTP_CONN_FRESH) { c->worker->newcomers--; }
    c->prev = NULL;
    c->next = NULL;
}

static void link_conn(struct http_conn *c)
{
    struct http_conn_list *list = &c->worker->lists[c->state];
    c->prev = list->last;
    c->next = NULL;
    if (list->last != NULL) { list->last->next = c; }
    if (list->first == NULL) { list->first = c; }
    list->last = c;
    if (c->state == HTTP_CONN_FRESH) { c->worker->newcomers++; }
}

/* The only way from state to state. */
static void move(struct http_conn *c, enum http_conn_state to)
{
    RW_ASSERT(sm_may(&http_conn_table, c->state, (int)to));
    bool was_new = c->state == HTTP_CONN_FRESH;
    unlink_conn(c);
    c->state = (int)to;
    c->deadline_ms = http_deadline_of(c->worker, c->state, c->body_left);
    link_conn(c);
    if (was_new) { http_worker_eased(c->worker); }
}

static void set_reading(struct http_conn *c, bool on)
{
    if (c->eof || c->reading_off == !on) { return; }
    c->reading_off = !on;
    if (on) { (void)bufferevent_enable(c->bev, EV_READ); }
    if (!on) { (void)bufferevent_disable(c->bev, EV_READ); }
}

static void start_reply(struct http_conn *c, struct http_reply *reply)
{
    const struct http_worker *w = c->worker;
    c->requests++;
    reply->close = reply->close || c->last || c->unread || w->draining ||
                   c->requests >= w->shared->set.limits.requests_per_conn;
    move(c, HTTP_CONN_SEND);
    http_send_begin(c, reply);
    c->untaken_seen = http_send_unsent(c);
    c->rate_untaken = c->untaken_seen;
    c->rate_since_ms = http_worker_now_ms(w);
}

static void run_job(struct http_conn *c)
{
    struct http_reply reply;
    struct api_job *job = c->job;
    const struct http_shared *shared = c->worker->shared;
    job->req.body = rw_buf_span(&job->body);
    job->conn = c;
    if (http_serve_job(&shared->set, shared->limit, job, &reply)) {
        c->job = NULL;
        start_reply(c, &reply);
    } else {
        move(c, HTTP_CONN_WAIT);
    }
}

static void fail_body(struct http_conn *c, const struct rw_err *err)
{
    struct http_reply reply = http_reply_make();
    http_inbox_job_free(c->job);
    c->job = NULL;
    c->unread = true;
    http_reply_error(&reply, 0, err);
    start_reply(c, &reply);
}

static void take_body(struct http_conn *c)
{
    struct rw_err err;
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t have = evbuffer_get_length(in);
    size_t n = have < c->body_left ? have : c->body_left;
    if (n > 0) {
        uint8_t *at = NULL;
        if (!rw_is_ok(rw_buf_reserve(&c->job->body, n, &at, &err))) {
            fail_body(c, &err);
            return;
        }
        int got = evbuffer_remove(in, at, n);
        RW_ASSERT(got >= 0 && (size_t)got == n); /* that many bytes are there */
        rw_buf_commit(&c->job->body, n);
        c->body_left -= n;
    }
    if (c->body_left == 0) { run_job(c); }
}

static void begin_body(struct http_conn *c, const struct http_head *head)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    bool none_came = evbuffer_get_length(bufferevent_get_input(c->bev)) == 0;
    c->body_left = (size_t)head->content_length; /* at most the route's limit */
    move(c, HTTP_CONN_BODY);
    if (head->expect_continue && c->body_left > 0 && none_came &&
        bufferevent_write(c->bev, go_on, sizeof(go_on) - 1) != 0) {
        c->doomed = true;
        return;
    }
    take_body(c);
}

static void tally(atomic_ullong *n)
{
    (void)atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

static void take_request(struct http_conn *c)
{
    struct http_worker *w = c->worker;
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t have = evbuffer_get_length(in);
    if (have == 0) { return; }
    if (c->state == HTTP_CONN_IDLE) { move(c, HTTP_CONN_HEAD); }
    size_t n = have < HTTP_HEAD_BYTES_MAX + 1 ? have : HTTP_HEAD_BYTES_MAX + 1;
    const uint8_t *p = evbuffer_pullup(in, (ev_ssize_t)n);
    if (p == NULL) {
        c->doomed = true;
        return;
    }
    struct http_reply reply;
    struct rw_span bytes = rw_span_of(p, n);
    struct http_head head = http_parse_head(bytes);
    if (head.result == HTTP_PARSE_MORE) { return; }
    if (head.result == HTTP_PARSE_BAD) {
        tally(&w->tally.refused);
        c->unread = true;
        reply = http_serve_refusal(&head);
        start_reply(c, &reply);
        return;
    }
    tally(&w->tally.requests);
    const struct http_ask ask = {
        .bytes = bytes,
        .head = &head,
        .peer = {.text = c->peer.text, .key = c->peer.key, .known = c->peer.capped},
        .limit = w->shared->limit,
        .inbox = w->inbox,
        .files = w->files};
    c->last = c->last || head.close;
    c->job = http_serve_head(&w->shared->set, &ask, &reply);
    (void)evbuffer_drain(in, head.bytes);
    if (c->job != NULL) {
        begin_body(c, &head);
    } else {
        c->unread = head.content_length > 0;
        start_reply(c, &reply);
    }
}

/* The reply has gone out: next request, or the end. */
static void sent(struct http_conn *c)
{
    http_send_drop(c);
    bool more_came = evbuffer_get_length(bufferevent_get_input(c->bev)) > 0 || c->reading_off;
    if (!c->out.close && !c->eof) {
        move(c, HTTP_CONN_IDLE);
        set_reading(c, true);
        take_request(c);
        /* The drain may have begun behind the head of this reply, which did not say so. */
        if (c->state == HTTP_CONN_IDLE && c->worker->draining) { c->doomed = true; }
        return;
    }
    if (c->eof || (!c->unread && !more_came)) {
        c->doomed = true;
        return;
    }
    /* Closing now, with unread bytes of the client, would reset the connection, and the reply may be lost
     * with it (RFC 9112 9.6). */
    move(c, HTTP_CONN_LINGER);
    if (c->ssl != NULL) { (void)SSL_shutdown(c->ssl); }
    (void)shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    set_reading(c, true);
}

/* Replies that went out at once; a client that sends ahead may get many, one after the other, none inside another. */
static void go_on(struct http_conn *c)
{
    while (c->state == HTTP_CONN_SEND && !c->doomed && http_send_unsent(c) == 0) {
        sent(c);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct http_conn *c = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    size_t have = evbuffer_get_length(in);
    switch ((enum http_conn_state)c->state) {
    case HTTP_CONN_FRESH:
    case HTTP_CONN_HEAD:
    case HTTP_CONN_IDLE:
        take_request(c);
        break;
    case HTTP_CONN_BODY:
        take_body(c);
        break;
    case HTTP_CONN_WAIT:
    case HTTP_CONN_SEND:
        if (have >= INPUT_BYTES_MAX) { set_reading(c, false); }
        break;
    case HTTP_CONN_LINGER:
        (void)evbuffer_drain(in, have);
        c->lingered += have;
        if (c->lingered > LINGER_BYTES_MAX) { c->doomed = true; }
        break;
    case HTTP_CONN_STATES:
        break;
    }
    go_on(c);
    http_conn_settle(c);
}

/* The output buffer has become empty. */
static void on_write(struct bufferevent *bev, void *arg)
{
    struct http_conn *c = arg;
    (void)bev;
    if (c->state == HTTP_CONN_SEND && !c->doomed && http_send_more(c)) { sent(c); }
    go_on(c);
    http_conn_settle(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct http_conn *c = arg;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        return;
    } /* TLS is up; the head is waited for already */
    /* "End" while writing: a file that is sent has become shorter. */
    bool half_closed = (what & BEV_EVENT_EOF) != 0 && (what & BEV_EVENT_WRITING) == 0 &&
                       c->state == HTTP_CONN_SEND;
    c->eof = true;
    c->doomed = !half_closed;
    /* libevent stops both ways of a TLS connection at its end. */
    if (half_closed && c->ssl != NULL) { (void)bufferevent_enable(bev, EV_WRITE); }
    http_conn_settle(c);
}

void http_conn_deliver(struct http_conn *c, struct api_job *job)
{
    RW_ASSERT(c->job == job && c->state == HTTP_CONN_WAIT);
    struct http_reply reply = http_reply_take(job);
    c->job = NULL;
    http_inbox_job_free(job);
    start_reply(c, &reply);
    go_on(c);
    http_conn_settle(c);
}

/* With the certificate of this moment; a reload may put another one in its place meanwhile. */
static struct ssl_st *new_session(struct http_shared *shared)
{
    (void)pthread_mutex_lock(&shared->tls_lock);
    struct ssl_st *ssl = SSL_new(shared->tls);
    (void)pthread_mutex_unlock(&shared->tls_lock);
    return ssl;
}

static struct bufferevent *make_bufferevent(struct http_worker *w, int fd, struct ssl_st **ssl)
{
    if (w->shared->set.cert_file == NULL) {
        struct bufferevent *plain = bufferevent_socket_new(w->base, fd, BEV_OPT_CLOSE_ON_FREE);
        if (plain != NULL) { /* files go from the page cache to the socket */
            (void)evbuffer_set_flags(bufferevent_get_output(plain), EVBUFFER_FLAG_DRAINS_TO_FD);
        }
        return plain;
    }
    *ssl = new_session(w->shared);
    if (*ssl == NULL) { return NULL; }
    /* With this option it frees the session when it fails, too, and leaves the socket alone. */
    return bufferevent_openssl_socket_new(w->base, fd, *ssl, BUFFEREVENT_SSL_ACCEPTING,
                                          BEV_OPT_CLOSE_ON_FREE);
}

void http_conn_open(struct http_worker *w, int fd, const struct http_conn_peer *peer)
{
    struct http_conn *c = rw_mem_new(sizeof(*c));
    if (c != NULL) { c->bev = make_bufferevent(w, fd, &c->ssl); }
    if (c == NULL || c->bev == NULL) {
        if (peer->capped) { http_peers_leave(w->shared->peers, peer->key); }
        rw_mem_free(c);
        (void)close(fd);
        return;
    }
    c->worker = w;
    c->peer = *peer;
    c->state = HTTP_CONN_FRESH;
    c->deadline_ms = http_deadline_of(w, c->state, 0);
    c->out.mem = rw_buf_make(1);
    c->out.fd = -1;
    link_conn(c);
    w->open++;
    tally(&w->tally.accepted);
    tally(&w->tally.open);
    bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
    if (bufferevent_enable(c->bev, EV_READ | EV_WRITE) != 0) { http_conn_free(c); }
}

void http_conn_settle(struct http_conn *c)
{
    if (c->doomed) { http_conn_free(c); }
}

void http_conn_free(struct http_conn *c)
{
    struct http_worker *w = c->worker;
    unlink_conn(c);
    if (c->state == HTTP_CONN_WAIT) {
        c->job->conn = NULL; /* it comes back, and is freed then */
    } else {
        http_inbox_job_free(c->job);
    }
    /* A reply that is cut short must not look as if it were whole: no farewell then. */
    if (c->ssl != NULL && SSL_is_init_finished(c->ssl) != 0 && http_send_unsent(c) == 0) {
        (void)SSL_shutdown(c->ssl);
    }
    ERR_clear_error();
    if (c->page_wait != NULL) { event_free(c->page_wait); }
    http_send_drop(c);
    bufferevent_free(c->bev);
    if (c->peer.capped) { http_peers_leave(w->shared->peers, c->peer.key); }
    rw_mem_free(c);
    w->open--;
    (void)atomic_fetch_sub_explicit(&w->tally.open, 1, memory_order_relaxed);
    http_worker_left(w);
}

void http_conn_drain(struct http_worker *w)
{
    int64_t patience = http_worker_now_ms(w) + DRAIN_PATIENCE_MS;
    while (w->lists[HTTP_CONN_IDLE].first != NULL) {
        http_conn_free(w->lists[HTTP_CONN_IDLE].first);
    }
    for (struct http_conn *c = w->lists[HTTP_CONN_FRESH].first; c != NULL; c = c->next) {
        if (c->deadline_ms > patience) { c->deadline_ms = patience; }
    }
}

void http_conn_free_all(struct http_worker *w)
{
    for (size_t i = 0; i < HTTP_CONN_STATES; i++) {
        while (w->lists[i].first != NULL) {
            http_conn_free(w->lists[i].first);
        }
    }
}
