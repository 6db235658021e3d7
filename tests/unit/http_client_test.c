/* Goal: no server makes the client read more than it asked for, follow it elsewhere, mix parts of files, or wait
 * longer than allowed; what went wrong is told by kind. */
#include "common/net/http_client.h"

#include "common/base/clock.h"
#include "common/base/file.h"
#include "tests/fakes/loopback.h"
#include "tests/harness.h"

#define HTTP_PROGRAM RW_BIN_DIR "/ringward-http"
#define BODY         "0123456789"
#define OK_HEAD      "HTTP/1.1 200 OK\r\n"

/* Opens a client and, when there is a script, a server for it. */
struct exchange {
    struct loopback server;
    struct http_client *client;
    struct http_client_answer answer;
    struct rw_buf body;
};

static void exchange_drop(struct exchange *e)
{
    http_client_drop(&e->client);
    rw_buf_drop(&e->body);
}

static struct exchange begin(const struct loopback_script *scripts, size_t count, int64_t total_ms,
                             const char *token)
{
    struct rw_err err = {0};
    struct exchange e = {.server = loopback_start(scripts, count), .body = rw_buf_make(1000000)};
    const struct http_client_options o = {
        .base_url = e.server.url, .token = token, .total_ms = total_ms, .program = HTTP_PROGRAM};
    MUST(http_client_open(&o, &e.client, &err));
    return e;
}

static struct loopback_script script(const char *answer)
{
    return (struct loopback_script){.answer = answer, .answer_bytes = strlen(answer)};
}

TEST(an_answer_comes_with_status_etag_and_body)
{
    struct rw_err err = {0};
    const struct loopback_script s =
        script(OK_HEAD "ETag: \"v1\"\r\nRetry-After: 30\r\nContent-Length: 10\r\n\r\n" BODY);
    RW_AUTO(exchange) struct exchange e = begin(&s, 1, 5000, "rwo1.ada.00");
    MUST(http_client_get(e.client, "/v1/x?a=1", NULL, 10, &e.body, &e.answer, &err));
    assert_int_equal(e.answer.status, 200);
    assert_string_equal(e.answer.etag, "\"v1\"");
    assert_int_equal(e.answer.retry_after_s, 30);
    assert_string_equal(rw_buf_str(&e.body), BODY);
    const char *request = loopback_end(&e.server);
    assert_true(strncmp(request, "GET /v1/x?a=1 HTTP/1.1\r\n", 24) == 0);
    assert_non_null(strstr(request, "\r\nAuthorization: Bearer rwo1.ada.00\r\n"));
    assert_null(strstr(request, "Accept-Encoding"));
    assert_null(strstr(request, "If-None-Match"));
}

TEST(a_post_sends_its_body_and_type)
{
    struct rw_err err = {0};
    const struct loopback_script s = script("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}");
    RW_AUTO(exchange) struct exchange e = begin(&s, 1, 5000, NULL);
    MUST(http_client_post(e.client, "/v1/y", "application/json", rw_span_str("{\"a\":1}"), 100,
                          &e.body, &e.answer, &err));
    assert_int_equal(e.answer.status, 201);
    const char *request = loopback_end(&e.server);
    assert_true(strncmp(request, "POST /v1/y HTTP/1.1\r\n", 21) == 0);
    assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(request, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(request, "Authorization"));
    assert_null(strstr(request, "Expect"));
}

TEST(an_empty_post_is_a_post)
{
    struct rw_err err = {0};
    const struct loopback_script s = script("HTTP/1.1 204 No Content\r\n\r\n");
    RW_AUTO(exchange) struct exchange e = begin(&s, 1, 5000, NULL);
    MUST(http_client_post(e.client, "/", "text/plain", rw_span_of(NULL, 0), 0, &e.body, &e.answer,
                          &err));
    assert_int_equal(e.answer.status, 204);
    const char *request = loopback_end(&e.server);
    assert_non_null(strstr(request, "\r\nContent-Length: 0\r\n"));
}

static const struct get_row {
    const char *id;
    const char *answer;
    size_t max;
    enum rw_code want;
    int status;
} gets[] = {
    {"exactly_the_limit", OK_HEAD "Content-Length: 10\r\n\r\n" BODY, 10, RW_E_NONE, 200},
    {"above_the_limit_by_its_length", OK_HEAD "Content-Length: 10\r\n\r\n" BODY, 9, RW_E_TOO_BIG,
     0},
    {"gigabytes_announced", OK_HEAD "Content-Length: 99999999999\r\n\r\n" BODY, 100, RW_E_TOO_BIG,
     0},
    {"above_the_limit_without_a_length", OK_HEAD "Connection: close\r\n\r\n" BODY BODY, 19,
     RW_E_TOO_BIG, 0},
    {"above_the_limit_in_chunks",
     OK_HEAD "Transfer-Encoding: chunked\r\n\r\na\r\n" BODY "\r\na\r\n" BODY "\r\n0\r\n\r\n", 19,
     RW_E_TOO_BIG, 0},
    {"chunks_within_the_limit",
     OK_HEAD "Transfer-Encoding: chunked\r\n\r\na\r\n" BODY "\r\n0\r\n\r\n", 10, RW_E_NONE, 200},
    {"shorter_than_announced", OK_HEAD "Content-Length: 20\r\n\r\n" BODY, 100, RW_E_NET, 0},
    {"chunks_that_break_off", OK_HEAD "Transfer-Encoding: chunked\r\n\r\na\r\n01234", 100, RW_E_NET,
     0},
    {"bad_chunk_length", OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n" BODY, 100, RW_E_NET, 0},
    {"no_http", "hello there\r\n\r\n", 100, RW_E_NET, 0},
    {"http_0_9", BODY, 100, RW_E_NET, 0},
    {"nothing", "", 100, RW_E_NET, 0},
    {"head_breaks_off", "HTTP/1.1 200 OK\r\nConte", 100, RW_E_NET, 0},
    {"redirect_is_an_answer_and_not_followed",
     "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 100,
     RW_E_NONE, 302},
    {"redirect_to_a_file",
     "HTTP/1.1 301 Moved\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", 100,
     RW_E_NONE, 301},
    {"not_found", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 100, RW_E_NONE, 404},
    {"not_modified", "HTTP/1.1 304 Not Modified\r\n\r\n", 100, RW_E_NONE, 304},
    {"http_1_0_ends_by_closing", "HTTP/1.0 200 OK\r\n\r\n" BODY, 10, RW_E_NONE, 200},
    {"compressed_bytes_stay_as_they_are",
     OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 10\r\n\r\n" BODY, 10, RW_E_NONE, 200},
};

TEST_EACH(lengths_and_forms_of_answers_are_checked, gets)
{
    struct rw_err err = {0};
    const struct loopback_script s = script(it->answer);
    RW_AUTO(exchange) struct exchange e = begin(&s, 1, 5000, NULL);
    MUST_FAIL(http_client_get(e.client, "/", NULL, it->max, &e.body, &e.answer, &err), it->want);
    assert_int_equal(e.answer.status, it->status);
    assert_true(e.body.n <= it->max);
    if (it->status == 200) { assert_string_equal(rw_buf_str(&e.body), BODY); }
    (void)loopback_end(&e.server);
}

TEST(an_endless_body_is_cut_off)
{
    struct rw_err err = {0};
    struct loopback_script s = script(OK_HEAD "\r\n" BODY);
    s.repeat = 10000000;
    s.repeat_bytes = 10;
    RW_AUTO(exchange) struct exchange e = begin(&s, 1, 20000, NULL);
    MUST_FAIL(http_client_get(e.client, "/", NULL, 100000, &e.body, &e.answer, &err), RW_E_TOO_BIG);
    assert_true(e.body.n <= 100000);
    (void)loopback_end(&e.server);
}

static const struct stall_row {
    const char *id;
    const char *answer;
} stalls[] = {
    {"before_the_head", ""},
    {"inside_the_head", "HTTP/1.1 200 OK\r\nX: "},
    {"inside_the_body", OK_HEAD "Content-Length: 100\r\n\r\n" BODY},
};

TEST_EACH(a_stalling_server_times_out, stalls)
{
    struct rw_err err = {0};
    struct rw_clock clock = rw_clock_system();
    struct loopback_script s = script(it->answer);
    s.stay = true;
    RW_AUTO(exchange) struct exchange e = begin(&s, 1, 150, NULL);
    int64_t begin_ms = rw_clock_mono(&clock).ms;
    MUST_FAIL(http_client_get(e.client, "/", NULL, 1000, &e.body, &e.answer, &err), RW_E_TIMEOUT);
    assert_in_range(rw_clock_mono(&clock).ms - begin_ms, 100, 5000);
    (void)loopback_end(&e.server);
}

TEST(nobody_listening_is_told_as_net)
{
    struct rw_err err = {0};
    const struct loopback_script s = script("");
    RW_AUTO(exchange) struct exchange e = begin(&s, 0, 5000, NULL);
    (void)loopback_end(&e.server);
    MUST_FAIL(http_client_get(e.client, "/", NULL, 100, &e.body, &e.answer, &err), RW_E_NET);
    assert_non_null(strstr(err.text, "127.0.0.1"));
}

TEST(only_http_and_https_are_spoken)
{
    struct rw_err err = {0};
    static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1:1",
                                       "gopher://127.0.0.1:1"};
    for (size_t i = 0; i < RW_LEN(urls); i++) {
        struct http_client *client = NULL;
        struct http_client_answer answer;
        const struct http_client_options o = {.base_url = urls[i], .program = HTTP_PROGRAM};
        RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(1000);
        MUST(http_client_open(&o, &client, &err));
        MUST_FAIL(http_client_get(client, "", NULL, 100, &body, &answer, &err), RW_E_NET);
        assert_int_equal(body.n, 0);
        http_client_drop(&client);
    }
}

TEST(tls_is_demanded_where_https_is_written)
{
    struct rw_err err = {0};
    const struct loopback_script s = script(OK_HEAD "Content-Length: 10\r\n\r\n" BODY);
    RW_AUTO(exchange) struct exchange e = begin(&s, 1, 5000, NULL);
    char url[400];
    struct http_client *client = NULL;
    (void)snprintf(url, sizeof(url), "https%s", e.server.url + 4);
    const struct http_client_options o = {
        .base_url = url, .total_ms = 1000, .program = HTTP_PROGRAM};
    MUST(http_client_open(&o, &client, &err));
    struct rw_rc rc = http_client_get(client, "/", NULL, 100, &e.body, &e.answer, &err);
    assert_true(rc.code == RW_E_NET || rc.code == RW_E_TIMEOUT);
    assert_int_equal(e.body.n, 0);
    http_client_drop(&client);
    (void)loopback_end(&e.server);
}

TEST(a_condition_is_sent_and_an_odd_etag_is_none)
{
    struct rw_err err = {0};
    char longer[400];
    (void)snprintf(longer, sizeof(longer), OK_HEAD "ETag: \"%0*d\"\r\nContent-Length: 0\r\n\r\n",
                   95, 0);
    const struct loopback_script s[] = {
        script("HTTP/1.1 304 Not Modified\r\nETag: \"v2\"\r\nConnection: close\r\n\r\n"),
        script(longer), script(OK_HEAD "ETag: \"\x01\"\r\nContent-Length: 0\r\n\r\n")};
    RW_AUTO(exchange) struct exchange e = begin(s, 3, 5000, NULL);
    MUST(http_client_get(e.client, "/", "\"v1\"", 100, &e.body, &e.answer, &err));
    assert_int_equal(e.answer.status, 304);
    assert_string_equal(e.answer.etag, "\"v2\"");
    MUST(http_client_get(e.client, "/", "", 100, &e.body, &e.answer, &err));
    assert_string_equal(e.answer.etag, "");
    MUST(http_client_get(e.client, "/", NULL, 100, &e.body, &e.answer, &err));
    assert_string_equal(e.answer.etag, "");
    assert_int_equal(e.answer.retry_after_s, -1);
    const char *request = loopback_end(&e.server);
    assert_non_null(strstr(request, "\r\nIf-None-Match: \"v1\"\r\n"));
    assert_null(strstr(strstr(request, "If-None-Match") + 1, "If-None-Match"));
}

static const struct retry_row {
    const char *id;
    const char *value;
    int64_t want;
} retries[] = {
    {"seconds", "120", 120},
    {"a_day", "86400", 86400},
    {"more_than_a_day", "86401", -1},
    {"negative", "-1", -1},
    {"a_date", "Fri, 27 Nov 2026 00:00:00 GMT", -1},
    {"beyond_64_bits", "99999999999999999999", -1},
    {"nothing", "", -1},
};

TEST_EACH(retry_after_is_read_in_seconds_or_not_at_all, retries)
{
    struct rw_err err = {0};
    char answer[200];
    (void)snprintf(answer, sizeof(answer),
                   "HTTP/1.1 503 Busy\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", it->value);
    const struct loopback_script s = script(answer);
    RW_AUTO(exchange) struct exchange e = begin(&s, 1, 5000, NULL);
    MUST(http_client_get(e.client, "/", NULL, 100, &e.body, &e.answer, &err));
    assert_int_equal(e.answer.retry_after_s, it->want);
    (void)loopback_end(&e.server);
}

TEST(a_token_cannot_carry_a_second_header)
{
    struct rw_err err = {0};
    struct http_client *client = NULL;
    char longer[600];
    memset(longer, 't', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    const struct http_client_options bad = {
        .base_url = "http://127.0.0.1:1", .token = "x\r\nX-Role: admin", .program = HTTP_PROGRAM};
    MUST_FAIL(http_client_open(&bad, &client, &err), RW_E_RANGE);
    assert_null(client);
    const struct http_client_options good = {.base_url = "http://127.0.0.1:1",
                                             .program = HTTP_PROGRAM};
    MUST(http_client_open(&good, &client, &err));
    MUST_FAIL(http_client_set_token(client, "x\n", &err), RW_E_RANGE);
    MUST_FAIL(http_client_set_token(client, longer, &err), RW_E_RANGE);
    MUST(http_client_set_token(client, "fine", &err));
    MUST(http_client_set_token(client, NULL, &err));
    http_client_drop(&client);
    http_client_drop(&client);
}

static const struct download_row {
    const char *id;
    const char *answer;
    uint64_t offset, total;
    enum rw_code want;
    const char *file; /* afterwards; "had:" stands before the offset */
} downloads[] = {
    {"whole", OK_HEAD "Content-Length: 10\r\n\r\n" BODY, 0, 10, RW_E_NONE, BODY},
    {"resumed",
     "HTTP/1.1 206 Partial\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6\r\n\r\n456789", 4,
     10, RW_E_NONE, "had:456789"},
    {"one_byte_too_many", OK_HEAD "Content-Length: 11\r\n\r\n" BODY "x", 0, 10, RW_E_TOO_BIG, ""},
    {"too_many_without_a_length", OK_HEAD "\r\n" BODY "x", 0, 10, RW_E_TOO_BIG, NULL},
    {"the_whole_instead_of_the_rest", OK_HEAD "Content-Length: 10\r\n\r\n" BODY, 4, 10, RW_E_HTTP,
     "had:"},
    {"another_part",
     "HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-5/10\r\nContent-Length: 6\r\n\r\n012345", 4,
     10, RW_E_PROTOCOL, "had:"},
    {"a_part_that_begins_alike",
     "HTTP/1.1 206 Partial\r\nContent-Range: bytes 40-45/100\r\nContent-Length: 6\r\n\r\n012345", 4,
     10, RW_E_PROTOCOL, "had:"},
    {"a_part_without_a_place", "HTTP/1.1 206 Partial\r\nContent-Length: 6\r\n\r\n456789", 4, 10,
     RW_E_PROTOCOL, "had:"},
    {"a_part_that_nobody_asked_for",
     "HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n" BODY, 0,
     10, RW_E_HTTP, ""},
    {"not_found_with_a_long_page", "HTTP/1.1 404 Not Found\r\nContent-Length: 20\r\n\r\n" BODY BODY,
     0, 10, RW_E_NOT_FOUND, ""},
    {"not_found_without_a_page", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 0, 10,
     RW_E_NOT_FOUND, ""},
    {"an_error_page_does_not_reach_the_file", "HTTP/1.1 500 Error\r\nContent-Length: 4\r\n\r\noops",
     0, 10, RW_E_HTTP, ""},
    {"a_redirect_is_refused", "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 0,
     10, RW_E_HTTP, ""},
    {"range_not_satisfiable", "HTTP/1.1 416 Range\r\nContent-Length: 0\r\n\r\n", 4, 10, RW_E_HTTP,
     "had:"},
    {"breaks_off", OK_HEAD "Content-Length: 10\r\n\r\n01234", 0, 10, RW_E_NET, "01234"},
};

TEST_EACH(a_download_is_exactly_the_part_asked_for, downloads)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    const struct loopback_script s = script(it->answer);
    RW_AUTO(exchange) struct exchange e = begin(&s, 1, 5000, NULL);
    MUST(rw_file_replace_at(d.fd, "f", 0600, rw_span_str(it->offset > 0 ? "had:" : ""), &err));
    RW_AUTO(rw_fd) rw_fd fd = openat(d.fd, "f", O_WRONLY | O_APPEND | O_CLOEXEC);
    MUST_FAIL(http_client_download(e.client, "/f", fd, it->offset, it->total, &err), it->want);
    RW_AUTO(rw_buf) struct rw_buf got = rw_buf_make(1000);
    MUST(rw_file_read_at(d.fd, "f", 1000, &got, &err));
    assert_true(got.n <= it->total);
    if (it->file != NULL) { assert_string_equal(rw_buf_str(&got), it->file); }
    const char *request = loopback_end(&e.server);
    assert_int_equal(strstr(request, "\r\nRange: bytes=4-\r\n") != NULL, it->offset > 0);
}

TEST(a_complete_file_needs_no_request_and_a_full_disk_is_told)
{
    struct rw_err err = {0};
    const struct loopback_script s = script(OK_HEAD "Content-Length: 10\r\n\r\n" BODY);
    RW_AUTO(exchange) struct exchange e = begin(&s, 1, 5000, NULL);
    MUST(http_client_download(e.client, "/f", -1, 10, 10, &err));
    RW_AUTO(rw_fd) rw_fd full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full < 0) { skip(); }
    MUST_FAIL(http_client_download(e.client, "/f", full, 0, 10, &err), RW_E_FULL);
    (void)loopback_end(&e.server);
}

TEST(an_endless_error_page_is_not_read)
{
    struct rw_err err = {0};
    struct rw_clock clock = rw_clock_system();
    struct loopback_script s = script("HTTP/1.1 500 Error\r\n\r\n" BODY);
    s.repeat = 100000000;
    s.repeat_bytes = 10;
    RW_AUTO(exchange) struct exchange e = begin(&s, 1, 20000, NULL);
    int64_t begin_ms = rw_clock_mono(&clock).ms;
    MUST_FAIL(http_client_download(e.client, "/f", -1, 0, 10, &err), RW_E_HTTP);
    assert_true(rw_clock_mono(&clock).ms - begin_ms < 10000);
    (void)loopback_end(&e.server);
}

static void on_sent(void *ctx, int64_t sent_bytes, int64_t total_bytes)
{
    int64_t *seen = ctx;
    assert_in_range(sent_bytes, 0, total_bytes);
    *seen = total_bytes;
}

TEST(progress_of_an_upload_is_told)
{
    struct rw_err err = {0};
    static char big[100000];
    int64_t seen = 0;
    const struct loopback_script s = script("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    RW_AUTO(exchange) struct exchange e = begin(&s, 1, 5000, NULL);
    struct http_client *client = NULL;
    const struct http_client_options o = {.base_url = e.server.url,
                                          .on_sent = on_sent,
                                          .on_sent_ctx = &seen,
                                          .program = HTTP_PROGRAM};
    MUST(http_client_open(&o, &client, &err));
    MUST(http_client_post(client, "/", "x/y", rw_span_of(big, sizeof(big)), 0, &e.body, &e.answer,
                          &err));
    http_client_drop(&client);
    assert_int_equal(seen, sizeof(big));
    (void)loopback_end(&e.server);
}

TEST(proxies_are_asked_for_other_hosts_only_as_the_environment_says)
{
    struct rw_err err = {0};
    const struct loopback_script s[] = {script(OK_HEAD "Content-Length: 10\r\n\r\n" BODY),
                                        script(OK_HEAD "Content-Length: 10\r\n\r\n" BODY)};
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("no_proxy", "127.0.0.2", 1), 0);
    RW_AUTO(exchange) struct exchange e = begin(s, 2, 5000, NULL);
    MUST(http_client_get(e.client, "/", NULL, 100, &e.body, &e.answer, &err)); /* this machine */
    struct http_client *named = NULL;
    struct http_client *other = NULL;
    const struct http_client_options by_name = {
        .base_url = "http://127.0.0.2:1", .total_ms = 2000, .program = HTTP_PROGRAM};
    const struct http_client_options by_proxy = {
        .base_url = "http://192.0.2.1:1", .total_ms = 2000, .program = HTTP_PROGRAM};
    MUST(http_client_open(&by_name, &named, &err));
    MUST(http_client_open(&by_proxy, &other, &err));
    assert_int_equal(unsetenv("no_proxy"), 0);
    MUST_FAIL(http_client_get(named, "/", NULL, 100, &e.body, &e.answer, &err), RW_E_NET);
    assert_non_null(strstr(err.text, "127.0.0.2 port 1"));
    MUST_FAIL(http_client_get(other, "/", NULL, 100, &e.body, &e.answer, &err), RW_E_NET);
    assert_non_null(strstr(err.text, "127.0.0.1 port 1")); /* the proxy that nobody runs */
    assert_int_equal(unsetenv("http_proxy"), 0);
    http_client_drop(&named);
    http_client_drop(&other);
    (void)loopback_end(&e.server);
}

static const struct url_case {
    const char *id, *url;
    bool keeps;
} urls[] = {
    {"tls", "https://updates.example.org:8443/base", true},
    {"tls to nobody", "https://", false},
    {"this machine", "http://127.0.0.1", true},
    {"this machine by name, port and path", "http://localhost:8080/base", true},
    {"this machine by its newer address", "http://[::1]:8080", true},
    {"another machine", "http://192.0.2.1:8080", false},
    {"another name that begins so", "http://localhost.evil.example", false},
    {"another address that begins so", "http://127.0.0.10:80", false},
    {"a user's name and another host", "http://localhost:80@evil.example", false},
    {"a user's name without a password", "http://127.0.0.1@evil.example", false},
    {"another protocol", "ftp://127.0.0.1", false},
};

TEST_EACH(a_token_travels_by_tls_or_stays_on_this_machine, urls)
{
    struct rw_err err = {0};
    struct http_client *c = NULL;
    const struct http_client_options options = {
        .base_url = it->url, .total_ms = 2000, .program = HTTP_PROGRAM};
    struct http_client_options with = options;
    with.token = "secret";
    assert_int_equal(http_client_keeps_secret(rw_span_str(it->url)), it->keeps);
    MUST(http_client_open(&options, &c, &err)); /* what is public may come as it likes */
    struct rw_rc later = http_client_set_token(c, "secret", &err);
    http_client_drop(&c);
    struct rw_rc at_once = http_client_open(&with, &c, &err);
    assert_int_equal(rw_is_ok(later), it->keeps);
    assert_int_equal(rw_is_ok(at_once), it->keeps);
    if (!it->keeps) {
        assert_int_equal(err.code, RW_E_CONFIG);
        assert_null(strstr(err.text, "secret"));
        assert_null(c);
    }
    http_client_drop(&c);
}

RUN_TESTS(cmocka_unit_test(a_token_travels_by_tls_or_stays_on_this_machine),
          cmocka_unit_test(an_answer_comes_with_status_etag_and_body),
          cmocka_unit_test(a_post_sends_its_body_and_type),
          cmocka_unit_test(an_empty_post_is_a_post),
          cmocka_unit_test(lengths_and_forms_of_answers_are_checked),
          cmocka_unit_test(an_endless_body_is_cut_off),
          cmocka_unit_test(a_stalling_server_times_out),
          cmocka_unit_test(nobody_listening_is_told_as_net),
          cmocka_unit_test(only_http_and_https_are_spoken),
          cmocka_unit_test(tls_is_demanded_where_https_is_written),
          cmocka_unit_test(a_condition_is_sent_and_an_odd_etag_is_none),
          cmocka_unit_test(retry_after_is_read_in_seconds_or_not_at_all),
          cmocka_unit_test(a_token_cannot_carry_a_second_header),
          cmocka_unit_test(a_download_is_exactly_the_part_asked_for),
          cmocka_unit_test(a_complete_file_needs_no_request_and_a_full_disk_is_told),
          cmocka_unit_test(an_endless_error_page_is_not_read),
          cmocka_unit_test(progress_of_an_upload_is_told),
          cmocka_unit_test(proxies_are_asked_for_other_hosts_only_as_the_environment_says))
