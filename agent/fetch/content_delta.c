#include "agent/fetch/content_delta.h"

#include "agent/fetch/content_store.h"
#include "agent/fetch/delta_apply.h"
#include "common/base/file.h"
#include "common/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = DIGEST_HEX_BYTES + 12, PATH_BYTES = 1024, PATCH_MS = 90 * 1000 };

/* Both files are thrown away in any case but the last: a collection would remove them too. */
struct attempt {
    int dir;
    int base;
    int delta;
    int result;
    char delta_name[NAME_BYTES];
    char result_name[NAME_BYTES];
};

static void attempt_drop(struct attempt *a)
{
    struct rw_err unused;
    rw_fd_drop(&a->base);
    rw_fd_drop(&a->delta);
    rw_fd_drop(&a->result);
    RW_IGNORE(rw_file_remove_at(a->dir, a->delta_name, &unused), "the next collection removes it");
    RW_IGNORE(rw_file_remove_at(a->dir, a->result_name, &unused), "the next collection removes it");
}

static RW_RC open_file(int dir, const char *name, int flags, int *fd_out, struct rw_err *err)
{
    *fd_out = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (*fd_out < 0) {
        return rw_fail_errno(err, errno == ENOENT ? RW_E_NOT_FOUND : RW_E_IO, errno,
                             "store file '%s'", name);
    }
    return RW_OK;
}

static RW_RC open_base(struct attempt *a, const struct content_delta_want *want, struct rw_err *err)
{
    char name[DIGEST_HEX_BYTES];
    rw_hex_encode(name, sizeof(name), want->base_sha256, DIGEST_BYTES);
    if (want->base_bytes <= 0 || want->base_bytes > DELTA_APPLY_BYTES_MAX || want->length <= 0 ||
        want->length > DELTA_APPLY_BYTES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "too large for differences");
    }
    if (!content_store_has(a->dir, want->base_sha256, want->base_bytes)) {
        return rw_fail(err, RW_E_NOT_FOUND, "the old content is not stored");
    }
    return open_file(a->dir, name, O_RDONLY, &a->base, err);
}

/* A difference that is as long as the content is of no use: the content's length is its cap. */
static RW_RC download(struct attempt *a, struct http_client *http,
                      const struct content_delta_want *want, int64_t *bytes_out, struct rw_err *err)
{
    struct stat st;
    RW_TRY(open_file(a->dir, a->delta_name, O_RDWR | O_CREAT | O_TRUNC, &a->delta, err));
    const struct http_client_part part = {
        .fd = a->delta, .total_bytes = (uint64_t)want->length, .slice_ms = want->slice_ms};
    RW_TRY(http_client_download_part(http, want->url_path, &part, err));
    if (fstat(a->delta, &st) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "difference"); }
    *bytes_out = st.st_size;
    return RW_OK;
}

/* Space is reserved, so that a full disk is told here and not by a signal in the patch process. */
static RW_RC open_result(struct attempt *a, const struct content_delta_want *want,
                         struct rw_err *err)
{
    RW_TRY(open_file(a->dir, a->result_name, O_RDWR | O_CREAT | O_TRUNC, &a->result, err));
    int failed = posix_fallocate(a->result, 0, (off_t)want->length);
    if (failed != 0) { return rw_fail_errno(err, RW_E_IO, failed, "room for the result"); }
    return RW_OK;
}

static RW_RC patch(const struct attempt *a, const char *program_dir, struct rw_err *err)
{
    char program[PATH_BYTES];
    char *const argv[] = {program, NULL};
    char *const envp[] = {NULL};
    const struct proc_fd fds[] = {{a->base, 3}, {a->delta, 4}, {a->result, 5}};
    struct proc_exit exit;
    RW_AUTO(proc) struct proc child = {.pidfd = -1};
    int n = snprintf(program, sizeof(program), "%s/ringward-patch", program_dir);
    if (n < 0 || (size_t)n >= sizeof(program)) {
        return rw_fail(err, RW_E_RANGE, "the path of ringward-patch is too long");
    }
    const struct proc_spec spec = {.path = program,
                                   .argv = argv,
                                   .envp = envp,
                                   .fds = fds,
                                   .fd_count = RW_LEN(fds),
                                   .die_with_parent = true};
    RW_TRY(proc_start(&spec, &child, err));
    RW_TRY(proc_wait(&child, PATCH_MS, &exit, err));
    if (exit.signaled || exit.status != 0) {
        return rw_fail(err, RW_E_SYNTAX,
                       "the difference does not fit (ringward-patch ended by %s %d)",
                       exit.signaled ? "signal" : "status", exit.status);
    }
    return RW_OK;
}

static RW_RC take_result(const struct attempt *a, const struct content_delta_want *want,
                         struct rw_err *err)
{
    char name[DIGEST_HEX_BYTES];
    uint8_t have[DIGEST_BYTES];
    uint64_t bytes = 0;
    rw_hex_encode(name, sizeof(name), want->sha256, DIGEST_BYTES);
    if (lseek(a->result, 0, SEEK_SET) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "result"); }
    RW_TRY(digest_fd(a->result, (uint64_t)want->length, have, &bytes, err));
    if (bytes != (uint64_t)want->length || !digest_same(have, want->sha256, DIGEST_BYTES)) {
        return rw_fail(err, RW_E_TUF_HASH,
                       "the difference gives other content than the signed one");
    }
    if (fchmod(a->result, 0400) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "result"); }
    RW_TRY(rw_fd_sync(a->result, a->result_name, err));
    if (renameat(a->dir, a->result_name, a->dir, name) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "cannot name '%s'", name);
    }
    return rw_fd_sync(a->dir, "the store", err);
}

RW_RC content_delta_fetch(int store_dir, struct http_client *http,
                          const struct content_delta_want *want, int64_t *bytes_out,
                          struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    RW_AUTO(attempt) struct attempt a = {.dir = store_dir, .base = -1, .delta = -1, .result = -1};
    rw_hex_encode(hex, sizeof(hex), want->sha256, DIGEST_BYTES);
    (void)snprintf(a.delta_name, sizeof(a.delta_name), ".%s.delta", hex);
    (void)snprintf(a.result_name, sizeof(a.result_name), ".%s.patched", hex);
    RW_TRY(open_base(&a, want, err));
    RW_TRY(content_store_room(store_dir, want->length, want->budget_bytes, err));
    RW_TRY(download(&a, http, want, bytes_out, err));
    RW_TRY(open_result(&a, want, err));
    RW_TRY(patch(&a, want->program_dir, err));
    return take_result(&a, want, err);
}
