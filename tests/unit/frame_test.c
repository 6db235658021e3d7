/* Goal: what one process puts into a frame the other gets out; a peer that lies about lengths, stops half-way,
 * dribbles or sends too much ends the exchange with an error and nothing else. */
#include "common/base/frame.h"

#include "common/base/clock.h"
#include "tests/harness.h"

#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct pair {
    int a, b;
};

static void pair_drop(struct pair *p)
{
    (void)close(p->a);
    if (p->b >= 0) { (void)close(p->b); }
}

static struct pair make_pair(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return (struct pair){fds[0], fds[1]};
}

TEST(fields_come_out_as_they_went_in)
{
    struct rw_err err = {0};
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    struct rw_span bytes;
    char text[16];
    struct frame_reader r;
    RW_AUTO(pair) struct pair p = make_pair();
    RW_AUTO(rw_buf) struct rw_buf got = rw_buf_make(1000);
    RW_AUTO(frame_writer) struct frame_writer w = frame_begin(0xBEEF);
    MUST(frame_put_u32(&w, UINT32_MAX, &err));
    MUST(frame_put_u64(&w, UINT64_C(0x0102030405060708), &err));
    MUST(frame_put_bytes(&w, rw_span_of("a\0b", 3), &err));
    MUST(frame_put_bytes(&w, rw_span_of(NULL, 0), &err));
    MUST(frame_put_str(&w, "text", &err));
    MUST(frame_send(p.a, &w, 1000, &err));
    MUST(frame_recv(p.b, &got, 1000, &r, &err));
    assert_int_equal(r.type, 0xBEEF);
    MUST(frame_get_u32(&r, "number", &u32, &err));
    assert_int_equal(u32, UINT32_MAX);
    MUST(frame_get_u64(&r, "big", &u64, &err));
    assert_true(u64 == UINT64_C(0x0102030405060708));
    MUST(frame_get_bytes(&r, 3, "bytes", &bytes, &err));
    assert_int_equal(bytes.n, 3);
    assert_memory_equal(bytes.p, "a\0b", 3);
    MUST_FAIL(frame_end(&r, &err), RW_E_PROTOCOL);
    MUST(frame_get_bytes(&r, 0, "nothing", &bytes, &err));
    MUST(frame_get_str(&r, text, sizeof(text), "text", &err));
    assert_string_equal(text, "text");
    MUST(frame_end(&r, &err));
    MUST_FAIL(frame_get_u32(&r, "more", &u32, &err), RW_E_PROTOCOL);
}

static const struct raw_row {
    const char *id;
    const char *bytes;
    size_t n;
    bool close_then;
    enum rw_code want;
} raws[] = {
    {"clean_end", "", 0, true, RW_E_NOT_FOUND},
    {"silence", "", 0, false, RW_E_TIMEOUT},
    {"end_inside_the_length", "\x08\0", 2, true, RW_E_PROTOCOL},
    {"end_before_the_body", "\x08\0\0\0\x01\0", 6, true, RW_E_PROTOCOL},
    {"end_inside_the_body", "\x08\0\0\0\x01\0abc", 9, true, RW_E_PROTOCOL},
    {"silence_inside_the_body", "\x08\0\0\0\x01\0abc", 9, false, RW_E_TIMEOUT},
    {"length_0", "\0\0\0\0\x01\0", 6, true, RW_E_PROTOCOL},
    {"length_without_room_for_a_type", "\x01\0\0\0\x01\0", 6, true, RW_E_PROTOCOL},
    {"no_fields", "\x02\0\0\0\x01\0", 6, false, RW_E_NONE},
    {"all_that_the_buffer_takes", "\x0c\0\0\0\x01\0aaaaaaaaaa", 16, false, RW_E_NONE},
    {"one_byte_more", "\x0d\0\0\0\x01\0aaaaaaaaaaa", 17, false, RW_E_PROTOCOL},
    {"four_gigabytes", "\xff\xff\xff\xff\x01\0", 6, false, RW_E_PROTOCOL},
    {"just_above_the_ceiling", "\xfd\xff\xff\0\x01\0", 6, false, RW_E_PROTOCOL},
};

TEST_EACH(a_lying_peer_is_refused, raws)
{
    struct rw_err err = {0};
    struct frame_reader r;
    RW_AUTO(pair) struct pair p = make_pair();
    RW_AUTO(rw_buf) struct rw_buf got = rw_buf_make(16);
    assert_int_equal(send(p.a, it->bytes, it->n, 0), (ssize_t)it->n);
    if (it->close_then) { assert_int_equal(shutdown(p.a, SHUT_WR), 0); }
    MUST_FAIL(frame_recv(p.b, &got, 40, &r, &err), it->want);
}

TEST(a_frame_in_single_bytes_arrives_whole)
{
    struct rw_err err = {0};
    struct frame_reader r;
    static const char bytes[] = "\x09\0\0\0\x07\0\x03\0\0\0abc";
    char text[8];
    RW_AUTO(pair) struct pair p = make_pair();
    RW_AUTO(rw_buf) struct rw_buf got = rw_buf_make(100);
    pid_t dribbler = fork();
    if (dribbler == 0) {
        for (size_t i = 0; i + 1 < sizeof(bytes); i++) {
            if (send(p.a, bytes + i, 1, 0) != 1) { _exit(1); }
            (void)sched_yield();
        }
        _exit(0);
    }
    MUST(frame_recv(p.b, &got, 10000, &r, &err));
    MUST(frame_get_str(&r, text, sizeof(text), "text", &err));
    assert_string_equal(text, "abc");
    MUST(frame_end(&r, &err));
    assert_int_equal(waitpid(dribbler, NULL, 0), dribbler);
}

TEST(a_dribbling_peer_cannot_stretch_the_deadline)
{
    struct rw_err err = {0};
    struct frame_reader r;
    struct rw_clock clock = rw_clock_system();
    RW_AUTO(pair) struct pair p = make_pair();
    RW_AUTO(rw_buf) struct rw_buf got = rw_buf_make(100000);
    pid_t dribbler = fork();
    if (dribbler == 0) {
        (void)close(p.b); /* else the socket lives on in this very process */
        (void)send(p.a, "\xff\xff\0\0\x01\0", 6, MSG_NOSIGNAL);
        struct timespec pause = {.tv_nsec = 5000000};
        while (send(p.a, "x", 1, MSG_NOSIGNAL) == 1) {
            (void)nanosleep(&pause, NULL);
        }
        _exit(0);
    }
    int64_t begin_ms = rw_clock_mono(&clock).ms;
    MUST_FAIL(frame_recv(p.b, &got, 100, &r, &err), RW_E_TIMEOUT);
    assert_in_range(rw_clock_mono(&clock).ms - begin_ms, 100, 5000);
    (void)close(p.a);
    (void)close(p.b);
    p = make_pair();
    assert_int_equal(waitpid(dribbler, NULL, 0), dribbler);
}

TEST(a_peer_that_does_not_read_times_the_sender_out)
{
    struct rw_err err = {0};
    static uint8_t big[4 * 1024 * 1024];
    RW_AUTO(pair) struct pair p = make_pair();
    RW_AUTO(frame_writer) struct frame_writer w = frame_begin(1);
    MUST(frame_put_bytes(&w, rw_span_of(big, sizeof(big)), &err));
    MUST_FAIL(frame_send(p.a, &w, 60, &err), RW_E_TIMEOUT);
}

TEST(a_peer_that_went_away_is_an_error_and_no_signal)
{
    struct rw_err err = {0};
    RW_AUTO(pair) struct pair p = make_pair();
    RW_AUTO(frame_writer) struct frame_writer w = frame_begin(1);
    (void)close(p.b);
    p.b = -1;
    MUST_FAIL(frame_send(p.a, &w, 1000, &err), RW_E_IO);
}

TEST(half_a_frame_is_never_sent)
{
    struct rw_err err = {0};
    struct frame_reader r;
    RW_AUTO(pair) struct pair p = make_pair();
    RW_AUTO(rw_buf) struct rw_buf got = rw_buf_make(100);
    RW_AUTO(frame_writer) struct frame_writer w = frame_begin(1);
    uint8_t *big = rw_mem_new(FRAME_BYTES_MAX);
    MUST(frame_put_u32(&w, 1, &err));
    MUST_FAIL(frame_put_bytes(&w, rw_span_of(big, FRAME_BYTES_MAX), &err), RW_E_TOO_BIG);
    MUST(frame_put_u32(&w, 2, &err));
    MUST_FAIL(frame_send(p.a, &w, 1000, &err), RW_E_TOO_BIG);
    MUST_FAIL(frame_recv(p.b, &got, 20, &r, &err), RW_E_TIMEOUT);
    RW_AUTO(frame_writer) struct frame_writer other = frame_begin(1);
    MUST_FAIL(frame_put_bytes(&other, rw_span_of(big, (size_t)FRAME_BYTES_MAX + 1), &err),
              RW_E_TOO_BIG);
    MUST_FAIL(frame_send(p.a, &other, 1000, &err), RW_E_TOO_BIG);
    rw_mem_free(big);
}

static const struct field_row {
    const char *id;
    const char *bytes;
    size_t n;
    enum rw_code want;
} fields[] = {
    {"text", "\x03\0\0\0abc", 7, RW_E_NONE},
    {"empty_text", "\0\0\0\0", 4, RW_E_NONE},
    {"longer_than_the_place", "\x04\0\0\0abcd", 8, RW_E_PROTOCOL},
    {"longer_than_the_frame", "\x03\0\0\0ab", 6, RW_E_PROTOCOL},
    {"length_cut", "\x03\0\0", 3, RW_E_PROTOCOL},
    {"length_of_four_gigabytes", "\xff\xff\xff\xff", 4, RW_E_PROTOCOL},
    {"nul_inside", "\x03\0\0\0a\0b", 7, RW_E_PROTOCOL},
};

TEST(bytes_are_bounded_by_the_reader)
{
    struct rw_err err = {0};
    struct rw_span got;
    for (size_t max = 2; max <= 3; max++) {
        struct frame_reader r = {.rest = rw_span_of("\x03\0\0\0abc", 7), .type = 5};
        MUST_FAIL(frame_get_bytes(&r, max, "blob", &got, &err),
                  max == 3 ? RW_E_NONE : RW_E_PROTOCOL);
    }
}

TEST_EACH(a_bad_field_spoils_the_whole_frame, fields)
{
    struct rw_err err = {0};
    char text[4] = "";
    uint32_t u32 = 0;
    struct frame_reader r = {.rest = rw_span_of(it->bytes, it->n), .type = 5};
    MUST_FAIL(frame_get_str(&r, text, sizeof(text), "name", &err), it->want);
    if (it->want == RW_E_NONE) { return; }
    assert_non_null(strstr(err.text, "name"));
    MUST_FAIL(frame_get_u32(&r, "next", &u32, &err), RW_E_PROTOCOL);
    MUST_FAIL(frame_end(&r, &err), RW_E_PROTOCOL);
}

RUN_TESTS(cmocka_unit_test(fields_come_out_as_they_went_in),
          cmocka_unit_test(a_lying_peer_is_refused),
          cmocka_unit_test(a_frame_in_single_bytes_arrives_whole),
          cmocka_unit_test(a_dribbling_peer_cannot_stretch_the_deadline),
          cmocka_unit_test(a_peer_that_does_not_read_times_the_sender_out),
          cmocka_unit_test(a_peer_that_went_away_is_an_error_and_no_signal),
          cmocka_unit_test(half_a_frame_is_never_sent),
          cmocka_unit_test(bytes_are_bounded_by_the_reader),
          cmocka_unit_test(a_bad_field_spoils_the_whole_frame))
