#include "server/cli/cmd_release_before.h"

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 100 };

void cmd_release_before_drop(struct cmd_release_before *b)
{
    if (b->made) { (void)unlink(b->path); }
    *b = (struct cmd_release_before){.steps = 1};
}

struct looking {
    const struct json *rollouts;
    const char *family;
    bool in_place;   /* only what a rollout has brought everywhere */
    int64_t highest; /* number of the family: the new release will be the one above it */
};

/* The newest 100 rollouts are known; one that is older than these was neither the last to be halted nor to complete. */
static bool rollout_allows(const struct looking *l, int64_t release)
{
    char text[64];
    for (const struct json *r = json_first(l->rollouts); r != NULL; r = json_next(r)) {
        if (cli_view_int(r, "release", 0) != release ||
            strcmp(cli_view_str(r, "family", text, sizeof(text)), l->family) != 0) {
            continue;
        }
        if (json_find(r, "halt") != NULL) { return false; }
        return !l->in_place ||
               strcmp(cli_view_str(r, "state", text, sizeof(text)), "complete") == 0;
    }
    return !l->in_place;
}

/* The first of a page that counts; NULL: there is none. The newest come first. */
static const struct json *find_newest(struct looking *l, const struct json *list)
{
    for (const struct json *r = json_first(list); r != NULL; r = json_next(r)) {
        char text[64];
        int64_t number = cli_view_int(r, "release", 0);
        if (number > l->highest) { l->highest = number; }
        bool published = strcmp(cli_view_str(r, "state", text, sizeof(text)), "published") == 0;
        bool counts = published && !cli_view_bool(r, "unchecked") && !cli_view_bool(r, "drill");
        if (counts && rollout_allows(l, number)) { return r; }
    }
    return NULL;
}

/* From the newest release of the family on, page by page, until one counts. */
static RW_RC look_back(struct cli_api *api, struct looking *l, struct cmd_release_before *out,
                       int64_t *number_out, struct rw_err *err)
{
    char next[64] = "";
    do {
        char path[CLI_PATH_BYTES];
        const struct json *list = NULL;
        RW_AUTO(json_tree) json_tree page = NULL;
        (void)snprintf(path, sizeof(path), "/v1/releases?order=newest&limit=%d&family=%s%s%s", PAGE,
                       l->family, next[0] == '\0' ? "" : "&after=", next);
        RW_TRY(cli_api_get(api, path, &page, err));
        RW_TRY(json_get(page, "releases", JSON_ARRAY, &list, err));
        const struct json *newest = find_newest(l, list);
        if (newest != NULL) {
            *number_out = cli_view_int(newest, "release", 0);
            (void)cli_view_str(newest, "class", out->class_name, sizeof(out->class_name));
            return RW_OK;
        }
        if (json_count(list) == 0) { return RW_OK; }
        (void)cli_view_str(page, "next", next, sizeof(next));
    } while (next[0] != '\0');
    return RW_OK;
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

static RW_RC fetch(struct cli_api *api, struct looking *l, struct cmd_release_before *out,
                   struct rw_err *err)
{
    char path[CLI_PATH_BYTES];
    int64_t number = 0;
    RW_AUTO(json_tree) json_tree rollouts = NULL;
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(CLI_PAYLOAD_BYTES_MAX);
    *out = (struct cmd_release_before){.steps = 1};
    RW_TRY(cli_api_get(api, "/v1/rollouts", &rollouts, err));
    RW_TRY(json_get(rollouts, "rollouts", JSON_ARRAY, &l->rollouts, err));
    RW_TRY(look_back(api, l, out, &number, err));
    if (number == 0) { return RW_OK; }
    (void)snprintf(path, sizeof(path), "/v1/releases/%s/%lld/payload", l->family,
                   (long long)number);
    struct rw_rc rc = cli_api_download(api, path, CLI_PAYLOAD_BYTES_MAX, &bytes, err);
    /* The server has no copy: nothing to measure. */
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    out->steps = l->highest + 1 - number;
    return keep(rw_buf_span(&bytes), out, err);
}

RW_RC cmd_release_before_fetch(struct cli_api *api, const char *family,
                               struct cmd_release_before *out, struct rw_err *err)
{
    struct looking l = {.family = family};
    return fetch(api, &l, out, err);
}

RW_RC cmd_release_before_in_place(struct cli_api *api, const char *family,
                                  struct cmd_release_before *out, struct rw_err *err)
{
    struct looking l = {.family = family, .in_place = true};
    RW_TRY(fetch(api, &l, out, err));
    if (out->path[0] != '\0') { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "no release of family '%s' has been rolled out", family),
              "a hint follows");
    return rw_hint(err, "a drill needs something to come back to: ringward rollout history");
}
