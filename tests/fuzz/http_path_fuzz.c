/* What stands behind the head of a request: path to route, Authorization to an identity, and files of the
 * repository. Nothing but the two folders that are meant to be served comes out, whatever the path says. Pieces are cut
 * at NUL bytes: path, If-None-Match, Range, If-Range, Authorization. */
#include "server/api/api_routes.h"
#include "server/api/http_auth.h"
#include "server/api/http_route.h"
#include "server/api/http_static.h"
#include "tests/fuzz/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char open_text[] = "open";
static const char secret_text[] = "secret";

/* A repository, and what must not be reached: beside it, above it, through links, dot files, folders. */
static struct http_files *repository(void)
{
    static struct http_files *files;
    struct rw_err err;
    if (files != NULL) { return files; }
    int dir = fuzz_folder();
    rw_fd part = -1;
    int repo = -1;
    fuzz_folder_put_at(dir, "key", rw_span_str(secret_text));
    RW_ASSERT(rw_is_ok(rw_dir_make_at(dir, "repo", 0700, &repo, &err)));
    fuzz_folder_put_at(repo, "unfinished", rw_span_str(secret_text));
    static const char *const parts[] = {"metadata", "targets"};
    for (size_t i = 0; i < RW_LEN(parts); i++) {
        RW_ASSERT(rw_is_ok(rw_dir_make_at(repo, parts[i], 0700, &part, &err)));
        fuzz_folder_put_at(part, "1.root.json", rw_span_str(open_text));
        fuzz_folder_put_at(part, ".part", rw_span_str(secret_text));
        RW_ASSERT(symlinkat("../../key", part, "link") == 0 || errno == EEXIST);
        rw_fd_drop(&part);
    }
    RW_ASSERT(rw_is_ok(http_files_new(repo, 2, &files, &err)));
    return files;
}

static void check_file(const struct http_reply *r)
{
    char text[16];
    if (r->fd >= 0) {
        ssize_t n = pread(r->fd, text, sizeof(text), 0);
        RW_ASSERT(n == (ssize_t)strlen(open_text) && memcmp(text, open_text, (size_t)n) == 0);
    }
    if (r->fd < 0 && r->lent.n == 0) { return; }
    RW_ASSERT(r->status == 200 || r->status == 206);
    RW_ASSERT(r->offset + r->bytes <= strlen(open_text));
    RW_ASSERT(r->fd >= 0 ||
              (r->lent.n == r->bytes && memcmp(r->lent.p, open_text + r->offset, r->lent.n) == 0));
}

static void check_route(struct rw_span path)
{
    size_t count = 0;
    const struct api_route *routes = api_routes(&count);
    static const enum api_method methods[] = {API_GET, API_POST};
    for (size_t i = 0; i < RW_LEN(methods); i++) {
        struct http_match m = http_route_find(routes, count, methods[i], path);
        for (size_t k = 0; m.route != NULL && k < API_PARAMS_MAX; k++) {
            RW_ASSERT(m.params[k].n == 0 || memchr(m.params[k].p, '/', m.params[k].n) == NULL);
        }
    }
}

/* Without a token in the table and without the secret nobody gets in. */
static void check_auth(struct rw_span header)
{
    static const uint8_t secret[HTTP_SECRET_BYTES] = {7};
    static struct http_auth *auth;
    struct rw_err err;
    struct api_identity who;
    if (auth == NULL) { RW_ASSERT(rw_is_ok(http_auth_new(secret, &auth, &err))); }
    RW_ASSERT(!rw_is_ok(http_auth_check(auth, API_AUTH_ADMIN, header, &who, &err)));
    RW_ASSERT(!rw_is_ok(http_auth_check(auth, API_AUTH_ENDPOINT, header, &who, &err)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_span rest = rw_span_of(data, size);
    struct rw_span path = fuzz_folder_piece(&rest);
    struct http_static_ask ask = {.path = path};
    ask.if_none_match = fuzz_folder_piece(&rest);
    ask.range = fuzz_folder_piece(&rest);
    ask.if_range = fuzz_folder_piece(&rest);
    check_route(path);
    check_auth(rest);
    struct http_reply r = http_static_answer(repository(), &ask);
    check_file(&r);
    http_reply_drop(&r);
    return 0;
}
