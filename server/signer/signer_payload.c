#include "server/signer/signer_payload.h"

#include "common/policy/entry_codec.h"
#include "server/signer/signer_rule.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK_BYTES = 65536 };

void signer_payload_drop_look(struct signer_look *l)
{
    rw_fd_drop(&l->fd);
    digest_drop(&l->digest);
    l->done_bytes = 0;
}

/* --- which file it is --- */
static RW_RC read_file(int fd, struct signer_payload_file *out, struct rw_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "payload"); }
    if (!S_ISREG(st.st_mode)) { return signer_refuse(err, RW_E_TUF_HASH, "payload", "no file"); }
    *out = (struct signer_payload_file){.device = (uint64_t)st.st_dev,
                                        .inode = (uint64_t)st.st_ino,
                                        .bytes = (int64_t)st.st_size,
                                        .written = st.st_mtim,
                                        .changed = st.st_ctim};
    return RW_OK;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_file(const struct signer_payload_file *a, const struct signer_payload_file *b)
{
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           same_time(a->written, b->written) && same_time(a->changed, b->changed);
}

/* --- what is known --- */
static bool is_known(const struct signer *s, const struct signer_payload_file *file,
                     const struct tuf_target *t)
{
    int64_t now_ms = rw_clock_mono(&s->clock).ms;
    for (size_t i = 0; i < SIGNER_PAYLOADS_MAX; i++) {
        const struct signer_payload *p = &s->payloads[i];
        if (p->file.inode != 0 && same_file(&p->file, file) &&
            now_ms - p->at.ms <= (int64_t)SIGNER_PAYLOAD_GOOD_S * 1000) {
            return file->bytes == t->length && digest_same(p->sha256, t->sha256, DIGEST_BYTES);
        }
    }
    return false;
}

static int64_t in_ns(struct timespec t)
{
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void remember(struct signer *s, const struct signer_payload_file *file,
                     const uint8_t sha256[static DIGEST_BYTES])
{
    struct timespec now = {0};
    if (clock_gettime(CLOCK_REALTIME_COARSE, &now) != 0 ||
        !signer_rule_settled(in_ns(file->changed), in_ns(now))) {
        return; /* it is small then, and soon hashed again */
    }
    struct signer_payload *p = &s->payloads[s->payload_next];
    *p = (struct signer_payload){.file = *file, .at = rw_clock_mono(&s->clock)};
    rw_copy(p->sha256, sizeof(p->sha256), sha256, DIGEST_BYTES);
    s->payload_next = (s->payload_next + 1) % SIGNER_PAYLOADS_MAX;
}

/* --- hashing --- */
static RW_RC open_look(const struct signer *s, const struct tuf_target *t, struct signer_look *l,
                       struct rw_err *err)
{
    char path[TUF_PATH_BYTES + DIGEST_HEX_BYTES];
    RW_TRY(tuf_target_url(t, path, sizeof(path), err));
    l->fd = openat(s->targets, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (l->fd < 0 && errno == ENOENT) {
        return signer_refuse(err, RW_E_TUF_HASH, "payload", "'%s' is missing", path);
    }
    if (l->fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "payload: '%s'", path); }
    return read_file(l->fd, &l->file, err);
}

static RW_RC refuse_other(const struct tuf_target *t, struct rw_err *err)
{
    return signer_refuse(err, RW_E_TUF_HASH, "payload",
                         "'%s' has another length or SHA-256 than the signed one", t->path);
}

/* Reads a slice at most; *end_out: there is nothing behind it. */
static RW_RC hash_slice(struct signer_look *l, bool *end_out, struct rw_err *err)
{
    size_t slice = 0;
    if (l->digest.ctx == NULL) { RW_TRY(digest_begin(&l->digest, err)); }
    while (slice < SIGNER_PAYLOAD_SLICE_BYTES) {
        uint8_t chunk[CHUNK_BYTES];
        ssize_t got = read(l->fd, chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "reading a payload"); }
        if (got == 0) {
            *end_out = true;
            return RW_OK;
        }
        RW_TRY(digest_add(&l->digest, rw_span_of(chunk, (size_t)got), err));
        slice += (size_t)got;
        l->done_bytes += (uint64_t)got;
    }
    *end_out = false;
    return RW_OK;
}

static RW_RC finish(struct signer *s, struct signer_look *l, const struct tuf_target *t,
                    struct rw_err *err)
{
    uint8_t sha256[DIGEST_BYTES];
    struct signer_payload_file after = {0};
    RW_TRY(digest_end(&l->digest, sha256, err));
    RW_TRY(read_file(l->fd, &after, err));
    if (l->done_bytes != (uint64_t)t->length || !digest_same(sha256, t->sha256, DIGEST_BYTES)) {
        return refuse_other(t, err);
    }
    /* Written meanwhile, and the sum is right all the same: true of now, but nothing to build on. */
    if (same_file(&l->file, &after)) { remember(s, &after, sha256); }
    return RW_OK;
}

/* Goes on with a look that is open. */
static RW_RC go_on(struct signer *s, struct signer_look *l, const struct tuf_target *t,
                   bool *more_out, struct rw_err *err)
{
    bool end = false;
    *more_out = false;
    if (l->done_bytes == 0 && is_known(s, &l->file, t)) { return RW_OK; }
    RW_TRY(hash_slice(l, &end, err));
    if (l->done_bytes > (uint64_t)t->length) { return refuse_other(t, err); }
    if (end) { return finish(s, l, t, err); }
    *more_out = true;
    return RW_OK;
}

RW_RC signer_payload_check(struct signer *s, const struct tuf_target *t, struct rw_err *err)
{
    struct signer_look l = {.fd = -1};
    bool more = true;
    struct rw_rc rc = open_look(s, t, &l, err);
    while (rw_is_ok(rc) && more) {
        rc = go_on(s, &l, t, &more, err);
    }
    signer_payload_drop_look(&l);
    return rc;
}

/* --- ahead --- */
static bool same_payload(const struct signer_request *a, const struct signer_request *b)
{
    return a->release == b->release && a->bytes == b->bytes && strcmp(a->family, b->family) == 0 &&
           memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0;
}

static RW_RC look(struct signer *s, const struct signer_request *r, bool *more_out,
                  struct rw_err *err)
{
    struct tuf_target t = {.length = r->bytes};
    if (!rw_is_ok(ring_policy_check_name(r->family, "family", err))) {
        return rw_wrap(err, "unknown-family");
    }
    RW_TRY(entry_codec_content_path(r->family, r->release, t.path, err));
    rw_copy(t.sha256, sizeof(t.sha256), r->sha256, sizeof(r->sha256));
    if (s->look.fd < 0 || !same_payload(r, &s->looking)) {
        signer_payload_drop_look(&s->look);
        s->looking = *r;
        RW_TRY(open_look(s, &t, &s->look, err));
    }
    return go_on(s, &s->look, &t, more_out, err);
}

RW_RC signer_payload_look(struct signer *s, const struct signer_request *r, bool *more_out,
                          struct rw_err *err)
{
    bool more = false;
    struct rw_rc rc = look(s, r, &more, err);
    if (!rw_is_ok(rc) || !more) { signer_payload_drop_look(&s->look); }
    *more_out = more;
    return rc;
}
