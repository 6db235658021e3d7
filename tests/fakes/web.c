#include "tests/fakes/web.h"

#include "common/base/num.h"

#include "tests/harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

struct web {
    web_handler handler;
    void *ctx;
    char url[64];
    int listener;
    pthread_t thread;
    struct web_request seen[WEB_SEEN_MAX];
    atomic_size_t count; /* whoever has read it may read so many of `seen`, which change no more */
};

static int64_t content_length(const char *head)
{
    static const char name[] = "\r\ncontent-length:";
    const char *at = strcasestr(head, name);
    struct rw_err err;
    int64_t n = 0;
    if (at == NULL) { return 0; }
    at += strlen(name);
    at += strspn(at, " ");
    MUST(rw_parse_i64(rw_span_of(at, strspn(at, "0123456789")), 0, 1 << 20, "length", &n, &err));
    return n;
}

/* "METHOD PATH ..." */
static void take_first_line(struct web_request *r)
{
    struct rw_err err;
    size_t method = strcspn(r->head, " ");
    const char *path = r->head + method + (r->head[method] == ' ' ? 1 : 0);
    struct rw_span words[] = {rw_span_of(r->head, method), rw_span_of(path, strcspn(path, " "))};
    MUST(rw_span_to_str(r->method, sizeof(r->method), words[0], "method", &err));
    MUST(rw_span_to_str(r->path, sizeof(r->path), words[1], "path", &err));
}

static bool read_head(int fd, char *head, struct rw_buf *body)
{
    size_t n = 0;
    while (n + 1 < WEB_HEAD_BYTES) {
        ssize_t got = read(fd, head + n, 1);
        if (got != 1) { return false; }
        n++;
        head[n] = '\0';
        if (n >= 4 && strcmp(head + n - 4, "\r\n\r\n") == 0) { break; }
    }
    int64_t left = content_length(head);
    while (left > 0) {
        struct rw_err err;
        uint8_t *to = NULL;
        MUST(rw_buf_reserve(body, (size_t)left, &to, &err));
        ssize_t got = read(fd, to, (size_t)left);
        if (got <= 0) { return false; }
        rw_buf_commit(body, (size_t)got);
        left -= got;
    }
    return true;
}

static void write_all(int fd, const void *p, size_t n)
{
    const uint8_t *at = p;
    while (n > 0) {
        ssize_t put = send(fd, at, n, MSG_NOSIGNAL);
        if (put <= 0) { return; }
        at += put;
        n -= (size_t)put;
    }
}

static void answer_one(struct web *w, int fd)
{
    char head[512];
    size_t count = atomic_load(&w->count); /* written by this thread alone */
    struct web_request *r = &w->seen[count];
    struct web_answer a = {.status = 404};
    *r = (struct web_request){.body = rw_buf_make(1 << 20)};
    if (count + 1 >= WEB_SEEN_MAX || !read_head(fd, r->head, &r->body)) {
        rw_buf_drop(&r->body);
        return;
    }
    take_first_line(r);
    atomic_store(&w->count, count + 1);
    w->handler(w->ctx, r, &a);
    if (a.status == 0) { return; } /* no answer at all */
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n",
                     a.status, a.body.n, a.headers == NULL ? "" : a.headers);
    write_all(fd, head, (size_t)n);
    write_all(fd, a.body.p, a.cut > 0 && a.cut < a.body.n ? a.cut : a.body.n);
}

static void *serve(void *ctx)
{
    struct web *w = ctx;
    for (;;) {
        int fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) { return NULL; }
        answer_one(w, fd);
        (void)close(fd);
    }
}

struct web *web_start(web_handler handler, void *ctx)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(at);
    struct web *w = rw_mem_new(sizeof(*w));
    assert_non_null(w);
    w->handler = handler;
    w->ctx = ctx;
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(w->listener, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(w->listener, 16), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&at, &n), 0);
    (void)snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%d", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&w->thread, NULL, serve, w), 0);
    return w;
}

void web_stop(struct web **w)
{
    if (*w == NULL) { return; }
    (void)shutdown((*w)->listener, SHUT_RDWR); /* ends accept */
    (void)pthread_join((*w)->thread, NULL);
    (void)close((*w)->listener);
    for (size_t i = 0; i < atomic_load(&(*w)->count); i++) {
        rw_buf_drop(&(*w)->seen[i].body);
    }
    rw_mem_free(*w);
    *w = NULL;
}

const char *web_url(const struct web *w)
{
    return w->url;
}

size_t web_count(const struct web *w)
{
    return atomic_load(&w->count);
}

const struct web_request *web_seen(const struct web *w, size_t index)
{
    assert_true(index < atomic_load(&w->count));
    return &w->seen[index];
}

size_t web_count_of(const struct web *w, size_t first, const char *path)
{
    size_t n = 0;
    size_t count = atomic_load(&w->count);
    for (size_t i = first; i < count; i++) {
        n += strcmp(w->seen[i].path, path) == 0 ? 1 : 0;
    }
    return n;
}
