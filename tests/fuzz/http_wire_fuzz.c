/* Goal: no bytes from ringward-http can make the agent read outside of them, no request makes ringward-http do so, and
 * what is taken for an answer is one that http_engine.h promises and can be written again and read as the same. */
#include "common/net/http_wire.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer(struct frame_reader frame)
{
    struct rw_err err;
    struct http_wire_answer a;
    struct http_wire_answer again;
    if (!rw_is_ok(http_wire_get_answer(&frame, &a, &err))) { return; }
    RW_ASSERT(a.type >= HTTP_WIRE_HEADER && a.type <= HTTP_WIRE_OUTCOME);
    RW_ASSERT(a.bytes.n <= HTTP_WIRE_ANSWER_BYTES_MAX);
    RW_ASSERT(memchr(a.out.text, '\0', sizeof(a.out.text)) != NULL);
    struct frame_writer w = frame_begin((uint16_t)a.type);
    RW_ASSERT(rw_is_ok(http_wire_put_answer(&w, &a, &err)));
    struct frame_reader second = {
        .type = (uint16_t)a.type,
        .rest = rw_span_of(w.buf.p + FRAME_HEADER_BYTES, w.buf.n - FRAME_HEADER_BYTES)};
    RW_ASSERT(rw_is_ok(http_wire_get_answer(&second, &again, &err)));
    RW_ASSERT(again.type == a.type && again.status == a.status && rw_span_eq(again.bytes, a.bytes));
    RW_ASSERT(again.sent_bytes == a.sent_bytes && again.total_bytes == a.total_bytes);
    RW_ASSERT(again.out.code == a.out.code && again.out.status == a.out.status);
    RW_ASSERT(strcmp(again.out.text, a.out.text) == 0);
    frame_writer_drop(&w);
}

static void request(struct frame_reader frame)
{
    static struct http_wire_request q;
    struct rw_err err;
    if (!rw_is_ok(http_wire_get_request(&frame, &q, &err))) { return; }
    RW_ASSERT(q.x.url == q.url && memchr(q.url, '\0', sizeof(q.url)) != NULL);
    RW_ASSERT(q.x.header_count <= HTTP_ENGINE_HEADERS_MAX);
    for (size_t i = 0; i < q.x.header_count; i++) {
        RW_ASSERT(q.x.headers[i] == q.headers[i]);
    }
}

/* The first byte chooses the type, the rest are the fields. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t types[] = {HTTP_WIRE_REQUEST, HTTP_WIRE_HEADER,  HTTP_WIRE_BODY,
                                     HTTP_WIRE_SENT,    HTTP_WIRE_OUTCOME, 6};
    if (size < 1) { return 0; }
    const struct frame_reader frame = {.type = types[data[0] % RW_LEN(types)],
                                       .rest = rw_span_of(data + 1, size - 1)};
    answer(frame);
    request(frame);
    return 0;
}
