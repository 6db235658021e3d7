/* Goal: what ringward-http is asked and answers arrives as it was meant, and a helper gone wrong cannot say more
 * than the frames allow. */
#include "common/net/http_wire.h"

#include "tests/harness.h"

#include <sys/socket.h>
#include <unistd.h>

static void ignore_sent(void *ctx, int64_t sent_bytes, int64_t total_bytes)
{
    (void)ctx;
    (void)sent_bytes;
    (void)total_bytes;
}

/* The frame as the other end receives it. */
static struct frame_reader pass(struct frame_writer *w, struct rw_buf *into)
{
    struct rw_err err = {0};
    struct frame_reader r = {0};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    MUST(frame_send(pair[0], w, 30000, &err));
    MUST(frame_recv(pair[1], into, 30000, &r, &err));
    (void)close(pair[0]);
    (void)close(pair[1]);
    frame_writer_drop(w);
    return r;
}

TEST(a_request_arrives_whole)
{
    static struct http_wire_request q;
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf frame = rw_buf_make(FRAME_BYTES_MAX);
    const struct http_exchange x = {.url = "https://a:1/x",
                                    .ca_file = "/ca.pem",
                                    .no_proxy = "localhost",
                                    .headers = {"A: 1", "B: 2"},
                                    .header_count = 2,
                                    .body = rw_span_str("{}"),
                                    .total_ms = 5000,
                                    .receive_bytes_per_s = 7,
                                    .answer_bytes_max = UINT64_MAX,
                                    .on_sent = ignore_sent};
    struct frame_writer w = frame_begin(HTTP_WIRE_REQUEST);
    MUST(http_wire_put_request(&w, &x, &err));
    struct frame_reader r = pass(&w, &frame);
    MUST(http_wire_get_request(&r, &q, &err));
    assert_string_equal(q.x.url, x.url);
    assert_string_equal(q.x.ca_file, x.ca_file);
    assert_null(q.x.proxy);
    assert_string_equal(q.x.no_proxy, x.no_proxy);
    assert_int_equal(q.x.header_count, 2);
    assert_string_equal(q.x.headers[1], "B: 2");
    assert_true(rw_span_is(q.x.body, "{}"));
    assert_int_equal(q.x.total_ms, 5000);
    assert_int_equal(q.x.receive_bytes_per_s, 7);
    assert_true(q.x.answer_bytes_max == UINT64_MAX);
    assert_true(q.wants_sent);
}

/* An empty body is a POST, none is a GET. */
TEST(no_body_and_an_empty_one_are_told_apart)
{
    static struct http_wire_request q;
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf frame = rw_buf_make(FRAME_BYTES_MAX);
    struct http_exchange x = {.url = "u", .no_proxy = "", .total_ms = 1, .proxy = ""};
    for (int given = 0; given < 2; given++) {
        x.body = given == 0 ? (struct rw_span){.p = NULL} : rw_span_str("");
        struct frame_writer w = frame_begin(HTTP_WIRE_REQUEST);
        MUST(http_wire_put_request(&w, &x, &err));
        struct frame_reader r = pass(&w, &frame);
        MUST(http_wire_get_request(&r, &q, &err));
        assert_int_equal(q.x.body.p != NULL, given);
        assert_string_equal(q.x.proxy, "");
        assert_null(q.x.ca_file);
        assert_false(q.wants_sent);
    }
}

TEST(a_text_that_is_too_long_is_refused_before_it_is_sent)
{
    struct rw_err err = {0};
    static char longer[HTTP_WIRE_TEXT_BYTES + 1];
    for (size_t i = 0; i < HTTP_WIRE_TEXT_BYTES; i++) {
        longer[i] = 'a';
    }
    const struct http_exchange x = {.url = longer, .no_proxy = "", .total_ms = 1};
    struct frame_writer w = frame_begin(HTTP_WIRE_REQUEST);
    MUST_FAIL(http_wire_put_request(&w, &x, &err), RW_E_TOO_BIG);
    frame_writer_drop(&w);
}

static const struct answer_case {
    const char *id;
    struct http_wire_answer a;
    uint16_t sent_as; /* 0: as it is */
    enum rw_code want;
} answers[] = {
    {"header", {.type = HTTP_WIRE_HEADER}, 0, RW_E_NONE},
    {"body", {.type = HTTP_WIRE_BODY, .status = 206}, 0, RW_E_NONE},
    {"sent", {.type = HTTP_WIRE_SENT, .sent_bytes = 3, .total_bytes = 9}, 0, RW_E_NONE},
    {"outcome",
     {.type = HTTP_WIRE_OUTCOME, .out = {.code = RW_E_TIMEOUT, .status = 200, .text = "late"}},
     0,
     RW_E_NONE},
    {"outcome_of_another_kind",
     {.type = HTTP_WIRE_OUTCOME, .out = {.code = RW_E_TUF_HASH}},
     0,
     RW_E_PROTOCOL},
    {"status_out_of_range", {.type = HTTP_WIRE_BODY, .status = 1000}, 0, RW_E_PROTOCOL},
    {"negative_status", {.type = HTTP_WIRE_BODY, .status = -1}, 0, RW_E_PROTOCOL},
    {"negative_bytes", {.type = HTTP_WIRE_SENT, .sent_bytes = -1}, 0, RW_E_PROTOCOL},
    {"bytes_behind_the_end", {.type = HTTP_WIRE_SENT}, HTTP_WIRE_HEADER, RW_E_PROTOCOL},
    {"a_request", {.type = HTTP_WIRE_HEADER}, HTTP_WIRE_REQUEST, RW_E_PROTOCOL},
    {"an_unknown_type", {.type = HTTP_WIRE_HEADER}, 77, RW_E_PROTOCOL},
};

TEST_EACH(answers_are_read_strictly, answers)
{
    struct rw_err err = {0};
    struct http_wire_answer got = {0};
    struct http_wire_answer a = it->a;
    RW_AUTO(rw_buf) struct rw_buf frame = rw_buf_make(HTTP_WIRE_ANSWER_BYTES_MAX);
    a.bytes = rw_span_str("bytes");
    struct frame_writer w = frame_begin(it->sent_as == 0 ? (uint16_t)a.type : it->sent_as);
    MUST(http_wire_put_answer(&w, &a, &err));
    struct frame_reader r = pass(&w, &frame);
    struct rw_rc rc = http_wire_get_answer(&r, &got, &err);
    assert_int_equal(rc.code, it->want);
    if (!rw_is_ok(rc)) { return; }
    assert_int_equal(got.type, a.type);
    assert_int_equal(got.status, a.status);
    assert_int_equal(got.sent_bytes, a.sent_bytes);
    assert_int_equal(got.total_bytes, a.total_bytes);
    assert_int_equal(got.out.code, a.out.code);
    assert_string_equal(got.out.text, a.out.text);
}

RUN_TESTS(cmocka_unit_test(a_request_arrives_whole),
          cmocka_unit_test(no_body_and_an_empty_one_are_told_apart),
          cmocka_unit_test(a_text_that_is_too_long_is_refused_before_it_is_sent),
          cmocka_unit_test(answers_are_read_strictly))
