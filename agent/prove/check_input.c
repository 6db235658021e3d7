#include "agent/prove/check_input.h"

#include "common/box/samples_codec.h"
#include "common/crypto/digest.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20 };

struct check_input check_input_make(size_t content_max)
{
    return (struct check_input){.content = rw_buf_make(content_max),
                                .manifest = rw_buf_make(CHECK_INPUT_MANIFEST_BYTES_MAX),
                                .sample = rw_buf_make(SAMPLES_BYTES_MAX),
                                .samples_fd = -1};
}

void check_input_drop(struct check_input *in)
{
    rw_buf_drop(&in->content);
    rw_buf_drop(&in->manifest);
    rw_buf_drop(&in->sample);
}

/* In few reads: many small ones are slow under a filter. */
static RW_RC read_all(int fd, struct rw_buf *into, struct rw_err *err)
{
    for (;;) {
        uint8_t *at = NULL;
        size_t room = into->max - into->n;
        if (room == 0) { return rw_fail(err, RW_E_TOO_BIG, "content above %zu bytes", into->max); }
        size_t chunk = room < CHUNK_BYTES ? room : CHUNK_BYTES;
        RW_TRY(rw_buf_reserve(into, chunk, &at, err));
        ssize_t got = read(fd, at, chunk);
        if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "reading the content"); }
        if (got == 0) { return RW_OK; }
        rw_buf_commit(into, (size_t)got);
    }
}

static RW_RC read_exact(const struct check_input *in, uint8_t *dst, size_t n, off_t at,
                        struct rw_err *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(in->samples_fd, dst + done, n - done, at + (off_t)done);
        if (got <= 0) { return rw_fail(err, RW_E_SYNTAX, "the samples end early"); }
        done += (size_t)got;
    }
    return RW_OK;
}

static uint32_t u32_of(const uint8_t raw[static 4])
{
    return (uint32_t)raw[0] | (uint32_t)raw[1] << 8 | (uint32_t)raw[2] << 16 |
           (uint32_t)raw[3] << 24;
}

/* The manifest stands behind the last sample, when there is one. */
static RW_RC read_manifest(struct check_input *in, off_t size, struct rw_err *err)
{
    uint8_t head[SAMPLES_MANIFEST_HEAD_BYTES];
    uint8_t *dst = NULL;
    off_t at = in->at;
    for (uint32_t i = 0; i < in->sample_count; i++) {
        RW_TRY(read_exact(in, head, SAMPLES_ONE_HEAD_BYTES, at, err));
        at += SAMPLES_ONE_HEAD_BYTES + (off_t)u32_of(head);
    }
    if (at >= size) { return RW_OK; }
    RW_TRY(read_exact(in, head, sizeof(head), at, err));
    uint32_t length = u32_of(head + 4);
    if (memcmp(head, "RWM1", 4) != 0 || length > CHECK_INPUT_MANIFEST_BYTES_MAX) {
        return rw_fail(err, RW_E_SYNTAX, "behind the samples stands no manifest (RWM1)");
    }
    RW_TRY(rw_buf_reserve(&in->manifest, length, &dst, err));
    RW_TRY(read_exact(in, dst, length, at + (off_t)sizeof(head), err));
    rw_buf_commit(&in->manifest, length);
    return RW_OK;
}

RW_RC check_input_read(struct check_input *in, int content_fd, int samples_fd, struct rw_err *err)
{
    struct stat st;
    uint8_t head[SAMPLES_HEAD_BYTES];
    in->samples_fd = samples_fd;
    RW_TRY(read_all(content_fd, &in->content, err));
    RW_TRY(digest_sha256_hex(rw_buf_span(&in->content), in->sha256, err));
    RW_TRY(read_exact(in, head, sizeof(head), 0, err));
    in->at = (off_t)sizeof(head);
    in->sample_count = u32_of(head + 4);
    if (memcmp(head, "RWV1", 4) != 0 || in->sample_count > SAMPLES_BLIND_COUNT_MAX) {
        return rw_fail(err, RW_E_SYNTAX, "descriptor 4 holds no samples (RWV1)");
    }
    if (fstat(samples_fd, &st) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "samples"); }
    return read_manifest(in, st.st_size, err);
}

RW_RC check_input_next(struct check_input *in, struct rw_span *sample_out, bool *more_out,
                       struct rw_err *err)
{
    uint8_t head[SAMPLES_ONE_HEAD_BYTES];
    uint8_t *dst = NULL;
    *more_out = in->given < in->sample_count;
    if (!*more_out) { return RW_OK; }
    RW_TRY(read_exact(in, head, sizeof(head), in->at, err));
    uint32_t length = u32_of(head);
    rw_buf_clear(&in->sample);
    RW_TRY(rw_buf_reserve(&in->sample, length, &dst, err));
    RW_TRY(read_exact(in, dst, length, in->at + (off_t)sizeof(head), err));
    rw_buf_commit(&in->sample, length);
    in->at += (off_t)sizeof(head) + (off_t)length;
    in->given++;
    *sample_out = rw_buf_span(&in->sample);
    return RW_OK;
}
