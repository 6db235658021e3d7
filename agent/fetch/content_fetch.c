/* The download of content_store.h: partial files, budget, hash while writing. */
#include "agent/fetch/content_store.h"

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    PART_NAME_BYTES = DIGEST_HEX_BYTES + 8,
    CHUNK_BYTES = 64 * 1024,
    RESERVE_BYTES = 16 * 1024 * 1024, /* left on the disk for state, beacons and everybody else */
};

/* One file on its way: the bytes in the partial file, and their hash so far. */
struct fetch {
    int dir;
    int fd;
    char name[DIGEST_HEX_BYTES];
    char part[PART_NAME_BYTES];
    int64_t have; /* bytes in the partial file */
    int64_t got;  /* bytes that came from the server */
    struct digest digest;
};

static void fetch_drop(struct fetch *f)
{
    digest_drop(&f->digest);
    rw_fd_drop(&f->fd);
}

struct usage {
    int dir;
    int64_t bytes;
};

static RW_RC add_size(void *ctx, const char *name, struct rw_err *err)
{
    struct usage *u = ctx;
    struct stat st;
    (void)err;
    if (fstatat(u->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) { u->bytes += st.st_size; }
    return RW_OK;
}

RW_RC content_store_room(int store_dir, int64_t more_bytes, int64_t budget_bytes,
                         struct rw_err *err)
{
    struct usage u = {.dir = store_dir};
    struct statvfs fs;
    if (budget_bytes > 0) {
        RW_TRY(rw_dir_each(store_dir, add_size, &u, err));
        if (more_bytes > budget_bytes - u.bytes) {
            RW_IGNORE(rw_fail(err, RW_E_FULL,
                              "the store holds %lld bytes, %lld more would exceed store_max (%lld)",
                              (long long)u.bytes, (long long)more_bytes, (long long)budget_bytes),
                      "hint follows");
            return rw_hint(err, "raise store_max in the agent's configuration");
        }
    }
    if (fstatvfs(store_dir, &fs) != 0) { return RW_OK; } /* writing will tell */
    double free_bytes = (double)fs.f_bavail * (double)fs.f_frsize;
    if (free_bytes < (double)more_bytes + (double)RESERVE_BYTES) {
        return rw_fail(err, RW_E_FULL, "%lld bytes more do not fit on the disk (%.0f are free)",
                       (long long)more_bytes, free_bytes);
    }
    return RW_OK;
}

static void part_name(const uint8_t *sha256, char dst[static PART_NAME_BYTES])
{
    char hex[DIGEST_HEX_BYTES];
    rw_hex_encode(hex, sizeof(hex), sha256, DIGEST_BYTES);
    (void)snprintf(dst, PART_NAME_BYTES, ".%s.part", hex);
}

bool content_store_has_part(int store_dir, const uint8_t sha256[static DIGEST_BYTES])
{
    char name[PART_NAME_BYTES];
    struct stat st;
    part_name(sha256, name);
    return fstatat(store_dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0;
}

static RW_RC restart(struct fetch *f, struct rw_err *err)
{
    if (ftruncate(f->fd, 0) != 0 || lseek(f->fd, 0, SEEK_SET) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "cannot empty '%s'", f->part);
    }
    f->have = 0;
    digest_drop(&f->digest);
    return digest_begin(&f->digest, err);
}

static RW_RC hash_part(struct fetch *f, int64_t length, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf chunk = rw_buf_make(CHUNK_BYTES);
    uint8_t *to = NULL;
    RW_TRY(rw_buf_reserve(&chunk, CHUNK_BYTES, &to, err));
    for (;;) {
        ssize_t got = read(f->fd, to, CHUNK_BYTES);
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "store file '%s'", f->part); }
        if (got == 0) { return RW_OK; }
        f->have += got;
        if (f->have > length) { return restart(f, err); } /* longer than signed: not ours */
        RW_TRY(digest_add(&f->digest, rw_span_of(to, (size_t)got), err));
    }
}

static int open_to_write(const struct fetch *f)
{
    return rw_open_at(f->dir, f->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* What an earlier attempt left is hashed once, so that the new bytes can be hashed as they come. */
static RW_RC open_part(struct fetch *f, const struct content_store_want *want, struct rw_err *err)
{
    rw_hex_encode(f->name, sizeof(f->name), want->sha256, DIGEST_BYTES);
    part_name(want->sha256, f->part);
    f->fd = open_to_write(f);
    if (f->fd < 0 &&
        errno == EACCES) { /* whole, read only, and interrupted before it got its name */
        RW_TRY(rw_file_remove_at(f->dir, f->part, err));
        f->fd = open_to_write(f);
    }
    if (f->fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "store file '%s'", f->part); }
    RW_TRY(digest_begin(&f->digest, err));
    return hash_part(f, want->length, err);
}

static RW_RC take_bytes(void *ctx, struct rw_span bytes, struct rw_err *err)
{
    struct fetch *f = ctx;
    f->have += (int64_t)bytes.n;
    f->got += (int64_t)bytes.n;
    return digest_add(&f->digest, bytes, err);
}

static RW_RC download(struct fetch *f, struct http_client *http,
                      const struct content_store_want *want, struct rw_err *err)
{
    const struct http_client_part part = {.fd = f->fd,
                                          .offset = (uint64_t)f->have,
                                          .total_bytes = (uint64_t)want->length,
                                          .slice_ms = want->slice_ms,
                                          .seen = take_bytes,
                                          .ctx = f};
    return http_client_download_part(http, want->url_path, &part, err);
}

/* A server that does not know ranges answers with the whole, or with another part, or too long. */
static bool spoils_resume(struct rw_rc rc)
{
    return rc.code == RW_E_HTTP || rc.code == RW_E_TOO_BIG || rc.code == RW_E_PROTOCOL;
}

static RW_RC check(struct fetch *f, const struct content_store_want *want, struct rw_err *err)
{
    uint8_t have[DIGEST_BYTES];
    RW_TRY(digest_end(&f->digest, have, err));
    if (f->have == want->length && digest_same(have, want->sha256, DIGEST_BYTES)) { return RW_OK; }
    return rw_fail(err, RW_E_TUF_HASH, "%s: length or SHA-256 differ from the signed ones",
                   want->url_path);
}

static RW_RC give_name(const struct fetch *f, struct rw_err *err)
{
    if (fchmod(f->fd, 0400) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "mode of '%s'", f->part);
    }
    RW_TRY(rw_fd_sync(f->fd, f->part, err));
    if (renameat(f->dir, f->part, f->dir, f->name) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "cannot name '%s'", f->name);
    }
    return rw_fd_sync(f->dir, "the store", err);
}

/* The beginning may stem from another server, or from a disk that lost bytes: then the whole is asked for once. */
static RW_RC fetch_whole(struct fetch *f, struct http_client *http,
                         const struct content_store_want *want, struct rw_err *err)
{
    bool resumed = f->have > 0;
    struct rw_rc rc = download(f, http, want, err);
    if (rw_is_ok(rc)) {
        rc = check(f, want, err);
        if (rw_is_ok(rc) || !resumed) { return rc; }
    } else if (!resumed || !spoils_resume(rc)) {
        return rc;
    }
    RW_TRY(restart(f, err));
    RW_TRY(download(f, http, want, err));
    return check(f, want, err);
}

RW_RC content_store_fetch(int store_dir, struct http_client *http,
                          const struct content_store_want *want, struct rw_err *err)
{
    RW_AUTO(fetch) struct fetch f = {.dir = store_dir, .fd = -1};
    struct rw_err unused;
    if (want->length < 0 || want->length > CONTENT_STORE_BYTES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "%s: %lld bytes, at most %d are allowed", want->url_path,
                       (long long)want->length, CONTENT_STORE_BYTES_MAX);
    }
    if (content_store_has(store_dir, want->sha256, want->length)) { return RW_OK; }
    RW_TRY(open_part(&f, want, err));
    RW_TRY(content_store_room(store_dir, want->length - f.have, want->budget_bytes, err));
    struct rw_rc rc = fetch_whole(&f, http, want, err);
    if (want->got != NULL) { *want->got = f.got; }
    if (rc.code == RW_E_TUF_HASH) {
        RW_IGNORE(rw_file_remove_at(store_dir, f.part, &unused), "overwritten by the next attempt");
        return rc;
    }
    if (!rw_is_ok(rc)) {
        return rw_wrap(err, "%lld of %lld bytes", (long long)f.have, (long long)want->length);
    }
    return give_name(&f, err);
}
