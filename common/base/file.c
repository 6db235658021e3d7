#include "common/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 4096, NAME_BYTES_MAX = 240, CHUNK_BYTES = 65536 };

void rw_fd_drop(rw_fd *fd)
{
    if (*fd >= 0) { (void)close(*fd); }
    *fd = -1;
}

int rw_fd_steal(rw_fd *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

static enum rw_code code_of_open(int sys_errno)
{
    return sys_errno == ENOENT ? RW_E_NOT_FOUND : RW_E_IO;
}

int rw_open_at(int dir, const char *name, int flags, mode_t mode)
{
    int fd = -1;
    do {
        fd = openat(dir, name, flags, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

RW_RC rw_dir_open(const char *path, int *fd_out, struct rw_err *err)
{
    return rw_dir_open_at(AT_FDCWD, path, fd_out, err);
}

RW_RC rw_dir_open_at(int dir, const char *name, int *fd_out, struct rw_err *err)
{
    int fd = rw_open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0) { return rw_fail_errno(err, code_of_open(errno), errno, "directory '%s'", name); }
    *fd_out = fd;
    return RW_OK;
}

/* One component; what stands there already must be a directory (or lead to one). */
static RW_RC make_or_accept(const char *path, mode_t mode, struct rw_err *err)
{
    struct stat st;
    if (mkdir(path, mode) == 0) { return RW_OK; }
    int mkdir_errno = errno;
    if (mkdir_errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) { return RW_OK; }
    return rw_fail_errno(err, RW_E_IO, mkdir_errno, "cannot make directory '%s'", path);
}

RW_RC rw_dir_make(const char *path, mode_t mode, struct rw_err *err)
{
    char part[PATH_BYTES_MAX];
    if (path[0] == '\0') { return rw_fail(err, RW_E_RANGE, "the directory's path is empty"); }
    RW_TRY(rw_span_to_str(part, sizeof(part), rw_span_str(path), "directory path", err));
    for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL) { *slash = '\0'; }
        RW_TRY(make_or_accept(part, mode, err));
        if (slash == NULL) { return RW_OK; }
        *slash = '/';
    }
}

RW_RC rw_dir_make_at(int dir, const char *name, mode_t mode, int *fd_out, struct rw_err *err)
{
    bool made = mkdirat(dir, name, mode) == 0;
    if (!made && errno != EEXIST) {
        return rw_fail_errno(err, RW_E_IO, errno, "cannot make directory '%s'", name);
    }
    if (made) { RW_TRY(rw_fd_sync(dir, "the parent directory", err)); }
    return rw_dir_open_at(dir, name, fd_out, err);
}

static RW_RC check_readable(int fd, const char *name, size_t max, struct rw_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "file '%s'", name); }
    if (!S_ISREG(st.st_mode)) { return rw_fail(err, RW_E_IO, "'%s' is not a regular file", name); }
    if ((uintmax_t)st.st_size > max) {
        return rw_fail(err, RW_E_TOO_BIG, "file '%s' has %lld bytes, at most %zu are allowed", name,
                       (long long)st.st_size, max);
    }
    return RW_OK;
}

/* Reads up to n bytes, resuming after signals; 0 is the end of the file. */
static RW_RC read_some(int fd, uint8_t *at, size_t n, const char *name, size_t *got_out,
                       struct rw_err *err)
{
    ssize_t got = 0;
    do {
        got = read(fd, at, n);
    } while (got < 0 && errno == EINTR);
    if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "reading '%s'", name); }
    *got_out = (size_t)got;
    return RW_OK;
}

static RW_RC read_open_file(int fd, const char *name, size_t max, struct rw_buf *into,
                            struct rw_err *err)
{
    RW_TRY(check_readable(fd, name, max, err));
    size_t room = into->max - into->n;
    size_t left = max < room ? max : room;
    for (;;) {
        uint8_t *at = NULL;
        uint8_t beyond = 0;
        size_t got = 0;
        if (left == 0) {
            /* The file may grow while it is read: st_size is not trusted, one byte more is asked for. */
            RW_TRY(read_some(fd, &beyond, 1, name, &got, err));
            if (got == 0) { return RW_OK; }
            return rw_fail(err, RW_E_TOO_BIG, "file '%s' is larger than %zu bytes", name,
                           max < room ? max : room);
        }
        size_t chunk = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        RW_TRY(rw_buf_reserve(into, chunk, &at, err));
        RW_TRY(read_some(fd, at, chunk, name, &got, err));
        if (got == 0) { return RW_OK; }
        rw_buf_commit(into, got);
        left -= got;
    }
}

RW_RC rw_file_read_at(int dir, const char *name, size_t max, struct rw_buf *into,
                      struct rw_err *err)
{
    /* NONBLOCK: opening a FIFO that somebody put there must not hang. */
    RW_AUTO(rw_fd)
    rw_fd fd = rw_open_at(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0) { return rw_fail_errno(err, code_of_open(errno), errno, "file '%s'", name); }
    return read_open_file(fd, name, max, into, err);
}

RW_RC rw_file_read(const char *path, size_t max, struct rw_buf *into, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd fd = rw_open_at(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0) { return rw_fail_errno(err, code_of_open(errno), errno, "file '%s'", path); }
    return read_open_file(fd, path, max, into, err);
}

RW_RC rw_fd_write_all(int fd, struct rw_span content, struct rw_err *err)
{
    for (size_t done = 0; done < content.n;) {
        ssize_t put = write(fd, content.p + done, content.n - done);
        if (put < 0 && errno == EINTR) { continue; }
        if (put < 0) { return rw_fail_errno(err, RW_E_IO, errno, "cannot write"); }
        done += (size_t)put;
    }
    return RW_OK;
}

RW_RC rw_fd_sync(int fd, const char *what, struct rw_err *err)
{
    int failed = 0;
    do {
        failed = fsync(fd);
    } while (failed != 0 && errno == EINTR);
    if (failed != 0) { return rw_fail_errno(err, RW_E_IO, errno, "cannot sync %s", what); }
    return RW_OK;
}

static RW_RC write_temp(int dir, const char *temp, mode_t mode, struct rw_span content,
                        struct rw_err *err)
{
    /* A temporary left by a crash is ours: state directories have one writer. */
    if (unlinkat(dir, temp, 0) != 0 && errno != ENOENT) {
        return rw_fail_errno(err, RW_E_IO, errno, "cannot remove old '%s'", temp);
    }
    RW_AUTO(rw_fd) rw_fd fd = rw_open_at(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "cannot create '%s'", temp); }
    RW_TRY(rw_fd_write_all(fd, content, err));
    return rw_fd_sync(fd, temp, err);
}

static RW_RC rename_and_sync(int dir, const char *temp, const char *name, struct rw_err *err)
{
    if (renameat(dir, temp, dir, name) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "cannot rename '%s' to '%s'", temp, name);
    }
    return rw_fd_sync(dir, "the directory", err);
}

static RW_RC temp_name(char dst[static NAME_BYTES_MAX + 8], const char *name, struct rw_err *err)
{
    if (strlen(name) > NAME_BYTES_MAX || strchr(name, '/') != NULL) {
        return rw_fail(err, RW_E_RANGE, "'%.60s' is not a file name of at most %d bytes", name,
                       NAME_BYTES_MAX);
    }
    (void)snprintf(dst, NAME_BYTES_MAX + 8, ".%s.tmp", name);
    return RW_OK;
}

RW_RC rw_file_replace_at(int dir, const char *name, mode_t mode, struct rw_span content,
                         struct rw_err *err)
{
    char temp[NAME_BYTES_MAX + 8];
    RW_TRY(temp_name(temp, name, err));
    struct rw_rc rc = write_temp(dir, temp, mode, content, err);
    if (rw_is_ok(rc)) { rc = rename_and_sync(dir, temp, name, err); }
    if (!rw_is_ok(rc)) {
        (void)unlinkat(dir, temp, 0); /* best effort: the next writer removes it too */
        return rw_wrap(err, "file '%s'", name);
    }
    return RW_OK;
}

RW_RC rw_file_overwrite_at(int dir, const char *name, struct rw_span content, struct rw_err *err)
{
    struct stat st;
    RW_AUTO(rw_fd)
    rw_fd fd = rw_open_at(dir, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0) { return rw_fail_errno(err, code_of_open(errno), errno, "file '%s'", name); }
    if (fstat(fd, &st) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "file '%s'", name); }
    if (!S_ISREG(st.st_mode) || (uintmax_t)st.st_size != content.n) {
        return rw_fail(err, RW_E_NOT_FOUND, "no regular file '%s' of %zu bytes", name, content.n);
    }
    struct rw_rc rc = rw_fd_write_all(fd, content, err);
    if (rw_is_ok(rc)) { rc = rw_fd_sync(fd, "it", err); }
    return rw_is_ok(rc) ? RW_OK : rw_wrap(err, "file '%s'", name);
}

RW_RC rw_file_replace(const char *path, mode_t mode, struct rw_span content, struct rw_err *err)
{
    char for_dir[PATH_BYTES_MAX];
    char for_base[PATH_BYTES_MAX];
    RW_TRY(rw_span_to_str(for_dir, sizeof(for_dir), rw_span_str(path), "path", err));
    RW_TRY(rw_span_to_str(for_base, sizeof(for_base), rw_span_str(path), "path", err));
    RW_AUTO(rw_fd) rw_fd dir = -1;
    RW_TRY(rw_dir_open(dirname(for_dir), &dir, err));
    return rw_file_replace_at(dir, basename(for_base), mode, content, err);
}

RW_RC rw_file_remove_at(int dir, const char *name, struct rw_err *err)
{
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT) {
        return rw_fail_errno(err, RW_E_IO, errno, "cannot remove '%s'", name);
    }
    return RW_OK;
}

RW_RC rw_file_remove_for_good_at(int dir, const char *name, struct rw_err *err)
{
    RW_TRY(rw_file_remove_at(dir, name, err));
    return rw_fd_sync(dir, "the directory", err);
}

RW_RC rw_link_replace_at(int dir, const char *name, const char *target, struct rw_err *err)
{
    char temp[NAME_BYTES_MAX + 8];
    RW_TRY(temp_name(temp, name, err));
    RW_TRY(rw_file_remove_at(dir, temp, err));
    if (symlinkat(target, dir, temp) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "cannot make link '%s'", temp);
    }
    return rename_and_sync(dir, temp, name, err);
}

RW_RC rw_dir_each(int dir, RW_RC (*each)(void *ctx, const char *name, struct rw_err *err),
                  void *ctx, struct rw_err *err)
{
    /* A description of its own: the caller's offset stays, and closedir takes only ours. */
    int own = rw_open_at(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *list = own < 0 ? NULL : fdopendir(own);
    if (list == NULL) {
        int failed = errno;
        rw_fd_drop(&own);
        return rw_fail_errno(err, RW_E_IO, failed, "cannot list a directory");
    }
    struct rw_rc rc = RW_OK;
    for (struct dirent *d = readdir(list); rw_is_ok(rc) && d != NULL; d = readdir(list)) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) { continue; }
        rc = each(ctx, d->d_name, err);
    }
    (void)closedir(list);
    return rc;
}
