#include "common/net/http_client.h"

#include "common/base/file.h"
#include "common/base/num.h"
#include "common/net/http_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    URL_BYTES = 1024,
    HEADERS_MAX = 4,
    TOTAL_MS = 60000,
    SLOWEST_BYTES_PER_MS = 8, /* downloads get the time that a line of 8 kB/s needs */
};

struct http_client {
    struct http_engine *engine;
    char *base_url;
    char *ca_file;
    char *no_proxy; /* hosts that are asked directly: this machine and what the environment names */
    char *authorization; /* whole header line; NULL: none */
    char *proxy;         /* NULL: as the environment says */
    int64_t total_ms;
    int64_t receive_bytes_per_s;
    uint64_t answers;
    void (*on_sent)(void *ctx, int64_t sent_bytes, int64_t total_bytes);
    void *on_sent_ctx;
};

/* Where the body of one answer goes. */
struct sink {
    struct rw_buf *into; /* NULL: to the descriptor */
    int fd;
    uint64_t left; /* bytes that may still come */
    struct rw_err err;
    bool failed;
    bool demand_status; /* a body of an error page must not reach the file */
    int status_wanted;
    const char *range_wanted; /* how Content-Range must begin; NULL: no range was asked for */
    bool range_given;
    RW_RC (*seen)(void *ctx, struct rw_span bytes, struct rw_err *err);
    void *seen_ctx;
    bool head_complete; /* the engine takes a head that breaks off for an answer without a body */
    struct http_client_answer answer;
};

/* "", ":8080", each with or without a path: what may follow the host. A '@' would make all before it a user's name. */
static bool is_port_and_path(struct rw_span rest)
{
    size_t i = 0;
    if (rest.n > 0 && rest.p[0] == ':') {
        for (i = 1; i < rest.n && rest.p[i] >= '0' && rest.p[i] <= '9'; i++) {}
    }
    return i == rest.n || rest.p[i] == '/';
}

bool http_client_keeps_secret(struct rw_span url)
{
    static const char *const own[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    if (rw_span_starts(url, "https://")) { return url.n > strlen("https://"); }
    for (size_t i = 0; i < RW_LEN(own); i++) {
        size_t n = strlen(own[i]);
        if (!rw_span_starts(url, own[i])) { continue; }
        return is_port_and_path(rw_span_of(url.p + n, url.n - n));
    }
    return false;
}

RW_RC http_client_set_token(struct http_client *c, const char *token, struct rw_err *err)
{
    char line[512];
    rw_mem_free(c->authorization);
    c->authorization = NULL;
    if (token == NULL) { return RW_OK; }
    if (c->base_url != NULL && !http_client_keeps_secret(rw_span_str(c->base_url))) {
        RW_IGNORE(rw_fail(err, RW_E_CONFIG, "no token goes to '%.80s' in plain text", c->base_url),
                  "a hint follows");
        return rw_hint(err, "write https://; http:// is for this machine alone");
    }
    int n = snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
    if (n < 0 || (size_t)n >= sizeof(line) || strpbrk(token, "\r\n") != NULL) {
        return rw_fail(err, RW_E_RANGE, "the token is too long or contains a line end");
    }
    c->authorization = rw_str_dup(line);
    if (c->authorization == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a token"); }
    return RW_OK;
}

static char *hosts_without_proxy(void)
{
    static const char own[] = "127.0.0.1,localhost,::1";
    char list[1024];
    const char *more = getenv("no_proxy");
    if (more == NULL) { more = getenv("NO_PROXY"); }
    int n = snprintf(list, sizeof(list), "%s,%s", own, more == NULL ? "" : more);
    /* A list that is too long is left out whole: half a host name would be another host. */
    bool fits = more != NULL && n > 0 && (size_t)n < sizeof(list);
    return rw_str_dup(fits ? list : own);
}

RW_RC http_client_open(const struct http_client_options *o, struct http_client **out,
                       struct rw_err *err)
{
    struct http_client *c = rw_mem_new(sizeof(*c));
    if (c == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for an HTTP client"); }
    c->base_url = rw_str_dup(o->base_url);
    c->ca_file = o->ca_file == NULL ? NULL : rw_str_dup(o->ca_file);
    c->no_proxy = hosts_without_proxy();
    c->proxy = o->proxy == NULL ? NULL : rw_str_dup(o->proxy);
    c->total_ms = o->total_ms > 0 ? o->total_ms : TOTAL_MS;
    c->receive_bytes_per_s = o->receive_bytes_per_s;
    c->on_sent = o->on_sent;
    c->on_sent_ctx = o->on_sent_ctx;
    struct rw_rc rc = http_client_set_token(c, o->token, err);
    if (rw_is_ok(rc)) { rc = http_engine_open(o->program, o->share, &c->engine, err); }
    if (rw_is_ok(rc) &&
        (c->base_url == NULL || c->no_proxy == NULL || (o->proxy != NULL && c->proxy == NULL) ||
         (o->ca_file != NULL && c->ca_file == NULL))) {
        rc = rw_fail(err, RW_E_NOMEM, "no memory for an HTTP client");
    }
    if (!rw_is_ok(rc)) {
        http_client_drop(&c);
        return rc;
    }
    *out = c;
    return RW_OK;
}

void http_client_drop(struct http_client **c)
{
    if (*c == NULL) { return; }
    http_engine_drop(&(*c)->engine);
    rw_mem_free((*c)->base_url);
    rw_mem_free((*c)->ca_file);
    rw_mem_free((*c)->no_proxy);
    rw_mem_free((*c)->proxy);
    rw_mem_free((*c)->authorization);
    rw_mem_free(*c);
    *c = NULL;
}

static bool on_body(void *ctx, int status, struct rw_span bytes)
{
    struct sink *s = ctx;
    if (s->demand_status && status != s->status_wanted) { return false; } /* told by status */
    struct rw_rc rc;
    if (s->range_wanted != NULL && !s->range_given) {
        rc = rw_fail(&s->err, RW_E_PROTOCOL, "the answer is not the part that was asked for");
    } else if (bytes.n > s->left) {
        rc = rw_fail(&s->err, RW_E_TOO_BIG, "the answer is longer than allowed");
    } else if (s->into != NULL) {
        rc = rw_buf_append(s->into, bytes, &s->err);
    } else {
        rc = rw_fd_write_all(s->fd, bytes, &s->err);
        if (rw_is_ok(rc) && s->seen != NULL) { rc = s->seen(s->seen_ctx, bytes, &s->err); }
    }
    s->failed = !rw_is_ok(rc);
    s->left -= s->failed ? 0 : bytes.n;
    return !s->failed;
}

/* The value of "Name: value" when the line has that name. */
static bool header_value(struct rw_span line, const char *name, struct rw_span *out)
{
    size_t n = strlen(name);
    if (line.n <= n || line.p[n] != ':' || strncasecmp((const char *)line.p, name, n) != 0) {
        return false;
    }
    struct rw_span v = rw_span_of(line.p + n + 1, line.n - n - 1);
    while (v.n > 0 && v.p[0] == ' ') {
        v = rw_span_of(v.p + 1, v.n - 1);
    }
    while (v.n > 0 && (v.p[v.n - 1] == '\r' || v.p[v.n - 1] == '\n')) {
        v.n--;
    }
    *out = v;
    return true;
}

/* It travels back to the server in a header line. */
static bool is_plain(struct rw_span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < ' ' || s.p[i] > '~') { return false; }
    }
    return true;
}

static void on_header(void *ctx, struct rw_span line)
{
    struct sink *s = ctx;
    struct rw_span value;
    struct rw_err unused;
    int64_t n = 0;
    if (rw_span_starts(line, "HTTP/")) {
        s->answer = (struct http_client_answer){.retry_after_s = -1};
        s->range_given = false;
        s->head_complete = false;
    } else if (line.n <= 2 && (line.n == 0 || line.p[line.n - 1] == '\n')) {
        s->head_complete = true;
    } else if (header_value(line, "content-range", &value)) {
        s->range_given = s->range_wanted != NULL && rw_span_starts(value, s->range_wanted);
    } else if (header_value(line, "etag", &value) && is_plain(value)) {
        RW_IGNORE(rw_span_to_str(s->answer.etag, sizeof(s->answer.etag), value, "etag", &unused),
                  "a long ETag is no ETag");
    } else if (header_value(line, "retry-after", &value)) {
        if (rw_is_ok(rw_parse_i64(value, 0, 86400, "Retry-After", &n, &unused))) {
            s->answer.retry_after_s = n;
        }
    }
}

struct request {
    const char *path;
    const char *header;         /* one more header line; NULL: none */
    const char *const *headers; /* up to HEADERS_MAX more, ended by NULL; NULL: none */
    const char *content_type;
    struct rw_span body; /* p NULL: GET */
    int64_t total_ms;    /* 0: the client's */
    bool download;       /* the rate limit holds */
};

/* 502 and 504 come from a proxy in place of the server. */
static bool is_gateway_failure(int status)
{
    return status == 502 || status == 504;
}

uint64_t http_client_answers(const struct http_client *c)
{
    return c->answers;
}

static void add_header(struct http_exchange *x, const char *line)
{
    if (line == NULL) { return; }
    RW_ASSERT(x->header_count < HTTP_ENGINE_HEADERS_MAX);
    x->headers[x->header_count++] = line;
}

static RW_RC transport_error(const struct http_client *c, const struct sink *s,
                             const struct http_outcome *o, struct rw_err *err)
{
    if (s->failed) {
        *err = s->err;
        return (struct rw_rc){err->code};
    }
    return rw_fail(err, o->code, "%s: %s", c->base_url, o->text);
}

static RW_RC perform(struct http_client *c, const struct request *r, struct sink *s,
                     struct rw_err *err)
{
    char url[URL_BYTES];
    char type[128];
    struct http_outcome outcome;
    int n = snprintf(url, sizeof(url), "%s%s", c->base_url, r->path);
    if (n < 0 || (size_t)n >= sizeof(url)) { return rw_fail(err, RW_E_RANGE, "URL too long"); }
    struct http_exchange x = {.url = url,
                              .ca_file = c->ca_file,
                              .proxy = c->proxy,
                              .no_proxy = c->proxy != NULL ? "" : c->no_proxy,
                              .body = r->body,
                              .total_ms = r->total_ms > 0 ? r->total_ms : c->total_ms,
                              .receive_bytes_per_s = r->download ? c->receive_bytes_per_s : 0,
                              .answer_bytes_max = s->left,
                              .on_header = on_header,
                              .on_body = on_body,
                              .ctx = s,
                              .on_sent = c->on_sent,
                              .on_sent_ctx = c->on_sent_ctx};
    add_header(&x, c->authorization);
    add_header(&x, r->header);
    for (size_t i = 0; r->headers != NULL && i < HEADERS_MAX && r->headers[i] != NULL; i++) {
        add_header(&x, r->headers[i]);
    }
    if (r->content_type != NULL) {
        (void)snprintf(type, sizeof(type), "Content-Type: %s", r->content_type);
        add_header(&x, type);
    }
    http_engine_perform(c->engine, &x, &outcome);
    s->answer.status = outcome.status;
    if (outcome.code != RW_E_NONE) { return transport_error(c, s, &outcome, err); }
    if (!s->head_complete) {
        return rw_fail(err, RW_E_NET, "%s: the answer's head broke off", c->base_url);
    }
    if (!is_gateway_failure(outcome.status)) { c->answers++; }
    return RW_OK;
}

/* NOLINTNEXTLINE(readability-function-size): seven parts make one exchange; a struct would only rename them */
RW_RC http_client_get(struct http_client *c, const char *path, const char *if_none_match,
                      size_t max, struct rw_buf *into, struct http_client_answer *answer_out,
                      struct rw_err *err)
{
    char condition[HTTP_CLIENT_ETAG_BYTES + 32];
    struct sink s = {.into = into, .fd = -1, .left = max};
    struct request r = {.path = path};
    if (if_none_match != NULL && if_none_match[0] != '\0') {
        (void)snprintf(condition, sizeof(condition), "If-None-Match: %s", if_none_match);
        r.header = condition;
    }
    RW_TRY(perform(c, &r, &s, err));
    *answer_out = s.answer;
    return RW_OK;
}

RW_RC http_client_get_past_caches(struct http_client *c, const char *path, size_t max,
                                  struct rw_buf *into, struct http_client_answer *answer_out,
                                  struct rw_err *err)
{
    struct sink s = {.into = into, .fd = -1, .left = max};
    const struct request r = {.path = path, .header = "Cache-Control: no-cache"};
    RW_TRY(perform(c, &r, &s, err));
    *answer_out = s.answer;
    return RW_OK;
}

/* NOLINTNEXTLINE(readability-function-size): as above */
RW_RC http_client_post(struct http_client *c, const char *path, const char *content_type,
                       struct rw_span body, size_t max, struct rw_buf *into,
                       struct http_client_answer *answer_out, struct rw_err *err)
{
    struct sink s = {.into = into, .fd = -1, .left = max};
    const struct request r = {.path = path,
                              .content_type = content_type,
                              .body = body.p == NULL ? rw_span_of("", 0) : body};
    RW_TRY(perform(c, &r, &s, err));
    *answer_out = s.answer;
    return RW_OK;
}

/* NOLINTNEXTLINE(readability-function-size): as above */
RW_RC http_client_post_message(struct http_client *c, const char *path,
                               const struct http_client_message *m, size_t max, struct rw_buf *into,
                               struct http_client_answer *answer_out, struct rw_err *err)
{
    struct sink s = {.into = into, .fd = -1, .left = max};
    const struct request r = {.path = path,
                              .content_type = m->content_type,
                              .headers = m->headers,
                              .body = m->body.p == NULL ? rw_span_of("", 0) : m->body};
    for (size_t i = 0; i < HEADERS_MAX && m->headers[i] != NULL; i++) {
        if (strpbrk(m->headers[i], "\r\n") != NULL) {
            return rw_fail(err, RW_E_RANGE, "a header with a line end");
        }
    }
    RW_TRY(perform(c, &r, &s, err));
    *answer_out = s.answer;
    return RW_OK;
}

RW_RC http_client_download_part(struct http_client *c, const char *path,
                                const struct http_client_part *p, struct rw_err *err)
{
    char range[64];
    char part[64];
    RW_ASSERT(p->offset <= p->total_bytes);
    if (p->offset > 0 && p->offset == p->total_bytes) { return RW_OK; }
    struct sink s = {.fd = p->fd,
                     .left = p->total_bytes - p->offset,
                     .demand_status = true,
                     .status_wanted = p->offset > 0 ? 206 : 200,
                     .seen = p->seen,
                     .seen_ctx = p->ctx};
    struct request r = {.path = path, .download = true, .total_ms = p->slice_ms};
    if (p->slice_ms == 0) { r.total_ms = c->total_ms + (int64_t)(s.left / SLOWEST_BYTES_PER_MS); }
    if (p->offset > 0) {
        (void)snprintf(range, sizeof(range), "Range: bytes=%llu-", (unsigned long long)p->offset);
        (void)snprintf(part, sizeof(part), "bytes %llu-", (unsigned long long)p->offset);
        r.header = range;
        s.range_wanted = part;
    }
    struct rw_rc rc = perform(c, &r, &s, err);
    /* A status says more than that the page behind it was too long. */
    if (s.answer.status != 0 && s.answer.status != s.status_wanted) {
        bool redirect = s.answer.status / 100 == 3;
        return rw_fail(err, s.answer.status == 404 ? RW_E_NOT_FOUND : RW_E_HTTP,
                       "%s%s: status %d, want %d%s", c->base_url, path, s.answer.status,
                       s.status_wanted, redirect ? " (redirects are refused)" : "");
    }
    return rc;
}

RW_RC http_client_download(struct http_client *c, const char *path, int fd, uint64_t offset,
                           uint64_t total_bytes, struct rw_err *err)
{
    const struct http_client_part part = {.fd = fd, .offset = offset, .total_bytes = total_bytes};
    return http_client_download_part(c, path, &part, err);
}
