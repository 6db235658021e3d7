#include "agent/prove/box_load.h"

#include "agent/prove/box_set.h"
#include "common/crypto/digest.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

struct inputs {
    struct box_settings settings;
    struct box_memory loader;
    struct box_samples samples; /* none: a loader judges nothing */
};

static void inputs_drop(struct inputs *in)
{
    box_memory_drop(&in->loader);
    box_samples_drop(&in->samples);
}

typedef struct box_judge_run *own_run;

static void own_run_drop(own_run *r)
{
    box_try_drop_run(*r);
}

static RW_RC read_loader(const struct box_load_request *req, struct inputs *in, struct verdict *v,
                         struct rw_err *err)
{
    const char *program =
        in->settings.program[0] != '\0' ? in->settings.program : req->limits.validator;
    if (!in->settings.by_exit) {
        return rw_fail(err, RW_E_CONFIG, "'%.200s' is no loader: its settings lack 'speaks = exit'",
                       req->limits.validator);
    }
    RW_TRY(box_memory_open(&in->loader, "validator", true, err));
    RW_TRY(box_memory_add_file(&in->loader, program, BOX_VALIDATOR_BYTES_MAX, err));
    RW_TRY(box_memory_seal(&in->loader, err));
    return digest_sha256_hex(box_memory_bytes(&in->loader), v->validator_sha256, err);
}

static void describe(const struct box_check_request *limits, const struct inputs *in,
                     struct verdict *v)
{
    struct utsname host;
    const char *slash = strrchr(limits->validator, '/');
    v->limit_wall_ms = limits->wall_ms;
    v->limit_cpu_ms = limits->cpu_s * 1000;
    v->limit_memory_kib = limits->memory_bytes / 1024;
    v->exit_status = -1;
    (void)snprintf(v->validator, sizeof(v->validator), "%.32s",
                   slash != NULL ? slash + 1 : limits->validator);
    (void)snprintf(v->profile, sizeof(v->profile), "%s", box_profile_name(in->settings.profile));
    (void)snprintf(v->grade, sizeof(v->grade), "none");
    if (uname(&host) == 0) { (void)snprintf(v->kernel, sizeof(v->kernel), "%.64s", host.release); }
}

/* One run on a set, with the one to go back to behind it (NULL: none, it is loaded a second time). */
static RW_RC load_once(const struct box_try *t, const char *set, const char *before,
                       struct verdict *v, struct rw_err *err)
{
    RW_AUTO(box_memory) struct box_memory sets = {.fd = -1};
    RW_AUTO(own_run) own_run r = NULL;
    RW_TRY(box_memory_open(&sets, "sets", false, err));
    RW_TRY(box_set_add(&sets, set, "set", err));
    RW_TRY(box_set_add(&sets, before != NULL ? before : set, "before", err));
    RW_TRY(box_memory_seal(&sets, err));
    RW_TRY(digest_sha256_hex(box_memory_bytes(&sets), v->content_sha256, err));
    v->content_bytes = (int64_t)sets.n;
    RW_TRY(box_try_new_run(&r, err));
    RW_TRY(box_try_run(t, &sets, r, err));
    box_judge(r, t->samples, v);
    return RW_OK;
}

static void no_verdict(struct verdict *v, const char *why, const char *more)
{
    char reason[VERDICT_REASON_BYTES];
    (void)snprintf(reason, sizeof(reason), "%s%.150s", why, more);
    v->kind = VERDICT_SANDBOX_ERROR;
    v->final = false;
    (void)snprintf(v->reason, sizeof(v->reason), "%s", reason);
}

/* The control: what a loader says of a set counts only when it still takes the set that is active. */
static RW_RC load_with_control(const struct box_try *t, const struct box_load_request *req,
                               struct verdict *v, struct rw_err *err)
{
    RW_TRY(load_once(t, req->set, req->before, v, err));
    if (v->kind == VERDICT_ACCEPTED || !v->final || req->before == NULL) { return RW_OK; }
    struct verdict control = *v;
    RW_TRY(load_once(t, req->before, req->before, &control, err));
    v->wall_ms += control.wall_ms;
    if (control.kind == VERDICT_ACCEPTED) { return RW_OK; }
    no_verdict(v, "the loader does not take the set that is active either: ", control.reason);
    return RW_OK;
}

RW_RC box_load_check(const struct box_load_request *req, struct verdict *out, struct rw_err *err)
{
    RW_AUTO(inputs) struct inputs in = {.loader.fd = -1};
    struct verdict v = {.exit_status = -1};
    struct box_check_request limits = req->limits;
    limits.type = BOX_LOAD_TYPE;
    RW_TRY(box_settings_load(limits.validator, limits.type, &in.settings, err));
    RW_TRY(read_loader(req, &in, &v, err));
    if (limits.wall_ms == 0) { limits.wall_ms = in.settings.wall_ms; }
    if (limits.cpu_s == 0) { limits.cpu_s = in.settings.cpu_ms / 1000; }
    if (limits.memory_bytes == 0) { limits.memory_bytes = in.settings.memory_bytes; }
    describe(&limits, &in, &v);
    struct box_try t = {.req = &limits,
                        .settings = &in.settings,
                        .validator = &in.loader,
                        .samples = &in.samples,
                        .content_is_sets = true,
                        .clock = rw_clock_system()};
    t.end_ms = rw_clock_mono(&t.clock).ms + limits.wall_ms;
    if (in.settings.sha256[0] != '\0' && strcmp(in.settings.sha256, v.validator_sha256) != 0) {
        no_verdict(&v, "the loader's program is not the one that its settings record", "");
    } else {
        RW_TRY(load_with_control(&t, req, &v, err));
    }
    if (limits.learn != NULL) { no_verdict(&v, "a learning run gives no verdict", ""); }
    *out = v;
    return RW_OK;
}
