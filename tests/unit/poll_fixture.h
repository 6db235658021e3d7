/* poll_fixture.h: a server in memory and one endpoint with its directories, for tests of polls.
 *
 * memory   a bench owns everything until bench_ref_drop
 * threads  the server answers from a thread while the test is inside a poll
 */
#ifndef RINGWARD_POLL_FIXTURE_H
#define RINGWARD_POLL_FIXTURE_H

#include "agent/poll/poll.h"

#include "agent/fetch/content_store.h"
#include "common/base/file.h"
#include "tests/fakes/tuf_repo.h"
#include "tests/fakes/web.h"
#include "tests/harness.h"

static const char policy[] =
    "{\"format\":1,\"rings\":[{\"name\":\"internal\",\"select\":\"local\",\"bake\":\"1m\"},"
    "{\"name\":\"broad\",\"share\":\"rest\"}],\"classes\":{\"rules\":{\"min_bake\":{\"broad\":"
    "\"1h\"}}},"
    "\"window\":{\"confirm\":{\"start\":4,\"per_survivor_thousandths\":1000,\"deadline\":\"15m\"},"
    "\"cohort\":{\"start\":4}},\"health\":{\"false_halts_per_year\":1,\"releases_per_year\":7300}}";
static const char granted[] = "{\"decision\":\"granted\",\"permit\":\"77\",\"valid_s\":60,"
                              "\"deadline_s\":900,\"probation_s\":600}";
static const char waiting[] =
    "{\"decision\":\"wait\",\"retry_after_s\":40,\"reason\":\"the window is full\"}";
static const char refused[] = "{\"decision\":\"refused\",\"reason\":\"halted\"}";
static const char families[2][INSTALL_NAME_BYTES] = {"yara", "ids"};

/* A server in memory and one endpoint with its directories. */
struct bench {
    struct tuf_repo *repo;
    struct web *web;
    struct harness_dir dir;
    rw_fd store;
    struct poll *poll;
    struct poll_options o;
    struct poll_input in;
    struct rw_wall now;
    char token_file[128];
    const char *permit; /* answer to a request for one; NULL: status 503 */
    int enrol_status;
    int token_status;   /* 0: the answer is lost */
    struct rw_buf ring; /* body of role ring-internal */
    bool down;
};

static inline struct rw_wall wall(void *ctx)
{
    return ((struct bench *)ctx)->now;
}

static inline struct rw_mono mono(void *ctx)
{
    (void)ctx;
    struct rw_clock c = rw_clock_system();
    return rw_clock_mono(&c);
}

static inline void text_of(const char *family, int release, char dst[static 64])
{
    (void)snprintf(dst, 64, "content of %s/%d\n", family, release);
}

static inline void serve_api(struct bench *b, const struct web_request *r, struct web_answer *out)
{
    if (strcmp(r->path, "/v1/token") == 0) {
        *out = (struct web_answer){.status = b->token_status,
                                   .body = rw_span_str("{\"token\":\"rwe2.next\"}")};
        return;
    }
    if (strcmp(r->path, "/v1/enrol") == 0) {
        *out = (struct web_answer){.status = b->enrol_status,
                                   .body = rw_span_str("{\"token\":\"rwe1.endpoint\"}")};
        if (b->enrol_status == 429) { out->headers = "Retry-After: 41\r\n"; }
        return;
    }
    out->status = b->permit == NULL ? 503 : 200;
    out->headers = "Retry-After: 9\r\n";
    if (b->permit != NULL) { out->body = rw_span_str(b->permit); }
}

static inline void serve(void *ctx, const struct web_request *r, struct web_answer *out)
{
    static char text[64];
    struct bench *b = ctx;
    if (b->down) {
        out->status = 0;
        return;
    }
    if (strncmp(r->path, "/v1/", 4) == 0) {
        serve_api(b, r, out);
        return;
    }
    for (size_t i = 0; i < RW_LEN(families); i++) {
        for (int release = 1; release <= 2; release++) {
            char tail[32];
            (void)snprintf(tail, sizeof(tail), ".%d.rwc", release);
            bool is = strstr(r->path, families[i]) != NULL && strstr(r->path, tail) != NULL;
            if (!is || strstr(r->path, "/targets/content/") == NULL) { continue; }
            text_of(families[i], release, text);
            *out = (struct web_answer){.status = 200, .body = rw_span_str(text)};
            return;
        }
    }
    if (strstr(r->path, "rings.json") != NULL) {
        *out = (struct web_answer){.status = 200, .body = rw_span_str(policy)};
        return;
    }
    struct rw_buf *f = tuf_repo_get(b->repo, strrchr(r->path, '/') + 1);
    if (f != NULL) { *out = (struct web_answer){.status = 200, .body = rw_buf_span(f)}; }
}

static inline void hex_of(const char *text, char hex[static DIGEST_HEX_BYTES])
{
    struct rw_err err;
    MUST(digest_sha256_hex(rw_span_str(text), hex, &err));
}

/* What engineers signed: releases 1 and 2 of a family, free since long ago. */
static inline void write_content_role(struct bench *b, const char *family)
{
    struct rw_err err;
    char role[64];
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(TUF_REPO_BODY_BYTES);
    MUST(rw_buf_append_str(&body, "\"targets\":{", &err));
    for (int release = 1; release <= 2; release++) {
        char text[64];
        char hex[DIGEST_HEX_BYTES];
        text_of(family, release, text);
        hex_of(text, hex);
        MUST(rw_buf_appendf(
            &body, &err,
            "%s\"content/%s/%d.rwc\":{\"length\":%zu,\"hashes\":{\"sha256\":\"%s\"},\"custom\":{"
            "\"ringward\":{\"format\":1,\"family\":\"%s\",\"release\":%d,\"class\":\"rules\","
            "\"signed_at\":\"2026-11-22T05:34:16Z\",\"not_before\":{\"internal\":\"2026-11-22T06:"
            "00:00Z\",\"broad\":\"2026-11-22T08:00:00Z\"},\"engine\":{\"min\":0,\"max\":999999},"
            "\"platforms\":[\"linux-x86_64\"]}}}",
            release > 1 ? "," : "", family, release, strlen(text), hex, family, release));
    }
    MUST(rw_buf_append_str(&body, "}", &err));
    (void)snprintf(role, sizeof(role), "content-%s", family);
    (void)tuf_repo_next_role(b->repo, role, "C", rw_buf_str(&body));
}

static inline void add_pointer(struct bench *b, const char *family, int release, const char *state)
{
    struct rw_err err;
    char text[64];
    char hex[DIGEST_HEX_BYTES];
    text_of(family, release, text);
    hex_of(text, hex);
    MUST(rw_buf_appendf(
        &b->ring, &err,
        "%s\"rings/internal/%s\":{\"length\":%zu,\"hashes\":{\"sha256\":\"%s\"},"
        "\"custom\":{\"ringward\":{\"format\":1,\"ring\":\"internal\",\"family\":"
        "\"%s\",\"content\":\"content/%s/%d.rwc\",\"release\":%d,\"state\":\"%s\"}}}",
        b->ring.n > 0 ? "," : "", family, strlen(text), hex, family, family, release, release,
        state));
}

static inline void publish(struct bench *b)
{
    char body[TUF_REPO_BODY_BYTES];
    (void)snprintf(body, sizeof(body), "\"targets\":{%s}", rw_buf_str(&b->ring));
    (void)tuf_repo_next_role(b->repo, "ring-internal", "I", body);
    tuf_repo_publish(b->repo);
    rw_buf_clear(&b->ring);
}

static inline void write_targets(struct bench *b)
{
    static const struct tuf_repo_delegation edges[] = {
        {"content-yara", "C", 1, "[\"content/yara/*\"]", true},
        {"content-ids", "C", 1, "[\"content/ids/*\"]", true},
        {"ring-internal", "I", 1, "[\"rings/internal/*\"]", true},
    };
    char edge_text[TUF_REPO_BODY_BYTES];
    char body[TUF_REPO_BODY_BYTES];
    char hex[DIGEST_HEX_BYTES];
    hex_of(policy, hex);
    tuf_repo_delegate(b->repo, edges, RW_LEN(edges), edge_text);
    (void)snprintf(body, sizeof(body),
                   "\"targets\":{\"policy/rings.json\":{\"length\":%zu,\"hashes\":{\"sha256\":"
                   "\"%s\"}}},%.3000s",
                   strlen(policy), hex, edge_text);
    (void)tuf_repo_next_role(b->repo, "targets", "G", body);
}

static inline void open_poll(struct bench *b)
{
    struct rw_err err;
    MUST(poll_open(&b->o, &b->poll, &err));
}

static inline struct manifest_entry entry(const char *family, int release)
{
    struct rw_err err;
    char text[64];
    struct manifest_entry e = {.release = release};
    text_of(family, release, text);
    (void)snprintf(e.family, sizeof(e.family), "%s", family);
    e.bytes = (int64_t)strlen(text);
    MUST(digest_sha256(rw_span_str(text), e.sha256, &err));
    return e;
}

static inline void active(struct bench *b, const char *family, int release)
{
    struct rw_err err;
    struct manifest_entry e = entry(family, release);
    MUST(manifest_put(&b->in.active, &e, &err));
}

/* Content that was active before needs no box: what these tests are about is the way to it. */
static inline void proven(struct bench *b, const char *family, int release)
{
    struct rw_err err;
    struct manifest_entry e = entry(family, release);
    MUST(manifest_put(&b->in.previous, &e, &err));
}

static inline struct bench *begin(void)
{
    struct rw_err err;
    struct bench *b = rw_mem_new(sizeof(*b));
    assert_non_null(b);
    b->repo = tuf_repo_new();
    b->dir = harness_dir();
    b->store = -1;
    b->now = TUF_REPO_NOW;
    b->permit = granted;
    b->enrol_status = 200;
    b->token_status = 200;
    b->in.may_begin = true;
    b->ring = rw_buf_make(TUF_REPO_BODY_BYTES);
    MUST(rw_dir_make_at(b->dir.fd, "store", 0700, &b->store, &err));
    (void)snprintf(b->token_file, sizeof(b->token_file), "%s/enrol", b->dir.path);
    MUST(rw_file_replace(b->token_file, 0600, rw_span_str("rwj1.enrol\n"), &err));
    write_targets(b);
    write_content_role(b, "yara");
    write_content_role(b, "ids");
    b->web = web_start(serve, b);
    b->o = (struct poll_options){.server = web_url(b->web),
                                 .root = rw_buf_span(tuf_repo_get(b->repo, "1.root.json")),
                                 .state_dir = b->dir.fd,
                                 .store_dir = b->store,
                                 .store_path = b->dir.path,
                                 .box_dir = "/nowhere",
                                 .ring = "internal",
                                 .platform = "linux-x86_64",
                                 .families = families,
                                 .family_count = 2,
                                 .enrol_token_file = b->token_file,
                                 .endpoint = "00112233445566778899aabbccddeeff",
                                 .clock = {.wall = wall, .mono = mono, .ctx = b}};
    (void)snprintf(b->o.cohort.os, sizeof(b->o.cohort.os), "debian-12");
    (void)snprintf(b->o.cohort.arch, sizeof(b->o.cohort.arch), "x86_64");
    (void)snprintf(b->o.cohort.engine, sizeof(b->o.cohort.engine), "fake");
    open_poll(b);
    return b;
}

typedef struct bench *bench_ref;
static inline void bench_ref_drop(bench_ref *b)
{
    poll_drop(&(*b)->poll);
    web_stop(&(*b)->web);
    tuf_repo_ref_drop(&(*b)->repo);
    rw_fd_drop(&(*b)->store);
    rw_buf_drop(&(*b)->ring);
    harness_dir_drop(&(*b)->dir);
    rw_mem_free(*b);
}

static inline struct poll_output *run(struct bench *b)
{
    static struct poll_output out;
    poll_run(b->poll, &b->in, &out);
    return &out;
}

static inline const struct poll_family *family(const struct poll_output *o, const char *name)
{
    for (size_t i = 0; i < o->family_count; i++) {
        if (strcmp(o->families[i].family, name) == 0) { return &o->families[i]; }
    }
    fail_msg("no family '%s'", name);
    return NULL;
}

#endif
