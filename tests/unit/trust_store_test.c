/* Goal: a quiet poll is one conditional request; a 304 never makes metadata live longer; an older copy of a cache is no
 * alarm until it stays; a missing file is never taken for an answer. */
#include "agent/fetch/trust_store.h"

#include "common/base/file.h"
#include "tests/fakes/tuf_repo.h"
#include "tests/fakes/web.h"
#include "tests/harness.h"

#include <sys/resource.h>

#define TIMESTAMP "/repo/metadata/timestamp.json"

/* A repository behind a web server, and one agent's store. */
struct bench {
    struct tuf_repo *repo;
    struct web *web;
    struct harness_dir dir;
    struct http_client *http;
    struct trust_store store;
    struct rw_wall now;
    struct rw_buf old; /* served as timestamp while it has bytes */
    int old_times;     /* so often; negative: always */
    int status;        /* of every answer; 0: as it should be */
    const char *hole;  /* this file is not there */
};

static void serve(void *ctx, const struct web_request *r, struct web_answer *out)
{
    struct bench *b = ctx;
    const char *name = strrchr(r->path, '/') + 1;
    bool timestamp = strcmp(r->path, TIMESTAMP) == 0;
    if (b->status != 0) {
        *out = (struct web_answer){.status = b->status, .headers = "Retry-After: 77\r\n"};
        return;
    }
    struct rw_buf *f = tuf_repo_get(b->repo, name);
    if (timestamp && b->old.n > 0 && b->old_times != 0) {
        b->old_times--;
        f = &b->old;
    }
    if (f == NULL || (b->hole != NULL && strcmp(name, b->hole) == 0)) { return; }
    char etag[32];
    static char line[64];
    (void)snprintf(etag, sizeof(etag), "\"v%lld-%zu\"", (long long)b->repo->timestamp_version,
                   f->n);
    (void)snprintf(line, sizeof(line), "ETag: %s\r\n", etag);
    out->status = timestamp && strstr(r->head, etag) != NULL ? 304 : 200;
    out->headers = timestamp ? line : NULL;
    if (out->status == 200) { out->body = rw_buf_span(f); }
}

static void open_store(struct bench *b)
{
    struct rw_err err;
    bool reset = false;
    const struct http_client_options o = {.base_url = web_url(b->web), .total_ms = 5000};
    MUST(http_client_open(&o, &b->http, &err));
    MUST(trust_store_open(b->dir.fd, rw_buf_span(tuf_repo_get(b->repo, "1.root.json")), b->http,
                          &b->store, &reset, &err));
    assert_false(reset);
}

static struct bench *begin(void)
{
    struct bench *b = rw_mem_new(sizeof(*b));
    assert_non_null(b);
    b->repo = tuf_repo_new();
    b->dir = harness_dir();
    b->now = TUF_REPO_NOW;
    b->old = rw_buf_make(1 << 20);
    b->web = web_start(serve, b);
    open_store(b);
    return b;
}

static void close_store(struct bench *b)
{
    trust_store_drop(&b->store);
    http_client_drop(&b->http);
}

typedef struct bench *bench_ref;
static void bench_ref_drop(bench_ref *b)
{
    close_store(*b);
    web_stop(&(*b)->web);
    tuf_repo_ref_drop(&(*b)->repo);
    harness_dir_drop(&(*b)->dir);
    rw_buf_drop(&(*b)->old);
    rw_mem_free(*b);
}

/* One poll with its outcome and what it cost. */
static size_t poll(struct bench *b, enum rw_code want, bool want_changed)
{
    struct rw_err err = {0};
    bool changed = !want_changed;
    size_t before = web_count(b->web);
    MUST_FAIL(trust_store_poll(&b->store, b->now, &changed, &err), want);
    if (want == RW_E_NONE) { assert_int_equal(changed, want_changed); }
    return web_count(b->web) - before;
}

static bool last_had(const struct bench *b, const char *text)
{
    return strstr(web_seen(b->web, web_count(b->web) - 1)->head, text) != NULL;
}

static void keep_old(struct bench *b)
{
    struct rw_err err;
    rw_buf_clear(&b->old);
    MUST(rw_buf_append(&b->old, rw_buf_span(tuf_repo_get(b->repo, "timestamp.json")), &err));
}

TEST(nothing_new_costs_one_conditional_request)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    assert_true(poll(b, RW_E_NONE, true) > 1);
    for (int i = 0; i < 3; i++) {
        b->now.s += 300;
        assert_int_equal(poll(b, RW_E_NONE, false), 1);
        assert_true(last_had(b, "If-None-Match: \"v1-"));
    }
}

TEST(after_a_day_the_whole_workflow_runs_though_nothing_seems_new)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    (void)poll(b, RW_E_NONE, true);
    b->now.s += 24 * 3600 - 1;
    assert_int_equal(poll(b, RW_E_NONE, false), 1);
    b->now.s += 1;
    size_t before = web_count(b->web);
    (void)poll(b, RW_E_NONE, true);
    assert_null(strstr(web_seen(b->web, before)->head, "If-None-Match"));
    assert_int_equal(web_count_of(b->web, before, "/repo/metadata/2.root.json"), 1);
}

TEST(a_304_does_not_make_a_timestamp_live_longer)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    b->repo->timestamp_expires = "2027-01-15T08:30:00Z"; /* half an hour from now */
    tuf_repo_write_timestamp(b->repo);
    (void)poll(b, RW_E_NONE, true);
    b->now.s += 1799;
    assert_int_equal(poll(b, RW_E_NONE, false), 1);
    assert_string_equal(trust_store_name(&b->store, b->now), "ok");
    b->now.s += 1;
    (void)poll(b, RW_E_TUF_EXPIRED, true);
    assert_string_equal(trust_store_name(&b->store, b->now), "expired");
    assert_int_equal(poll(b, RW_E_TUF_EXPIRED, true) > 0, 1);
    b->repo->timestamp_expires = TUF_REPO_FRESH;
    tuf_repo_publish(b->repo);
    (void)poll(b, RW_E_NONE, true); /* by itself */
    assert_string_equal(trust_store_name(&b->store, b->now), "ok");
}

TEST(an_older_timestamp_is_asked_for_past_the_caches_and_taken_from_there)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    keep_old(b);
    tuf_repo_publish(b->repo);
    (void)poll(b, RW_E_NONE, true);
    b->old_times = 1; /* one edge is behind, the origin is not */
    b->now.s += 24 * 3600;
    size_t before = web_count(b->web);
    (void)poll(b, RW_E_NONE, true);
    assert_int_equal(web_count_of(b->web, before, TIMESTAMP), 2);
    assert_int_equal(b->store.older_since.s, 0);
    size_t busted = 0;
    for (size_t i = before; i < web_count(b->web); i++) {
        busted += strstr(web_seen(b->web, i)->head, "Cache-Control: no-cache") != NULL ? 1 : 0;
    }
    assert_int_equal(busted, 1);
}

TEST(an_older_timestamp_that_stays_is_quiet_for_a_while_and_then_told)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    struct tuf_target t;
    struct rw_err err;
    keep_old(b);
    (void)tuf_repo_next_role(
        b->repo, "targets", "G",
        "\"targets\":{\"a\":{\"length\":0,\"hashes\":{\"sha256\":"
        "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}}}");
    tuf_repo_publish(b->repo);
    (void)poll(b, RW_E_NONE, true);
    b->old_times = -1;
    b->now.s += 24 * 3600;
    for (int i = 0; i < 4; i++) {
        (void)poll(b, RW_E_NONE, true);
        MUST(trust_store_find(&b->store, "a", &t, &err)); /* ours stays in force */
        assert_true(b->store.older_since.s > 0);
        b->now.s += 30;
    }
    (void)poll(b, RW_E_TUF_VERSION, true);
    b->old_times = 0;
    (void)poll(b, RW_E_NONE, true);
    assert_int_equal(b->store.older_since.s, 0);
}

TEST(an_older_timestamp_does_not_let_ours_outlive_its_expiry)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    keep_old(b);
    b->repo->timestamp_expires = "2027-01-15T08:30:00Z";
    tuf_repo_publish(b->repo);
    (void)poll(b, RW_E_NONE, true);
    b->old_times = -1;
    b->now.s += 1800;
    (void)poll(b, RW_E_TUF_EXPIRED, true);
}

TEST(a_first_poll_of_a_life_knows_the_floor_of_the_life_before)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    keep_old(b);
    tuf_repo_publish(b->repo);
    (void)poll(b, RW_E_NONE, true);
    close_store(b);
    open_store(b);
    b->old_times = -1;
    (void)poll(b, RW_E_NONE, true);
    assert_true(b->store.older_since.s > 0);
}

/* Recovery from versions that a thief pushed up: with a new key they begin anew, and that is no older copy. */
TEST(a_lower_version_under_a_new_key_is_taken_at_once)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    b->repo->timestamp_version = 500;
    tuf_repo_publish(b->repo);
    (void)poll(b, RW_E_NONE, true);
    (void)snprintf(b->repo->timestamp.keys, sizeof(b->repo->timestamp.keys), "U");
    tuf_repo_next_root(b->repo, "R");
    b->repo->timestamp_version = 1;
    tuf_repo_publish(b->repo);
    (void)poll(b, RW_E_NONE, true);
    assert_int_equal(b->store.older_since.s, 0);
}

TEST(an_etag_is_forgotten_when_what_came_with_it_does_not_verify)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    (void)poll(b, RW_E_NONE, true);
    b->repo->timestamp_version++;
    (void)snprintf(b->repo->timestamp.keys, sizeof(b->repo->timestamp.keys),
                   "X"); /* a stranger's */
    tuf_repo_write_timestamp(b->repo);
    (void)poll(b, RW_E_TUF_THRESHOLD, true);
    size_t before = web_count(b->web);
    (void)poll(b, RW_E_TUF_THRESHOLD, true);
    assert_null(strstr(web_seen(b->web, before)->head, "If-None-Match"));
}

TEST(a_busy_server_says_when_to_come_back)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    b->status = 503;
    (void)poll(b, RW_E_HTTP, true);
    assert_int_equal(b->store.retry_after_s, 77);
    assert_false(b->store.answered);
    b->status = 0;
    (void)poll(b, RW_E_NONE, true);
    assert_int_equal(b->store.retry_after_s, -1);
    assert_true(b->store.answered);
}

TEST(a_missing_role_file_is_a_fault_of_the_server_and_no_answer)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    b->hole = "1.targets.json";
    (void)poll(b, RW_E_HTTP, true);
    b->hole = NULL;
    (void)poll(b, RW_E_NONE, true);
}

TEST(a_damaged_root_is_taken_anew_from_the_installer_and_told)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    struct rw_err err;
    bool reset = false;
    (void)poll(b, RW_E_NONE, true);
    close_store(b);
    RW_AUTO(rw_fd) rw_fd dir = openat(b->dir.fd, "trust", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(rw_file_replace_at(dir, "root.json", 0600, rw_span_str("{}"), &err));
    const struct http_client_options o = {.base_url = web_url(b->web)};
    MUST(http_client_open(&o, &b->http, &err));
    MUST(trust_store_open(b->dir.fd, rw_buf_span(tuf_repo_get(b->repo, "1.root.json")), b->http,
                          &b->store, &reset, &err));
    assert_true(reset);
    (void)poll(b, RW_E_NONE, true);
}

TEST(a_root_that_cannot_be_read_just_now_is_not_replaced_by_the_installers)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    struct rw_err err;
    bool reset = false;
    struct rlimit all;
    (void)poll(b, RW_E_NONE, true);
    close_store(b);
    const struct http_client_options o = {.base_url = web_url(b->web)};
    MUST(http_client_open(&o, &b->http, &err));
    int lowest = dup(b->dir.fd);
    assert_int_equal(close(lowest), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
    const struct rlimit one = {.rlim_cur = (rlim_t)lowest + 1, .rlim_max = all.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &one),
                     0); /* the folder can be opened, the file in it not */
    struct rw_rc rc = trust_store_open(b->dir.fd, rw_buf_span(tuf_repo_get(b->repo, "1.root.json")),
                                       b->http, &b->store, &reset, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
    assert_int_equal(rc.code, RW_E_IO);
    assert_false(reset);
    MUST(trust_store_open(b->dir.fd, rw_span_str("the installer's root is not looked at"), b->http,
                          &b->store, &reset, &err));
    assert_false(reset);
}

TEST(what_a_timestamp_claims_is_kept_for_reports_even_when_it_is_refused)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    b->now.s += INT64_C(6) * 365 * 24 * 3600;
    (void)poll(b, RW_E_TUF_EXPIRED, true);
    assert_true(b->store.answered);
    assert_int_equal(b->store.served_version, 1);
    assert_true(b->store.served_expires.s > 0 && b->store.served_expires.s < b->now.s);
    assert_true(trust_store_root_expires(&b->store).s < b->now.s);
}

RUN_TESTS(cmocka_unit_test(nothing_new_costs_one_conditional_request),
          cmocka_unit_test(after_a_day_the_whole_workflow_runs_though_nothing_seems_new),
          cmocka_unit_test(a_304_does_not_make_a_timestamp_live_longer),
          cmocka_unit_test(an_older_timestamp_is_asked_for_past_the_caches_and_taken_from_there),
          cmocka_unit_test(an_older_timestamp_that_stays_is_quiet_for_a_while_and_then_told),
          cmocka_unit_test(an_older_timestamp_does_not_let_ours_outlive_its_expiry),
          cmocka_unit_test(a_first_poll_of_a_life_knows_the_floor_of_the_life_before),
          cmocka_unit_test(a_lower_version_under_a_new_key_is_taken_at_once),
          cmocka_unit_test(an_etag_is_forgotten_when_what_came_with_it_does_not_verify),
          cmocka_unit_test(a_busy_server_says_when_to_come_back),
          cmocka_unit_test(a_missing_role_file_is_a_fault_of_the_server_and_no_answer),
          cmocka_unit_test(a_damaged_root_is_taken_anew_from_the_installer_and_told),
          cmocka_unit_test(a_root_that_cannot_be_read_just_now_is_not_replaced_by_the_installers),
          cmocka_unit_test(what_a_timestamp_claims_is_kept_for_reports_even_when_it_is_refused))
