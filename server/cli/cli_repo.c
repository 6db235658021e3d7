#include "server/cli/cli_repo.h"

#include "common/base/file.h"
#include "common/tuf/tuf_path.h"
#include "server/cli/cli_view.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_entry(const struct dirent *e)
{
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

void cli_repo_drop(struct cli_repo *r)
{
    struct dirent **entries = NULL;
    tuf_client_drop(&r->client);
    if (r->dir < 0) { return; }
    int count = scandirat(r->dir, ".", &entries, is_entry, alphasort);
    for (int i = 0; i < count; i++) {
        (void)unlinkat(r->dir, entries[i]->d_name, 0);
        rw_mem_free(entries[i]);
    }
    rw_mem_free((void *)entries);
    (void)close(r->dir);
    (void)rmdir(r->path);
    r->dir = -1;
}

static RW_RC make_dir(struct cli_repo *r, struct rw_err *err)
{
    const char *tmp = getenv("TMPDIR");
    int n = snprintf(r->path, sizeof(r->path), "%s/ringward-repo-XXXXXX",
                     tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
    if (n < 0 || (size_t)n >= sizeof(r->path)) {
        return rw_fail(err, RW_E_CONFIG, "TMPDIR is too long");
    }
    if (mkdtemp(r->path) == NULL) {
        return rw_fail_errno(err, RW_E_IO, errno, "directory '%s'", r->path);
    }
    return rw_dir_open(r->path, &r->dir, err);
}

/* Metadata as agents fetch them. */
static RW_RC fetch(void *ctx, const char *path, size_t max, struct rw_buf *into, struct rw_err *err)
{
    struct cli_api *api = ctx;
    char url[CLI_PATH_BYTES];
    (void)snprintf(url, sizeof(url), "/repo/metadata/%s", path);
    return cli_api_download(api, url, max, into, err);
}

static RW_RC open_client(struct cli_repo *r, const char *root_file, struct rw_err *err)
{
    char beside[CLI_REPO_PATH_BYTES];
    RW_AUTO(rw_buf) struct rw_buf root = rw_buf_make(TUF_ROOT_BYTES_MAX);
    RW_TRY(cli_api_beside(r->api, "root.json", beside, sizeof(beside), err));
    const char *path = root_file == NULL ? beside : root_file;
    struct rw_rc rc = rw_file_read(path, TUF_ROOT_BYTES_MAX, &root, err);
    if (rc.code == RW_E_NOT_FOUND) {
        return rw_hint(err, "give the trusted root that agents are installed with: --root FILE");
    }
    RW_TRY(rc);
    RW_TRY(tuf_client_init(r->dir, rw_buf_span(&root), err));
    const struct tuf_fetch over_http = {.get = fetch, .ctx = r->api};
    return tuf_client_open(r->dir, over_http, &r->client, err);
}

RW_RC cli_repo_open(struct cli_api *api, const char *root_file, struct cli_repo *out,
                    struct rw_err *err)
{
    *out = (struct cli_repo){.api = api, .dir = -1};
    struct rw_rc rc = make_dir(out, err);
    if (rw_is_ok(rc)) { rc = open_client(out, root_file, err); }
    if (!rw_is_ok(rc)) { cli_repo_drop(out); }
    return rc;
}

RW_RC cli_repo_refresh(struct cli_repo *r, struct rw_err *err)
{
    /* 1970: signatures, versions, lengths and hashes are checked as ever, and nothing has expired. */
    static const struct rw_wall before_any_expiry = {0};
    if (rw_is_ok(tuf_client_refresh(r->client, before_any_expiry, err))) { return RW_OK; }
    return rw_wrap(err, "published metadata");
}

static RW_RC ignore_target(void *ctx, const struct tuf_target *t, struct rw_err *err)
{
    (void)ctx;
    (void)t;
    (void)err;
    return RW_OK;
}

RW_RC cli_repo_doc(struct cli_repo *r, const char *role, struct tuf_doc *out, struct rw_err *err)
{
    char name[CLI_PATH_BYTES];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TUF_TARGETS_BYTES_MAX);
    bool root = strcmp(role, "root") == 0;
    if (!root && strcmp(role, "targets") != 0) {
        /* The walk loads and verifies the role, and leaves its file in the client's directory. */
        RW_TRY(tuf_client_each(r->client, role, ignore_target, NULL, err));
    }
    RW_TRY(tuf_path_metadata_name(role, 0, name, sizeof(name), err));
    RW_TRY(rw_file_read_at(r->dir, name, TUF_TARGETS_BYTES_MAX, &text, err));
    return tuf_doc_parse(rw_buf_span(&text), root ? "root" : "targets", out, err);
}
