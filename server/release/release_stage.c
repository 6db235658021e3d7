#include "server/release/release_stage.h"

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const part_names[] = {"payload", "samples"};

RW_RC release_stage_part(struct rw_span name, enum release_part *out, struct rw_err *err)
{
    for (size_t i = 0; i < RW_LEN(part_names); i++) {
        if (rw_span_is(name, part_names[i])) {
            *out = (enum release_part)i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_NOT_FOUND, "a release has 'payload' and 'samples'");
}

void release_stage_path(const struct release_id *id, enum release_part part,
                        char dst[static RELEASE_PATH_BYTES])
{
    (void)snprintf(dst, RELEASE_PATH_BYTES, "%s/%lld/%s", id->family, (long long)id->number,
                   part_names[part]);
}

static void number_name(const struct release_id *id, char dst[static 32])
{
    (void)snprintf(dst, 32, "%lld", (long long)id->number);
}

RW_RC release_stage_make(int staging_dir, const struct release_id *id, struct rw_err *err)
{
    char number[32];
    RW_AUTO(rw_fd) rw_fd family = -1;
    RW_AUTO(rw_fd) rw_fd own = -1;
    number_name(id, number);
    RW_TRY(rw_dir_make_at(staging_dir, id->family, 0700, &family, err));
    return rw_dir_make_at(family, number, 0700, &own, err);
}

/* The bytes that were declared, and no others. */
static RW_RC compare(const struct release_place *p, struct rw_span bytes,
                     char hex[static DIGEST_HEX_BYTES], struct rw_err *err)
{
    RW_TRY(digest_sha256_hex(bytes, hex, err));
    if ((int64_t)bytes.n == p->declared.bytes && strcmp(hex, p->declared.sha256) == 0) {
        return RW_OK;
    }
    return rw_fail(err, RW_E_TUF_HASH,
                   "the %s has %zu bytes and SHA-256 %.16s..., declared were %lld and %.16s...",
                   part_names[p->part], bytes.n, hex, (long long)p->declared.bytes,
                   p->declared.sha256);
}

RW_RC release_stage_write(const struct release_place *p, struct rw_span bytes, struct rw_err *err)
{
    char number[32];
    char hex[DIGEST_HEX_BYTES];
    RW_AUTO(rw_fd) rw_fd family = -1;
    RW_AUTO(rw_fd) rw_fd own = -1;
    RW_TRY(compare(p, bytes, hex, err));
    number_name(&p->id, number);
    RW_TRY(rw_dir_open_at(p->staging_dir, p->id.family, &family, err));
    RW_TRY(rw_dir_open_at(family, number, &own, err));
    return rw_file_replace_at(own, part_names[p->part], 0600, bytes, err);
}

RW_RC release_stage_publish(const struct release_place *p, int targets_dir, struct rw_err *err)
{
    char path[RELEASE_PATH_BYTES];
    char name[2 * DIGEST_HEX_BYTES];
    char hex[DIGEST_HEX_BYTES];
    RW_AUTO(rw_fd) rw_fd content = -1;
    RW_AUTO(rw_fd) rw_fd family = -1;
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(RELEASE_FILE_BYTES_MAX);
    release_stage_path(&p->id, p->part, path);
    RW_TRY(rw_file_read_at(p->staging_dir, path, RELEASE_FILE_BYTES_MAX, &bytes, err));
    struct rw_rc rc = compare(p, rw_buf_span(&bytes), hex, err);
    if (!rw_is_ok(rc)) { return rw_wrap(err, "staged %s", path); }
    RW_TRY(rw_dir_make_at(targets_dir, "content", 0755, &content, err));
    RW_TRY(rw_dir_make_at(content, p->id.family, 0755, &family, err));
    (void)snprintf(name, sizeof(name), "%s.%lld.rwc", hex, (long long)p->id.number);
    return rw_file_replace_at(family, name, 0644, rw_buf_span(&bytes), err);
}

static RW_RC check_and_rewind(int fd, const char *path, const struct release_file *declared,
                              struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    uint8_t sha256[DIGEST_BYTES];
    uint64_t length = 0;
    RW_TRY(digest_fd(fd, RELEASE_FILE_BYTES_MAX, sha256, &length, err));
    rw_hex_encode(hex, sizeof(hex), sha256, sizeof(sha256));
    if ((int64_t)length != declared->bytes || strcmp(hex, declared->sha256) != 0) {
        return rw_fail(err, RW_E_TUF_HASH, "%s changed on the disk of the server", path);
    }
    if (lseek(fd, 0, SEEK_SET) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "%s", path); }
    return RW_OK;
}

RW_RC release_stage_open(const struct release_place *p, int *fd_out, struct rw_err *err)
{
    char path[RELEASE_PATH_BYTES];
    release_stage_path(&p->id, p->part, path);
    int fd = openat(p->staging_dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return rw_fail_errno(err, errno == ENOENT ? RW_E_NOT_FOUND : RW_E_IO, errno, "%s", path);
    }
    struct rw_rc rc = check_and_rewind(fd, path, &p->declared, err);
    if (!rw_is_ok(rc)) {
        (void)close(fd);
        return rc;
    }
    *fd_out = fd;
    return RW_OK;
}
