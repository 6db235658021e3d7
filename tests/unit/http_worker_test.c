/* Goal: connections come and go, jobs outlive them, caps hold, and a stop is graceful: no answer that was under
 * way is lost, nothing waits for ever, nothing is used after it was freed (run under ASan and TSan). */
#include "server/api/http_server.h"
#include "tests/unit/http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"

enum { PARALLEL = 64 };

TEST(parallel_clients_are_all_answered_and_the_next_is_turned_away)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    struct client *c[PARALLEL];
    static struct answer a;
    s.workers = 3;
    s.limits.connections_max = 1000;
    rig_start(&rig, s);
    for (size_t i = 0; i < PARALLEL; i++) {
        c[i] = client_open(&rig);
    }
    rig_wait_open(&rig, PARALLEL);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < PARALLEL; i++) {
            client_send(c[i], i % 2 == 0 ? GET("/healthz") : GET("/v1/params/a/b"));
        }
        for (size_t i = 0; i < PARALLEL; i++) {
            client_read(c[i], &a, false);
            assert_string_equal(a.body, i % 2 == 0 ? "{\"ok\":true}" : "a|b||127.0.0.1");
        }
    }
    struct client *next = client_open(&rig); /* the 65th of one address */
    client_expect_end(next);
    assert_int_equal(rig_counters(&rig).turned_away, 1);
    client_close(next);
    client_close(c[0]); /* makes room */
    rig_wait_open(&rig, PARALLEL - 1);
    c[0] = client_open(&rig);
    assert_int_equal(client_ask(c[0], GET("/healthz"))->status, 200);
    for (size_t i = 0; i < PARALLEL; i++) {
        client_close(c[i]);
    }
    rig_wait_open(&rig, 0);
    assert_int_equal(rig_counters(&rig).replies[2], 3 * PARALLEL + 1);
    rig_stop(&rig);
}

TEST(beyond_the_share_clients_wait_until_others_leave)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    struct client *c[4];
    static struct answer a;
    s.limits.connections_max = RW_LEN(c);
    rig_start(&rig, s);
    for (size_t i = 0; i < RW_LEN(c); i++) {
        c[i] = client_open(&rig);
        assert_int_equal(client_ask(c[i], GET("/healthz"))->status, 200);
    }
    struct client *late = client_open(&rig); /* in the kernel's queue */
    client_send(late, GET("/healthz"));
    struct pollfd p = {.fd = late->fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 100), 0);
    assert_int_equal(rig_counters(&rig).open, RW_LEN(c));
    client_close(c[0]);
    client_read(late, &a, false);
    assert_int_equal(a.status, 200);
    assert_int_equal(rig_counters(&rig).turned_away, 0);
    client_close(late);
    for (size_t i = 1; i < RW_LEN(c); i++) {
        client_close(c[i]);
    }
    rig_stop(&rig);
}

/* Of 4 * 64 connections 64 may be without a request: the next client waits a fifth of head_ms, not all of it, and only
 * as many are cut as are needed. */
TEST(newcomers_that_stall_make_room_for_others_early)
{
    enum { CROWD = 80, SHARE = 64 };
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    struct client *silent[CROWD];
    s.limits.connections_max = 4 * SHARE;
    s.limits.per_address_max = 0;
    s.limits.head_ms = 5000;
    rig_start(&rig, s);
    int64_t begun_ms = now_ms();
    for (size_t i = 0; i < CROWD; i++) {
        silent[i] = client_open(&rig);
        client_send(silent[i], "GET / HT");
    }
    struct client *good = client_open(&rig);
    assert_int_equal(client_ask(good, GET("/healthz"))->status, 200);
    assert_in_range(now_ms() - begun_ms, s.limits.head_ms / 5, s.limits.head_ms - 1);
    struct http_counters n = rig_counters(&rig);
    assert_in_range(n.cut, CROWD + 1 - SHARE, CROWD - SHARE / 2);
    assert_in_range(n.open, SHARE / 2, SHARE + 1);
    assert_int_equal(n.turned_away, 0);
    for (size_t i = 0; i < CROWD; i++) {
        client_close(silent[i]);
    }
    client_close(good);
    rig_stop(&rig);
}

TEST(a_job_outlives_its_client)
{
    struct rig rig = {.repo_dir = -1};
    rig_start(&rig, rig_settings());
    for (int i = 0; i < 20; i++) {
        struct client *gone = client_open(&rig);
        struct client *stays = client_open(&rig);
        static struct answer a;
        client_send(gone, GET("/v1/hold"));
        client_send(stays, GET("/v1/hold"));
        core_wait_held(&rig.core, 2);
        if (i % 2 == 0) { /* a reset instead of an end */
            const struct linger now = {.l_onoff = 1};
            assert_int_equal(setsockopt(gone->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
        }
        client_close(gone);
        rig_wait_open(&rig, 1); /* the connection does not wait for the core */
        core_release(&rig.core);
        client_read(stays, &a, false);
        assert_string_equal(a.body, "held");
        client_close(stays);
        rig_wait_open(&rig, 0);
    }
    rig_stop(&rig);
}

TEST(a_client_that_leaves_in_the_middle_of_anything_is_forgotten)
{
    static const char *const middles[] = {
        "",
        "G",
        "GET / HTTP/1.1\r\nHo",
        "POST /v1/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n",
        "POST /v1/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nabc",
        GET("/v1/large")};
    struct rig rig = {.repo_dir = -1};
    rig_start(&rig, rig_settings());
    for (size_t i = 0; i < RW_LEN(middles); i++) {
        struct client *c = client_open(&rig);
        client_send(c, middles[i]);
        if (i == RW_LEN(middles) - 1) { client_wait(c, POLLIN); }
        client_close(c);
        rig_wait_open(&rig, 0);
    }
    rig_stop(&rig);
}

TEST(a_drain_ends_idle_connections_and_lets_running_ones_finish)
{
    struct rig rig = {.repo_dir = -1};
    static struct answer a;
    rig_start(&rig, rig_settings());
    struct client *idle = client_open(&rig);
    struct client *busy = client_open(&rig);
    assert_int_equal(client_ask(idle, GET("/healthz"))->status, 200);
    client_send(busy, GET("/v1/hold"));
    core_wait_held(&rig.core, 1);
    http_server_drain(rig.server);
    http_server_drain(rig.server); /* twice is once */
    client_expect_end(idle);
    assert_int_equal(connect_to(&rig), -1);
    core_release(&rig.core);
    client_read(busy, &a, false);
    assert_string_equal(a.body, "held");
    assert_true(head_has(&a, "Connection: close"));
    client_expect_end(busy);
    client_close(idle);
    client_close(busy);
    rig_stop(&rig);
}

/* Its head did not say so, for the drain came later; a stop must not wait for the client to see it. */
TEST(a_reply_begun_before_the_drain_ends_its_connection)
{
    struct rig rig = {.repo_dir = -1};
    static struct answer a;
    rig_start(&rig, rig_settings());
    struct client *c = client_open(&rig);
    struct client *idle = client_open(&rig);
    assert_int_equal(client_ask(idle, GET("/healthz"))->status, 200);
    client_send(c, GET("/v1/large"));
    client_wait(c, POLLIN);
    http_server_drain(rig.server);
    client_expect_end(idle); /* the drain has begun */
    client_read(c, &a, false);
    assert_int_equal(a.wrong, 0);
    assert_false(head_has(&a, "Connection: close"));
    client_expect_end(c);
    client_close(idle);
    client_close(c);
    rig_stop(&rig);
}

struct stopping {
    struct http_server *server;
    int64_t took_ms;
};

static void *stop_server(void *arg)
{
    struct stopping *s = arg;
    int64_t begin = now_ms();
    http_server_stop(s->server);
    s->took_ms = now_ms() - begin;
    return NULL;
}

TEST(a_stop_waits_for_the_answer_that_is_under_way)
{
    struct rig rig = {.repo_dir = -1};
    static struct answer a;
    pthread_t thread;
    rig_start(&rig, rig_settings());
    struct client *c = client_open(&rig);
    client_send(c, GET("/v1/hold"));
    core_wait_held(&rig.core, 1);
    struct stopping s = {.server = rig.server};
    assert_int_equal(pthread_create(&thread, NULL, stop_server, &s), 0);
    core_release(&rig.core);
    client_read(c, &a, false);
    assert_string_equal(a.body, "held");
    assert_int_equal(pthread_join(thread, NULL), 0);
    rig.server = NULL;
    client_close(c);
    rig_stop(&rig);
}

TEST(a_stop_drops_what_takes_too_long_and_late_jobs_are_freed)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    s.limits.drain_ms = 200;
    rig_start(&rig, s);
    struct client *c = client_open(&rig);
    client_send(c, GET("/v1/hold"));
    core_wait_held(&rig.core, 1);
    struct stopping stop = {.server = rig.server};
    (void)stop_server(&stop);
    rig.server = NULL;
    assert_true(stop.took_ms >= 190 && stop.took_ms < 5000);
    client_expect_end(c);
    core_release(&rig.core); /* gives the job back to a server that is gone */
    client_close(c);
    rig_stop(&rig);
}

TEST(a_stop_is_quick_when_nothing_runs)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    s.workers = 4;
    rig_start(&rig, s);
    struct client *c = client_open(&rig);
    assert_int_equal(client_ask(c, GET("/healthz"))->status, 200);
    struct stopping stop = {.server = rig.server};
    (void)stop_server(&stop);
    rig.server = NULL;
    assert_true(stop.took_ms < 1000);
    client_close(c);
    rig_stop(&rig);
}

/* A request that waits in the kernel's queue when the stop begins was sent to us in good faith. */
TEST(a_client_in_the_queue_is_still_answered)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    static struct answer a;
    s.limits.connections_max = 1;
    rig_start(&rig, s);
    struct client *first = client_open(&rig);
    client_send(first, GET("/v1/hold"));
    core_wait_held(&rig.core, 1);
    struct client *queued = client_open(&rig);
    client_send(queued, GET("/healthz"));
    http_server_drain(rig.server);
    client_read(queued, &a, false);
    assert_int_equal(a.status, 200);
    assert_true(head_has(&a, "Connection: close"));
    client_close(queued);
    core_release(&rig.core);
    client_close(first);
    rig_stop(&rig);
}

static int connect_local(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
    return fd;
}

TEST(a_local_socket_serves_without_a_cap_per_address)
{
    struct rig rig = {.repo_dir = -1};
    struct rw_err err = {0};
    struct http_settings s = rig_settings();
    char dir[] = "/tmp/ringward-http-XXXXXX";
    char listen_on[64];
    struct client *c[4];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(listen_on, sizeof(listen_on), "unix:%s/http.sock", dir);
    s.listen = listen_on;
    s.workers = 2;
    s.limits.per_address_max = 1;
    rig_start(&rig, s);
    assert_int_equal(http_server_port(rig.server), 0);
    for (size_t i = 0; i < RW_LEN(c); i++) {
        c[i] = client_on(&rig, connect_local(listen_on + 5));
        assert_string_equal(client_ask(c[i], GET("/v1/params/a/b"))->body, "a|b||unix");
    }
    struct http_server *second = NULL;
    s.routes = &fixture_routes[1]; /* asks for no token */
    s.route_count = 1;
    MUST_FAIL(http_server_start(&s, &second, &err), RW_E_IO); /* the first one listens */
    for (size_t i = 0; i < RW_LEN(c); i++) {
        client_close(c[i]);
    }
    rig_stop(&rig);
    assert_int_equal(access(listen_on + 5, F_OK), -1);
    assert_int_equal(rmdir(dir), 0);
}

TEST(a_left_over_socket_file_is_replaced_and_another_file_is_not)
{
    struct rw_err err = {0};
    struct http_settings s = rig_settings();
    struct http_server *server = NULL;
    char dir[] = "/tmp/ringward-http-XXXXXX";
    char listen_on[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(listen_on, sizeof(listen_on), "unix:%s/http.sock", dir);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", listen_on + 5);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
    (void)close(fd);
    s.listen = listen_on;
    MUST(http_server_start(&s, &server, &err));
    http_server_stop(server);
    MUST(rw_file_replace(listen_on + 5, 0600, rw_span_str("not a socket"), &err));
    MUST_FAIL(http_server_start(&s, &server, &err), RW_E_IO);
    assert_int_equal(unlink(listen_on + 5), 0); /* still there */
    assert_int_equal(rmdir(dir), 0);
}

static const struct wrong_case {
    const char *id, *listen;
    unsigned workers;
    const char *cert;
} wrong_cases[] = {
    {"no port", "127.0.0.1", 1, NULL},
    {"a name", "localhost:80", 1, NULL},
    {"port too large", "127.0.0.1:65536", 1, NULL},
    {"no address", ":80", 1, NULL},
    {"IPv6 without brackets", "::1:80", 1, NULL},
    {"relative socket", "unix:x", 1, NULL},
    {"no workers", "127.0.0.1:0", 0, NULL},
    {"too many workers", "127.0.0.1:0", 65, NULL},
    {"certificate without key", "127.0.0.1:0", 1, "/nowhere.pem"},
};

TEST_EACH(wrong_settings_are_refused, wrong_cases)
{
    struct rw_err err = {0};
    struct http_server *server = NULL;
    struct http_settings s = rig_settings();
    s.listen = it->listen;
    s.workers = it->workers;
    s.cert_file = it->cert;
    MUST_FAIL(http_server_start(&s, &server, &err), RW_E_CONFIG);
    assert_null(server);
}

TEST(ipv6_is_served)
{
    struct rw_err err = {0};
    struct http_server *server = NULL;
    struct http_settings s = rig_settings();
    s.listen = "[::1]:0";
    s.workers = 2;
    MUST(http_server_start(&s, &server, &err));
    struct sockaddr_in6 a = {.sin6_family = AF_INET6,
                             .sin6_port = htons((uint16_t)http_server_port(server)),
                             .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    (void)close(fd);
    http_server_stop(server);
}

RUN_TESTS(cmocka_unit_test(parallel_clients_are_all_answered_and_the_next_is_turned_away),
          cmocka_unit_test(beyond_the_share_clients_wait_until_others_leave),
          cmocka_unit_test(newcomers_that_stall_make_room_for_others_early),
          cmocka_unit_test(a_job_outlives_its_client),
          cmocka_unit_test(a_client_that_leaves_in_the_middle_of_anything_is_forgotten),
          cmocka_unit_test(a_drain_ends_idle_connections_and_lets_running_ones_finish),
          cmocka_unit_test(a_reply_begun_before_the_drain_ends_its_connection),
          cmocka_unit_test(a_stop_waits_for_the_answer_that_is_under_way),
          cmocka_unit_test(a_stop_drops_what_takes_too_long_and_late_jobs_are_freed),
          cmocka_unit_test(a_stop_is_quick_when_nothing_runs),
          cmocka_unit_test(a_client_in_the_queue_is_still_answered),
          cmocka_unit_test(a_local_socket_serves_without_a_cap_per_address),
          cmocka_unit_test(a_left_over_socket_file_is_replaced_and_another_file_is_not),
          cmocka_unit_test(wrong_settings_are_refused), cmocka_unit_test(ipv6_is_served))
