/* Goal: the server as a client meets it: answers in order, limits with a clear answer, nobody holds a
 * connection for longer than the deadlines allow, and a stop loses no answer that was under way. */
#include "server/api/http_server.h"
#include "tests/unit/http_fixture.h"

#define GET(path)  "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"
#define HEAD(path) "HEAD " path " HTTP/1.1\r\nHost: t\r\n\r\n"

TEST(requests_follow_each_other_on_one_connection)
{
    struct rig rig = {.repo_dir = -1};
    rig_start(&rig, rig_settings());
    struct client *c = client_open(&rig);
    for (int i = 0; i < 5; i++) {
        struct answer *a = client_ask(c, GET("/healthz"));
        assert_int_equal(a->status, 200);
        assert_string_equal(a->body, "{\"ok\":true}");
        assert_true(head_has(a, "Content-Type: application/json"));
        assert_null(strstr(a->head, "Connection: close"));
        a = client_ask(c, GET("/v1/params/x/y?q=1&r"));
        assert_string_equal(a->body, "x|y|q=1&r|127.0.0.1");
    }
    struct http_counters n = rig_counters(&rig);
    assert_int_equal(n.accepted, 1);
    assert_int_equal(n.requests, 10);
    assert_int_equal(n.replies[2], 10);
    client_close(c);
    rig_wait_open(&rig, 0);
    rig_stop(&rig);
}

TEST(requests_sent_ahead_are_answered_in_order)
{
    struct rig rig = {.repo_dir = -1};
    static struct answer a;
    rig_start(&rig, rig_settings());
    struct client *c = client_open(&rig);
    client_send(
        c,
        GET("/v1/params/1/1")
            GET("/healthz") "POST /v1/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc" GET(
                "/v1/params/2/2"));
    client_read(c, &a, false);
    assert_string_equal(a.body, "1|1||127.0.0.1");
    client_read(c, &a, false);
    assert_string_equal(a.body, "{\"ok\":true}");
    client_read(c, &a, false);
    assert_string_equal(a.body, "abc");
    client_read(c, &a, false);
    assert_string_equal(a.body, "2|2||127.0.0.1");
    client_close(c);
    rig_stop(&rig);
}

/* More than the input buffer takes: the client has to wait, and gets every answer. */
TEST(many_requests_sent_ahead_are_held_back_not_lost)
{
    enum { MANY = 2000 };
    struct rig rig = {.repo_dir = -1};
    static struct answer a;
    struct http_settings s = rig_settings();
    s.limits.requests_per_conn = 2 * MANY;
    rig_start(&rig, s);
    struct client *c = client_open(&rig);
    client_send(c, GET("/v1/hold"));
    core_wait_held(&rig.core, 1);
    for (int i = 0; i < MANY; i++) {
        client_send(c, GET("/healthz"));
    }
    core_release(&rig.core);
    for (int i = 0; i <= MANY; i++) {
        client_read(c, &a, false);
        assert_string_equal(a.body, i == 0 ? "held" : "{\"ok\":true}");
    }
    client_close(c);
    rig_stop(&rig);
}

TEST(head_tells_the_length_and_sends_no_body)
{
    struct rig rig = {.repo_dir = -1};
    rig_start(&rig, rig_settings());
    struct client *c = client_open(&rig);
    struct answer *a = client_ask(c, HEAD("/healthz"));
    assert_int_equal(a->status, 200);
    assert_int_equal(a->body_bytes, strlen("{\"ok\":true}"));
    a = client_ask(c, HEAD("/v1/large"));
    assert_int_equal(a->body_bytes, LARGE_BYTES);
    a = client_ask(c, HEAD("/nowhere"));
    assert_int_equal(a->status, 404);
    a = client_ask(c, GET("/healthz")); /* no stray bytes in between */
    assert_int_equal(a->status, 200);
    client_close(c);
    rig_stop(&rig);
}

static const struct refusal_case {
    const char *id, *request;
    int status;
    const char *says; /* in the body */
    const char *line; /* in the head; NULL: none */
    bool closes;
} refusal_cases[] = {
    {"nothing there", GET("/v1/nothing"), 404, "NOT_FOUND", NULL, false},
    {"POST on GET", "POST /healthz HTTP/1.1\r\nHost: t\r\n\r\n", 405, "use GET, HEAD",
     "Allow: GET, HEAD", false},
    {"GET on POST", GET("/v1/echo"), 405, "USAGE", "Allow: POST", false},
    {"no token", GET("/v1/closed"), 401, "there is no token",
     "WWW-Authenticate: Bearer realm=\"ringward\"", false},
    {"role too low",
     "GET /v1/closed HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer " PUBLISHER "\r\n\r\n", 403,
     "'publisher', this needs 'admin'", NULL, false},
    {"no token, body not awaited",
     "POST /v1/upload HTTP/1.1\r\nHost: t\r\nContent-Length: 4000000\r\n\r\n", 401, "AUTH", NULL,
     true},
    {"no token, no 100 Continue",
     "POST /v1/upload HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
     401, "AUTH", NULL, true},
    {"body too large, not awaited",
     "POST /v1/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4097\r\n\r\n", 413, "4097 bytes",
     "Connection: close", true},
    {"queue full", GET("/v1/full"), 503, "FULL", "Retry-After: 5", false},
    {"a handler's error", GET("/v1/stale"), 409,
     "{\"error\":{\"code\":\"STALE\",\"text\":\"generation 7 is \\\"old\\\"\",\"hint\":\"read it "
     "again\"}}",
     NULL, false},
    {"malformed", "GET / HTTP/1.1\r\nHost: t\r\nA : b\r\n\r\n", 400,
     "byte 26 of the request: a header name", "Connection: close", true},
    {"chunked", "POST /v1/echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
     "Transfer-Encoding", "Connection: close", true},
    {"other expectation", "POST /v1/echo HTTP/1.1\r\nHost: t\r\nExpect: x\r\n\r\n", 417, "SYNTAX",
     NULL, true},
};

TEST_EACH(a_refusal_says_why_and_ends_what_cannot_go_on, refusal_cases)
{
    struct rig rig = {.repo_dir = -1};
    rig_start(&rig, rig_settings());
    struct client *c = client_open(&rig);
    struct answer *a = client_ask(c, it->request);
    assert_int_equal(a->status, it->status);
    assert_true(head_has(a, "Content-Type: application/json"));
    if (strstr(a->body, it->says) == NULL) { fail_msg("'%s' lacks '%s'", a->body, it->says); }
    if (it->line != NULL && !head_has(a, it->line)) {
        fail_msg("'%s' lacks '%s'", a->head, it->line);
    }
    if (it->closes) {
        client_expect_end(c);
    } else {
        assert_int_equal(client_ask(c, GET("/healthz"))->status, 200);
    }
    client_close(c);
    rig_stop(&rig);
}

/* The client is still sending when it is refused: the answer must arrive all the same. */
TEST(a_refused_upload_still_reads_the_answer)
{
    enum { SENT_ON = 200000 };
    struct rig rig = {.repo_dir = -1};
    static struct answer a;
    rig_start(&rig, rig_settings());
    struct client *c = client_open(&rig);
    uint8_t *bytes = rw_mem_new(SENT_ON);
    client_send(c, "POST /v1/upload HTTP/1.1\r\nHost: t\r\nContent-Length: 4000000\r\n\r\n");
    client_send_bytes(c, bytes, SENT_ON);
    client_read(c, &a, false);
    assert_int_equal(a.status, 401);
    client_expect_end(c);
    rw_mem_free(bytes);
    client_close(c);
    rig_wait_open(&rig, 0);
    rig_stop(&rig);
}

TEST(bodies_arrive_whole_up_to_the_limit)
{
    struct rig rig = {.repo_dir = -1};
    struct rw_err err = {0};
    static struct answer a;
    char want[DIGEST_HEX_BYTES];
    rig_start(&rig, rig_settings());
    struct client *c = client_open(&rig);
    uint8_t *bytes = rw_mem_new(UPLOAD_MAX);
    for (size_t i = 0; i < UPLOAD_MAX; i++) {
        bytes[i] = large_byte(i);
    }
    MUST(digest_sha256_hex(rw_span_of(bytes, UPLOAD_MAX), want, &err));
    client_send(c, "POST /v1/upload HTTP/1.1\r\nHost: t\r\nContent-Length: 4194304\r\n"
                   "Authorization: Bearer " PUBLISHER "\r\nExpect: 100-continue\r\n\r\n");
    client_read(c, &a, true);
    assert_int_equal(a.status, 100);
    client_send_bytes(c, bytes, UPLOAD_MAX);
    client_read(c, &a, false);
    assert_int_equal(a.status, 201);
    assert_string_equal(a.body, want);
    assert_int_equal(client_ask(c, "POST /v1/echo HTTP/1.1\r\nHost: t\r\n\r\n")->body_bytes, 0);
    rw_mem_free(bytes);
    client_close(c);
    rig_stop(&rig);
}

TEST(a_large_reply_arrives_whole)
{
    struct rig rig = {.repo_dir = -1};
    rig_start(&rig, rig_settings());
    struct client *c = client_open(&rig);
    struct answer *a = client_ask(c, GET("/v1/large"));
    assert_int_equal(a->body_bytes, LARGE_BYTES);
    assert_int_equal(a->wrong, 0);
    assert_int_equal(client_ask(c, GET("/healthz"))->status, 200);
    client_close(c);
    rig_stop(&rig);
}

TEST(a_client_that_has_sent_all_still_gets_its_answer)
{
    struct rig rig = {.repo_dir = -1};
    static struct answer a;
    rig_start(&rig, rig_settings());
    struct client *c = client_open(&rig);
    client_send(c, GET("/healthz"));
    assert_int_equal(shutdown(c->fd, SHUT_WR), 0);
    client_read(c, &a, false);
    assert_int_equal(a.status, 200);
    client_expect_end(c);
    client_close(c);
    rig_stop(&rig);
}

TEST(connection_close_and_the_request_limit_end_a_connection)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    s.limits.requests_per_conn = 3;
    rig_start(&rig, s);
    struct client *c = client_open(&rig);
    struct answer *a =
        client_ask(c, "GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    assert_true(head_has(a, "Connection: close"));
    client_expect_end(c);
    client_close(c);
    c = client_open(&rig);
    for (int i = 1; i <= 3; i++) {
        a = client_ask(c, GET("/healthz"));
        assert_int_equal(head_has(a, "Connection: close"), i == 3);
    }
    client_expect_end(c);
    client_close(c);
    rig_stop(&rig);
}

/* Sends one byte at a time until the server closes; gives the time that took. */
static int64_t drip(struct client *c, const char *text)
{
    int64_t begin = now_ms();
    for (size_t i = 0; now_ms() - begin < PATIENCE_MS; i++) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        char byte = i < strlen(text) ? text[i] : 'x';
        if (send(c->fd, &byte, 1, MSG_NOSIGNAL) != 1 || poll(&p, 1, 5) == 1) {
            return now_ms() - begin;
        }
    }
    fail_msg("%s", "a client that drips is never cut");
    return 0;
}

static const struct slow_case {
    const char *id;
    const char *first; /* a whole request before; NULL: none */
    const char *text;  /* dripped; NULL: silence */
    bool cut;          /* counted as cut */
} slow_cases[] = {
    {"nothing is sent", NULL, NULL, true},
    {"the head drips", NULL, "GET / HTTP/1.1\r\nHost: t\r\nX: ", true},
    {"a later head drips", GET("/healthz"), "GET / HTTP/1.1\r\nHost: t\r\nX: ", true},
    {"the body drips", NULL, "POST /v1/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4000\r\n\r\n",
     true},
    {"kept and idle", GET("/healthz"), NULL, false},
};

TEST_EACH(a_slow_client_is_cut_at_its_deadline, slow_cases)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    s.limits.head_ms = s.limits.body_ms = s.limits.idle_ms = 400;
    rig_start(&rig, s);
    struct client *c = client_open(&rig);
    if (it->first != NULL) { assert_int_equal(client_ask(c, it->first)->status, 200); }
    int64_t begin = now_ms();
    int64_t took = 0;
    if (it->text != NULL) {
        took = drip(c, it->text);
    } else {
        client_expect_end(c);
        took = now_ms() - begin;
    }
    rig_wait_open(&rig, 0);
    if (took < 350) { fail_msg("cut after %lld ms already", (long long)took); }
    if (took > 3000) { fail_msg("cut after %lld ms only", (long long)took); }
    assert_int_equal(rig_counters(&rig).cut, it->cut);
    client_close(c);
    rig_stop(&rig);
}

TEST(a_reader_that_stands_still_is_cut)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    s.limits.stall_ms = 300;
    rig_start(&rig, s);
    struct client *c = client_on(&rig, connect_narrow(&rig));
    client_send(c, GET("/v1/large"));
    client_wait(c, POLLIN); /* the reply has begun; from now on nothing is read */
    rig_wait_open(&rig, 0);
    assert_int_equal(rig_counters(&rig).cut, 1);
    client_close(c);
    rig_stop(&rig);
}

/* Moves all the time, so it never stalls, but below the floor of 16 KiB/s. */
TEST(a_reader_below_the_floor_is_cut)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    s.limits.stall_ms = 1500; /* the window is 3 s */
    rig_start(&rig, s);
    struct client *c = client_on(&rig, connect_narrow(&rig));
    client_send(c, GET("/v1/large"));
    client_wait(c, POLLIN);
    int64_t begin = now_ms();
    size_t taken = 0;
    while (rig_counters(&rig).open > 0 && now_ms() - begin < PATIENCE_MS) {
        char some[512];
        /* The slowness is the test: 8 KiB/s, by the clock and not by the number of rounds. */
        if (taken < (size_t)(now_ms() - begin) * 8) {
            ssize_t got = recv(c->fd, some, sizeof(some), MSG_DONTWAIT);
            taken += got > 0 ? (size_t)got : 0;
        }
        (void)poll(NULL, 0, 10);
    }
    int64_t took = now_ms() - begin;
    rig_wait_open(&rig, 0);
    assert_int_equal(rig_counters(&rig).cut, 1);
    assert_true(took >= 2900 &&
                took < 4400); /* at the window's end: by the floor, not by the stall */
    client_close(c);
    rig_stop(&rig);
}

/* Sockets of one server share their port on purpose; two servers must never. */
TEST(a_port_that_somebody_listens_on_is_refused)
{
    struct rig rig = {.repo_dir = -1};
    struct rw_err err = {0};
    struct http_server *second = NULL;
    char listen[32];
    rig_start(&rig, rig_settings());
    struct http_settings s = rig_settings();
    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", http_server_port(rig.server));
    s.listen = listen;
    MUST_FAIL(http_server_start(&s, &second, &err), RW_E_IO);
    rig_stop(&rig);
    MUST(http_server_start(&s, &second, &err)); /* and free again right after its end */
    http_server_stop(second);
}

static int make_listener(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

/* Who comes between two servers waits in the queue of the socket, which neither of them owns. */
TEST(a_socket_that_was_handed_over_keeps_its_clients_from_one_server_to_the_next)
{
    struct rig rig = {.repo_dir = -1};
    struct rig next = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    s.workers = 2;
    s.listen_fd = make_listener();
    rig_start(&rig, s);
    unsigned port = http_server_port(rig.server);
    assert_true(port > 0);
    struct client *c = client_open(&rig);
    assert_int_equal(client_ask(c, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n")->status, 200);
    client_close(c);
    rig_stop(&rig);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    rig_start(&next, s);
    assert_int_equal(http_server_port(next.server), port);
    c = client_on(&next, fd);
    assert_int_equal(client_ask(c, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n")->status, 200);
    client_close(c);
    rig_stop(&next);
    (void)close(s.listen_fd);
}

TEST(what_was_handed_over_and_does_not_listen_is_refused)
{
    struct rw_err err = {0};
    struct http_server *server = NULL;
    struct http_settings s = rig_settings();
    s.listen_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    MUST_FAIL(http_server_start(&s, &server, &err), RW_E_CONFIG);
    (void)close(s.listen_fd);
    s.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST_FAIL(http_server_start(&s, &server, &err), RW_E_CONFIG);
    (void)close(s.listen_fd);
}

RUN_TESTS(
    cmocka_unit_test(requests_follow_each_other_on_one_connection),
    cmocka_unit_test(requests_sent_ahead_are_answered_in_order),
    cmocka_unit_test(many_requests_sent_ahead_are_held_back_not_lost),
    cmocka_unit_test(head_tells_the_length_and_sends_no_body),
    cmocka_unit_test(a_refusal_says_why_and_ends_what_cannot_go_on),
    cmocka_unit_test(a_refused_upload_still_reads_the_answer),
    cmocka_unit_test(bodies_arrive_whole_up_to_the_limit),
    cmocka_unit_test(a_large_reply_arrives_whole),
    cmocka_unit_test(a_client_that_has_sent_all_still_gets_its_answer),
    cmocka_unit_test(connection_close_and_the_request_limit_end_a_connection),
    cmocka_unit_test(a_slow_client_is_cut_at_its_deadline),
    cmocka_unit_test(a_reader_that_stands_still_is_cut),
    cmocka_unit_test(a_reader_below_the_floor_is_cut),
    cmocka_unit_test(a_port_that_somebody_listens_on_is_refused),
    cmocka_unit_test(a_socket_that_was_handed_over_keeps_its_clients_from_one_server_to_the_next),
    cmocka_unit_test(what_was_handed_over_and_does_not_listen_is_refused))
