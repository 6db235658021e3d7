/* One connection of the pool: connects, writes a request, reads its answer. */
#include "tests/fleet/fleet_pool.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { RENEW_AT_LEAST = 500, RENEW_SPREAD = 500 }; /* of 1,000 that the server allows */

void fleet_conn_tls_drop(struct ssl_ctx_st **tls)
{
    SSL_CTX_free(*tls);
    *tls = NULL;
}

RW_RC fleet_conn_tls(const char *ca_file, struct ssl_ctx_st **out, struct rw_err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL) { return rw_fail(err, RW_E_CRYPTO, "no TLS context"); }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1) {
        fleet_conn_tls_drop(&ctx);
        return rw_fail(err, RW_E_CRYPTO, "'%s' cannot be read as certificates", ca_file);
    }
    *out = ctx;
    return RW_OK;
}

void fleet_conn_close(struct fleet_conn *c)
{
    if (c->bev == NULL) { return; }
    bufferevent_free(c->bev);
    c->bev = NULL;
    c->requests = 0;
}

/* Free before the answer is told: with one connection per endpoint the next request may begin at once. */
static void finish(struct fleet_conn *c, struct fleet_reply *r)
{
    struct fleet_http *h = c->pool;
    const struct fleet_job job = c->job;
    r->took_us = fleet_http_now_us() - job.due_us;
    h->open_jobs--;
    c->busy = false;
    h->calls.done(h->calls.ctx, &job, r);
    fleet_pool_release(c);
}

void fleet_conn_fail(struct fleet_conn *c, const char *why)
{
    struct fleet_reply r = {.failure = why, .retry_after_s = -1};
    fleet_conn_close(c);
    finish(c, &r);
}

/* --- reading --- */

/* False: the rest is not here yet, or the connection was given up. */
static bool take_head(struct fleet_conn *c, struct evbuffer *in)
{
    struct rw_err err;
    struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
    if (end.pos < 0) {
        if (evbuffer_get_length(in) > FLEET_REPLY_HEAD_BYTES_MAX) {
            fleet_conn_fail(c, "endless headers");
        }
        return false;
    }
    size_t n = (size_t)end.pos + 4;
    const uint8_t *p = evbuffer_pullup(in, (ev_ssize_t)n);
    if (p == NULL || !rw_is_ok(fleet_reply_read(rw_span_of(p, n), &c->head, &err))) {
        fleet_conn_fail(c, "an answer that is none");
        return false;
    }
    size_t etag = c->head.etag.n < sizeof(c->etag_text) ? c->head.etag.n : 0;
    rw_copy(c->etag_text, sizeof(c->etag_text), c->head.etag.p, etag);
    c->head.etag = rw_span_of(c->etag_text, etag);
    (void)evbuffer_drain(in, n);
    c->has_head = true;
    return true;
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct fleet_conn *c = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    c->heard = true;
    if (!c->busy) {
        fleet_conn_close(c); /* nobody asked */
        return;
    }
    if (!c->has_head && !take_head(c, in)) { return; }
    struct rw_err err;
    struct rw_buf *body = &c->pool->body;
    uint8_t *at = NULL;
    size_t n = c->head.body_bytes;
    if (evbuffer_get_length(in) < n) { return; }
    rw_buf_clear(body);
    if (!rw_is_ok(rw_buf_reserve(body, n + 1, &at, &err)) || evbuffer_remove(in, at, n) != (int)n) {
        fleet_conn_fail(c, "no memory");
        return;
    }
    rw_buf_commit(body, n);
    struct fleet_reply r = {.status = c->head.status,
                            .body = rw_buf_span(body),
                            .etag = c->head.etag,
                            .retry_after_s = c->head.retry_after_s};
    if (c->head.close || c->requests >= c->renew_at) { fleet_conn_close(c); }
    finish(c, &r);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct fleet_conn *c = arg;
    (void)bev;
    if ((what & BEV_EVENT_CONNECTED) != 0) { return; }
    c->pool->counters.broken++;
    ERR_clear_error();
    if (!c->busy) {
        fleet_conn_close(c);
        return;
    }
    /* A server may close a kept connection at the very moment of the next request: once more, as libcurl does. */
    if (c->requests > 1 && !c->heard && !c->job.again) {
        struct fleet_job job = c->job;
        job.again = 1;
        c->pool->counters.resent++;
        fleet_conn_close(c);
        c->busy = false;
        fleet_conn_start(c, &job);
        return;
    }
    fleet_conn_fail(c, "the connection broke");
}

/* --- writing --- */

static struct bufferevent *make_tls(struct fleet_http *h)
{
    SSL *ssl = SSL_new(h->tls);
    if (ssl == NULL) { return NULL; }
    bool is_address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), h->host) == 1;
    if (!is_address &&
        (SSL_set1_host(ssl, h->host) != 1 || SSL_set_tlsext_host_name(ssl, h->host) != 1)) {
        SSL_free(ssl);
        return NULL;
    }
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        h->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) { SSL_free(ssl); }
    return bev;
}

/* Connections of a pool are used in turn, so all of them would reach the server's limit of requests together, and every
 * request would wait for hundreds of handshakes at once. Endpoints of their own have no such step. */
static uint32_t requests_until_renewed(const struct fleet_http *h)
{
    uint32_t spread = (uint32_t)h->counters.connects * 2654435761U >> 16;
    return h->own ? UINT32_MAX : RENEW_AT_LEAST + spread % RENEW_SPREAD;
}

static bool connect_now(struct fleet_conn *c)
{
    struct fleet_http *h = c->pool;
    const int one = 1;
    c->renew_at = requests_until_renewed(h);
    c->bev =
        h->tls == NULL ? bufferevent_socket_new(h->base, -1, BEV_OPT_CLOSE_ON_FREE) : make_tls(h);
    if (c->bev == NULL) { return false; }
    bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
    (void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
    h->counters.connects++;
    struct sockaddr_storage addr = h->addr;
    if (bufferevent_socket_connect(c->bev, (struct sockaddr *)&addr, (int)h->addr_bytes) != 0) {
        return false;
    }
    (void)setsockopt(bufferevent_getfd(c->bev), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return true;
}

static bool write_request(struct fleet_conn *c, const struct fleet_request *q)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);
    bool ok = evbuffer_add_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", q->method, q->path,
                                  c->pool->host_port) > 0;
    if (q->bearer != NULL) {
        ok = ok && evbuffer_add_printf(out, "Authorization: Bearer %s\r\n", q->bearer) > 0;
    }
    if (q->if_none_match != NULL) {
        ok = ok && evbuffer_add_printf(out, "If-None-Match: %s\r\n", q->if_none_match) > 0;
    }
    if (q->body.n > 0) {
        ok = ok &&
             evbuffer_add_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                                 q->body.n) > 0;
    }
    ok = ok && evbuffer_add(out, "\r\n", 2) == 0;
    return ok && (q->body.n == 0 || evbuffer_add(out, q->body.p, q->body.n) == 0);
}

void fleet_conn_start(struct fleet_conn *c, const struct fleet_job *job)
{
    struct fleet_http *h = c->pool;
    struct fleet_request q = {.method = "GET"};
    struct rw_err err;
    RW_ASSERT(!c->busy);
    c->busy = true;
    c->heard = false;
    c->has_head = false;
    c->job = *job;
    c->sent_us = fleet_http_now_us();
    bool ok = c->bev != NULL || connect_now(c);
    ok = ok && rw_is_ok(h->calls.build(h->calls.ctx, job, &q, &err)) && write_request(c, &q);
    c->requests++;
    if (!ok) { c->sent_us = INT64_MIN; } /* the next sweep ends it: never from within a push */
}
