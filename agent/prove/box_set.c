#include "agent/prove/box_set.h"

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 32768, PATH_BYTES = 256 };

struct record {
    uint32_t path_bytes;
    uint32_t content_bytes;
};

struct folder {
    struct box_memory *into;
    int dir;
    const char *as;
    size_t files;
};

/* A name becomes a path in the box: only what a set's own files bear. */
static bool is_plain(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n < BOX_SET_NAME_BYTES && name[0] != '.' && name[0] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == n;
}

static RW_RC add_record(struct folder *f, const char *name, uint32_t bytes, struct rw_err *err)
{
    char path[BOX_SET_NAME_BYTES * 2];
    uint8_t head[sizeof(struct record)];
    int n = snprintf(path, sizeof(path), "%.32s/%s", f->as, name);
    RW_ASSERT(n > 0 && (size_t)n < sizeof(path));
    const struct record r = {.path_bytes = (uint32_t)n, .content_bytes = bytes};
    rw_copy(head, sizeof(head), &r, sizeof(r));
    RW_TRY(box_memory_add(f->into, rw_span_of(head, sizeof(head)), err));
    return box_memory_add(f->into, rw_span_of(path, (size_t)n), err);
}

static RW_RC add_file(void *ctx, const char *name, struct rw_err *err)
{
    struct folder *f = ctx;
    struct stat st;
    size_t added = 0;
    if (f->files++ == BOX_SET_FILES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d files in it", BOX_SET_FILES_MAX);
    }
    if (!is_plain(name)) {
        return rw_fail(err, RW_E_SCHEMA, "'%.80s' is no name of a set's file", name);
    }
    RW_AUTO(rw_fd)
    rw_fd fd = openat(f->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "'%s'", name); }
    if (!S_ISREG(st.st_mode)) {
        return rw_fail(err, RW_E_SCHEMA, "'%s' is not a regular file", name);
    }
    if (st.st_size > BOX_SET_FILE_BYTES_MAX ||
        (int64_t)f->into->n + st.st_size > BOX_SET_BYTES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "'%s': more than %d bytes, or the sets more than %d",
                       name, BOX_SET_FILE_BYTES_MAX, BOX_SET_BYTES_MAX);
    }
    RW_TRY(add_record(f, name, (uint32_t)st.st_size, err));
    RW_TRY(box_memory_add_fd(f->into, fd, (size_t)st.st_size, &added, err));
    if (added == (size_t)st.st_size) { return RW_OK; }
    return rw_fail(err, RW_E_IO, "'%s' became shorter while it was read", name);
}

RW_RC box_set_add(struct box_memory *m, const char *folder, const char *folder_as,
                  struct rw_err *err)
{
    struct folder f = {.into = m, .as = folder_as};
    RW_AUTO(rw_fd) rw_fd dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return rw_fail_errno(err, errno == ENOENT ? RW_E_NOT_FOUND : RW_E_IO, errno, "set '%s'",
                             folder);
    }
    f.dir = dir;
    if (!rw_is_ok(rw_dir_each(dir, add_file, &f, err))) {
        return rw_wrap(err, "set '%.200s'", folder);
    }
    return RW_OK;
}

bool box_set_copy(int from, off_t *at, uint64_t n, const char *path)
{
    uint8_t chunk[CHUNK];
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);
    bool ok = to >= 0;
    while (ok && n > 0) {
        ssize_t got = pread(from, chunk, n < sizeof(chunk) ? (size_t)n : sizeof(chunk), *at);
        ok = got > 0 && write(to, chunk, (size_t)got) == got;
        if (!ok) { break; }
        *at += got;
        n -= (uint64_t)got;
    }
    if (to >= 0) { (void)close(to); }
    return ok;
}

static bool make_folder(const char *below, const char *path)
{
    char folder[PATH_BYTES];
    (void)snprintf(folder, sizeof(folder), "%.64s/%.*s", below, (int)strcspn(path, "/"), path);
    return mkdir(folder, 0555) == 0 || errno == EEXIST;
}

bool box_set_unpack(int fd, int64_t bytes, const char *below)
{
    off_t at = 0;
    while (at < bytes) {
        struct record r;
        char name[BOX_SET_NAME_BYTES * 2] = "";
        char path[PATH_BYTES];
        if (pread(fd, &r, sizeof(r), at) != (ssize_t)sizeof(r) || r.path_bytes >= sizeof(name)) {
            return false;
        }
        at += (off_t)sizeof(r);
        if (pread(fd, name, r.path_bytes, at) != (ssize_t)r.path_bytes) { return false; }
        at += (off_t)r.path_bytes;
        (void)snprintf(path, sizeof(path), "%.64s/%s", below, name);
        if (!make_folder(below, name) || !box_set_copy(fd, &at, r.content_bytes, path)) {
            return false;
        }
    }
    return true;
}
