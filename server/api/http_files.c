#include "server/api/http_files.h"

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DEPTH_MAX = 6, SEGMENT_BYTES_MAX = 160, HASH_HEX = 64 };

struct kept {
    struct http_file file; /* fd < 0: free */
    struct statx st;
    uint64_t used; /* when it was asked for last */
    size_t path_bytes;
    char path[API_TARGET_BYTES_MAX + 1];
};

struct http_files {
    int repo_dir;
    size_t count;
    uint64_t asked;
    struct kept kept[];
};

/* --- names --- */

static bool is_name_byte(uint8_t b)
{
    return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '.' ||
           b == '-' || b == '_';
}

/* A plain name: no dot at its front (so neither "..", nor the half-written ".NAME.tmp"), no '%'. */
static bool is_name(struct rw_span s)
{
    if (s.n == 0 || s.n > SEGMENT_BYTES_MAX || s.p[0] == '.') { return false; }
    for (size_t i = 0; i < s.n; i++) {
        if (!is_name_byte(s.p[i])) { return false; }
    }
    return true;
}

static struct rw_span take_segment(struct rw_span *rest)
{
    size_t n = 0;
    while (n < rest->n && rest->p[n] != '/') {
        n++;
    }
    struct rw_span s = rw_span_of(rest->p, n);
    *rest = rw_span_of(rest->p + n, rest->n - n);
    return s;
}

static bool is_served_path(struct rw_span path)
{
    if (path.n > API_TARGET_BYTES_MAX) { return false; }
    if (!rw_span_starts(path, "metadata/") && !rw_span_starts(path, "targets/")) { return false; }
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        if (!is_name(take_segment(&path))) { return false; }
        if (path.n == 0) { return true; }
        path = rw_span_of(path.p + 1, path.n - 1);
    }
    return false;
}

static struct rw_span file_name(struct rw_span path)
{
    struct rw_span name = path;
    while (path.n > 0) {
        name = take_segment(&path);
        if (path.n > 0) { path = rw_span_of(path.p + 1, path.n - 1); }
    }
    return name;
}

/* Digits of a version in front of '.', or 0. */
static size_t version_digits(struct rw_span name)
{
    size_t n = 0;
    while (n < name.n && name.p[n] >= '0' && name.p[n] <= '9') {
        n++;
    }
    return n < name.n && name.p[n] == '.' ? n : 0;
}

static size_t hash_digits(struct rw_span name)
{
    size_t n = 0;
    while (n < name.n &&
           ((name.p[n] >= '0' && name.p[n] <= '9') || (name.p[n] >= 'a' && name.p[n] <= 'f'))) {
        n++;
    }
    return n < name.n && name.p[n] == '.' ? n : 0;
}

/* What caches may keep: a file whose name carries its version or its hash never changes. */
static const char *cache_control(struct rw_span path)
{
    struct rw_span name = file_name(path);
    if (rw_span_is(name, "timestamp.json")) { return "public, max-age=30"; }
    bool fixed = rw_span_starts(path, "metadata/") ? version_digits(name) > 0
                                                   : hash_digits(name) == HASH_HEX;
    return fixed ? "public, max-age=31536000, immutable" : "no-cache";
}

bool http_files_is_root(struct rw_span path)
{
    struct rw_span name = file_name(path);
    size_t n = version_digits(name);
    return rw_span_starts(path, "metadata/") && n > 0 &&
           rw_span_is(rw_span_of(name.p + n, name.n - n), ".root.json");
}

/* --- opening --- */

static RW_RC not_found(struct rw_err *err)
{
    return rw_fail(err, RW_E_NOT_FOUND, "there is no such file in the repository");
}

static bool is_absence(int number)
{
    return number == ENOENT || number == ENOTDIR || number == ELOOP;
}

/* Segment by segment, following no link anywhere. */
static RW_RC open_below(int repo_dir, struct rw_span path, int *fd_out, struct rw_err *err)
{
    RW_AUTO(rw_fd) int dir = -1;
    for (;;) {
        char name[SEGMENT_BYTES_MAX + 1];
        RW_TRY(rw_span_to_str(name, sizeof(name), take_segment(&path), "file name", err));
        bool last = path.n == 0;
        int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (last ? O_NONBLOCK : O_DIRECTORY);
        int fd = openat(dir >= 0 ? dir : repo_dir, name, flags);
        if (fd < 0 && is_absence(errno)) { return not_found(err); }
        if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "repository file '%s'", name); }
        rw_fd_drop(&dir);
        dir = fd;
        if (last) { break; }
        path = rw_span_of(path.p + 1, path.n - 1);
    }
    *fd_out = rw_fd_steal(&dir);
    return RW_OK;
}

static RW_RC open_file(int repo_dir, struct rw_span path, int *fd_out, struct statx *st,
                       struct rw_err *err)
{
    RW_AUTO(rw_fd) int fd = -1;
    RW_TRY(open_below(repo_dir, path, &fd, err));
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, st) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "repository file");
    }
    if (!S_ISREG(st->stx_mode)) { return not_found(err); }
    *fd_out = rw_fd_steal(&fd);
    return RW_OK;
}

/* --- keeping --- */

static void drop(struct kept *k)
{
    rw_fd_drop(&k->file.fd);
    rw_buf_drop(&k->file.body);
    http_ready_drop(&k->file.full);
    http_ready_drop(&k->file.unmodified);
    *k = (struct kept){.file = {.fd = -1, .body = rw_buf_make(HTTP_REPLY_SMALL)}};
}

static struct kept *find_kept(struct http_files *f, struct rw_span path)
{
    for (size_t i = 0; i < f->count; i++) {
        struct kept *k = &f->kept[i];
        if (k->file.fd >= 0 && k->path_bytes == path.n && memcmp(k->path, path.p, path.n) == 0) {
            return k;
        }
    }
    return NULL;
}

/* A free place, or the one that was not asked for the longest. */
static struct kept *make_room(struct http_files *f)
{
    struct kept *oldest = &f->kept[0];
    for (size_t i = 0; i < f->count; i++) {
        struct kept *k = &f->kept[i];
        if (k->file.fd < 0) { return k; }
        if (k->used < oldest->used) { oldest = k; }
    }
    drop(oldest);
    return oldest;
}

static bool is_same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same(const struct statx *a, const struct statx *b)
{
    return a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor &&
           a->stx_ino == b->stx_ino && a->stx_nlink == b->stx_nlink && a->stx_size == b->stx_size &&
           is_same_time(&a->stx_mtime, &b->stx_mtime) && is_same_time(&a->stx_ctime, &b->stx_ctime);
}

/* Small content into memory, but never by waiting for the disk: then this answer is sent as those of large files. */
static void read_whole(struct http_file *file)
{
    struct rw_err unused;
    uint8_t *at = NULL;
    if (file->whole || file->bytes > HTTP_REPLY_SMALL) { return; }
    rw_buf_clear(&file->body);
    if (!rw_is_ok(rw_buf_reserve(&file->body, (size_t)file->bytes, &at, &unused))) { return; }
    struct iovec v = {.iov_base = at, .iov_len = (size_t)file->bytes};
    ssize_t got = preadv2(file->fd, &v, 1, 0, RWF_NOWAIT);
    if (got < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)) {
        got = pread(file->fd, at, (size_t)file->bytes, 0);
    }
    if (got < 0 || (uint64_t)got != file->bytes) { return; }
    rw_buf_commit(&file->body, (size_t)got);
    file->whole = true;
}

/* Files are replaced by rename only, so a new content is a new inode; size and time make sure. */
static void describe(struct http_file *file, const struct statx *st, struct rw_span path)
{
    struct rw_span name = file_name(path);
    bool json = name.n > 5 && rw_span_is(rw_span_of(name.p + name.n - 5, 5), ".json");
    file->bytes = st->stx_size;
    file->content_type = json ? "application/json" : "application/octet-stream";
    file->cache_control = cache_control(path);
    (void)snprintf(file->etag, sizeof(file->etag), "\"%llx-%llx-%llx\"",
                   (unsigned long long)st->stx_ino, (unsigned long long)st->stx_size,
                   (unsigned long long)st->stx_mtime.tv_sec * 1000000000ULL +
                       st->stx_mtime.tv_nsec);
}

static RW_RC write_heads(struct http_file *file, struct rw_err *err)
{
    struct http_reply r = http_reply_make();
    r.content_type = file->content_type;
    r.cache_control = file->cache_control;
    r.accept_ranges = true;
    r.lent.n = (size_t)file->bytes; /* the head tells the length only */
    r.status = 200;
    rw_copy(r.etag, sizeof(r.etag), file->etag, sizeof(file->etag));
    RW_TRY(http_ready_make(&r, &file->full, err));
    r.status = 304;
    return http_ready_make(&r, &file->unmodified, err);
}

static RW_RC keep(struct http_files *f, struct rw_span path, struct kept **out, struct rw_err *err)
{
    int fd = -1;
    struct statx st;
    RW_TRY(open_file(f->repo_dir, path, &fd, &st, err));
    struct kept *k = make_room(f);
    k->file.fd = fd;
    k->st = st;
    k->path_bytes = path.n;
    rw_copy(k->path, sizeof(k->path), path.p, path.n);
    describe(&k->file, &st, path);
    struct rw_rc rc = write_heads(&k->file, err);
    if (!rw_is_ok(rc)) {
        drop(k);
        return rc;
    }
    *out = k;
    return RW_OK;
}

/* FORCE_SYNC asks the file server where the directory lies on one: a name that is cached there leads to a file without
 * names then, which differs from the kept one. */
static RW_RC look(const struct http_files *f, struct rw_span path, struct statx *out,
                  struct rw_err *err)
{
    char text[API_TARGET_BYTES_MAX + 1];
    RW_TRY(rw_span_to_str(text, sizeof(text), path, "path", err));
    if (statx(f->repo_dir, text, AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS,
              out) == 0) {
        return RW_OK;
    }
    if (is_absence(errno)) { return not_found(err); }
    return rw_fail_errno(err, RW_E_IO, errno, "repository file");
}

RW_RC http_files_find(struct http_files *f, struct rw_span path, const struct http_file **out,
                      struct rw_err *err)
{
    struct statx now;
    struct kept *k = find_kept(f, path);
    if (k == NULL && !is_served_path(path)) { return not_found(err); }
    struct rw_rc rc = look(f, path, &now, err);
    if (k != NULL && (!rw_is_ok(rc) || !is_same(&k->st, &now))) {
        drop(k);
        k = NULL;
    }
    RW_TRY(rc);
    if (k == NULL) { RW_TRY(keep(f, path, &k, err)); }
    k->used = ++f->asked;
    read_whole(&k->file);
    *out = &k->file;
    return RW_OK;
}

RW_RC http_files_new(int repo_dir, size_t kept, struct http_files **out, struct rw_err *err)
{
    RW_ASSERT(kept >= 1 && kept <= HTTP_FILES_KEPT_MAX);
    struct http_files *f = rw_mem_new(sizeof(*f) + kept * sizeof(f->kept[0]));
    if (f == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for open files"); }
    f->repo_dir = repo_dir;
    f->count = kept;
    for (size_t i = 0; i < kept; i++) {
        f->kept[i].file.fd = -1;
        drop(&f->kept[i]);
    }
    *out = f;
    return RW_OK;
}

void http_files_free(struct http_files *f)
{
    if (f == NULL) { return; }
    for (size_t i = 0; i < f->count; i++) {
        drop(&f->kept[i]);
    }
    rw_mem_free(f);
}
