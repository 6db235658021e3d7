/* Content bytes reach the sensor only after a verdict of the box (INV-5); no verdict opens nothing (INV-3). */
#include "agent/poll/poll_state.h"

#include "common/base/log.h"
#include "common/box/box_run.h"
#include "common/box/content_type.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void list_missing(const struct verdict *v, char dst[static POLL_TEXT_BYTES])
{
    size_t n = 0;
    dst[0] = '\0';
    for (size_t i = 0; i < v->missing_count; i++) {
        int put = snprintf(dst + n, POLL_TEXT_BYTES - n, "%s%s", n > 0 ? "; " : "", v->missing[i]);
        if (put < 0 || n + (size_t)put >= POLL_TEXT_BYTES) { return; }
        n += (size_t)put;
    }
}

static void log_verdict(const char *event, const struct poll_family *f, const struct verdict *v)
{
    struct rw_log_line l;
    rw_log_begin(&l, v->kind == VERDICT_ACCEPTED ? RW_LOG_INFO : RW_LOG_WARN, event);
    rw_log_str(&l, "family", f->family);
    rw_log_i64(&l, "release", f->content.release);
    rw_log_str(&l, "verdict", verdict_kind_name(v->kind));
    rw_log_str(&l, "reason", v->reason);
    rw_log_str(&l, "grade", v->grade);
    rw_log_str(&l, "before", v->before.given ? v->before.verdict : "none");
    rw_log_end(&l);
}

/* The verdict must be about the very bytes that were asked about. */
static bool is_accepted(const struct verdict *v, const char *hex, int64_t length)
{
    return v->kind == VERDICT_ACCEPTED && strcmp(v->content_sha256, hex) == 0 &&
           v->content_bytes == length;
}

/* The active content of this family is what new content is measured against; how far back it lies counts. */
static void compare_with_active(const struct poll *p, const struct poll_input *in,
                                const struct poll_family *f, char path[static POLL_PATH_BYTES],
                                struct box_request *req)
{
    char hex[DIGEST_HEX_BYTES];
    const struct manifest_entry *e = manifest_find(&in->active, f->family);
    if (e == NULL || e->release >= f->content.release) { return; } /* none, or going back */
    rw_hex_encode(hex, sizeof(hex), e->sha256, DIGEST_BYTES);
    (void)snprintf(path, POLL_PATH_BYTES, "%s/%s", p->o.store_path, hex);
    if (access(path, R_OK) != 0) {
        return;
    } /* the store lost it: there is nothing to compare with */
    req->against = path;
    req->against_steps = f->content.release - e->release;
}

static bool run_box(struct poll *p, struct poll_memory *m, const struct poll_input *in,
                    struct poll_family *f, struct verdict *v, struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    char box[POLL_PATH_BYTES];
    char validator[POLL_PATH_BYTES];
    char content[POLL_PATH_BYTES];
    char manifest[POLL_PATH_BYTES];
    char before[POLL_PATH_BYTES];
    const char *type = content_type_of(f->family);
    rw_hex_encode(hex, sizeof(hex), f->content.sha256, DIGEST_BYTES);
    (void)snprintf(box, sizeof(box), "%s/ringward-box", p->o.box_dir);
    (void)snprintf(validator, sizeof(validator), "%s/ringward-validate-%s", p->o.box_dir, type);
    (void)snprintf(content, sizeof(content), "%s/%s", p->o.store_path, hex);
    (void)snprintf(manifest, sizeof(manifest), "%s/" BOX_MANIFEST_NAME, p->o.box_dir);
    struct box_request req = {.box = box,
                              .validator = validator,
                              .type = type,
                              .content = content,
                              .manifest = manifest,
                              .own_file = p->o.own_file,
                              .clean_files = p->o.clean_files,
                              .allow_weak = p->o.allow_weak};
    compare_with_active(p, in, f, before, &req);
    if (!rw_is_ok(box_check(&req, v, err))) {
        *v = (struct verdict){.kind = VERDICT_SANDBOX_ERROR, .grade = "none"};
        (void)snprintf(v->reason, sizeof(v->reason), "%.200s", err->text);
    }
    log_verdict("box_verdict", f, v);
    (void)snprintf(m->grade, sizeof(m->grade), "%s", v->grade);
    (void)snprintf(m->verdict, sizeof(m->verdict), "%s: %s", verdict_kind_name(v->kind), v->reason);
    list_missing(v, m->missing);
    poll_load_missing(p, m->missing);
    return is_accepted(v, hex, f->content.length);
}

/* The verdict of the box on the content alone; once more when it is none, then at a later poll. */
static bool prove_alone(struct poll *p, struct poll_memory *m, const struct poll_input *in,
                        struct poll_family *f, struct verdict *v)
{
    struct rw_err err;
    if (m->has_proven && memcmp(m->proven, f->content.sha256, DIGEST_BYTES) == 0) { return true; }
    bool ok = run_box(p, m, in, f, v, &err);
    if (!ok && !v->final) { ok = run_box(p, m, in, f, v, &err); }
    if (!ok) {
        (void)snprintf(f->note, sizeof(f->note), "the box did not accept the content");
        return false;
    }
    m->has_proven = true;
    rw_copy(m->proven, sizeof(m->proven), f->content.sha256, DIGEST_BYTES);
    return true;
}

/* The verdict of the sensor's own loader on the whole set with this content in it. */
static bool prove_whole(struct poll *p, struct poll_memory *m, const struct poll_input *in,
                        struct poll_family *f, struct verdict *v)
{
    *v = (struct verdict){.kind = VERDICT_ACCEPTED};
    bool ok = poll_load(p, m, in, f, v);
    if (!ok && !v->final) { ok = poll_load(p, m, in, f, v); }
    if (ok) { return true; }
    log_verdict("load_verdict", f, v);
    (void)snprintf(m->verdict, sizeof(m->verdict), "%s: dry run of the whole set: %.200s",
                   verdict_kind_name(v->kind), v->reason);
    (void)snprintf(f->note, sizeof(f->note), "the sensor's loader did not take the whole set");
    return false;
}

/* Each content is told of once as refused, and once as one that could not be tried: a box that is broken here is no
 * verdict on the content, and one that was mended may still refuse it. */
static void tell(struct poll_memory *m, struct poll_family *f, bool unable)
{
    bool told = m->has_reported && m->reported_unable == unable &&
                memcmp(m->reported, f->content.sha256, DIGEST_BYTES) == 0;
    m->has_reported = true;
    m->reported_unable = unable;
    rw_copy(m->reported, sizeof(m->reported), f->content.sha256, DIGEST_BYTES);
    f->refused = !told;
    f->unable = unable;
}

bool poll_prove(struct poll *p, struct poll_memory *m, const struct poll_input *in,
                struct poll_family *f)
{
    struct verdict v;
    /* What is or was active needs no second verdict: going back must not wait. */
    if (poll_entries_held(in, f)) { return true; }
    if (!poll_self_passes(p)) {
        (void)snprintf(m->verdict, sizeof(m->verdict), "sandbox_error: %s", p->self.why);
        (void)snprintf(f->note, sizeof(f->note), "the box did not pass its self-test");
        tell(m, f, true);
        return false;
    }
    if (prove_alone(p, m, in, f, &v) && prove_whole(p, m, in, f, &v)) { return true; }
    bool unable = v.kind == VERDICT_SANDBOX_ERROR;
    tell(m, f, unable);
    f->abandon = v.final && v.kind != VERDICT_ACCEPTED && !unable;
    return false;
}
