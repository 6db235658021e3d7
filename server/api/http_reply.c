#include "server/api/http_reply.h"

#include "common/base/file.h"
#include "common/json/json_write.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct {
    int status;
    const char *text;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {204, "No Content"},
    {206, "Partial Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

/* RFC 9112 4: the reason phrase may be empty. */
static const char *reason_of(int status)
{
    for (size_t i = 0; i < RW_LEN(reasons); i++) {
        if (reasons[i].status == status) { return reasons[i].text; }
    }
    return "";
}

struct http_reply http_reply_make(void)
{
    return (struct http_reply){.body = rw_buf_make(API_REPLY_BYTES_MAX),
                               .fd = -1,
                               .retry_after_s = -1,
                               .cache_control = "no-store"};
}

void http_reply_drop(struct http_reply *r)
{
    rw_buf_drop(&r->body);
    rw_fd_drop(&r->fd);
    r->fd = -1;
}

RW_RC http_reply_error_json(const struct rw_err *error, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_open_object(&w, "error");
    json_put_str(&w, "code", rw_code_name(error->code));
    json_put_str(&w, "text", error->text);
    if (error->hint[0] != '\0') { json_put_str(&w, "hint", error->hint); }
    json_close_object(&w);
    json_close_object(&w);
    return json_done(&w, err);
}

void http_reply_error(struct http_reply *r, int status, const struct rw_err *err)
{
    struct rw_err unused;
    rw_buf_clear(&r->body);
    rw_fd_drop(&r->fd);
    r->fd = -1;
    r->status = status != 0 ? status : rw_code_http_status(err->code);
    r->content_type = "application/json";
    if (r->status == 503) { r->retry_after_s = API_RETRY_AFTER_S; }
    if (!rw_is_ok(http_reply_error_json(err, &r->body, &unused))) { rw_buf_clear(&r->body); }
}

struct http_reply http_reply_take(struct api_job *job)
{
    struct http_reply r = http_reply_make();
    r.status = job->reply.status;
    r.content_type = job->reply.content_type == NULL ? "application/json" : job->reply.content_type;
    r.retry_after_s = job->reply.retry_after_s;
    rw_buf_drop(&r.body);
    r.body = job->reply.body;
    job->reply.body = rw_buf_make(API_REPLY_BYTES_MAX); /* handed over */
    r.fd = job->reply.file_fd;
    r.bytes = job->reply.file_bytes;
    job->reply.file_fd = -1; /* handed over */
    r.head_only = job->req.method == API_HEAD;
    return r;
}

static bool is_bodiless(int status)
{
    return status == 204 || status == 304;
}

static uint64_t content_bytes(const struct http_reply *r)
{
    if (r->fd >= 0) { return r->bytes; }
    return r->lent.n > 0 ? r->lent.n : r->body.n;
}

uint64_t http_reply_body_bytes(const struct http_reply *r)
{
    return r->head_only || is_bodiless(r->status) ? 0 : content_bytes(r);
}

static RW_RC append_validators(const struct http_reply *r, struct rw_buf *into, struct rw_err *err)
{
    if (r->etag[0] != '\0') { RW_TRY(rw_buf_appendf(into, err, "ETag: %s\r\n", r->etag)); }
    if (r->accept_ranges) { RW_TRY(rw_buf_append_str(into, "Accept-Ranges: bytes\r\n", err)); }
    if (r->content_range[0] != '\0') {
        RW_TRY(rw_buf_appendf(into, err, "Content-Range: %s\r\n", r->content_range));
    }
    return RW_OK;
}

static RW_RC append_content(const struct http_reply *r, struct rw_buf *into, struct rw_err *err)
{
    if (is_bodiless(r->status)) { return RW_OK; }
    if (r->content_type != NULL) {
        RW_TRY(rw_buf_appendf(into, err, "Content-Type: %s\r\nX-Content-Type-Options: nosniff\r\n",
                              r->content_type));
        if (rw_span_starts(rw_span_str(r->content_type), "text/html")) {
            RW_TRY(rw_buf_append_str(into,
                                     "Content-Security-Policy: frame-ancestors 'none'\r\n"
                                     "Referrer-Policy: no-referrer\r\n",
                                     err));
        }
    }
    return rw_buf_appendf(into, err, "Content-Length: %llu\r\n",
                          (unsigned long long)content_bytes(r));
}

static RW_RC append_end(const struct http_reply *r, struct rw_buf *into, struct rw_err *err)
{
    return rw_buf_append_str(into, r->close ? "Connection: close\r\n\r\n" : "\r\n", err);
}

static RW_RC append_head(const struct http_reply *r, const char *date, struct rw_buf *into,
                         struct rw_err *err)
{
    RW_TRY(rw_buf_appendf(into, err, "HTTP/1.1 %d %s\r\nDate: %s\r\nCache-Control: %s\r\n",
                          r->status, reason_of(r->status), date, r->cache_control));
    RW_TRY(append_content(r, into, err));
    RW_TRY(append_validators(r, into, err));
    if (r->allow != NULL) { RW_TRY(rw_buf_appendf(into, err, "Allow: %s\r\n", r->allow)); }
    if (r->status == 401) {
        RW_TRY(rw_buf_append_str(into, "WWW-Authenticate: Bearer realm=\"ringward\"\r\n", err));
    }
    if (r->retry_after_s >= 0) {
        RW_TRY(rw_buf_appendf(into, err, "Retry-After: %lld\r\n", (long long)r->retry_after_s));
    }
    return RW_OK;
}

static RW_RC append_ready(const struct http_ready *ready, const char *date, struct rw_buf *into,
                          struct rw_err *err)
{
    size_t at = into->n + ready->date_at;
    RW_TRY(rw_buf_append(into, rw_buf_span(&ready->head), err));
    rw_copy(into->p + at, into->n - at, date, HTTP_DATE_BYTES - 1);
    return RW_OK;
}

RW_RC http_reply_head(const struct http_reply *r, const char *date, struct rw_buf *into,
                      struct rw_err *err)
{
    RW_ASSERT(r->status >= 200 && r->status <= 599);
    if (r->ready != NULL) {
        RW_TRY(append_ready(r->ready, date, into, err));
    } else {
        RW_TRY(append_head(r, date, into, err));
    }
    return append_end(r, into, err);
}

RW_RC http_ready_make(const struct http_reply *r, struct http_ready *out, struct rw_err *err)
{
    char date[HTTP_DATE_BYTES];
    http_reply_date(date, 0);
    http_ready_drop(out);
    RW_TRY(append_head(r, date, &out->head, err));
    const char *at = strstr(rw_buf_str(&out->head), "\r\nDate: ");
    RW_ASSERT(at != NULL);
    out->date_at = (size_t)(at - rw_buf_str(&out->head)) + strlen("\r\nDate: ");
    return RW_OK;
}

void http_ready_drop(struct http_ready *ready)
{
    rw_buf_drop(&ready->head);
    *ready = (struct http_ready){.head = rw_buf_make(HTTP_REPLY_HEAD_MAX)};
}

void http_reply_date(char dst[static HTTP_DATE_BYTES], int64_t wall_s)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm t;
    time_t at = (time_t)wall_s;
    if (gmtime_r(&at, &t) == NULL || t.tm_year < 0 || t.tm_year > 8099) {
        t = (struct tm){.tm_mday = 1, .tm_year = 70, .tm_wday = 4};
    }
    char text[96]; /* the compiler does not know how short the fields are */
    int n = snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday],
                     t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    RW_ASSERT(n == HTTP_DATE_BYTES - 1);
    rw_copy(dst, HTTP_DATE_BYTES, text, HTTP_DATE_BYTES);
}
