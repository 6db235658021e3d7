/* http_fixture.h: a real server on a free port, a core thread that answers or holds jobs, and a small client. */
#ifndef RINGWARD_TEST_HTTP_FIXTURE_H
#define RINGWARD_TEST_HTTP_FIXTURE_H

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/num.h"
#include "server/api/http_server.h"
#include "tests/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 10000,    /* a test fails when something takes longer */
    LARGE_BYTES = 12000000, /* more than the kernel keeps between server and client */
    SMALL_BODY_MAX = 4096,
    UPLOAD_MAX = 4194304,
};

#define TOKEN_HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define PUBLISHER "rwo1.paul." TOKEN_HEX

static inline int64_t now_ms(void)
{
    const struct rw_clock clock = rw_clock_system();
    return rw_clock_mono(&clock).ms;
}

/* --- the core: one thread, a queue, and a place for jobs that a test holds back --- */
struct core {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct api_job *queue; /* newest first; tests have few */
    struct api_job *held;
    unsigned held_count;
    bool end;
    pthread_t thread;
};

static inline RW_RC core_submit(void *ctx, struct api_job *job, struct rw_err *err)
{
    struct core *core = ctx;
    if (rw_span_is(job->req.path, "/v1/full")) {
        return rw_fail(err, RW_E_FULL, "the queue is full");
    }
    (void)pthread_mutex_lock(&core->lock);
    job->next = core->queue;
    core->queue = job;
    (void)pthread_cond_broadcast(&core->changed);
    (void)pthread_mutex_unlock(&core->lock);
    return RW_OK;
}

static inline void *core_run(void *arg)
{
    struct core *core = arg;
    (void)pthread_mutex_lock(&core->lock);
    while (!core->end) {
        struct api_job *job = core->queue;
        if (job == NULL) {
            (void)pthread_cond_wait(&core->changed, &core->lock);
            continue;
        }
        core->queue = job->next;
        if (rw_span_is(job->req.path, "/v1/hold")) {
            job->next = core->held;
            core->held = job;
            core->held_count++;
            (void)pthread_cond_broadcast(&core->changed);
            continue;
        }
        (void)pthread_mutex_unlock(&core->lock);
        job->route->apply(core, job);
        api_job_done(job);
        (void)pthread_mutex_lock(&core->lock);
    }
    (void)pthread_mutex_unlock(&core->lock);
    return NULL;
}

/* Waits until the core holds so many jobs. */
static inline void core_wait_held(struct core *core, unsigned count)
{
    (void)pthread_mutex_lock(&core->lock);
    while (core->held_count < count) {
        (void)pthread_cond_wait(&core->changed, &core->lock);
    }
    (void)pthread_mutex_unlock(&core->lock);
}

static inline void core_release(struct core *core)
{
    (void)pthread_mutex_lock(&core->lock);
    struct api_job *job = core->held;
    core->held = NULL;
    core->held_count = 0;
    (void)pthread_mutex_unlock(&core->lock);
    while (job != NULL) {
        struct api_job *next = job->next;
        job->route->apply(core, job);
        api_job_done(job);
        job = next;
    }
}

/* --- routes --- */
static inline void say(struct api_job *job, int status, const char *text)
{
    struct rw_err err = {0};
    job->reply.status = status;
    MUST(rw_buf_append_str(&job->reply.body, text, &err));
}

static inline void prepare_health(struct api_job *job)
{
    say(job, 200, "{\"ok\":true}");
}

static inline void apply_hold(void *core, struct api_job *job)
{
    (void)core;
    say(job, 200, "held");
}

static inline void apply_params(void *core, struct api_job *job)
{
    struct rw_err err = {0};
    const struct api_request *r = &job->req;
    (void)core;
    job->reply.status = 200;
    job->reply.content_type = "text/plain";
    MUST(rw_buf_appendf(&job->reply.body, &err, "%.*s|%.*s|%.*s|%s", (int)r->params[0].n,
                        (const char *)r->params[0].p, (int)r->params[1].n,
                        (const char *)r->params[1].p, (int)r->query.n, (const char *)r->query.p,
                        r->peer));
}

static inline void apply_echo(void *core, struct api_job *job)
{
    struct rw_err err = {0};
    (void)core;
    job->reply.status = 200;
    MUST(rw_buf_append(&job->reply.body, job->req.body, &err));
}

static inline void apply_upload(void *core, struct api_job *job)
{
    struct rw_err err = {0};
    char hex[DIGEST_HEX_BYTES];
    (void)core;
    MUST(digest_sha256_hex(job->req.body, hex, &err));
    say(job, 201, hex);
}

static inline uint8_t large_byte(size_t i)
{
    return (uint8_t)((i * 2654435761U) >> 13);
}

static inline void apply_large(void *core, struct api_job *job)
{
    struct rw_err err = {0};
    uint8_t *at = NULL;
    (void)core;
    job->reply.status = 200;
    MUST(rw_buf_reserve(&job->reply.body, LARGE_BYTES, &at, &err));
    for (size_t i = 0; i < LARGE_BYTES; i++) {
        at[i] = large_byte(i);
    }
    rw_buf_commit(&job->reply.body, LARGE_BYTES);
}

static inline void apply_stale(void *core, struct api_job *job)
{
    struct rw_err err = {0};
    (void)core;
    RW_IGNORE(rw_fail(&err, RW_E_STALE, "generation 7 is \"old\""), "it is the answer");
    RW_IGNORE(rw_hint(&err, "read it again"), "it is the answer");
    say(job, 200, "half an answer");
    api_reply_error(job, &err);
}

static inline void prepare_parsed(struct api_job *job)
{
    say(job, 400, "parsed");
}

static const struct api_route fixture_routes[] = {
    {.method = "POST",
     .pattern = "/v1/parsed",
     .auth = API_AUTH_PUBLISHER,
     .prepare = prepare_parsed,
     .body_bytes_max = SMALL_BODY_MAX},
    {.method = "GET", .pattern = "/healthz", .prepare = prepare_health},
    {.method = "GET", .pattern = "/v1/hold", .apply = apply_hold},
    {.method = "GET", .pattern = "/v1/full", .apply = apply_hold},
    {.method = "GET", .pattern = "/v1/params/{a}/{b}", .apply = apply_params},
    {.method = "GET", .pattern = "/v1/large", .apply = apply_large},
    {.method = "GET", .pattern = "/v1/stale", .apply = apply_stale},
    {.method = "GET", .pattern = "/v1/closed", .auth = API_AUTH_ADMIN, .apply = apply_hold},
    {.method = "POST",
     .pattern = "/v1/echo",
     .apply = apply_echo,
     .body_bytes_max = SMALL_BODY_MAX},
    {.method = "POST",
     .pattern = "/v1/upload",
     .auth = API_AUTH_PUBLISHER,
     .apply = apply_upload,
     .body_bytes_max = UPLOAD_MAX},
};

/* --- the server --- */
struct rig {
    struct core core;
    struct http_auth *auth;
    struct http_server *server;
    char dir[64]; /* temporary; repo is below it */
    int repo_dir;
    SSL_CTX *tls; /* client's; NULL: plain */
};

/* Small limits, so that tests of deadlines are short. */
static inline struct http_settings rig_settings(void)
{
    struct http_settings s = {.listen = "127.0.0.1:0", .workers = 1, .repo_dir = -1};
    s.limits = http_limits_default();
    s.limits.tick_ms = 10;
    return s;
}

static inline void rig_start(struct rig *rig, struct http_settings s)
{
    static const uint8_t secret[HTTP_SECRET_BYTES] = {7};
    struct rw_err err = {0};
    struct http_token token = {.role = API_AUTH_PUBLISHER, .name = "paul"};
    assert_int_equal(pthread_mutex_init(&rig->core.lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&rig->core.changed, NULL), 0);
    MUST(http_auth_new(secret, &rig->auth, &err));
    MUST(digest_sha256(rw_span_str(PUBLISHER), token.sha256, &err));
    MUST(http_auth_set_tokens(rig->auth, &token, 1, &err));
    s.routes = fixture_routes;
    s.route_count = RW_LEN(fixture_routes);
    s.sink = (struct api_sink){.submit = core_submit, .ctx = &rig->core};
    s.auth = rig->auth;
    MUST(http_server_start(&s, &rig->server, &err));
    assert_int_equal(pthread_create(&rig->core.thread, NULL, core_run, &rig->core), 0);
}

static inline void core_stop(struct core *core)
{
    (void)pthread_mutex_lock(&core->lock);
    core->end = true;
    (void)pthread_cond_broadcast(&core->changed);
    (void)pthread_mutex_unlock(&core->lock);
    (void)pthread_join(core->thread, NULL);
}

/* Stops what runs, and gives held jobs back to nobody. */
static inline void rig_stop(struct rig *rig)
{
    if (rig->server != NULL) { http_server_stop(rig->server); }
    core_stop(&rig->core);
    core_release(&rig->core);
    (void)pthread_cond_destroy(&rig->core.changed);
    (void)pthread_mutex_destroy(&rig->core.lock);
    http_auth_free(rig->auth);
    SSL_CTX_free(rig->tls);
}

static inline struct http_counters rig_counters(const struct rig *rig)
{
    struct http_counters c;
    http_server_counters(rig->server, &c);
    return c;
}

/* Waits for a level that another thread brings about. */
static inline void rig_wait_open(const struct rig *rig, uint64_t open)
{
    int64_t end = now_ms() + PATIENCE_MS;
    while (rig_counters(rig).open != open) {
        if (now_ms() > end) {
            fail_msg("%llu connections are open", (unsigned long long)rig_counters(rig).open);
        }
        (void)poll(NULL, 0, 2);
    }
}

/* --- the client --- */
struct client {
    int fd;
    SSL *ssl;
    char in[65536]; /* bytes that were received and not used */
    size_t n;
};

struct answer {
    int status;
    char head[2048];
    size_t body_bytes; /* as announced */
    char body[65536];  /* the beginning */
    uint64_t wrong;    /* bytes of a large body that are not large_byte() */
};

static inline void client_wait(const struct client *c, short events)
{
    struct pollfd p = {.fd = c->fd, .events = events};
    if (poll(&p, 1, PATIENCE_MS) != 1) { fail_msg("the server is silent"); }
}

/* receive_bytes 0: the kernel's choice. */
static inline int connect_with(const struct rig *rig, int receive_bytes)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)http_server_port(rig->server)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (receive_bytes > 0) {
        assert_int_equal(
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes)), 0);
    }
    if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static inline int connect_to(const struct rig *rig)
{
    return connect_with(rig, 0);
}

/* A client that reads late soon takes nothing more. */
static inline int connect_narrow(const struct rig *rig)
{
    return connect_with(rig, 4096);
}

static inline struct client *client_on(struct rig *rig, int fd)
{
    struct client *c = rw_mem_new(sizeof(*c));
    assert_true(fd >= 0);
    c->fd = fd;
    if (rig->tls != NULL) {
        c->ssl = SSL_new(rig->tls);
        (void)SSL_set_fd(c->ssl, c->fd);
        assert_int_equal(SSL_connect(c->ssl), 1);
    }
    return c;
}

static inline struct client *client_open(struct rig *rig)
{
    return client_on(rig, connect_to(rig));
}

static inline void client_close(struct client *c)
{
    SSL_free(c->ssl);
    (void)close(c->fd);
    rw_mem_free(c);
}

static inline void client_send_bytes(struct client *c, const void *p, size_t n)
{
    const uint8_t *at = p;
    while (n > 0) {
        ssize_t done =
            c->ssl != NULL ? SSL_write(c->ssl, at, (int)n) : send(c->fd, at, n, MSG_NOSIGNAL);
        if (done <= 0) { fail_msg("send: %s", strerror(errno)); }
        at += done;
        n -= (size_t)done;
    }
}

static inline void client_send(struct client *c, const char *text)
{
    client_send_bytes(c, text, strlen(text));
}

/* More bytes into c->in; false: the server has closed. */
static inline bool client_fill(struct client *c)
{
    assert_true(c->n < sizeof(c->in));
    if (c->ssl == NULL || SSL_pending(c->ssl) == 0) { client_wait(c, POLLIN); }
    ssize_t got = c->ssl != NULL ? SSL_read(c->ssl, c->in + c->n, (int)(sizeof(c->in) - c->n))
                                 : recv(c->fd, c->in + c->n, sizeof(c->in) - c->n, 0);
    if (got <= 0) { return false; }
    c->n += (size_t)got;
    return true;
}

static inline void client_use(struct client *c, size_t n)
{
    memmove(c->in, c->in + n, c->n - n);
    c->n -= n;
}

static inline bool head_has(const struct answer *a, const char *line)
{
    char want[256];
    (void)snprintf(want, sizeof(want), "\r\n%s\r\n", line);
    return strstr(a->head, want) != NULL;
}

static inline void client_body(struct client *c, struct answer *a)
{
    for (size_t done = 0; done < a->body_bytes;) {
        if (c->n == 0 && !client_fill(c)) { fail_msg("the body ends after %zu bytes", done); }
        size_t n = c->n < a->body_bytes - done ? c->n : a->body_bytes - done;
        for (size_t i = 0; i < n; i++) {
            if (done + i < sizeof(a->body) - 1) { a->body[done + i] = c->in[i]; }
            a->wrong += (uint8_t)c->in[i] != large_byte(done + i);
        }
        client_use(c, n);
        done += n;
    }
}

static inline size_t number_at(const char *text)
{
    size_t n = 0;
    while (*text >= '0' && *text <= '9') {
        n = n * 10 + (size_t)(*text++ - '0');
    }
    return n;
}

/* The next answer; `head_only`: to a HEAD request. */
static inline void client_read(struct client *c, struct answer *a, bool head_only)
{
    char *end = NULL;
    *a = (struct answer){.status = 0};
    while ((end = memmem(c->in, c->n, "\r\n\r\n", 4)) == NULL) {
        if (!client_fill(c)) { fail_msg("closed before an answer: %.*s", (int)c->n, c->in); }
    }
    size_t n = (size_t)(end - c->in) + 4;
    assert_true(n < sizeof(a->head));
    rw_copy(a->head, sizeof(a->head), c->in, n);
    client_use(c, n);
    assert_memory_equal(a->head, "HTTP/1.1 ", 9);
    a->status = (int)number_at(a->head + 9);
    const char *length = strstr(a->head, "\r\nContent-Length: ");
    if (length != NULL) { a->body_bytes = number_at(length + 18); }
    if (!head_only) { client_body(c, a); }
}

static inline struct answer *client_ask(struct client *c, const char *request)
{
    static struct answer a;
    client_send(c, request);
    client_read(c, &a, strncmp(request, "HEAD", 4) == 0);
    return &a;
}

/* The server has closed, and sent nothing more. */
static inline void client_expect_end(struct client *c)
{
    if (client_fill(c)) { fail_msg("not closed, but: %.*s", (int)c->n, c->in); }
}

#endif
