#include "common/box/box_run.h"

#include "common/box/box_program.h"
#include "common/box/content_type.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Validators may ask for so much in their settings. */
enum { ASKED_WALL_MS_MAX = 60000, ARGS_MAX = 32, STEPS_MAX = 1000 };

RW_RC box_beside_self(const char *name, char *dst, size_t cap, struct rw_err *err)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0) { return rw_fail_errno(err, RW_E_IO, errno, "own executable's path"); }
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL) { return rw_fail(err, RW_E_IO, "own executable's path is not absolute"); }
    *slash = '\0';
    int used = snprintf(dst, cap, "%s/%s", self, name);
    if (used < 0 || (size_t)used >= cap) { return rw_fail(err, RW_E_RANGE, "path too long"); }
    return RW_OK;
}

/* What one run needs on this host. */
struct programs {
    const char *box;
    const char *role;  /* of `judge`: validator or loader */
    const char *judge; /* its path */
    const char *type;  /* stands in a verdict of our own */
};

struct arguments {
    char *at[ARGS_MAX];
    size_t n;
    char wall[32];
    char clean[32];
    char steps[32];
};

static void add(struct arguments *a, const char *text)
{
    RW_ASSERT(a->n + 1 < ARGS_MAX);
    /* execve takes char* and does not write: the pointer is copied, its text is not touched. */
    rw_copy((void *)&a->at[a->n++], sizeof(a->at[0]), (const void *)&text, sizeof(text));
}

static void fill_before(struct arguments *a, const struct box_request *req)
{
    if (req->against == NULL) { return; }
    add(a, "--against");
    add(a, req->against);
    if (req->against_steps <= 1) { return; }
    (void)snprintf(a->steps, sizeof(a->steps), "%lld",
                   (long long)(req->against_steps < STEPS_MAX ? req->against_steps : STEPS_MAX));
    add(a, "--against-steps");
    add(a, a->steps);
}

static void fill(struct arguments *a, const struct box_request *req)
{
    add(a, "ringward-box");
    add(a, "run");
    add(a, "--validator");
    add(a, req->validator);
    add(a, "--type");
    add(a, req->type);
    add(a, "--content");
    add(a, req->content);
    if (req->samples != NULL) {
        add(a, "--samples");
        add(a, req->samples);
    }
    if (req->own_file != NULL) {
        add(a, "--own-file");
        add(a, req->own_file);
    }
    if (req->manifest != NULL && content_type_wants_manifest(req->type)) {
        add(a, "--manifest");
        add(a, req->manifest);
    }
    fill_before(a, req);
    if (req->for_release) { add(a, "--for-release"); }
    if (req->allow_weak) { add(a, "--allow-weak"); }
    if (req->wall_ms > 0) {
        (void)snprintf(a->wall, sizeof(a->wall), "%lldms", (long long)req->wall_ms);
        add(a, "--wall");
        add(a, a->wall);
    }
    if (req->clean_files >= 0) {
        (void)snprintf(a->clean, sizeof(a->clean), "%lld", (long long)req->clean_files);
        add(a, "--clean-files");
        add(a, a->clean);
    }
}

/* Why there is no verdict, when a program that is not there is the reason: the box's own message is in the log alone.
 * A validator or loader may be no more than settings (PATH.conf) that name a program elsewhere. */
static RW_RC check_installed(const char *role, const char *path, struct rw_err *err)
{
    char settings[4096];
    if (access(path, X_OK) == 0) { return RW_OK; }
    int cause = errno;
    int n = snprintf(settings, sizeof(settings), "%s.conf", path);
    bool fits = n > 0 && (size_t)n < sizeof(settings);
    if (fits && access(settings, R_OK) == 0) { return RW_OK; }
    return rw_fail(err, RW_E_NOT_FOUND, "cannot run the %s %.120s (%s): install it there", role,
                   path, strerror(cause));
}

static RW_RC run_box(struct arguments *a, const struct programs *p, int64_t wall_ms,
                     struct rw_buf *raw, struct rw_err *err)
{
    struct proc_exit gone;
    RW_TRY(box_program_run(p->box, a->at, wall_ms + BOX_PROGRAM_GRACE_MS, raw, &gone, err));
    if (raw->n > 0) { return RW_OK; }
    RW_TRY(check_installed(p->role, p->judge, err));
    return rw_fail(err, RW_E_PROCESS,
                   "ringward-box ended by %s %d without a verdict: its message is in the log",
                   gone.signaled ? "signal" : "exit status", gone.status);
}

/* Runs the box and takes its verdict, whatever happens: no verdict is a verdict of its own, and it never opens
 * (INV-3). */
static RW_RC take_verdict(struct arguments *a, const struct programs *p, int64_t wall_ms,
                          struct verdict *out, struct rw_buf *text, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf raw = rw_buf_make(VERDICT_TEXT_BYTES_MAX);
    struct rw_err why = {.code = RW_E_NONE};
    struct rw_rc rc = run_box(a, p, wall_ms, &raw, &why);
    if (rw_is_ok(rc)) { rc = verdict_read(rw_buf_span(&raw), out, &why); }
    if (!rw_is_ok(rc)) {
        *out = (struct verdict){.kind = VERDICT_SANDBOX_ERROR, .final = false, .exit_status = -1};
        (void)snprintf(out->reason, sizeof(out->reason), "%.200s", why.text);
        (void)snprintf(out->grade, sizeof(out->grade), "none");
        (void)snprintf(out->validator, sizeof(out->validator), "%.30s", p->type);
        return verdict_write(out, text, err);
    }
    return rw_buf_append(text, rw_buf_span(&raw), err);
}

RW_RC box_check_text(const struct box_request *req, struct verdict *out, struct rw_buf *text,
                     struct rw_err *err)
{
    struct arguments a = {.n = 0};
    fill(&a, req);
    const struct programs p = {
        .box = req->box, .role = "validator", .judge = req->validator, .type = req->type};
    return take_verdict(&a, &p, req->wall_ms > 0 ? req->wall_ms : ASKED_WALL_MS_MAX, out, text,
                        err);
}

RW_RC box_check(const struct box_request *req, struct verdict *out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make((size_t)2 * VERDICT_TEXT_BYTES_MAX);
    return box_check_text(req, out, &text, err);
}

RW_RC box_run_load(const struct box_load_run *req, struct verdict *out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make((size_t)2 * VERDICT_TEXT_BYTES_MAX);
    struct arguments a = {.n = 0};
    add(&a, "ringward-box");
    add(&a, "load");
    add(&a, "--loader");
    add(&a, req->loader);
    add(&a, "--set");
    add(&a, req->set);
    if (req->before != NULL) {
        add(&a, "--before");
        add(&a, req->before);
    }
    if (req->allow_weak) { add(&a, "--allow-weak"); }
    const struct programs p = {
        .box = req->box, .role = "loader", .judge = req->loader, .type = "loader"};
    return take_verdict(&a, &p, ASKED_WALL_MS_MAX, out, &text, err);
}
