#include "agent/prove/check_yara.h"

#include "common/box/samples_codec.h"
#include "common/crypto/digest.h"
#include "common/json/json_write.h"
#include "common/yara/yara_engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SCAN_TIMEOUT_S = 2, SAID_BYTES_MAX = 65536, CHUNK_BYTES = 1 << 20 };

struct check_yara check_yara_make(void)
{
    return (struct check_yara){
        .hits = rw_buf_make(SAMPLES_BLIND_COUNT_MAX),
        .named = rw_buf_make((size_t)CHECK_YARA_NAMED_MAX * CHECK_YARA_NAME_BYTES)};
}

void check_yara_drop(struct check_yara *c)
{
    rw_buf_drop(&c->hits);
    rw_buf_drop(&c->named);
}

/* In one read where the kernel permits it: many small ones are slow under a filter. */
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

static RW_RC read_exact(int fd, uint8_t *dst, size_t n, off_t *at, struct rw_err *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, dst + done, n - done, *at + (off_t)done);
        if (got <= 0) { return rw_fail(err, RW_E_SYNTAX, "the samples end early"); }
        done += (size_t)got;
    }
    *at += (off_t)n;
    return RW_OK;
}

static uint32_t u32_of(const uint8_t raw[static 4])
{
    return (uint32_t)raw[0] | (uint32_t)raw[1] << 8 | (uint32_t)raw[2] << 16 |
           (uint32_t)raw[3] << 24;
}

struct hit {
    bool any;
    char rule[CHECK_YARA_NAME_BYTES];
};

static void on_hit(void *ctx, const char *rule)
{
    struct hit *h = ctx;
    if (h->any) { return; }
    h->any = true;
    (void)snprintf(h->rule, sizeof(h->rule), "%s", rule);
}

static RW_RC note_hit(struct check_yara *c, const struct hit *h, struct rw_err *err)
{
    RW_TRY(rw_buf_append_str(&c->hits, h->any ? "1" : "0", err));
    if (!h->any || c->named_count == CHECK_YARA_NAMED_MAX) { return RW_OK; }
    c->named_count++;
    return rw_buf_append(&c->named, rw_span_of(h->rule, strlen(h->rule) + 1), err);
}

/* One sample in memory at a time, so that the peak is that of the rules and not of the samples. */
static RW_RC scan_all(struct check_yara *c, struct yara_rules *rules, int fd, bool *refused_out,
                      struct rw_err *err)
{
    uint8_t head[8];
    off_t at = 0;
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(SAMPLES_BYTES_MAX);
    RW_TRY(read_exact(fd, head, sizeof(head), &at, err));
    uint32_t count = u32_of(head + 4);
    if (memcmp(head, "RWV1", 4) != 0 || count > SAMPLES_BLIND_COUNT_MAX) {
        return rw_fail(err, RW_E_SYNTAX, "descriptor 4 holds no samples (RWV1)");
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *dst = NULL;
        struct hit h = {.any = false};
        RW_TRY(read_exact(fd, head, 4, &at, err));
        uint32_t length = u32_of(head);
        rw_buf_clear(&bytes);
        RW_TRY(rw_buf_reserve(&bytes, length, &dst, err));
        RW_TRY(read_exact(fd, dst, length, &at, err));
        rw_buf_commit(&bytes, length);
        struct rw_rc rc = yara_scan(rules, rw_buf_span(&bytes), SCAN_TIMEOUT_S, on_hit, &h, err);
        if (rc.code == RW_E_TIMEOUT || rc.code == RW_E_SYNTAX) {
            *refused_out = true;
            (void)snprintf(c->reason, sizeof(c->reason), "sample of %u bytes: %.150s", length,
                           err->text);
            return RW_OK;
        }
        RW_TRY(rc);
        RW_TRY(note_hit(c, &h, err));
    }
    return RW_OK;
}

RW_RC check_yara_run(struct check_yara *c, int content_fd, int samples_fd, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf source = rw_buf_make(YARA_SOURCE_BYTES_MAX);
    RW_AUTO(yara_set) yara_set rules = NULL;
    bool refused = false;
    RW_TRY(read_all(content_fd, &source, err));
    RW_TRY(digest_sha256_hex(rw_buf_span(&source), c->sha256, err));
    struct rw_rc rc = yara_compile(&source, &rules, err);
    if (rc.code == RW_E_SYNTAX || rc.code == RW_E_TIMEOUT) {
        (void)snprintf(c->reason, sizeof(c->reason), "%.200s", err->text);
        return RW_OK;
    }
    RW_TRY(rc);
    c->rules = yara_count(rules);
    RW_TRY(scan_all(c, rules, samples_fd, &refused, err));
    if (refused) { return RW_OK; }
    c->accepted = true;
    (void)snprintf(c->reason, sizeof(c->reason), "%lld rules, %zu samples", (long long)c->rules,
                   c->hits.n);
    return RW_OK;
}

RW_RC check_yara_write(const struct check_yara *c, struct rw_buf *into, struct rw_err *err)
{
    char reason[CHECK_YARA_REASON_BYTES];
    size_t n = 0;
    /* libyara quotes the content in its messages: keep what is printable. */
    for (; c->reason[n] != '\0'; n++) {
        reason[n] = (char)(c->reason[n] >= 0x20 && c->reason[n] < 0x7f ? c->reason[n] : '?');
    }
    reason[n] = '\0';
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_str(&w, "format", "rwv1");
    json_put_str(&w, "verdict", c->accepted ? "accepted" : "refused");
    json_put_str(&w, "reason", reason);
    json_put_str(&w, "content_sha256", c->sha256);
    json_put_int(&w, "rules", c->rules);
    json_put_span(&w, "hits", rw_buf_span(&c->hits));
    json_open_array(&w, "named");
    const char *name = rw_buf_str(&c->named);
    for (size_t i = 0; i < c->named_count; i++) {
        json_put_str(&w, NULL, name);
        name += strlen(name) + 1;
    }
    json_close_array(&w);
    json_close_object(&w);
    return json_done(&w, err);
}
