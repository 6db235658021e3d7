/* A command-line TUF client around the agent's library, with the command line that TUF conformance tools speak:
 *
 *   tuf_client --metadata-dir D init ROOT_FILE
 *   tuf_client --metadata-url U --metadata-dir D refresh
 *   tuf_client --metadata-url U --metadata-dir D --target-name T --target-dir O --target-base-url B download
 *
 * Exit status 0 or 1. It is linked dynamically, so that libfaketime can move its clock.
 */
#include "common/tuf/tuf_client.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/num.h"
#include "common/net/http_client.h"
#include "common/tuf/tuf_doc.h"
#include "common/tuf/tuf_path.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { TARGETS_MAX = 32, PATH_BYTES = 1024, TARGET_FILE_BYTES_MAX = 256 * 1024 * 1024 };

struct arguments {
    const char *metadata_dir, *metadata_url, *target_dir, *target_base_url;
    const char *targets[TARGETS_MAX];
    size_t target_count;
    const char *command;
    const char *operand;
};

/* One base URL, split into what http_client connects to and the path below it. */
struct base {
    struct http_client *http;
    char prefix[PATH_BYTES];
};

static void base_drop(struct base *b)
{
    http_client_drop(&b->http);
}

static RW_RC base_open(const char *url, struct base *out, struct rw_err *err)
{
    char origin[PATH_BYTES];
    const char *scheme_end = url == NULL ? NULL : strstr(url, "://");
    if (scheme_end == NULL) { return rw_fail(err, RW_E_USAGE, "a base URL is missing or no URL"); }
    const char *slash = strchr(scheme_end + 3, '/');
    size_t origin_n = slash == NULL ? strlen(url) : (size_t)(slash - url);
    struct rw_span prefix = rw_span_str(slash == NULL ? "" : slash);
    while (prefix.n > 0 && prefix.p[prefix.n - 1] == '/') {
        prefix.n--;
    }
    RW_TRY(rw_span_to_str(origin, sizeof(origin), rw_span_of(url, origin_n), "URL", err));
    RW_TRY(rw_span_to_str(out->prefix, sizeof(out->prefix), prefix, "URL", err));
    const struct http_client_options options = {.base_url = origin};
    return http_client_open(&options, &out->http, err);
}

static RW_RC fetch(void *ctx, const char *path, size_t max, struct rw_buf *into, struct rw_err *err)
{
    struct base *b = ctx;
    char url_path[2 * PATH_BYTES];
    struct http_client_answer answer;
    (void)snprintf(url_path, sizeof(url_path), "%s/%s", b->prefix, path);
    RW_TRY(http_client_get(b->http, url_path, NULL, max, into, &answer, err));
    if (answer.status == 404 || answer.status == 403) {
        return rw_fail(err, RW_E_NOT_FOUND, "status %d", answer.status);
    }
    if (answer.status != 200) { return rw_fail(err, RW_E_HTTP, "status %d", answer.status); }
    return RW_OK;
}

static RW_RC run_init(const struct arguments *a, struct rw_err *err)
{
    RW_AUTO(rw_fd) int dir = -1;
    RW_AUTO(rw_buf) struct rw_buf root = rw_buf_make(TUF_ROOT_BYTES_MAX);
    RW_TRY(rw_dir_make(a->metadata_dir, 0700, err));
    RW_TRY(rw_dir_open(a->metadata_dir, &dir, err));
    RW_TRY(rw_file_read(a->operand, TUF_ROOT_BYTES_MAX, &root, err));
    return tuf_client_init(dir, rw_buf_span(&root), err);
}

/* Target paths may hold any byte; a URL path keeps letters, digits, "-._~" and "/". */
static RW_RC encode_path(const char *path, char *dst, size_t cap, struct rw_err *err)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~/";
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(cap);
    for (const char *p = path; *p != '\0'; p++) {
        if (strchr(plain, *p) != NULL) {
            RW_TRY(rw_buf_append(&out, rw_span_of(p, 1), err));
        } else {
            RW_TRY(rw_buf_appendf(&out, err, "%%%02X", (unsigned)(unsigned char)*p));
        }
    }
    return rw_span_to_str(dst, cap, rw_buf_span(&out), "target path", err);
}

/* Length and hash must be the signed ones; nothing else is a file of this target. */
static RW_RC check_bytes(const struct tuf_target *t, struct rw_span bytes, struct rw_err *err)
{
    uint8_t hash[DIGEST_BYTES];
    RW_TRY(digest_sha256(bytes, hash, err));
    if ((int64_t)bytes.n != t->length || !digest_same(hash, t->sha256, sizeof(hash))) {
        return rw_fail(err, RW_E_TUF_HASH, "target '%s': length or hash differ", t->path);
    }
    return RW_OK;
}

static RW_RC target_path(const struct tuf_client *c, const struct tuf_target *t, char *dst,
                         size_t cap, struct rw_err *err)
{
    const struct json *consistent = tuf_client_root_member(c, "consistent_snapshot");
    if (consistent != NULL && json_type(consistent) == JSON_TRUE) {
        return tuf_target_url(t, dst, cap, err);
    }
    return rw_span_to_str(dst, cap, rw_span_str(t->path), "target path", err);
}

static RW_RC download_one(struct tuf_client *c, struct base *from, int dir, const char *name,
                          struct rw_err *err)
{
    struct tuf_target t;
    char stored[PATH_BYTES];
    char path[PATH_BYTES];
    char url[PATH_BYTES];
    RW_TRY(tuf_client_find(c, name, &t, err));
    if (t.length > TARGET_FILE_BYTES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "target '%s': %lld bytes, at most %d are allowed", name,
                       (long long)t.length, TARGET_FILE_BYTES_MAX);
    }
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make((size_t)t.length + 1);
    RW_TRY(tuf_path_metadata_name(name, 0, stored, sizeof(stored), err));
    stored[strlen(stored) - strlen(".json")] =
        '\0'; /* the same flat encoding, without its ending */
    if (rw_is_ok(rw_file_read_at(dir, stored, (size_t)t.length, &bytes, err)) &&
        rw_is_ok(check_bytes(&t, rw_buf_span(&bytes), err))) {
        return RW_OK; /* an identical file is there */
    }
    rw_buf_clear(&bytes);
    RW_TRY(target_path(c, &t, path, sizeof(path), err));
    RW_TRY(encode_path(path, url, sizeof(url), err));
    RW_TRY(fetch(from, url, (size_t)t.length, &bytes, err));
    RW_TRY(check_bytes(&t, rw_buf_span(&bytes), err));
    return rw_file_replace_at(dir, stored, 0644, rw_buf_span(&bytes), err);
}

typedef struct tuf_client *tuf_client;

static RW_RC run_with_network(const struct arguments *a, bool download, struct rw_err *err)
{
    RW_AUTO(rw_fd) int dir = -1;
    RW_AUTO(rw_fd) int out_dir = -1;
    RW_AUTO(base) struct base metadata = {.http = NULL};
    RW_AUTO(base) struct base targets = {.http = NULL};
    RW_AUTO(tuf_client) tuf_client c = NULL;
    struct rw_clock clock = rw_clock_system();
    RW_TRY(rw_dir_open(a->metadata_dir, &dir, err));
    if (flock(dir, LOCK_EX) != 0) { return rw_fail(err, RW_E_IO, "cannot lock the directory"); }
    RW_TRY(base_open(a->metadata_url, &metadata, err));
    RW_TRY(tuf_client_open(dir, (struct tuf_fetch){fetch, &metadata}, &c, err));
    RW_TRY(tuf_client_refresh(c, rw_clock_wall(&clock), err));
    if (!download) { return RW_OK; }
    RW_TRY(base_open(a->target_base_url, &targets, err));
    RW_TRY(rw_dir_make(a->target_dir, 0755, err));
    RW_TRY(rw_dir_open(a->target_dir, &out_dir, err));
    for (size_t i = 0; i < a->target_count; i++) {
        RW_TRY(download_one(c, &targets, out_dir, a->targets[i], err));
    }
    return RW_OK;
}

static RW_RC parse(int argc, char **argv, struct arguments *a, struct rw_err *err)
{
    static const struct option options[] = {{"metadata-dir", required_argument, NULL, 'd'},
                                            {"metadata-url", required_argument, NULL, 'u'},
                                            {"target-name", required_argument, NULL, 't'},
                                            {"target-dir", required_argument, NULL, 'o'},
                                            {"target-base-url", required_argument, NULL, 'b'},
                                            {NULL, 0, NULL, 0}};
    int c = 0;
    while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (c == 't' && a->target_count < TARGETS_MAX) {
            a->targets[a->target_count++] = optarg;
        } else if (c == 'd') {
            a->metadata_dir = optarg;
        } else if (c == 'u') {
            a->metadata_url = optarg;
        } else if (c == 'o') {
            a->target_dir = optarg;
        } else if (c == 'b') {
            a->target_base_url = optarg;
        } else {
            return rw_fail(err, RW_E_USAGE, "see the comment at the top of tests/tuf_client.c");
        }
    }
    a->command = optind < argc ? argv[optind] : "";
    a->operand = optind + 1 < argc ? argv[optind + 1] : NULL;
    if (a->metadata_dir == NULL) { return rw_fail(err, RW_E_USAGE, "--metadata-dir is required"); }
    return RW_OK;
}

static RW_RC run(int argc, char **argv, struct rw_err *err)
{
    struct arguments a = {.target_count = 0};
    RW_TRY(parse(argc, argv, &a, err));
    if (strcmp(a.command, "init") == 0 && a.operand != NULL) { return run_init(&a, err); }
    if (strcmp(a.command, "refresh") == 0) { return run_with_network(&a, false, err); }
    if (strcmp(a.command, "download") == 0 && a.target_dir != NULL && a.target_count > 0) {
        return run_with_network(&a, true, err);
    }
    return rw_fail(err, RW_E_USAGE, "want init ROOT_FILE, refresh or download");
}

int main(int argc, char **argv)
{
    struct rw_err err = {.code = RW_E_NONE};
    if (rw_is_ok(run(argc, argv, &err))) { return 0; }
    (void)fprintf(stderr, "tuf_client: %s: %s\n", rw_code_name(err.code), err.text);
    return 1;
}
