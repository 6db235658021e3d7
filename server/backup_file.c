#include "server/backup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 256 * 1024, HEX_CHARS = 2 * DIGEST_BYTES };

const char backup_file_list_name[] = "SHA256SUMS";

RW_RC backup_file_join(const char *dir, const char *name, char dst[static BACKUP_FILE_PATH_BYTES],
                       struct rw_err *err)
{
    int n = snprintf(dst, BACKUP_FILE_PATH_BYTES, "%s/%s", dir, name);
    if (n >= 0 && n < BACKUP_FILE_PATH_BYTES) { return RW_OK; }
    return rw_fail(err, RW_E_RANGE, "path '%.60s.../%.60s' is too long", dir, name);
}

static RW_RC open_regular(int dir, const char *name, int *out, struct rw_err *err)
{
    struct stat st;
    /* Without O_NONBLOCK a pipe that lies there would hold us for ever. */
    RW_AUTO(rw_fd)
    int fd = rw_open_at(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0 && errno == ELOOP) {
        return rw_fail(err, RW_E_SCHEMA, "'%s' is a symbolic link", name);
    }
    if (fd < 0) {
        return rw_fail_errno(err, errno == ENOENT ? RW_E_NOT_FOUND : RW_E_IO, errno, "'%s'", name);
    }
    if (fstat(fd, &st) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "'%s'", name); }
    if (!S_ISREG(st.st_mode)) { return rw_fail(err, RW_E_SCHEMA, "'%s' is no file", name); }
    *out = rw_fd_steal(&fd);
    return RW_OK;
}

static RW_RC pump(int from, int to, const char *name, struct digest *d, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf piece = rw_buf_make(PIECE_BYTES);
    uint8_t *at = NULL;
    RW_TRY(rw_buf_reserve(&piece, PIECE_BYTES, &at, err));
    for (;;) {
        ssize_t n = read(from, at, PIECE_BYTES);
        if (n < 0 && errno == EINTR) { continue; }
        if (n < 0) { return rw_fail_errno(err, RW_E_IO, errno, "'%s'", name); }
        if (n == 0) { return RW_OK; }
        struct rw_span got = rw_span_of(at, (size_t)n);
        RW_TRY(digest_add(d, got, err));
        if (to >= 0) { RW_TRY(rw_fd_write_all(to, got, err)); }
    }
}

static RW_RC make_parent(const char *path, struct rw_err *err)
{
    char folder[BACKUP_FILE_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) { return RW_OK; }
    RW_TRY(rw_span_to_str(folder, sizeof(folder), rw_span_of(path, (size_t)(slash - path)),
                          "folder", err));
    return rw_dir_make(folder, 0700, err);
}

RW_RC backup_file_copy(int dir, const char *name, const char *to, unsigned mode,
                       uint8_t sha256_out[static DIGEST_BYTES], struct rw_err *err)
{
    RW_AUTO(rw_fd) int from = -1;
    RW_AUTO(rw_fd) int target = -1;
    RW_AUTO(digest) struct digest d = {.ctx = NULL};
    RW_TRY(open_regular(dir, name, &from, err));
    RW_TRY(make_parent(to, err));
    target = rw_open_at(AT_FDCWD, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (target < 0) {
        return rw_fail_errno(err, errno == EEXIST ? RW_E_EXISTS : RW_E_IO, errno, "'%s'", to);
    }
    RW_TRY(digest_begin(&d, err));
    RW_TRY(pump(from, target, name, &d, err));
    if (fchmod(target, (mode_t)mode) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "mode of '%s'", to);
    }
    RW_TRY(rw_fd_sync(target, to, err));
    return digest_end(&d, sha256_out, err);
}

RW_RC backup_file_hash(int dir, const char *name, uint8_t sha256_out[static DIGEST_BYTES],
                       struct rw_err *err)
{
    RW_AUTO(rw_fd) int fd = -1;
    RW_AUTO(digest) struct digest d = {.ctx = NULL};
    RW_TRY(open_regular(dir, name, &fd, err));
    RW_TRY(digest_begin(&d, err));
    RW_TRY(pump(fd, -1, name, &d, err));
    return digest_end(&d, sha256_out, err);
}

bool backup_file_name_good(const char *path)
{
    size_t n = strlen(path);
    if (n == 0 || n >= BACKUP_FILE_NAME_BYTES || path[0] == '/' || path[n - 1] == '/') {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)path[i];
        if (c <= ' ' || c > '~' || c == '\\') { return false; }
    }
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        size_t m = strcspn(part, "/");
        if (m == 0 || (m == 1 && part[0] == '.') || (m == 2 && strncmp(part, "..", 2) == 0)) {
            return false;
        }
    }
    return true;
}

RW_RC backup_file_list_add(struct rw_buf *list, const uint8_t sha256[static DIGEST_BYTES],
                           const char *path, struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    rw_hex_encode(hex, sizeof(hex), sha256, DIGEST_BYTES);
    return rw_buf_appendf(list, err, "%s  %s\n", hex, path);
}

static RW_RC read_line(struct rw_span line, size_t number, char path[static BACKUP_FILE_NAME_BYTES],
                       uint8_t sha256[static DIGEST_BYTES], struct rw_err *err)
{
    struct rw_err why;
    bool good = line.n > HEX_CHARS + 2 && line.p[HEX_CHARS] == ' ' &&
                line.p[HEX_CHARS + 1] == ' ' && line.n - HEX_CHARS - 2 < BACKUP_FILE_NAME_BYTES;
    good = good && rw_is_ok(rw_hex_decode(sha256, DIGEST_BYTES, rw_span_of(line.p, HEX_CHARS),
                                          "hash", &why));
    good = good && rw_is_ok(rw_span_to_str(
                       path, BACKUP_FILE_NAME_BYTES,
                       rw_span_of(line.p + HEX_CHARS + 2, line.n - HEX_CHARS - 2), "path", &why));
    if (good && backup_file_name_good(path)) { return RW_OK; }
    return rw_fail(err, RW_E_SYNTAX, "%s line %zu: not 'HASH  PATH'", backup_file_list_name,
                   number);
}

RW_RC backup_file_list_each(struct rw_span list,
                            RW_RC (*each)(void *ctx, const char *path,
                                          const uint8_t sha256[static DIGEST_BYTES],
                                          struct rw_err *err),
                            void *ctx, struct rw_err *err)
{
    char path[BACKUP_FILE_NAME_BYTES] = "";
    uint8_t sha256[DIGEST_BYTES] = {0};
    size_t at = 0;
    for (size_t number = 1; at < list.n; number++) {
        const uint8_t *end = memchr(list.p + at, '\n', list.n - at);
        if (end == NULL) {
            return rw_fail(err, RW_E_SYNTAX, "%s line %zu: cut off", backup_file_list_name, number);
        }
        size_t n = (size_t)(end - (list.p + at));
        RW_TRY(read_line(rw_span_of(list.p + at, n), number, path, sha256, err));
        RW_TRY(each(ctx, path, sha256, err));
        at += n + 1;
    }
    return RW_OK;
}
