#include "agent/fetch/content_store.h"

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PART_NAME_BYTES = DIGEST_HEX_BYTES + 8 };

static bool same_bytes(int fd, const uint8_t sha256[static DIGEST_BYTES], int64_t length)
{
    struct rw_err unused;
    struct stat st;
    uint8_t have[DIGEST_BYTES];
    uint64_t bytes = 0;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == length &&
           lseek(fd, 0, SEEK_SET) == 0 &&
           rw_is_ok(digest_fd(fd, (uint64_t)length, have, &bytes, &unused)) &&
           bytes == (uint64_t)length && digest_same(have, sha256, DIGEST_BYTES);
}

bool content_store_has(int store_dir, const uint8_t sha256[static DIGEST_BYTES], int64_t length)
{
    char name[DIGEST_HEX_BYTES];
    struct rw_err unused;
    rw_hex_encode(name, sizeof(name), sha256, DIGEST_BYTES);
    RW_AUTO(rw_fd) rw_fd fd = openat(store_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) { return false; }
    if (same_bytes(fd, sha256, length)) { return true; }
    RW_IGNORE(rw_file_remove_at(store_dir, name, &unused), "a damaged file is fetched anew");
    return false;
}

/* What an earlier attempt left. Longer than signed, or not even seekable: begin anew. */
static RW_RC open_part(int store_dir, const char *part, int64_t length, int *fd_out,
                       int64_t *offset_out, struct rw_err *err)
{
    int fd = openat(store_dir, part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "store file '%s'", part); }
    *fd_out = fd; /* the caller closes it in any case */
    int64_t at = lseek(fd, 0, SEEK_END);
    if (at > length || at < 0) {
        at = 0;
        if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0) {
            return rw_fail_errno(err, RW_E_IO, errno, "cannot empty '%s'", part);
        }
    }
    *offset_out = at;
    return RW_OK;
}

/* A server that does not know ranges answers with the whole, which is not what was asked for, or too long. */
static RW_RC download(struct http_client *http, const struct content_store_want *want, int fd,
                      int64_t offset, struct rw_err *err)
{
    if (offset == want->length) { return RW_OK; }
    struct rw_rc rc = http_client_download(http, want->url_path, fd, (uint64_t)offset,
                                           (uint64_t)want->length, err);
    if (offset == 0 || (rc.code != RW_E_HTTP && rc.code != RW_E_TOO_BIG)) { return rc; }
    if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "cannot begin the download anew");
    }
    return http_client_download(http, want->url_path, fd, 0, (uint64_t)want->length, err);
}

static RW_RC finish(int store_dir, int fd, const char *part, const char *name,
                    const struct content_store_want *want, struct rw_err *err)
{
    if (!same_bytes(fd, want->sha256, want->length)) {
        RW_TRY(rw_file_remove_at(store_dir, part, err));
        return rw_fail(err, RW_E_TUF_HASH, "%s: length or SHA-256 differ from the signed ones",
                       want->url_path);
    }
    if (fchmod(fd, 0400) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "mode of '%s'", part); }
    RW_TRY(rw_fd_sync(fd, part, err));
    if (renameat(store_dir, part, store_dir, name) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "cannot name '%s'", name);
    }
    return rw_fd_sync(store_dir, "the store", err);
}

RW_RC content_store_fetch(int store_dir, struct http_client *http,
                          const struct content_store_want *want, struct rw_err *err)
{
    char name[DIGEST_HEX_BYTES];
    char part[PART_NAME_BYTES];
    int64_t offset = 0;
    RW_AUTO(rw_fd) rw_fd fd = -1;
    if (want->length < 0 || want->length > CONTENT_STORE_BYTES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "%s: %lld bytes, at most %d are allowed", want->url_path,
                       (long long)want->length, CONTENT_STORE_BYTES_MAX);
    }
    if (content_store_has(store_dir, want->sha256, want->length)) { return RW_OK; }
    rw_hex_encode(name, sizeof(name), want->sha256, DIGEST_BYTES);
    (void)snprintf(part, sizeof(part), ".%s.part", name);
    RW_TRY(open_part(store_dir, part, want->length, &fd, &offset, err));
    RW_TRY(download(http, want, fd, offset, err));
    return finish(store_dir, fd, part, name, want, err);
}

RW_RC content_store_put(int store_dir, struct rw_span content, struct rw_err *err)
{
    char name[DIGEST_HEX_BYTES];
    RW_TRY(digest_sha256_hex(content, name, err));
    return rw_file_replace_at(store_dir, name, 0400, content, err);
}

struct collection {
    int dir;
    const uint8_t (*keep)[DIGEST_BYTES];
    size_t keep_count;
    size_t removed;
};

/* "HEX" or ".HEX.part" of a hash that is to be kept. */
static bool is_kept(const struct collection *c, const char *name)
{
    struct rw_err unused;
    uint8_t hash[DIGEST_BYTES];
    struct rw_span s = rw_span_str(name);
    if (name[0] == '.' && s.n == DIGEST_HEX_BYTES - 1 + 6) { s = rw_span_of(s.p + 1, s.n - 6); }
    if (!rw_is_ok(rw_hex_decode(hash, sizeof(hash), s, "hash", &unused))) { return false; }
    for (size_t i = 0; i < c->keep_count; i++) {
        if (memcmp(hash, c->keep[i], DIGEST_BYTES) == 0) { return true; }
    }
    return false;
}

static RW_RC remove_unkept(void *ctx, const char *name, struct rw_err *err)
{
    struct collection *c = ctx;
    if (is_kept(c, name)) { return RW_OK; }
    RW_TRY(rw_file_remove_at(c->dir, name, err));
    c->removed++;
    return RW_OK;
}

RW_RC content_store_collect(int store_dir, const uint8_t (*keep)[DIGEST_BYTES], size_t keep_count,
                            size_t *removed_out, struct rw_err *err)
{
    struct collection c = {.dir = store_dir, .keep = keep, .keep_count = keep_count};
    RW_TRY(rw_dir_each(store_dir, remove_unkept, &c, err));
    *removed_out = c.removed;
    return RW_OK;
}
