#include "agent/prove/box_check.h"

#include "agent/prove/box_launch.h"
#include "agent/prove/box_verdict_rule.h"
#include "common/base/clock.h"
#include "common/crypto/digest.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

struct inputs {
    struct box_memory content, validator;
    struct box_samples samples;
    struct box_judge_run *first, *second; /* owned; large, so not on the stack */
};

static void drop_run(struct box_judge_run *run)
{
    if (run != NULL) { box_watch_drop(&run->watch); }
    rw_mem_free(run);
}

static void inputs_drop(struct inputs *in)
{
    box_memory_drop(&in->content);
    box_memory_drop(&in->validator);
    box_samples_drop(&in->samples);
    drop_run(in->first);
    drop_run(in->second);
}

static RW_RC new_run(struct box_judge_run **out, struct rw_err *err)
{
    *out = rw_mem_new(sizeof(**out));
    if (*out == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a run"); }
    (*out)->watch = box_launch_prepare();
    return RW_OK;
}

static RW_RC read_file(struct box_memory *m, const char *name, const char *path, bool exec,
                       struct rw_err *err)
{
    size_t max = exec ? BOX_VALIDATOR_BYTES_MAX : BOX_CONTENT_BYTES_MAX;
    RW_TRY(box_memory_open(m, name, exec, err));
    RW_TRY(box_memory_add_file(m, path, max, err));
    return box_memory_seal(m, err);
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
    RW_TRY(read_file(&in->content, "content", req->content, false, err));
    RW_TRY(read_file(&in->validator, "validator", req->validator, true, err));
    RW_TRY(digest_sha256_hex(box_memory_bytes(&in->content), v->content_sha256, err));
    RW_TRY(digest_sha256_hex(box_memory_bytes(&in->validator), v->validator_sha256, err));
    RW_TRY(box_samples_gather(&in->samples, req->samples, req->clean_files, req->own_file,
                              req->seed, err));
    RW_TRY(new_run(&in->first, err));
    RW_TRY(new_run(&in->second, err));
    v->content_bytes = (int64_t)in->content.n;
    v->limit_wall_ms = req->wall_ms;
    v->limit_cpu_ms = req->cpu_s * 1000;
    v->limit_memory_kib = req->memory_bytes / 1024;
    v->clean_seed = (int64_t)in->samples.seed;
    v->clean_files = in->samples.clean_files;
    v->clean_bytes = in->samples.clean_bytes;
    v->exit_status = -1;
    (void)snprintf(v->validator, sizeof(v->validator), "%.32s", name_of(req->validator));
    if (uname(&host) == 0) { (void)snprintf(v->kernel, sizeof(v->kernel), "%.64s", host.release); }
    return RW_OK;
}

static RW_RC run_once(const struct box_check_request *req, const struct inputs *in, int64_t wall_ms,
                      struct box_judge_run *run, struct rw_err *err)
{
    RW_AUTO(box_memory) struct box_memory bundle = {.fd = -1};
    RW_TRY(box_samples_bundle(&in->samples, run->order, run->count, &bundle, err));
    const struct box_launch_request launch = {.content = &in->content,
                                              .samples = &bundle,
                                              .validator = &in->validator,
                                              .name = name_of(req->validator),
                                              .type = req->type,
                                              .wall_ms = wall_ms,
                                              .cpu_s = req->cpu_s,
                                              .memory_bytes = req->memory_bytes};
    RW_TRY(box_launch(&launch, &run->watch, err));
    if (!run->watch.output_too_long) { box_said_read(rw_buf_span(&run->watch.said), &run->said); }
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
    again.must_match = again.must_not_match = again.own_files = (struct verdict_check){0};
    again.layer_count = again.missing_count = 0;
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

RW_RC box_check_content(const struct box_check_request *req, struct verdict *out,
                        struct rw_err *err)
{
    RW_AUTO(inputs) struct inputs in = {.content.fd = -1, .validator.fd = -1};
    struct box_random random = {~req->seed}; /* the choice of files uses the seed itself */
    struct verdict v = {.exit_status = -1};
    struct rw_clock clock = rw_clock_system();
    RW_TRY(gather(req, &in, &v, err));
    int64_t end_ms = rw_clock_mono(&clock).ms + req->wall_ms;
    in.first->count = in.samples.count;
    box_random_order(&random, in.first->order, in.first->count);
    RW_TRY(run_once(req, &in, req->wall_ms, in.first, err));
    box_judge(in.first, &in.samples, &v);
    if (v.kind == VERDICT_ACCEPTED && in.samples.count > 0) {
        int64_t left_ms = end_ms - rw_clock_mono(&clock).ms;
        choose_second(&in.samples, &random, in.second);
        RW_TRY(run_once(req, &in, left_ms > 0 ? left_ms : 0, in.second, err));
        merge_second(&in, &v);
    }
    *out = v;
    return RW_OK;
}
