/* Goal: heads of answers are read as the server writes them; what is none is refused, so that a confused connection
 * cannot count as an answer. */
#include "tests/fleet/fleet_reply.h"

#include "tests/harness.h"

TEST(a_whole_head_is_read)
{
    struct fleet_reply_head h;
    struct rw_err err;
    MUST(fleet_reply_read(
        rw_span_str("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 17\r\n"
                    "retry-after: 2\r\nETag: \"a-b\"\r\nConnection: close\r\n\r\n"),
        &h, &err));
    assert_int_equal(h.status, 503);
    assert_int_equal(h.body_bytes, 17);
    assert_int_equal(h.retry_after_s, 2);
    assert_true(h.close);
    assert_true(rw_span_is(h.etag, "\"a-b\""));
}

TEST(a_304_has_no_body)
{
    struct fleet_reply_head h;
    struct rw_err err;
    MUST(fleet_reply_read(rw_span_str("HTTP/1.1 304 Not Modified\r\nDate: x\r\n\r\n"), &h, &err));
    assert_int_equal(h.body_bytes, 0);
    assert_int_equal(h.retry_after_s, -1);
    assert_false(h.close);
}

static const struct bad_row {
    const char *id;
    const char *text;
} bad[] = {
    {"no_status_line", "Content-Length: 1\r\n\r\n"},
    {"other_version", "HTTP/2 200\r\nContent-Length: 1\r\n\r\n"},
    {"no_length", "HTTP/1.1 200 OK\r\n\r\n"},
    {"negative_length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"},
    {"huge_length", "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n"},
    {"no_status", "HTTP/1.1 abc OK\r\nContent-Length: 1\r\n\r\n"},
    {"nothing", ""},
};

TEST_EACH(what_is_no_answer_is_refused, bad)
{
    struct fleet_reply_head h;
    struct rw_err err;
    assert_true(!rw_is_ok(fleet_reply_read(rw_span_str(it->text), &h, &err)));
}

RUN_TESTS(cmocka_unit_test(a_whole_head_is_read), cmocka_unit_test(a_304_has_no_body),
          cmocka_unit_test(what_is_no_answer_is_refused))
