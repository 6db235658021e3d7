#include "server/cli/cmd_release_before.h"

#include "common/base/file.h"
#include "server/cli/cli_view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cmd_release_before_drop(struct cmd_release_before *b)
{
    if (b->made) { (void)unlink(b->path); }
    *b = (struct cmd_release_before){.steps = 1};
}

/* Also the family's highest number: the new release will be the one above it. */
static int64_t find_newest(const struct json *list, const char *family, int64_t *highest)
{
    int64_t newest = 0;
    *highest = 0;
    for (const struct json *r = json_first(list); r != NULL; r = json_next(r)) {
        char text[64];
        int64_t number = cli_view_int(r, "release", 0);
        if (strcmp(cli_view_str(r, "family", text, sizeof(text)), family) != 0) { continue; }
        if (number > *highest) { *highest = number; }
        bool published = strcmp(cli_view_str(r, "state", text, sizeof(text)), "published") == 0;
        bool counts = published && !cli_view_bool(r, "unchecked") && !cli_view_bool(r, "drill");
        if (counts && number > newest) { newest = number; }
    }
    return newest;
}

static RW_RC keep(struct rw_span bytes, struct cmd_release_before *out, struct rw_err *err)
{
    const char *tmp = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): one thread */
    int n = snprintf(out->path, sizeof(out->path), "%s/ringward-before-XXXXXX",
                     tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
    if (n < 0 || (size_t)n >= sizeof(out->path)) {
        return rw_fail(err, RW_E_CONFIG, "TMPDIR is too long");
    }
    RW_AUTO(rw_fd) rw_fd fd = mkostemp(out->path, O_CLOEXEC);
    if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "file '%s'", out->path); }
    out->made = true;
    return rw_fd_write_all(fd, bytes, err);
}

RW_RC cmd_release_before_fetch(struct cli_api *api, const char *family,
                               struct cmd_release_before *out, struct rw_err *err)
{
    char path[CLI_PATH_BYTES];
    int64_t highest = 0;
    const struct json *list = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(CLI_PAYLOAD_BYTES_MAX);
    *out = (struct cmd_release_before){.steps = 1};
    RW_TRY(cli_api_get(api, "/v1/releases", &answer, err));
    RW_TRY(json_get(answer, "releases", JSON_ARRAY, &list, err));
    int64_t newest = find_newest(list, family, &highest);
    if (newest == 0) { return RW_OK; }
    (void)snprintf(path, sizeof(path), "/v1/releases/%s/%lld/payload", family, (long long)newest);
    struct rw_rc rc = cli_api_download(api, path, CLI_PAYLOAD_BYTES_MAX, &bytes, err);
    if (rc.code == RW_E_NOT_FOUND) {
        return RW_OK;
    } /* the server has no copy: nothing to measure */
    RW_TRY(rc);
    out->steps = highest + 1 - newest;
    return keep(rw_buf_span(&bytes), out, err);
}
