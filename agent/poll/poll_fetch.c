/* Content on its way into the store. A poll spends no more than a slice of time on it, so that going back and other
 * families never wait for a slow line. */
#include "agent/poll/poll_state.h"

#include "agent/fetch/content_delta.h"
#include "agent/fetch/content_store.h"
#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

enum {
    SLICE_MS = 120 * 1000,
    AGAIN_S = 1,
    PROGRESS_BYTES_MIN = 64 * 1024,
    URL_PATH_BYTES = 512,
    DELTA_BYTES_MIN = 16 * 1024,
};

static void log_failure(const struct poll_family *f, const char *event, const struct rw_err *err)
{
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_WARN, event);
    rw_log_str(&l, "family", f->family);
    rw_log_i64(&l, "release", f->content.release);
    rw_log_err(&l, err);
    rw_log_end(&l);
}

/* A difference is a shortcut, tried once: whatever is wrong with it, the whole content is fetched instead. */
static bool by_delta(struct poll *p, struct poll_memory *m, const struct poll_input *in,
                     const struct poll_family *f)
{
    char url[URL_PATH_BYTES];
    char to[DIGEST_HEX_BYTES];
    char from[DIGEST_HEX_BYTES];
    struct rw_err err;
    const struct manifest_entry *base = manifest_find(&in->active, f->family);
    bool tried =
        m->delta_tried && memcmp(m->delta_tried_sha256, f->content.sha256, DIGEST_BYTES) == 0;
    if (!p->o.delta || tried || base == NULL || f->content.length < DELTA_BYTES_MIN ||
        content_store_has_part(p->o.store_dir, f->content.sha256)) {
        return false;
    }
    m->delta_tried = true;
    rw_copy(m->delta_tried_sha256, DIGEST_BYTES, f->content.sha256, DIGEST_BYTES);
    rw_hex_encode(to, sizeof(to), f->content.sha256, DIGEST_BYTES);
    rw_hex_encode(from, sizeof(from), base->sha256, DIGEST_BYTES);
    (void)snprintf(url, sizeof(url), "/repo/targets/delta/%s/%s.%s.zst", f->family, to, from);
    const struct content_delta_want want = {.url_path = url,
                                            .program_dir = p->o.box_dir,
                                            .base_sha256 = base->sha256,
                                            .base_bytes = base->bytes,
                                            .sha256 = f->content.sha256,
                                            .length = f->content.length,
                                            .slice_ms = SLICE_MS,
                                            .budget_bytes = p->o.store_bytes_max};
    int64_t delta_bytes = 0;
    struct rw_rc rc = content_delta_fetch(p->o.store_dir, p->content, &want, &delta_bytes, &err);
    if (rw_is_ok(rc)) {
        struct rw_log_line l;
        rw_log_begin(&l, RW_LOG_INFO, "fetched_by_delta");
        rw_log_str(&l, "family", f->family);
        rw_log_i64(&l, "release", f->content.release);
        rw_log_i64(&l, "bytes", delta_bytes);
        rw_log_i64(&l, "instead_of", f->content.length);
        rw_log_end(&l);
        return true;
    }
    if (rc.code != RW_E_NOT_FOUND) { log_failure(f, "delta_not_used", &err); }
    return false;
}

static void content_url(const char *family, const uint8_t *sha256, int64_t release,
                        char url[static URL_PATH_BYTES])
{
    char hex[DIGEST_HEX_BYTES];
    rw_hex_encode(hex, sizeof(hex), sha256, DIGEST_BYTES);
    (void)snprintf(url, URL_PATH_BYTES, "/repo/targets/content/%s/%s.%lld.rwc", family, hex,
                   (long long)release);
}

void poll_fetch_wanted(struct poll *p, const struct poll_input *in)
{
    for (size_t i = 0; i < in->wanted_count; i++) {
        char url[URL_PATH_BYTES];
        struct rw_err err;
        const struct manifest_entry *e = &in->wanted[i];
        content_url(e->family, e->sha256, e->release, url);
        const struct content_store_want want = {.url_path = url,
                                                .length = e->bytes,
                                                .sha256 = e->sha256,
                                                .slice_ms = SLICE_MS,
                                                .budget_bytes = p->o.store_bytes_max};
        if (rw_is_ok(content_store_fetch(p->o.store_dir, p->content, &want, &err))) { continue; }
        rw_log(RW_LOG_WARN, "lost_content_not_fetched", "text", err.text);
    }
}

bool poll_fetch(struct poll *p, struct poll_memory *m, const struct poll_input *in,
                struct poll_family *f)
{
    char url[URL_PATH_BYTES];
    struct rw_err err;
    int64_t got = 0;
    if (content_store_has(p->o.store_dir, f->content.sha256, f->content.length)) { return true; }
    if (by_delta(p, m, in, f)) { return true; }
    content_url(f->family, f->content.sha256, f->content.release, url);
    const struct content_store_want want = {.url_path = url,
                                            .length = f->content.length,
                                            .sha256 = f->content.sha256,
                                            .slice_ms = SLICE_MS,
                                            .budget_bytes = p->o.store_bytes_max,
                                            .got = &got};
    struct rw_rc rc = content_store_fetch(p->o.store_dir, p->content, &want, &err);
    if (rw_is_ok(rc)) { return true; }
    (void)snprintf(f->note, sizeof(f->note), "fetch: %.200s", err.text);
    p->store_full = p->store_full || rc.code == RW_E_FULL;
    /* The next slice; a line that stands still is not worth a poll each second. */
    if (rc.code == RW_E_TIMEOUT && got >= PROGRESS_BYTES_MIN) { f->retry_after_s = AGAIN_S; }
    log_failure(f, "fetch_failed", &err);
    return false;
}
