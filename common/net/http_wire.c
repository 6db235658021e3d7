#include "common/net/http_wire.h"

#include <string.h>

enum { STATUS_MAX = 999 };

static RW_RC put_text(struct frame_writer *w, const char *s, struct rw_err *err)
{
    if (strlen(s) >= HTTP_WIRE_TEXT_BYTES) {
        return rw_fail(err, RW_E_TOO_BIG, "a request's text of %zu bytes, at most %d", strlen(s),
                       HTTP_WIRE_TEXT_BYTES - 1);
    }
    return frame_put_str(w, s, err);
}

/* NULL and "" mean different things to libcurl. */
static RW_RC put_optional(struct frame_writer *w, const char *s, struct rw_err *err)
{
    RW_TRY(frame_put_u32(w, s != NULL, err));
    return put_text(w, s != NULL ? s : "", err);
}

RW_RC http_wire_put_request(struct frame_writer *w, const struct http_exchange *x,
                            struct rw_err *err)
{
    RW_ASSERT(x->header_count <= HTTP_ENGINE_HEADERS_MAX);
    RW_TRY(put_text(w, x->url, err));
    RW_TRY(put_optional(w, x->ca_file, err));
    RW_TRY(put_optional(w, x->proxy, err));
    RW_TRY(put_text(w, x->no_proxy, err));
    RW_TRY(frame_put_u32(w, (uint32_t)x->header_count, err));
    for (size_t i = 0; i < x->header_count; i++) {
        RW_TRY(put_text(w, x->headers[i], err));
    }
    RW_TRY(frame_put_u32(w, x->body.p != NULL, err));
    RW_TRY(frame_put_bytes(w, x->body, err));
    RW_TRY(frame_put_u64(w, (uint64_t)x->total_ms, err));
    RW_TRY(frame_put_u64(w, (uint64_t)x->receive_bytes_per_s, err));
    RW_TRY(frame_put_u64(w, x->answer_bytes_max, err));
    return frame_put_u32(w, x->on_sent != NULL, err);
}

static RW_RC get_flag(struct frame_reader *r, const char *what, bool *out, struct rw_err *err)
{
    uint32_t v = 0;
    RW_TRY(frame_get_u32(r, what, &v, err));
    if (v > 1) { return rw_fail(err, RW_E_PROTOCOL, "%s is no flag", what); }
    *out = v == 1;
    return RW_OK;
}

static RW_RC get_i64(struct frame_reader *r, const char *what, int64_t *out, struct rw_err *err)
{
    uint64_t v = 0;
    RW_TRY(frame_get_u64(r, what, &v, err));
    if (v > INT64_MAX) { return rw_fail(err, RW_E_PROTOCOL, "%s is out of range", what); }
    *out = (int64_t)v;
    return RW_OK;
}

static RW_RC get_optional(struct frame_reader *r, const char *what, char *text, const char **out,
                          struct rw_err *err)
{
    bool given = false;
    RW_TRY(get_flag(r, what, &given, err));
    RW_TRY(frame_get_str(r, text, HTTP_WIRE_TEXT_BYTES, what, err));
    *out = given ? text : NULL;
    return RW_OK;
}

static RW_RC get_headers(struct frame_reader *r, struct http_wire_request *q, struct rw_err *err)
{
    uint32_t count = 0;
    RW_TRY(frame_get_u32(r, "headers", &count, err));
    if (count > HTTP_ENGINE_HEADERS_MAX) {
        return rw_fail(err, RW_E_PROTOCOL, "%u headers, at most %d", count,
                       HTTP_ENGINE_HEADERS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        RW_TRY(frame_get_str(r, q->headers[i], sizeof(q->headers[i]), "header", err));
        q->x.headers[i] = q->headers[i];
    }
    q->x.header_count = count;
    return RW_OK;
}

RW_RC http_wire_get_request(struct frame_reader *r, struct http_wire_request *q, struct rw_err *err)
{
    bool has_body = false;
    struct rw_span body;
    *q = (struct http_wire_request){.x = {.url = q->url, .no_proxy = q->no_proxy}};
    if (r->type != HTTP_WIRE_REQUEST) {
        return rw_fail(err, RW_E_PROTOCOL, "frame type %u is no request", r->type);
    }
    RW_TRY(frame_get_str(r, q->url, sizeof(q->url), "url", err));
    RW_TRY(get_optional(r, "ca_file", q->ca_file, &q->x.ca_file, err));
    RW_TRY(get_optional(r, "proxy", q->proxy, &q->x.proxy, err));
    RW_TRY(frame_get_str(r, q->no_proxy, sizeof(q->no_proxy), "no_proxy", err));
    RW_TRY(get_headers(r, q, err));
    RW_TRY(get_flag(r, "has_body", &has_body, err));
    RW_TRY(frame_get_bytes(r, FRAME_BYTES_MAX, "body", &body, err));
    if (has_body) { q->x.body = body; }
    RW_TRY(get_i64(r, "total_ms", &q->x.total_ms, err));
    RW_TRY(get_i64(r, "rate", &q->x.receive_bytes_per_s, err));
    RW_TRY(frame_get_u64(r, "answer_bytes_max", &q->x.answer_bytes_max, err));
    RW_TRY(get_flag(r, "wants_sent", &q->wants_sent, err));
    return frame_end(r, err);
}

RW_RC http_wire_put_answer(struct frame_writer *w, const struct http_wire_answer *a,
                           struct rw_err *err)
{
    switch (a->type) {
    case HTTP_WIRE_REQUEST:
        break;
    case HTTP_WIRE_HEADER:
        return frame_put_bytes(w, a->bytes, err);
    case HTTP_WIRE_BODY:
        RW_TRY(frame_put_u32(w, (uint32_t)a->status, err));
        return frame_put_bytes(w, a->bytes, err);
    case HTTP_WIRE_SENT:
        RW_TRY(frame_put_u64(w, (uint64_t)a->sent_bytes, err));
        return frame_put_u64(w, (uint64_t)a->total_bytes, err);
    case HTTP_WIRE_OUTCOME:
        RW_TRY(frame_put_u32(w, (uint32_t)a->out.code, err));
        RW_TRY(frame_put_u32(w, (uint32_t)a->out.status, err));
        return frame_put_str(w, a->out.text, err);
    }
    return rw_fail(err, RW_E_PROTOCOL, "frame type %u is no answer", (unsigned)a->type);
}

static RW_RC get_status(struct frame_reader *r, int *out, struct rw_err *err)
{
    uint32_t v = 0;
    RW_TRY(frame_get_u32(r, "status", &v, err));
    if (v > STATUS_MAX) { return rw_fail(err, RW_E_PROTOCOL, "status %u is out of range", v); }
    *out = (int)v;
    return RW_OK;
}

/* Only what http_engine.h promises: no other code may come from there. */
static RW_RC get_outcome(struct frame_reader *r, struct http_outcome *out, struct rw_err *err)
{
    static const enum rw_code known[] = {RW_E_NONE, RW_E_NET, RW_E_TIMEOUT, RW_E_TOO_BIG,
                                         RW_E_NOMEM};
    uint32_t code = 0;
    RW_TRY(frame_get_u32(r, "code", &code, err));
    RW_TRY(get_status(r, &out->status, err));
    RW_TRY(frame_get_str(r, out->text, sizeof(out->text), "text", err));
    for (size_t i = 0; i < RW_LEN(known); i++) {
        if (code == (uint32_t)known[i]) {
            out->code = known[i];
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_PROTOCOL, "an outcome of unknown kind %u", code);
}

RW_RC http_wire_get_answer(struct frame_reader *r, struct http_wire_answer *a, struct rw_err *err)
{
    *a = (struct http_wire_answer){.type = (enum http_wire_type)r->type};
    switch (r->type) {
    case HTTP_WIRE_HEADER:
        RW_TRY(frame_get_bytes(r, HTTP_WIRE_ANSWER_BYTES_MAX, "header", &a->bytes, err));
        break;
    case HTTP_WIRE_BODY:
        RW_TRY(get_status(r, &a->status, err));
        RW_TRY(frame_get_bytes(r, HTTP_WIRE_ANSWER_BYTES_MAX, "body", &a->bytes, err));
        break;
    case HTTP_WIRE_SENT:
        RW_TRY(get_i64(r, "sent", &a->sent_bytes, err));
        RW_TRY(get_i64(r, "total", &a->total_bytes, err));
        break;
    case HTTP_WIRE_OUTCOME:
        RW_TRY(get_outcome(r, &a->out, err));
        break;
    default:
        return rw_fail(err, RW_E_PROTOCOL, "frame type %u is no answer", r->type);
    }
    return frame_end(r, err);
}
