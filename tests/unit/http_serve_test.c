/* Goal: whoever asks too much hears it in the house's form, with the time to come back, on a connection that stays
 * open; whatever connection and worker his requests take. */
#include "server/api/http_serve.h"

#include "tests/unit/http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"
#define BEARER    "Authorization: Bearer " PUBLISHER "\r\n"

static const struct limit_case {
    const char *id;
    const char *request; /* passes twice, then not */
    const char *says;
    int status; /* as long as it passes */
} limit_cases[] = {
    {"open to all", GET("/v1/params/a/b"), "from this address", 200},
    {"no token", GET("/v1/closed"), "without a valid token", 401},
    {"a token of another level", "GET /v1/closed HTTP/1.1\r\nHost: t\r\n" BEARER "\r\n",
     "with this token", 403},
    {"a small body is read, and the connection kept",
     "POST /v1/upload HTTP/1.1\r\nHost: t\r\n" BEARER "Content-Length: 2\r\n\r\n{}",
     "with this token", 201},
    {"it is not looked at",
     "POST /v1/parsed HTTP/1.1\r\nHost: t\r\n" BEARER "Content-Length: 2\r\n\r\n{}",
     "with this token", 400},
};

TEST_EACH(whoever_asks_too_much_is_told_when_to_come_back, limit_cases)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    s.limits.rates = (struct http_limit_rates){
        .endpoint_per_s = 1, .operator_per_s = 1, .address_per_s = 1, .burst_ms = 2000};
    s.workers = 2;
    rig_start(&rig, s);
    struct client *c = client_open(&rig);
    struct client *d = client_open(&rig);
    int64_t begun_ms = now_ms();
    int passed = 0;
    int refused = 0;
    for (int i = 0; i < 20; i++) { /* two connections, maybe two workers: one bucket */
        struct answer *a = client_ask(i % 2 == 0 ? c : d, it->request);
        passed += a->status == it->status;
        if (a->status == it->status) { continue; }
        refused++;
        assert_int_equal(a->status, 429);
        assert_true(head_has(a, "Content-Type: application/json"));
        assert_non_null(strstr(a->head, "Retry-After: "));
        assert_non_null(strstr(a->body, "\"LIMITED\""));
        if (strstr(a->body, it->says) == NULL) { fail_msg("'%s' lacks '%s'", a->body, it->says); }
    }
    assert_true(passed >= 2 && passed <= 2 + (now_ms() - begun_ms) / 1000 + 1);
    struct http_counters n = rig_counters(&rig);
    uint64_t counted = 0;
    for (size_t i = 0; i < HTTP_LIMIT_KINDS; i++) {
        counted += n.limited[i].refused;
    }
    assert_int_equal(counted, refused);
    client_close(c);
    client_close(d);
    rig_stop(&rig);
}

TEST(a_large_body_of_one_who_asks_too_much_is_not_read)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    s.limits.rates = (struct http_limit_rates){.operator_per_s = 1, .burst_ms = 1000};
    rig_start(&rig, s);
    struct client *c = client_open(&rig);
    int status = 201;
    for (int i = 0; i < 20 && status == 201; i++) {
        status = client_ask(c, "POST /v1/upload HTTP/1.1\r\nHost: t\r\n" BEARER "\r\n")->status;
    }
    assert_int_equal(status, 429);
    struct answer *a = client_ask(c, "POST /v1/upload HTTP/1.1\r\nHost: t\r\n" BEARER
                                     "Content-Length: 4000000\r\n\r\n");
    assert_int_equal(a->status, 429);
    client_expect_end(c);
    client_close(c);
    rig_stop(&rig);
}

TEST(no_body_of_a_stranger_is_read)
{
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    s.limits.rates = (struct http_limit_rates){.address_per_s = 1, .burst_ms = 1000};
    rig_start(&rig, s);
    int status = 401;
    for (int i = 0; i < 20 && status == 401; i++) {
        struct client *c = client_open(&rig);
        status = client_ask(c, "POST /v1/upload HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n")
                     ->status;
        client_expect_end(c);
        client_close(c);
    }
    assert_int_equal(status, 429);
    rig_stop(&rig);
}

RUN_TESTS(cmocka_unit_test(whoever_asks_too_much_is_told_when_to_come_back),
          cmocka_unit_test(a_large_body_of_one_who_asks_too_much_is_not_read),
          cmocka_unit_test(no_body_of_a_stranger_is_read))
