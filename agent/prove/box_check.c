#include "agent/prove/box_check.h"

#include "agent/prove/box_against.h"
#include "agent/prove/box_release.h"
#include "agent/prove/box_verdict_rule.h"
#include "common/box/content_type.h"
#include "common/crypto/digest.h"
#include "common/template/template_manifest.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

struct inputs {
    struct box_settings settings; /* of the installed validator */
    struct box_memory content, validator, before, manifest;
    struct box_samples samples;
    struct box_judge_run *first, *second; /* owned; large, so not on the stack */
};

static void inputs_drop(struct inputs *in)
{
    box_memory_drop(&in->content);
    box_memory_drop(&in->validator);
    box_memory_drop(&in->before);
    box_memory_drop(&in->manifest);
    box_samples_drop(&in->samples);
    box_try_drop_run(in->first);
    box_try_drop_run(in->second);
}

static RW_RC read_file(struct box_memory *m, const char *name, const char *path, size_t max,
                       struct rw_err *err)
{
    bool exec = strcmp(name, "validator") == 0;
    RW_TRY(box_memory_open(m, name, exec, err));
    RW_TRY(box_memory_add_file(m, path, max, err));
    return box_memory_seal(m, err);
}

static RW_RC read_before(const char *path, struct box_memory *m, struct verdict_before *b,
                         struct rw_err *err)
{
    RW_TRY(read_file(m, "before", path, BOX_CONTENT_BYTES_MAX, err));
    RW_TRY(digest_sha256_hex(box_memory_bytes(m), b->sha256, err));
    b->given = true;
    b->bytes = (int64_t)m->n;
    (void)snprintf(b->verdict, sizeof(b->verdict), "not run");
    return RW_OK;
}

/* The manifest is the installation's, not the release's: it is read here, so that a damaged one is told apart from
 * bad content. */
static RW_RC read_manifest(const struct box_check_request *req, struct inputs *in,
                           struct rw_err *err)
{
    if (req->manifest == NULL) {
        if (!content_type_wants_manifest(req->type)) { return RW_OK; }
        return rw_fail(err, RW_E_CONFIG,
                       "content of type %s is judged by the sensor's manifest: "
                       "none was given",
                       req->type);
    }
    struct template_manifest *m = rw_mem_new(sizeof(*m));
    if (m == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a manifest"); }
    struct rw_rc rc =
        read_file(&in->manifest, "manifest", req->manifest, BOX_MANIFEST_BYTES_MAX, err);
    if (rw_is_ok(rc)) { rc = template_manifest_read(box_memory_bytes(&in->manifest), m, err); }
    rw_mem_free(m);
    if (rw_is_ok(rc)) {
        in->samples.manifest = box_memory_bytes(&in->manifest);
        return RW_OK;
    }
    err->code = RW_E_CONFIG;
    return rw_wrap(err, "manifest '%.200s'", req->manifest);
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static RW_RC gather(const struct box_check_request *req, struct inputs *in, struct verdict *v,
                    struct rw_err *err)
{
    struct utsname host;
    RW_TRY(read_file(&in->content, "content", req->content, BOX_CONTENT_BYTES_MAX, err));
    const char *program = in->settings.program[0] != '\0' ? in->settings.program : req->validator;
    struct rw_rc rc = read_file(&in->validator, "validator", program, BOX_VALIDATOR_BYTES_MAX, err);
    if (!rw_is_ok(rc)) { return rw_wrap(err, "validator"); }
    if (req->against != NULL) { RW_TRY(read_before(req->against, &in->before, &v->before, err)); }
    RW_TRY(digest_sha256_hex(box_memory_bytes(&in->content), v->content_sha256, err));
    RW_TRY(digest_sha256_hex(box_memory_bytes(&in->validator), v->validator_sha256, err));
    RW_TRY(box_samples_gather(&in->samples, req->samples, req->clean_files, req->own_file,
                              req->seed, err));
    RW_TRY(read_manifest(req, in, err));
    RW_TRY(box_try_new_run(&in->first, err));
    RW_TRY(box_try_new_run(&in->second, err));
    v->content_bytes = (int64_t)in->content.n;
    v->limit_wall_ms = req->wall_ms;
    v->limit_cpu_ms = req->cpu_s * 1000;
    v->limit_memory_kib = req->memory_bytes / 1024;
    v->clean_seed = (int64_t)in->samples.seed;
    v->clean_files = in->samples.clean_files;
    v->clean_bytes = in->samples.clean_bytes;
    v->exit_status = -1;
    (void)snprintf(v->validator, sizeof(v->validator), "%.32s", name_of(req->validator));
    (void)snprintf(v->profile, sizeof(v->profile), "%s", box_profile_name(in->settings.profile));
    if (uname(&host) == 0) { (void)snprintf(v->kernel, sizeof(v->kernel), "%.64s", host.release); }
    return RW_OK;
}

/* The second run repeats all vectors of the release and as many files of the host as a small budget allows, in
 * another order. */
static void choose_second(const struct box_samples *s, struct box_random *random,
                          struct box_judge_run *run)
{
    size_t budget = BOX_SECOND_RUN_BYTES;
    uint32_t all[SAMPLES_BLIND_COUNT_MAX];
    box_random_order(random, all, s->count);
    for (size_t i = 0; i < s->count; i++) {
        const struct box_sample *one = &s->at[all[i]];
        bool vector = one->kind == BOX_SAMPLE_MUST || one->kind == BOX_SAMPLE_MUST_NOT;
        if (!vector && one->bytes.n > budget) { continue; }
        if (!vector) { budget -= one->bytes.n; }
        run->order[run->count++] = all[i];
    }
}

static void merge_second(const struct inputs *in, struct verdict *v)
{
    struct verdict again = *v;
    box_judge(in->second, &in->samples, &again);
    struct box_verdict_rule_result r =
        box_verdict_rule_second((enum box_verdict_rule_kind)again.kind, again.final, again.reason,
                                box_judge_same_hits(in->first, in->second));
    v->determinism = (struct verdict_check){
        .run = true, .ok = r.kind == BOX_ACCEPTED, .count = (int64_t)in->second->count};
    v->determinism.wrong = v->determinism.ok ? 0 : 1;
    v->wall_ms += again.wall_ms;
    v->cpu_ms = again.cpu_ms > v->cpu_ms ? again.cpu_ms : v->cpu_ms;
    v->peak_rss_kib = again.peak_rss_kib > v->peak_rss_kib ? again.peak_rss_kib : v->peak_rss_kib;
    if (r.kind == BOX_ACCEPTED) { return; }
    v->kind = (enum verdict_kind)r.kind;
    v->final = r.final;
    v->signal = again.signal;
    v->exit_status = again.exit_status;
    (void)snprintf(v->syscall, sizeof(v->syscall), "%s", again.syscall);
    (void)snprintf(v->reason, sizeof(v->reason), "%s", r.reason);
}

/* What can be said of the first run alone, without or with the release before. */
static RW_RC judge_first(const struct box_try *t, struct inputs *in, struct verdict *v,
                         struct rw_err *err)
{
    RW_TRY(box_try_run(t, &in->content, in->first, err));
    box_judge(in->first, &in->samples, v);
    if (v->before.given && v->kind == VERDICT_REFUSED && v->must_not_match.wrong > 0) {
        RW_TRY(box_against_leave_out(t, &in->before, in->first, &in->samples, v, err));
        if (v->clean_left_out > 0) { box_judge(in->first, &in->samples, v); }
    }
    struct rw_span before = v->before.given ? box_memory_bytes(&in->before) : rw_span_of(NULL, 0);
    box_release_envelope(t->req, box_memory_bytes(&in->content), before, v);
    box_release_facts(in->first, v);
    box_release_coverage(t->req, in->first, &in->samples, v);
    box_release_alerts(v);
    return RW_OK;
}

/* What the caller left open is as the validator's settings ask. */
static struct box_check_request complete(const struct box_check_request *asked,
                                         const struct box_settings *s)
{
    struct box_check_request req = *asked;
    if (req.wall_ms == 0) { req.wall_ms = s->wall_ms; }
    if (req.cpu_s == 0) { req.cpu_s = s->cpu_ms / 1000; }
    if (req.memory_bytes == 0) { req.memory_bytes = s->memory_bytes; }
    return req;
}

static void no_verdict(struct verdict *v, const char *reason)
{
    v->kind = VERDICT_SANDBOX_ERROR;
    v->final = false;
    (void)snprintf(v->reason, sizeof(v->reason), "%s", reason);
}

static RW_RC run_all(struct box_try *t, struct inputs *in, struct verdict *v, struct rw_err *err)
{
    struct box_random random = {~t->req->seed}; /* the choice of files uses the seed itself */
    in->first->count = in->samples.count;
    box_random_order(&random, in->first->order, in->first->count);
    RW_TRY(judge_first(t, in, v, err));
    bool compare = v->before.given || in->samples.count > 0;
    if (v->kind == VERDICT_ACCEPTED && compare) {
        choose_second(&in->samples, &random, in->second);
        RW_TRY(box_try_run(t, &in->content, in->second, err));
        merge_second(in, v);
    }
    if (v->kind == VERDICT_ACCEPTED && v->before.given) {
        RW_TRY(box_against_measure(t, &in->content, &in->before, in->second, v, err));
    }
    return RW_OK;
}

RW_RC box_check_content(const struct box_check_request *asked, struct verdict *out,
                        struct rw_err *err)
{
    RW_AUTO(inputs)
    struct inputs in = {.content.fd = -1, .validator.fd = -1, .before.fd = -1, .manifest.fd = -1};
    struct verdict v = {.exit_status = -1};
    RW_TRY(box_settings_load(asked->validator, asked->type, &in.settings, err));
    if (in.settings.by_exit) {
        return rw_fail(err, RW_E_CONFIG, "'%.200s' is a loader, no validator: see 'load'",
                       asked->validator);
    }
    const struct box_check_request req = complete(asked, &in.settings);
    struct box_try t = {.req = &req,
                        .settings = &in.settings,
                        .validator = &in.validator,
                        .samples = &in.samples,
                        .clock = rw_clock_system()};
    RW_TRY(gather(&req, &in, &v, err));
    t.end_ms = rw_clock_mono(&t.clock).ms + req.wall_ms;
    if (in.settings.sha256[0] != '\0' && strcmp(in.settings.sha256, v.validator_sha256) != 0) {
        (void)snprintf(v.grade, sizeof(v.grade), "none");
        no_verdict(&v, "the validator's program is not the one that its settings record");
    } else {
        RW_TRY(run_all(&t, &in, &v, err));
    }
    if (req.learn != NULL) { no_verdict(&v, "a learning run gives no verdict"); }
    *out = v;
    return RW_OK;
}
