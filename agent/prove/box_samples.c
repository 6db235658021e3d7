#include "agent/prove/box_samples.h"

#include "agent/prove/box_secret_rule.h"
#include "common/base/file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_HEAD_BYTES = 16384 };

/* Half of the clean files are programs, the rest libraries, data and settings. */
static const struct stratum {
    const char *top;
    size_t share; /* of 100 */
} strata[] = {{"/usr/bin", 40}, {"/usr/sbin", 10}, {"/usr/lib", 40}, {"/etc", 10}};

void box_samples_drop(struct box_samples *s)
{
    rw_mem_free(s->at);
    samples_list_drop(&s->vectors);
    box_memory_drop(&s->release);
    box_memory_drop(&s->pool);
    box_pick_drop(&s->paths);
    *s = (struct box_samples){.count = 0};
}

static RW_RC read_release(struct box_samples *s, const char *path, struct rw_err *err)
{
    RW_TRY(box_memory_open(&s->release, "release samples", false, err));
    RW_TRY(box_memory_add_file(&s->release, path, SAMPLES_BYTES_MAX, err));
    RW_TRY(box_memory_seal(&s->release, err));
    if (!rw_is_ok(samples_read(box_memory_bytes(&s->release), &s->vectors, err))) {
        return rw_wrap(err, "samples file '%s'", path);
    }
    for (size_t i = 0; i < s->vectors.count; i++) {
        s->at[s->count++] = (struct box_sample){
            .kind = s->vectors.at[i].must_match ? BOX_SAMPLE_MUST : BOX_SAMPLE_MUST_NOT,
            .bytes = s->vectors.at[i].bytes};
    }
    return RW_OK;
}

static bool is_secret(int fd, const char *path, enum box_sample_kind kind, mode_t mode)
{
    uint8_t head[SECRET_HEAD_BYTES];
    ssize_t got = pread(fd, head, sizeof(head), 0);
    if (got < 0) { return true; } /* nobody knows */
    const struct box_secret_rule_file f = {.path = path,
                                           .mode = (unsigned)mode,
                                           .own = kind == BOX_SAMPLE_OWN,
                                           .head = rw_span_of(head, (size_t)got)};
    return box_secret_rule(&f) != BOX_SECRET_NONE;
}

/* Appends the head of one file to the pool. A file that cannot be read, is empty or holds a secret is no sample. */
static RW_RC add_host_file(struct box_samples *s, const char *path, enum box_sample_kind kind,
                           size_t max, struct rw_err *err)
{
    struct stat st;
    size_t added = 0;
    size_t at = s->pool.n;
    int follow = kind == BOX_SAMPLE_OWN ? 0 : O_NOFOLLOW;
    RW_AUTO(rw_fd) rw_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | follow);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return rw_fail(err, RW_E_NOT_FOUND, "'%s' is not a readable file", path);
    }
    if (path != s->named && is_secret(fd, path, kind, st.st_mode)) {
        return rw_fail(err, RW_E_NOT_FOUND, "'%s' holds a secret", path);
    }
    RW_TRY(box_memory_add_fd(&s->pool, fd, max, &added, err));
    if (added == 0) { return rw_fail(err, RW_E_NOT_FOUND, "'%s' is empty", path); }
    s->at[s->count++] =
        (struct box_sample){.kind = kind, .bytes = rw_span_of(NULL, added), .path = path, .at = at};
    return RW_OK;
}

static RW_RC add_own(struct box_samples *s, const char *extra, struct rw_err *err)
{
    RW_TRY(box_pick_own(&s->paths, extra, err));
    size_t found = s->paths.count;
    if (extra != NULL) {
        RW_TRY(box_pick_add(&s->paths, extra, BOX_PICK_OWN_MAX + 1, err));
        s->named = s->paths.at[found];
    }
    for (size_t i = 0; i < s->paths.count; i++) {
        struct rw_rc rc = add_host_file(s, s->paths.at[i], BOX_SAMPLE_OWN, BOX_OWN_FILE_BYTES, err);
        /* One that was named must be there; of those found an unreadable one protects nothing. */
        if (rc.code != RW_E_NOT_FOUND || i >= found) { RW_TRY(rc); }
    }
    return RW_OK;
}

static RW_RC add_clean(struct box_samples *s, size_t want, struct rw_err *err)
{
    struct box_random random = {s->seed};
    if (want > BOX_PICK_MAX) { want = BOX_PICK_MAX; }
    for (size_t i = 0; i < RW_LEN(strata); i++) {
        size_t first = s->paths.count;
        size_t budget = (size_t)BOX_CLEAN_BYTES_MAX / 100 * strata[i].share;
        RW_TRY(
            box_pick_below(&s->paths, strata[i].top, want * strata[i].share / 100, &random, err));
        for (size_t p = first; p < s->paths.count && budget > 0; p++) {
            size_t max = budget < BOX_CLEAN_FILE_BYTES ? budget : BOX_CLEAN_FILE_BYTES;
            struct rw_rc rc = add_host_file(s, s->paths.at[p], BOX_SAMPLE_CLEAN, max, err);
            if (rc.code == RW_E_NOT_FOUND) { continue; }
            RW_TRY(rc);
            s->clean_files++;
            s->clean_bytes += (int64_t)s->at[s->count - 1].bytes.n;
            budget -= s->at[s->count - 1].bytes.n;
        }
    }
    return RW_OK;
}

/* Bytes of host files have an address only now that the pool is complete and mapped. */
static void resolve(struct box_samples *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct box_sample *one = &s->at[i];
        if (one->path != NULL) { one->bytes.p = s->pool.map + one->at; }
    }
}

RW_RC box_samples_gather(struct box_samples *s, const char *release_file, size_t clean_want,
                         const char *own_extra, uint64_t seed, struct rw_err *err)
{
    s->seed = seed;
    s->at = rw_mem_new_array(SAMPLES_BLIND_COUNT_MAX, sizeof(*s->at));
    if (s->at == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the samples"); }
    if (release_file != NULL) { RW_TRY(read_release(s, release_file, err)); }
    RW_TRY(box_memory_open(&s->pool, "host files", false, err));
    RW_TRY(add_own(s, own_extra, err));
    RW_TRY(add_clean(s, clean_want, err));
    RW_ASSERT(s->count <= SAMPLES_BLIND_COUNT_MAX);
    RW_TRY(box_memory_seal(&s->pool, err));
    resolve(s);
    return RW_OK;
}

static RW_RC add_manifest(struct rw_span manifest, struct box_memory *out, struct rw_err *err)
{
    uint8_t head[SAMPLES_MANIFEST_HEAD_BYTES];
    if (manifest.n == 0) { return RW_OK; }
    samples_blind_manifest((uint32_t)manifest.n, head);
    RW_TRY(box_memory_add(out, rw_span_of(head, sizeof(head)), err));
    return box_memory_add(out, manifest, err);
}

RW_RC box_samples_bundle(const struct box_samples *s, const uint32_t *order, size_t n,
                         struct box_memory *out, struct rw_err *err)
{
    uint8_t head[SAMPLES_HEAD_BYTES];
    uint8_t one[SAMPLES_ONE_HEAD_BYTES];
    RW_TRY(box_memory_open(out, "samples", false, err));
    samples_blind_head((uint32_t)n, head);
    RW_TRY(box_memory_add(out, rw_span_of(head, sizeof(head)), err));
    for (size_t i = 0; i < n; i++) {
        const struct box_sample *sample = &s->at[order[i]];
        samples_blind_one((uint32_t)sample->bytes.n, one);
        RW_TRY(box_memory_add(out, rw_span_of(one, sizeof(one)), err));
        RW_TRY(box_memory_add(out, sample->bytes, err));
    }
    RW_TRY(add_manifest(s->manifest, out, err));
    return box_memory_seal(out, err);
}
