/* Goal: a difference from the server is believed for nothing but the hash of its result; it is decoded by a process
 * that can do nothing else (INV-5), and whatever goes wrong leaves the store as it was. */
#include "agent/fetch/content_delta.h"

#include "agent/fetch/content_store.h"
#include "common/base/file.h"
#include "server/release/release_delta.h"
#include "tests/fakes/web.h"
#include "tests/harness.h"

static const char program[] = RW_BIN_DIR "/ringward-patch";

struct bench {
    struct harness_dir dir;  /* the agent's store */
    struct harness_dir repo; /* the server's repository */
    struct web *web;
    struct http_client *http;
    struct rw_buf old_text, new_text, delta;
    uint8_t old_sha256[DIGEST_BYTES], new_sha256[DIGEST_BYTES];
    int status;
    size_t cut;
};

static void serve(void *ctx, const struct web_request *r, struct web_answer *out)
{
    struct bench *b = ctx;
    (void)r;
    *out = (struct web_answer){.status = b->status, .body = rw_buf_span(&b->delta), .cut = b->cut};
}

static void write_text(struct rw_buf *b, int release)
{
    struct rw_err err;
    uint32_t seed = 5;
    for (int i = 0; i < 4000; i++) {
        int version = i % 1000 == 7 ? release : 1;
        MUST(rw_buf_appendf(b, &err, "rule r%d_%d { condition: %u }\n", i, version,
                            harness_random(&seed)));
    }
}

static void put_payload(const struct bench *b, const struct rw_buf *text, int number)
{
    struct rw_err err;
    char hex[DIGEST_HEX_BYTES];
    char path[200];
    MUST(digest_sha256_hex(rw_buf_span(text), hex, &err));
    (void)snprintf(path, sizeof(path), "%s/targets/content/yara", b->repo.path);
    MUST(rw_dir_make(path, 0755, &err));
    (void)snprintf(path, sizeof(path), "%s/targets/content/yara/%s.%d.rwc", b->repo.path, hex,
                   number);
    MUST(rw_file_replace(path, 0644, rw_buf_span(text), &err));
}

static void read_delta(struct bench *b)
{
    struct rw_err err;
    char to[DIGEST_HEX_BYTES];
    char from[DIGEST_HEX_BYTES];
    char path[300];
    rw_hex_encode(to, sizeof(to), b->new_sha256, DIGEST_BYTES);
    rw_hex_encode(from, sizeof(from), b->old_sha256, DIGEST_BYTES);
    (void)snprintf(path, sizeof(path), "%s/targets/delta/yara/%s.%s.zst", b->repo.path, to, from);
    MUST(rw_file_read(path, 1 << 20, &b->delta, &err));
}

static struct bench *begin(void)
{
    struct rw_err err;
    struct release_delta_done done;
    struct bench *b = rw_mem_new(sizeof(*b));
    assert_non_null(b);
    *b = (struct bench){.dir = harness_dir(),
                        .repo = harness_dir(),
                        .old_text = rw_buf_make(1 << 20),
                        .new_text = rw_buf_make(1 << 20),
                        .delta = rw_buf_make(1 << 20),
                        .status = 200};
    write_text(&b->old_text, 1);
    write_text(&b->new_text, 2);
    MUST(digest_sha256(rw_buf_span(&b->old_text), b->old_sha256, &err));
    MUST(digest_sha256(rw_buf_span(&b->new_text), b->new_sha256, &err));
    put_payload(b, &b->old_text, 1);
    put_payload(b, &b->new_text, 2);
    MUST(release_delta_make(b->repo.fd, "yara", &done, &err));
    assert_int_equal(done.made, 1);
    read_delta(b);
    MUST(content_store_put(b->dir.fd, rw_buf_span(&b->old_text), &err));
    b->web = web_start(serve, b);
    const struct http_client_options o = {.base_url = web_url(b->web), .total_ms = 5000};
    MUST(http_client_open(&o, &b->http, &err));
    return b;
}

typedef struct bench *bench_ref;
static void bench_ref_drop(bench_ref *b)
{
    http_client_drop(&(*b)->http);
    web_stop(&(*b)->web);
    rw_buf_drop(&(*b)->old_text);
    rw_buf_drop(&(*b)->new_text);
    rw_buf_drop(&(*b)->delta);
    harness_dir_drop(&(*b)->dir);
    harness_dir_drop(&(*b)->repo);
    rw_mem_free(*b);
}

static struct content_delta_want want(const struct bench *b)
{
    return (struct content_delta_want){.url_path = "/d",
                                       .program_dir = RW_BIN_DIR,
                                       .base_sha256 = b->old_sha256,
                                       .base_bytes = (int64_t)b->old_text.n,
                                       .sha256 = b->new_sha256,
                                       .length = (int64_t)b->new_text.n};
}

static RW_RC count_name(void *ctx, const char *name, struct rw_err *err)
{
    int *n = ctx;
    (void)name;
    (void)err;
    (*n)++;
    return RW_OK;
}

static int files(const struct bench *b)
{
    struct rw_err err;
    int n = 0;
    MUST(rw_dir_each(b->dir.fd, count_name, &n, &err));
    return n;
}

TEST(the_result_is_stored_under_its_hash_for_a_fraction_of_its_bytes)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    struct rw_err err;
    int64_t bytes = 0;
    struct content_delta_want w = want(b);
    assert_int_equal(access(program, X_OK), 0);
    MUST(content_delta_fetch(b->dir.fd, b->http, &w, &bytes, &err));
    assert_true(bytes > 0 && bytes < w.length / 20);
    assert_true(content_store_has(b->dir.fd, b->new_sha256, w.length));
    assert_int_equal(files(b), 2);
}

TEST(the_hash_decides_though_the_difference_fits)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    struct rw_err err;
    int64_t bytes = 0;
    struct content_delta_want w = want(b);
    b->new_sha256[0] ^= 1;
    MUST_FAIL(content_delta_fetch(b->dir.fd, b->http, &w, &bytes, &err), RW_E_TUF_HASH);
    assert_int_equal(files(b), 1);
}

static void no_delta(struct bench *b, struct content_delta_want *w)
{
    (void)w;
    b->status = 404;
}
static void redirected(struct bench *b, struct content_delta_want *w)
{
    (void)w;
    b->status = 302;
}
static void broken_off(struct bench *b, struct content_delta_want *w)
{
    (void)w;
    b->cut = b->delta.n / 2;
}
static void damaged(struct bench *b, struct content_delta_want *w)
{
    (void)w;
    b->delta.p[b->delta.n / 2] ^= 0xff;
}
static void empty(struct bench *b, struct content_delta_want *w)
{
    (void)w;
    rw_buf_clear(&b->delta);
}
static void no_base(struct bench *b, struct content_delta_want *w)
{
    (void)w;
    b->old_sha256[0] ^= 1;
}
static void no_program(struct bench *b, struct content_delta_want *w)
{
    (void)b;
    w->program_dir = "/nowhere";
}
static void another_program(struct bench *b, struct content_delta_want *w)
{
    (void)b;
    w->program_dir = RW_FAKE_DIR; /* there is no ringward-patch in it */
}
static void no_budget(struct bench *b, struct content_delta_want *w)
{
    (void)b;
    w->budget_bytes = w->length;
}
static void too_large(struct bench *b, struct content_delta_want *w)
{
    (void)b;
    w->length = INT64_C(200) << 20;
}

static const struct wrong_case {
    const char *id;
    void (*change)(struct bench *b, struct content_delta_want *w);
    enum rw_code want;
} wrongs[] = {
    {"the_server_has_none", no_delta, RW_E_NOT_FOUND},
    {"a_redirect", redirected, RW_E_HTTP},
    {"a_connection_that_breaks_off", broken_off, RW_E_NET},
    {"a_damaged_difference", damaged, RW_E_SYNTAX},
    {"an_empty_one", empty, RW_E_SYNTAX},
    {"the_base_is_not_stored", no_base, RW_E_NOT_FOUND},
    {"the_program_is_not_there", no_program, RW_E_PROCESS},
    {"nor_beside_the_tests", another_program, RW_E_PROCESS},
    {"the_budget_is_used_up", no_budget, RW_E_FULL},
    {"too_large_for_differences", too_large, RW_E_TOO_BIG},
};

TEST_EACH(whatever_is_wrong_leaves_the_store_as_it_was, wrongs)
{
    RW_AUTO(bench_ref) struct bench *b = begin();
    struct rw_err err;
    int64_t bytes = 0;
    struct content_delta_want w = want(b);
    it->change(b, &w);
    MUST_FAIL(content_delta_fetch(b->dir.fd, b->http, &w, &bytes, &err), it->want);
    assert_int_equal(files(b), 1);
}

RUN_TESTS(cmocka_unit_test(the_result_is_stored_under_its_hash_for_a_fraction_of_its_bytes),
          cmocka_unit_test(the_hash_decides_though_the_difference_fits),
          cmocka_unit_test(whatever_is_wrong_leaves_the_store_as_it_was))
