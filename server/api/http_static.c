#include "server/api/http_static.h"

#include "common/base/file.h"
#include "server/api/http_cond.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

/* The next root is asked for at every poll (TUF-5.3.3): caches may answer that for a short time. */
static void fail(struct http_reply *r, struct rw_span path, const struct rw_err *err)
{
    http_reply_error(r, 0, err);
    if (r->status == 404 && http_files_is_root(path)) { r->cache_control = "public, max-age=30"; }
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

/* From memory, or from a descriptor of the reply's own: the kept one may be given up before the last byte is sent. */
static void attach(struct http_reply *r, const struct http_file *file, struct rw_span path)
{
    struct rw_err err;
    if (r->head_only) { return; }
    if (file->whole) {
        r->lent = rw_span_of(file->body.p + r->offset, (size_t)r->bytes);
        return;
    }
    r->fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
    if (r->fd >= 0) { return; }
    RW_IGNORE(rw_fail_errno(&err, RW_E_IO, errno, "repository file"), "it is the answer");
    r->ready = NULL;
    fail(r, path, &err);
}

struct http_reply http_static_answer(struct http_files *files, const struct http_static_ask *ask)
{
    struct rw_err err;
    const struct http_file *file = NULL;
    struct http_reply r = http_reply_make();
    r.head_only = ask->head_only;
    if (!rw_is_ok(http_files_find(files, ask->path, &file, &err))) {
        fail(&r, ask->path, &err);
        return r;
    }
    r.content_type = file->content_type;
    r.cache_control = file->cache_control;
    r.accept_ranges = true;
    rw_copy(r.etag, sizeof(r.etag), file->etag, sizeof(file->etag));
    if (ask->if_none_match.n > 0 && http_cond_none_match(ask->if_none_match, r.etag)) {
        r.status = 304;
        r.ready = &file->unmodified;
        return r;
    }
    r.status = 200;
    r.bytes = file->bytes;
    set_range(&r, ask);
    if (r.status == 416) { return r; }
    if (r.status == 200) { r.ready = &file->full; }
    attach(&r, file, ask->path);
    return r;
}
