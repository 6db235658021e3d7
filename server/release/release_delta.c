#include "server/release/release_delta.h"

#include "common/base/file.h"
#include "common/base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zstd.h>

enum {
    KEPT = RELEASE_DELTA_BASES + 1,
    TO_KEPT = 2, /* the release before may still be on its way through the rings */
    NAME_BYTES = 2 * DIGEST_HEX_BYTES + 8,
    PAYLOAD_NAME_BYTES = DIGEST_HEX_BYTES + 32,
    LEVEL =
        12, /* 19 saves another seventh and takes thirty times as long, while endpoints fetch the whole */
    WINDOW_LOG_MAX = 27,
    NICE = 10,
};

struct payload {
    int64_t number;
    char hex[DIGEST_HEX_BYTES];
};

/* The newest first. */
struct payloads {
    struct payload list[KEPT];
    size_t count;
};

/* "HEX.NUMBER.rwc" */
static bool read_name(const char *name, struct payload *out)
{
    uint8_t hash[DIGEST_BYTES];
    struct rw_err unused;
    size_t n = strlen(name);
    size_t head = DIGEST_HEX_BYTES; /* hash and dot */
    if (n < head + 5 || name[head - 1] != '.' || strcmp(name + n - 4, ".rwc") != 0 ||
        !rw_is_ok(rw_hex_decode(hash, sizeof(hash), rw_span_of(name, head - 1), "", &unused)) ||
        !rw_is_ok(rw_parse_i64(rw_span_of(name + head, n - 4 - head), 1, RW_JSON_INT_MAX, "",
                               &out->number, &unused))) {
        return false;
    }
    rw_hex_encode(out->hex, sizeof(out->hex), hash, sizeof(hash));
    return true;
}

static RW_RC take_name(void *ctx, const char *name, struct rw_err *err)
{
    struct payloads *p = ctx;
    struct payload one;
    size_t at = 0;
    (void)err;
    if (!read_name(name, &one)) { return RW_OK; }
    while (at < p->count && p->list[at].number > one.number) {
        at++;
    }
    if (at == KEPT) { return RW_OK; }
    if (p->count < KEPT) { p->count++; }
    for (size_t i = p->count - 1; i > at; i--) {
        p->list[i] = p->list[i - 1];
    }
    p->list[at] = one;
    return RW_OK;
}

static RW_RC read_payload(int dir, const struct payload *p, struct rw_buf *into, struct rw_err *err)
{
    char name[PAYLOAD_NAME_BYTES];
    (void)snprintf(name, sizeof(name), "%s.%lld.rwc", p->hex, (long long)p->number);
    return rw_file_read_at(dir, name, RELEASE_DELTA_BYTES_MAX, into, err);
}

/* So large that the whole of old and new content can be referred to. */
static int window_log(size_t bytes)
{
    int log = 10;
    while (log < WINDOW_LOG_MAX && (size_t)1 << log < bytes) {
        log++;
    }
    return log;
}

static RW_RC compress(struct rw_span old, struct rw_span new, struct rw_buf *into,
                      struct rw_err *err)
{
    uint8_t *at = NULL;
    ZSTD_CCtx *c = ZSTD_createCCtx();
    if (c == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a difference"); }
    struct rw_rc rc = rw_buf_reserve(into, ZSTD_compressBound(new.n), &at, err);
    if (!rw_is_ok(rc)) {
        (void)ZSTD_freeCCtx(c);
        return rc;
    }
    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, LEVEL);
    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log(old.n + new.n));
    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_enableLongDistanceMatching, 1);
    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    (void)ZSTD_CCtx_refPrefix(c, old.p, old.n);
    size_t n = ZSTD_compress2(c, at, ZSTD_compressBound(new.n), new.p, new.n);
    (void)ZSTD_freeCCtx(c);
    if (ZSTD_isError(n)) {
        return rw_fail(err, RW_E_NOMEM, "difference: %s", ZSTD_getErrorName(n));
    }
    rw_buf_commit(into, n);
    return RW_OK;
}

static void delta_name(const struct payload *to, const struct payload *from,
                       char dst[static NAME_BYTES])
{
    (void)snprintf(dst, NAME_BYTES, "%s.%s.zst", to->hex, from->hex);
}

struct work {
    int payloads; /* repo/targets/content/FAMILY */
    int deltas;   /* repo/targets/delta/FAMILY */
    struct payloads p;
    struct release_delta_done done;
};

static void work_drop(struct work *w)
{
    rw_fd_drop(&w->payloads);
    rw_fd_drop(&w->deltas);
}

static RW_RC make_one(struct work *w, struct rw_span new, const struct payload *from,
                      struct rw_err *err)
{
    char name[NAME_BYTES];
    RW_AUTO(rw_buf) struct rw_buf old = rw_buf_make(RELEASE_DELTA_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf delta = rw_buf_make(ZSTD_compressBound(RELEASE_DELTA_BYTES_MAX));
    delta_name(&w->p.list[0], from, name);
    if (faccessat(w->deltas, name, F_OK, 0) == 0) { return RW_OK; }
    RW_TRY(read_payload(w->payloads, from, &old, err));
    RW_TRY(compress(rw_buf_span(&old), new, &delta, err));
    if (delta.n > new.n / 4 * 3) { return RW_OK; } /* hardly related: not worth a second way */
    RW_TRY(rw_file_replace_at(w->deltas, name, 0644, rw_buf_span(&delta), err));
    w->done.made++;
    w->done.delta_bytes += (int64_t)delta.n;
    w->done.whole_bytes += (int64_t) new.n;
    return RW_OK;
}

static RW_RC remove_old(void *ctx, const char *name, struct rw_err *err)
{
    const struct work *w = ctx;
    for (size_t i = 0; i < w->p.count && i < TO_KEPT; i++) {
        if (strncmp(name, w->p.list[i].hex, DIGEST_HEX_BYTES - 1) == 0) { return RW_OK; }
    }
    return rw_file_remove_at(w->deltas, name, err);
}

static RW_RC open_work(int repo_dir, const char *family, struct work *w, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd targets = -1;
    RW_AUTO(rw_fd) rw_fd content = -1;
    RW_AUTO(rw_fd) rw_fd delta = -1;
    RW_TRY(rw_dir_open_at(repo_dir, "targets", &targets, err));
    RW_TRY(rw_dir_open_at(targets, "content", &content, err));
    RW_TRY(rw_dir_open_at(content, family, &w->payloads, err));
    RW_TRY(rw_dir_make_at(targets, "delta", 0755, &delta, err));
    return rw_dir_make_at(delta, family, 0755, &w->deltas, err);
}

RW_RC release_delta_make(int repo_dir, const char *family, struct release_delta_done *out,
                         struct rw_err *err)
{
    RW_AUTO(work) struct work w = {.payloads = -1, .deltas = -1};
    RW_AUTO(rw_buf) struct rw_buf new = rw_buf_make(RELEASE_DELTA_BYTES_MAX);
    RW_TRY(open_work(repo_dir, family, &w, err));
    RW_TRY(rw_dir_each(w.payloads, take_name, &w.p, err));
    RW_TRY(rw_dir_each(w.deltas, remove_old, &w, err));
    if (w.p.count >= 2) { RW_TRY(read_payload(w.payloads, &w.p.list[0], &new, err)); }
    for (size_t i = 1; i < w.p.count; i++) {
        RW_TRY(make_one(&w, rw_buf_span(&new), &w.p.list[i], err));
    }
    *out = w.done;
    return RW_OK;
}

/* --- in the background --- */
struct background {
    rw_fd repo_dir;
    char family[RELEASE_NAME_BYTES];
};

static void *run(void *ctx)
{
    struct background *b = ctx;
    struct release_delta_done done = {.made = 0};
    struct rw_err err;
    struct rw_log_line l;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* Linux: of this thread alone */
    struct rw_rc rc = release_delta_make(b->repo_dir, b->family, &done, &err);
    rw_log_begin(&l, rw_is_ok(rc) ? RW_LOG_INFO : RW_LOG_WARN,
                 rw_is_ok(rc) ? "deltas_made" : "deltas_failed");
    rw_log_str(&l, "family", b->family);
    rw_log_i64(&l, "made", done.made);
    rw_log_i64(&l, "bytes", done.delta_bytes);
    rw_log_i64(&l, "instead_of", done.whole_bytes);
    if (!rw_is_ok(rc)) { rw_log_err(&l, &err); }
    rw_log_end(&l);
    rw_fd_drop(&b->repo_dir);
    rw_mem_free(b);
    return NULL;
}

void release_delta_start(int repo_dir, const char *family)
{
    pthread_t thread;
    struct background *b = rw_mem_new(sizeof(*b));
    if (b == NULL) { return; }
    (void)snprintf(b->family, sizeof(b->family), "%s", family);
    b->repo_dir = fcntl(repo_dir, F_DUPFD_CLOEXEC, 0);
    if (b->repo_dir < 0 || pthread_create(&thread, NULL, run, b) != 0) {
        rw_log(RW_LOG_WARN, "deltas_failed", "family", family);
        rw_fd_drop(&b->repo_dir);
        rw_mem_free(b);
        return;
    }
    (void)pthread_detach(thread);
}
