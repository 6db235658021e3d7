#include "agent/prove/box_launch.h"

#include "agent/prove/box_verdict_rule.h"
#include "agent/prove/box_watch.h"
#include "common/base/file.h"
#include "common/crypto/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* The inputs as sealed memory files: the bytes that were hashed are the bytes that are used. */
struct sealed {
    int content_fd, samples_fd, validator_fd;
};

static void sealed_drop(struct sealed *s)
{
    rw_fd_drop(&s->content_fd);
    rw_fd_drop(&s->samples_fd);
    rw_fd_drop(&s->validator_fd);
}

/* Writes, seals, and opens anew for reading: a dup would share its offset, a writable descriptor would make
 * exec fail. */
static RW_RC seal_bytes(const char *name, unsigned exec_flag, struct rw_span bytes, int *fd_out,
                        struct rw_err *err)
{
    char path[48];
    RW_AUTO(rw_fd) rw_fd fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | exec_flag);
    if (fd < 0 && errno == EINVAL) { /* kernels before 6.3 know neither flag */
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }
    if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "memory file '%s'", name); }
    RW_TRY(rw_fd_write_all(fd, bytes, err));
    if (exec_flag == MFD_EXEC && fchmod(fd, 0555) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "memory file '%s'", name);
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "sealing '%s'", name);
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int again = open(path, O_RDONLY | O_CLOEXEC);
    if (again < 0) { return rw_fail_errno(err, RW_E_IO, errno, "opening '%s' again", name); }
    *fd_out = again;
    return RW_OK;
}

static RW_RC seal_inputs(const struct box_launch_request *req, struct verdict *v, struct sealed *s,
                         struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf elf = rw_buf_make(BOX_VALIDATOR_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf blind = rw_buf_make(SAMPLES_BYTES_MAX);
    RW_TRY(rw_file_read(req->validator, BOX_VALIDATOR_BYTES_MAX, &elf, err));
    RW_TRY(digest_sha256_hex(rw_buf_span(&elf), v->validator_sha256, err));
    RW_TRY(digest_sha256_hex(req->content, v->content_sha256, err));
    RW_TRY(samples_write_blind(req->samples, &blind, err));
    RW_TRY(seal_bytes("content", MFD_NOEXEC_SEAL, req->content, &s->content_fd, err));
    RW_TRY(seal_bytes("samples", MFD_NOEXEC_SEAL, rw_buf_span(&blind), &s->samples_fd, err));
    return seal_bytes("validator", MFD_EXEC, rw_buf_span(&elf), &s->validator_fd, err);
}

static RW_RC start(const struct box_launch_request *req, const struct sealed *s,
                   struct box_watch *w, struct rw_err *err)
{
    int control[2];
    int verdict[2];
    int diagnostics[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "control socket");
    }
    if (pipe2(verdict, O_CLOEXEC) != 0 || pipe2(diagnostics, O_CLOEXEC) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "pipe");
    }
    const struct box_lockdown_spec spec = {.content_fd = s->content_fd,
                                           .samples_fd = s->samples_fd,
                                           .verdict_fd = verdict[1],
                                           .diagnostics_fd = diagnostics[1],
                                           .validator_fd = s->validator_fd,
                                           .control_fd = control[1],
                                           .cpu_s = req->cpu_s,
                                           .memory_bytes = req->memory_bytes,
                                           .parent = getpid(),
                                           .name = req->name,
                                           .type = req->type};
    w->pid = fork();
    if (w->pid == 0) { box_lockdown_and_exec(&spec); }
    int fork_errno = errno;
    (void)close(control[1]);
    (void)close(verdict[1]);
    (void)close(diagnostics[1]);
    w->control_fd = control[0];
    w->verdict_fd = verdict[0];
    w->diagnostics_fd = diagnostics[0];
    if (w->pid < 0) { return rw_fail_errno(err, RW_E_PROCESS, fork_errno, "fork"); }
    w->pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0);
    if (w->pidfd < 0) {
        int pidfd_errno = errno;
        (void)kill(w->pid, SIGKILL);
        (void)waitpid(w->pid, NULL, 0);
        return rw_fail_errno(err, RW_E_PROCESS, pidfd_errno, "pidfd");
    }
    return RW_OK;
}

/* The validator's own object: only these members are looked at, and text is reduced to printable ASCII. */
struct said {
    bool valid;
    bool accepted;
    char reason[VERDICT_REASON_BYTES];
    char hash[65];
    char hits[SAMPLES_COUNT_MAX + 1];
    int64_t rules;
};

static void read_said(struct rw_span text, struct said *out)
{
    static const struct json_limits limits = {
        .bytes_max = BOX_SAID_BYTES_MAX, .nodes_max = 64, .depth_max = 2};
    static const char *const known[] = {"format",         "verdict", "reason",
                                        "content_sha256", "rules",   "hits"};
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct rw_err err;
    struct rw_span word;
    struct rw_span format;
    struct rw_span reason;
    if (!rw_is_ok(json_parse(text, &limits, &tree, &err)) ||
        !rw_is_ok(json_only(tree, known, RW_LEN(known), &err)) ||
        !rw_is_ok(json_get_span(tree, "format", &format, &err)) || !rw_span_is(format, "rwv1") ||
        !rw_is_ok(json_get_span(tree, "verdict", &word, &err)) ||
        !rw_is_ok(json_get_span(tree, "reason", &reason, &err)) ||
        !rw_is_ok(json_get_str(tree, "content_sha256", out->hash, sizeof(out->hash), &err)) ||
        !rw_is_ok(json_get_int(tree, "rules", 0, 100000000, &out->rules, &err)) ||
        !rw_is_ok(json_get_str(tree, "hits", out->hits, sizeof(out->hits), &err)) ||
        (!rw_span_is(word, "accepted") && !rw_span_is(word, "refused"))) {
        return;
    }
    size_t n = reason.n < sizeof(out->reason) - 1 ? reason.n : sizeof(out->reason) - 1;
    for (size_t i = 0; i < n; i++) {
        out->reason[i] = (char)(reason.p[i] >= 0x20 && reason.p[i] < 0x7f ? reason.p[i] : '?');
    }
    out->accepted = rw_span_is(word, "accepted");
    out->valid = true;
}

/* The launcher knows what had to match; the validator was never told. A list of another length is no answer. */
static void judge_hits(const struct samples_list *samples, const struct said *said,
                       struct verdict *v)
{
    bool complete = strlen(said->hits) == samples->count;
    for (size_t i = 0; i < samples->count; i++) {
        bool hit = complete && said->hits[i] == '1';
        struct verdict_check *c = samples->at[i].must_match ? &v->must_match : &v->must_not_match;
        c->run = true;
        c->count++;
        c->wrong += !complete || hit != samples->at[i].must_match ? 1 : 0;
    }
    v->must_match.ok = v->must_match.wrong == 0;
    v->must_not_match.ok = v->must_not_match.wrong == 0;
}

static void list_layers(const struct box_watch *w, struct verdict *v)
{
    const uint32_t in_force = w->report.in_force;
    for (int i = 0; i < BOX_LAYERS; i++) {
        const char *name = box_lockdown_layer_name((enum box_lockdown_layer)i);
        if ((in_force & (UINT32_C(1) << i)) != 0) {
            (void)snprintf(v->layers[v->layer_count++], VERDICT_LAYER_BYTES, "%s", name);
        } else {
            (void)snprintf(v->missing[v->missing_count++], VERDICT_MISSING_BYTES, "%s: %s", name,
                           strerrordesc_np(w->report.missing[i]));
        }
    }
    static const char *const not_built[] = {"mntns", "pidns", "cgroup"};
    for (size_t i = 0; i < RW_LEN(not_built); i++) {
        (void)snprintf(v->missing[v->missing_count++], VERDICT_MISSING_BYTES,
                       "%s: this version has no such layer", not_built[i]);
    }
#define HAS(layer) ((in_force & (UINT32_C(1) << (layer))) != 0)
    const struct box_verdict_rule_layers layers = {.rlimit = HAS(BOX_LAYER_RLIMIT),
                                                   .no_new_privs = HAS(BOX_LAYER_NNP),
                                                   .seccomp = HAS(BOX_LAYER_SECCOMP),
                                                   .seccomp_notify = HAS(BOX_LAYER_NOTIFY),
                                                   .landlock = HAS(BOX_LAYER_LANDLOCK),
                                                   .landlock_scope = HAS(BOX_LAYER_SCOPE),
                                                   .own_uid = HAS(BOX_LAYER_UID)};
#undef HAS
    (void)snprintf(v->grade, sizeof(v->grade), "%s", box_verdict_rule_grade(&layers));
}

static void setup_reason(const struct box_watch *w, char *dst, size_t cap)
{
    if (w->refused_layer[0] != '\0') {
        (void)snprintf(dst, cap, "required layer missing, validator not started: %s",
                       w->refused_layer);
    } else {
        (void)snprintf(dst, cap, "the box could not be set up: %s",
                       strerrordesc_np(w->report.fatal));
    }
}

static void conclude(const struct box_launch_request *req, const struct box_watch *w,
                     struct verdict *v)
{
    struct said said = {.valid = false};
    char why[200] = "";
    bool signaled = WIFSIGNALED(w->wait_status);
    if (!w->output_too_long) { read_said(rw_buf_span(&w->said), &said); }
    if (said.valid) { judge_hits(req->samples, &said, v); }
    list_layers(w, v);
    setup_reason(w, why, sizeof(why));
    const struct box_verdict_rule_facts facts = {
        .setup_failed = !w->reported || w->report.fatal != 0 || w->refused_layer[0] != '\0',
        .setup_reason = why,
        .denied = w->denied,
        .denied_call = w->denied_text,
        .output_too_long = w->output_too_long,
        .deadline_passed = w->deadline_passed,
        .signal = signaled ? WTERMSIG(w->wait_status) : 0,
        .exit_status = signaled ? -1 : WEXITSTATUS(w->wait_status),
        .cpu_ms = w->cpu_ms,
        .cpu_limit_ms = req->cpu_s * 1000,
        .peak_rss_kib = w->peak_rss_kib,
        .memory_limit_kib = req->memory_bytes / 1024,
        .said_valid = said.valid,
        .said_accepted = said.accepted,
        .said_reason = said.reason,
        .hash_echoed = strcmp(said.hash, v->content_sha256) == 0,
        .must_match_missed = v->must_match.wrong,
        .must_not_match_hit = v->must_not_match.wrong,
        .must_match_count = v->must_match.count,
        .must_not_match_count = v->must_not_match.count};
    struct box_verdict_rule_result r = box_verdict_rule_decide(&facts);
    v->kind = (enum verdict_kind)r.kind;
    v->final = r.final;
    (void)snprintf(v->reason, sizeof(v->reason), "%s", r.reason);
    (void)snprintf(v->syscall, sizeof(v->syscall), "%s", w->denied_call);
    v->signal = facts.signal;
    v->exit_status = facts.exit_status;
    v->rules = said.rules;
    v->wall_ms = w->used_wall_ms;
    v->cpu_ms = w->cpu_ms;
    v->peak_rss_kib = w->peak_rss_kib;
}

RW_RC box_launch(const struct box_launch_request *req, struct verdict *out, struct rw_err *err)
{
    RW_AUTO(sealed) struct sealed inputs = {-1, -1, -1};
    RW_AUTO(box_watch)
    struct box_watch w = {.pidfd = -1,
                          .verdict_fd = -1,
                          .diagnostics_fd = -1,
                          .control_fd = -1,
                          .listener_fd = -1,
                          .wall_ms = req->wall_ms,
                          .said = rw_buf_make(BOX_SAID_BYTES_MAX),
                          .diagnostics = rw_buf_make(BOX_DIAGNOSTICS_KEPT)};
    struct verdict v = {.exit_status = -1, .content_bytes = (int64_t)req->content.n};
    (void)snprintf(v.validator, sizeof(v.validator), "%.32s", req->name);
    RW_TRY(seal_inputs(req, &v, &inputs, err));
    RW_TRY(start(req, &inputs, &w, err));
    box_watch_run(&w);
    conclude(req, &w, &v);
    *out = v;
    return RW_OK;
}
