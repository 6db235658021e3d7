#include "server/api/http_static.h"

#include "common/base/file.h"
#include "server/api/http_cond.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 6, SEGMENT_BYTES_MAX = 160, HASH_HEX = 64 };

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
    if (!rw_span_starts(path, "metadata/") && !rw_span_starts(path, "targets/")) { return false; }
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        if (!is_name(take_segment(&path))) { return false; }
        if (path.n == 0) { return true; }
        path = rw_span_of(path.p + 1, path.n - 1);
    }
    return false;
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
        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
            return rw_fail(err, RW_E_NOT_FOUND, "there is no such file in the repository");
        }
        if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "repository file '%s'", name); }
        rw_fd_drop(&dir);
        dir = fd;
        if (last) { break; }
        path = rw_span_of(path.p + 1, path.n - 1);
    }
    *fd_out = rw_fd_steal(&dir);
    return RW_OK;
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

/* Agents ask for the next root at every poll (TUF-5.3.3): caches may answer that for a short time. */
static bool is_root_name(struct rw_span path)
{
    struct rw_span name = file_name(path);
    size_t n = version_digits(name);
    return rw_span_starts(path, "metadata/") && n > 0 &&
           rw_span_is(rw_span_of(name.p + n, name.n - n), ".root.json");
}

static void fail(struct http_reply *r, struct rw_span path, const struct rw_err *err)
{
    http_reply_error(r, 0, err);
    if (r->status == 404 && is_root_name(path)) { r->cache_control = "public, max-age=30"; }
}

/* Files are replaced by rename only, so a new content is a new inode; size and time make sure. */
static void set_etag(struct http_reply *r, const struct stat *st)
{
    (void)snprintf(r->etag, sizeof(r->etag), "\"%llx-%llx-%llx\"", (unsigned long long)st->st_ino,
                   (unsigned long long)st->st_size,
                   (unsigned long long)st->st_mtim.tv_sec * 1000000000ULL +
                       (unsigned long long)st->st_mtim.tv_nsec);
}

static void set_range(struct http_reply *r, const struct http_static_ask *ask)
{
    struct rw_err err;
    uint64_t size = r->bytes;
    if (ask->head_only || !http_cond_if_range(ask->if_range, r->etag)) { return; }
    struct http_range range = http_cond_range(ask->range, size);
    if (range.kind == HTTP_RANGE_PART) {
        r->status = 206;
        r->offset = range.first;
        r->bytes = range.last - range.first + 1;
        (void)snprintf(r->content_range, sizeof(r->content_range), "bytes %llu-%llu/%llu",
                       (unsigned long long)range.first, (unsigned long long)range.last,
                       (unsigned long long)size);
    } else if (range.kind == HTTP_RANGE_BEYOND) {
        RW_IGNORE(rw_fail(&err, RW_E_RANGE, "the file has %llu bytes, the range begins beyond",
                          (unsigned long long)size),
                  "it is the answer");
        http_reply_error(r, 416, &err);
        r->cache_control = "no-store";
        r->etag[0] = '\0';
        (void)snprintf(r->content_range, sizeof(r->content_range), "bytes */%llu",
                       (unsigned long long)size);
    }
}

static RW_RC find(int repo_dir, struct rw_span path, int *fd_out, struct stat *st,
                  struct rw_err *err)
{
    RW_AUTO(rw_fd) int fd = -1;
    if (!is_served_path(path)) {
        return rw_fail(err, RW_E_NOT_FOUND, "there is no such file in the repository");
    }
    RW_TRY(open_below(repo_dir, path, &fd, err));
    if (fstat(fd, st) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "repository file"); }
    if (!S_ISREG(st->st_mode)) {
        return rw_fail(err, RW_E_NOT_FOUND, "there is no such file in the repository");
    }
    *fd_out = rw_fd_steal(&fd);
    return RW_OK;
}

struct http_reply http_static_answer(int repo_dir, const struct http_static_ask *ask)
{
    struct rw_err err;
    struct stat st;
    struct http_reply r = http_reply_make();
    r.head_only = ask->head_only;
    if (!rw_is_ok(find(repo_dir, ask->path, &r.fd, &st, &err))) {
        fail(&r, ask->path, &err);
        return r;
    }
    struct rw_span name = file_name(ask->path);
    bool json = name.n > 5 && rw_span_is(rw_span_of(name.p + name.n - 5, 5), ".json");
    r.status = 200;
    r.content_type = json ? "application/json" : "application/octet-stream";
    r.bytes = (uint64_t)st.st_size;
    r.cache_control = cache_control(ask->path);
    r.accept_ranges = true;
    set_etag(&r, &st);
    if (ask->if_none_match.n > 0 && http_cond_none_match(ask->if_none_match, r.etag)) {
        r.status = 304;
        rw_fd_drop(&r.fd);
        r.fd = -1;
        r.bytes = 0;
    } else {
        set_range(&r, ask);
    }
    return r;
}
