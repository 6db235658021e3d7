#include "server/api/http_send.h"

#include "common/base/file.h"
#include "server/api/http_worker.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* A cold page is asked for without waiting; after 40 * 5 ms the read may block after all. */
enum { PAGE_WAIT_US = 5000, PAGE_TRIES_MAX = 40 };

enum {
    TLS_RECORD_BYTES = 16384,
    LOOK_BYTES = 32768, /* of a slice that the kernel sends, one byte of so many is looked at */
};

void http_send_drop(struct http_conn *c)
{
    if (c->page_wait != NULL) { (void)event_del(c->page_wait); }
    rw_buf_drop(&c->out.mem);
    rw_fd_drop(&c->out.fd);
    c->out.left = 0;
}

uint64_t http_send_unsent(const struct http_conn *c)
{
    return c->out.left + evbuffer_get_length(bufferevent_get_output(c->bev));
}

static bool send_memory(struct http_conn *c, size_t n)
{
    RW_ASSERT(c->out.offset + n <= c->out.mem.n);
    return bufferevent_write(c->bev, c->out.mem.p + c->out.offset, n) == 0;
}

static void on_page_wait(evutil_socket_t fd, short what, void *arg)
{
    struct http_conn *c = arg;
    (void)fd;
    (void)what;
    /* While the head is still in the buffer, its end asks for the file anyway. */
    if (evbuffer_get_length(bufferevent_get_output(c->bev)) > 0) { return; }
    (void)http_send_more(c);
    http_conn_settle(c);
}

/* Starts reading ahead and asks again in a moment. */
static bool wait_for_page(struct http_conn *c, size_t n)
{
    const struct timeval soon = {.tv_usec = PAGE_WAIT_US};
    c->page_tries++;
    (void)posix_fadvise(c->out.fd, (off_t)c->out.offset, (off_t)n, POSIX_FADV_WILLNEED);
    if (c->page_wait == NULL) { c->page_wait = event_new(c->worker->base, -1, 0, on_page_wait, c); }
    return c->page_wait != NULL && event_add(c->page_wait, &soon) == 0;
}

/* What was read of the slice, from byte `skip` of it on; -1: nothing, see errno. */
static ssize_t read_slice(struct http_conn *c, size_t skip, void *at, size_t n)
{
    struct iovec v = {.iov_base = at, .iov_len = n};
    off_t from = (off_t)(c->out.offset + skip);
    int flags = c->page_tries < PAGE_TRIES_MAX ? RWF_NOWAIT : 0;
    ssize_t got = preadv2(c->out.fd, &v, 1, from, flags);
    if (got < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)) {
        got = pread(c->out.fd, at, n, from);
    }
    return got;
}

static void page_came(struct http_conn *c)
{
    c->page_tries = 0;
    if (c->page_wait != NULL) { (void)event_del(c->page_wait); }
}

/* Without TLS the kernel sends from the page cache (sendfile); what is not there yet is put off here too. The
 * segment borrows the descriptor, which stays open until the output buffer is empty or gone. */
static bool send_by_kernel(struct http_conn *c, size_t n, size_t *sent_out)
{
    *sent_out = 0;
    for (size_t at = 0; at < n; at += LOOK_BYTES) {
        char byte = 0;
        ssize_t got = read_slice(c, at, &byte, 1);
        if (got < 0 && errno == EAGAIN) { return wait_for_page(c, n); }
        if (got <= 0) { return false; }
    }
    page_came(c);
    struct evbuffer_file_segment *part =
        evbuffer_file_segment_new(c->out.fd, (ev_off_t)c->out.offset, (ev_off_t)n, 0);
    if (part == NULL) { return false; }
    bool good = evbuffer_add_file_segment(bufferevent_get_output(c->bev), part, 0, -1) == 0;
    evbuffer_file_segment_free(part);
    *sent_out = n;
    return good;
}

/* *sent_out: bytes that went into the output buffer; 0: it was put off. False: cannot go on. */
static bool send_file(struct http_conn *c, size_t n, size_t *sent_out)
{
    if (c->ssl == NULL) { return send_by_kernel(c, n, sent_out); }
    struct evbuffer *out = bufferevent_get_output(c->bev);
    struct evbuffer_iovec v;
    *sent_out = 0;
    if (evbuffer_reserve_space(out, (ev_ssize_t)n, &v, 1) != 1) { return false; }
    ssize_t got = read_slice(c, 0, v.iov_base, n);
    if (got < 0 && errno == EAGAIN) {
        v.iov_len = 0;
        return evbuffer_commit_space(out, &v, 1) == 0 && wait_for_page(c, n);
    }
    if (got <= 0) { return false; }
    page_came(c);
    v.iov_len = (size_t)got;
    *sent_out = (size_t)got;
    return evbuffer_commit_space(out, &v, 1) == 0;
}

bool http_send_more(struct http_conn *c)
{
    struct http_outgoing *o = &c->out;
    if (o->left == 0) { return true; }
    size_t n = o->left < HTTP_SEND_SLICE_BYTES ? (size_t)o->left : HTTP_SEND_SLICE_BYTES;
    size_t sent = n;
    bool good = o->fd >= 0 ? send_file(c, n, &sent) : send_memory(c, n);
    if (!good) {
        c->doomed = true;
        return false;
    }
    o->offset += sent;
    o->left -= sent;
    return false;
}

/* Whatever this does not send, an error of the connection included, is for the bufferevent to try and to tell. */
static size_t send_at_once(const struct http_conn *c, struct rw_span bytes)
{
    if (evbuffer_get_length(bufferevent_get_output(c->bev)) > 0) { return 0; }
    if (c->ssl == NULL) {
        ssize_t sent =
            send(bufferevent_getfd(c->bev), bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        return sent > 0 ? (size_t)sent : 0;
    }
    if (bytes.n > TLS_RECORD_BYTES) { return 0; }
    ERR_clear_error();
    int sent = SSL_write(c->ssl, bytes.p, (int)bytes.n); /* one record: all or nothing */
    ERR_clear_error();
    return sent > 0 ? (size_t)sent : 0;
}

/* In one piece: OpenSSL has begun a record with these bytes, and wants to be given them again just so. */
static bool send_later(struct http_conn *c, struct rw_span bytes)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);
    struct evbuffer_iovec v;
    if (evbuffer_reserve_space(out, (ev_ssize_t)bytes.n, &v, 1) != 1) { return false; }
    rw_copy(v.iov_base, v.iov_len, bytes.p, bytes.n);
    v.iov_len = bytes.n;
    return evbuffer_commit_space(out, &v, 1) == 0;
}

/* Straight to the socket when nothing waits before it: to wait until the socket is writable would cost two changes of
 * the poll set and a turn of the loop for each reply. */
static bool send_whole(struct http_conn *c, struct rw_span bytes)
{
    size_t sent = send_at_once(c, bytes);
    return sent == bytes.n || send_later(c, rw_span_of(bytes.p + sent, bytes.n - sent));
}

static void count(struct http_tally *t, int status)
{
    (void)atomic_fetch_add_explicit(&t->replies[status / 100], 1, memory_order_relaxed);
}

void http_send_begin(struct http_conn *c, struct http_reply *reply)
{
    struct http_worker *w = c->worker;
    struct rw_err unused;
    uint64_t body = http_reply_body_bytes(reply);
    bool whole = reply->fd < 0 && body <= HTTP_REPLY_SMALL;
    RW_ASSERT(c->out.left == 0);
    count(&w->tally, reply->status);
    rw_buf_clear(&w->scratch);
    struct rw_rc rc = http_reply_head(reply, http_worker_date(w), &w->scratch, &unused);
    struct rw_span small = reply->lent.n > 0 ? reply->lent : rw_buf_span(&reply->body);
    if (rw_is_ok(rc) && whole && body > 0) { rc = rw_buf_append(&w->scratch, small, &unused); }
    bool large =
        !whole && body > 0; /* its first slice joins the head: no more packets than needed */
    struct rw_span bytes = rw_buf_span(&w->scratch);
    bool good = rw_is_ok(rc) && (large ? send_later(c, bytes) : send_whole(c, bytes));
    c->out.close = reply->close;
    if (!good) {
        c->doomed = true;
        http_reply_drop(reply);
        return;
    }
    if (large) {
        c->out.mem = reply->body;
        c->out.fd = reply->fd;
        c->out.offset = reply->fd >= 0 ? reply->offset : 0;
        c->out.left = body;
        *reply = http_reply_make(); /* handed over */
        (void)http_send_more(c);
    }
    http_reply_drop(reply);
}
