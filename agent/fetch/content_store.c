#include "agent/fetch/content_store.h"

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    RW_AUTO(rw_fd) rw_fd fd = rw_open_at(store_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0) { return false; }
    if (same_bytes(fd, sha256, length)) { return true; }
    RW_IGNORE(rw_file_remove_at(store_dir, name, &unused), "a damaged file is fetched anew");
    return false;
}

bool content_store_mend(int store_dir, const uint8_t sha256[static DIGEST_BYTES], int64_t length)
{
    char name[DIGEST_HEX_BYTES];
    struct stat st;
    struct rw_err unused;
    rw_hex_encode(name, sizeof(name), sha256, DIGEST_BYTES);
    {
        RW_AUTO(rw_fd)
        rw_fd fd = rw_open_at(store_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
        bool ours = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
        bool fits = ours && ((st.st_mode & 07777U) == 0400 || fchmod(fd, 0400) == 0);
        if (!fits) {
            RW_IGNORE(rw_file_remove_at(store_dir, name, &unused), "then it is not usable either");
            return false;
        }
    }
    return content_store_has(store_dir, sha256, length);
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
