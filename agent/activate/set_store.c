#include "agent/activate/set_store.h"

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SET_NAME_BYTES = 24, FILE_NAME_BYTES = INSTALL_NAME_BYTES + 8 };

static const char manifest_name[] = "manifest.json";
static const char link_name[] = "current";
static const char trial_name[] = "trial";

static void set_name(int64_t set, char dst[static SET_NAME_BYTES])
{
    (void)snprintf(dst, SET_NAME_BYTES, "%lld", (long long)set);
}

static void file_name(const struct manifest_entry *e, char dst[static FILE_NAME_BYTES])
{
    (void)snprintf(dst, FILE_NAME_BYTES, "%s.rwc", e->family);
}

static RW_RC remove_file(void *ctx, const char *name, struct rw_err *err)
{
    const int *dir = ctx;
    /* A folder that somebody put in a file's place must not keep the set for ever. */
    if (unlinkat(*dir, name, AT_REMOVEDIR) == 0) { return RW_OK; }
    return rw_file_remove_at(*dir, name, err);
}

/* Removes the files of a set, then the set. A missing one is success. */
static RW_RC remove_set(const struct set_store *s, const char *name, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd dir = -1;
    struct rw_rc rc = rw_dir_open_at(s->sets, name, &dir, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    RW_TRY(rw_dir_each(dir, remove_file, &dir, err));
    if (unlinkat(s->sets, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        return rw_fail_errno(err, RW_E_IO, errno, "cannot remove set %s", name);
    }
    return rw_fd_sync(s->sets, "the directory of sets", err);
}

static RW_RC link_content(const struct set_store *s, int dir, const struct manifest_entry *e,
                          struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    char file[FILE_NAME_BYTES];
    rw_hex_encode(hex, sizeof(hex), e->sha256, DIGEST_BYTES);
    file_name(e, file);
    if (linkat(s->store, hex, dir, file, 0) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "cannot link content %s/%lld into the set",
                             e->family, (long long)e->release);
    }
    return RW_OK;
}

RW_RC set_store_unmark(const struct set_store *s, int64_t set, struct rw_err *err)
{
    char name[SET_NAME_BYTES];
    struct stat st;
    RW_AUTO(rw_fd) rw_fd dir = -1;
    set_name(set, name);
    struct rw_rc rc = rw_dir_open_at(s->sets, name, &dir, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    if (fstatat(dir, trial_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) { return RW_OK; }
        return rw_fail_errno(err, RW_E_IO, errno, "mark of set %s", name);
    }
    if (st.st_size == 0) { return RW_OK; }
    /* Emptied, not removed: a set that is being removed must not look like one whose trial is over. */
    return rw_file_replace_at(dir, trial_name, 0600, rw_span_of("", 0), err);
}

RW_RC set_store_build(const struct set_store *s, const struct manifest *m, const char *trial,
                      struct rw_err *err)
{
    char name[SET_NAME_BYTES];
    RW_AUTO(rw_fd) rw_fd dir = -1;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(MANIFEST_BYTES_MAX);
    struct manifest readback;
    set_name(m->set, name);
    RW_TRY(remove_set(s, name, err));
    RW_TRY(rw_dir_make_at(s->sets, name, 0700, &dir, err));
    for (size_t i = 0; i < m->count; i++) {
        RW_TRY(link_content(s, dir, &m->content[i], err));
    }
    if (trial != NULL) {
        RW_TRY(rw_file_replace_at(dir, trial_name, 0600, rw_span_str(trial), err));
    }
    RW_TRY(manifest_write(m, &text, err));
    RW_TRY(rw_file_replace_at(dir, manifest_name, 0600, rw_buf_span(&text), err));
    RW_TRY(rw_fd_sync(dir, "the set", err));
    return set_store_check(s, m->set, &readback, err); /* what the disk says, not what we meant */
}

RW_RC set_store_read(const struct set_store *s, int64_t set, struct manifest *out,
                     struct rw_err *err)
{
    char name[SET_NAME_BYTES];
    RW_AUTO(rw_fd) rw_fd dir = -1;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(MANIFEST_BYTES_MAX);
    struct manifest m;
    set_name(set, name);
    RW_TRY(rw_dir_open_at(s->sets, name, &dir, err));
    RW_TRY(rw_file_read_at(dir, manifest_name, MANIFEST_BYTES_MAX, &text, err));
    if (!rw_is_ok(manifest_read(rw_buf_span(&text), &m, err))) {
        return rw_wrap(err, "set %s: manifest", name);
    }
    if (m.set != set) {
        return rw_fail(err, RW_E_SCHEMA, "set %s: its manifest speaks of set %lld", name,
                       (long long)m.set);
    }
    *out = m;
    return RW_OK;
}

/* What others may write is not what was verified, whatever its hash is at this moment. */
static RW_RC check_file(const struct set_store *s, int fd, const char *path, int64_t bytes,
                        struct rw_err *err)
{
    struct stat st;
    struct stat top;
    if (fstat(fd, &st) != 0 || fstat(s->sets, &top) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "set file '%s'", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return rw_fail(err, RW_E_TUF_HASH, "set file '%s' is not a regular file", path);
    }
    if (st.st_uid != top.st_uid || (st.st_mode & 07777U) != 0400) {
        return rw_fail(err, RW_E_TUF_HASH,
                       "set file '%s' has owner %u and mode %04o, must have %u and 0400", path,
                       (unsigned)st.st_uid, (unsigned)st.st_mode & 07777U, (unsigned)top.st_uid);
    }
    if (st.st_size != bytes) {
        return rw_fail(err, RW_E_TUF_HASH, "set file '%s' has %lld bytes, must have %lld", path,
                       (long long)st.st_size, (long long)bytes);
    }
    return RW_OK;
}

static RW_RC pause_between(const struct set_store_pace *pace, struct rw_err *err)
{
    const struct timespec t = {.tv_sec = pace->pause_ms / 1000,
                               .tv_nsec = pace->pause_ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
    if (atomic_load(pace->stop)) { return rw_fail(err, RW_E_BUSY, "the check was ended"); }
    return RW_OK;
}

/* digest_fd with pauses. The page cache is left as it was: content of half a gigabyte would push others out. */
static RW_RC digest_slowly(int fd, int64_t max, const struct set_store_pace *pace,
                           uint8_t out[static DIGEST_BYTES], int64_t *bytes_out, struct rw_err *err)
{
    uint8_t chunk[16384];
    int64_t since = 0;
    RW_AUTO(digest) struct digest d = {0};
    RW_TRY(digest_begin(&d, err));
    for (*bytes_out = 0; *bytes_out <= max;) {
        ssize_t got = read(fd, chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "reading what is hashed"); }
        if (got == 0) { break; }
        RW_TRY(digest_add(&d, rw_span_of(chunk, (size_t)got), err));
        *bytes_out += got;
        since += got;
        if (since < pace->slice_bytes) { continue; }
        RW_TRY(pause_between(pace, err));
        since = 0;
    }
    return digest_end(&d, out, err);
}

static RW_RC hash_content(int fd, const struct manifest_entry *e, const struct set_store_pace *pace,
                          uint8_t have[static DIGEST_BYTES], int64_t *bytes, struct rw_err *err)
{
    uint64_t n = 0;
    if (pace != NULL) { return digest_slowly(fd, e->bytes, pace, have, bytes, err); }
    RW_TRY(digest_fd(fd, (uint64_t)e->bytes, have, &n, err));
    *bytes = (int64_t)n;
    return RW_OK;
}

static RW_RC check_content(const struct set_store *s, int64_t set, const struct manifest_entry *e,
                           const struct set_store_pace *pace, struct rw_err *err)
{
    char path[SET_NAME_BYTES + FILE_NAME_BYTES + 2];
    uint8_t have[DIGEST_BYTES];
    int64_t bytes = 0;
    (void)snprintf(path, sizeof(path), "%lld/%s.rwc", (long long)set, e->family);
    RW_AUTO(rw_fd)
    rw_fd fd = rw_open_at(s->sets, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "set file '%s'", path); }
    RW_TRY(check_file(s, fd, path, e->bytes, err));
    RW_TRY(hash_content(fd, e, pace, have, &bytes, err));
    if (bytes != e->bytes || !digest_same(have, e->sha256, DIGEST_BYTES)) {
        return rw_fail(err, RW_E_TUF_HASH, "set file '%s' is damaged", path);
    }
    return RW_OK;
}

RW_RC set_store_check(const struct set_store *s, int64_t set, struct manifest *out,
                      struct rw_err *err)
{
    struct manifest m;
    RW_TRY(set_store_read(s, set, &m, err));
    for (size_t i = 0; i < m.count; i++) {
        RW_TRY(check_content(s, set, &m.content[i], NULL, err));
    }
    *out = m;
    return RW_OK;
}

RW_RC set_store_check_slowly(const struct set_store *s, const struct manifest *want,
                             const struct set_store_pace *pace, struct rw_err *err)
{
    struct manifest m;
    RW_TRY(set_store_read(s, want->set, &m, err));
    if (!manifest_same_content(&m, want)) {
        return rw_fail(err, RW_E_TUF_HASH, "set %lld: its manifest names other content",
                       (long long)want->set);
    }
    for (size_t i = 0; i < m.count; i++) {
        RW_TRY(check_content(s, m.set, &m.content[i], pace, err));
    }
    return RW_OK;
}

RW_RC set_store_switch(const struct set_store *s, int64_t set, struct rw_err *err)
{
    char target[SET_NAME_BYTES + 8];
    (void)snprintf(target, sizeof(target), "sets/%lld", (long long)set);
    return rw_link_replace_at(s->state, link_name, target, err);
}

RW_RC set_store_active(const struct set_store *s, int64_t *set_out, struct rw_err *err)
{
    char target[64];
    ssize_t n = readlinkat(s->state, link_name, target, sizeof(target) - 1);
    if (n < 0) {
        return rw_fail_errno(err, errno == ENOENT ? RW_E_NOT_FOUND : RW_E_IO, errno, "link '%s'",
                             link_name);
    }
    struct rw_span t = rw_span_of(target, (size_t)n);
    if (!rw_span_starts(t, "sets/")) {
        return rw_fail(err, RW_E_SYNTAX, "link '%s' does not name a set", link_name);
    }
    return rw_parse_i64(rw_span_of(t.p + 5, t.n - 5), 0, RW_JSON_INT_MAX, "set number", set_out,
                        err);
}

struct collection {
    const struct set_store *s;
    const int64_t *keep;
    size_t keep_count;
};

static RW_RC remove_unlisted(void *ctx, const char *name, struct rw_err *err)
{
    const struct collection *c = ctx;
    char kept[SET_NAME_BYTES];
    if (strcmp(name, "0") == 0) { return RW_OK; }
    for (size_t i = 0; i < c->keep_count; i++) {
        set_name(c->keep[i], kept);
        if (strcmp(name, kept) == 0) { return RW_OK; }
    }
    return remove_set(c->s, name, err);
}

RW_RC set_store_collect(const struct set_store *s, const int64_t *keep, size_t keep_count,
                        struct rw_err *err)
{
    struct collection c = {.s = s, .keep = keep, .keep_count = keep_count};
    return rw_dir_each(s->sets, remove_unlisted, &c, err);
}

RW_RC set_store_open(int state_dir, struct set_store *out, struct rw_err *err)
{
    static const struct manifest empty = {.set = 0};
    RW_AUTO(set_store) struct set_store s = {.state = state_dir, .sets = -1, .store = -1};
    struct manifest m;
    int64_t active = 0;
    RW_TRY(rw_dir_make_at(state_dir, "store", 0700, &s.store, err));
    RW_TRY(rw_dir_make_at(state_dir, "sets", 0700, &s.sets, err));
    if (!rw_is_ok(set_store_check(&s, 0, &m, err)) || m.count != 0) {
        RW_TRY(set_store_build(&s, &empty, NULL, err));
    }
    struct rw_rc rc = set_store_active(&s, &active, err);
    if (rc.code == RW_E_NOT_FOUND || rc.code == RW_E_SYNTAX || rc.code == RW_E_RANGE) {
        s.relinked = true;
        rc = set_store_switch(&s, 0, err);
    }
    RW_TRY(rc);
    *out = s;
    s = (struct set_store){.sets = -1, .store = -1}; /* handed over */
    return RW_OK;
}

void set_store_drop(struct set_store *s)
{
    if (s->sets > 0) { rw_fd_drop(&s->sets); }
    if (s->store > 0) { rw_fd_drop(&s->store); }
}
