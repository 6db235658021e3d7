#include "common/box/box_run.h"

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_WALL_MS = 20000, GRACE_MS = 5000, ARGS_MAX = 20 };

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

/* Reads the launcher's standard output to its end, the cap or the deadline. */
static RW_RC read_output(int fd, int64_t timeout_ms, struct rw_buf *into, struct rw_err *err)
{
    struct rw_clock clock = rw_clock_system();
    int64_t end_ms = rw_clock_mono(&clock).ms + timeout_ms;
    for (;;) {
        int64_t left_ms = end_ms - rw_clock_mono(&clock).ms;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0) { return rw_fail(err, RW_E_TIMEOUT, "the box gave no verdict in time"); }
        int ready = poll(&p, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (ready < 0 && errno != EINTR) { return rw_fail_errno(err, RW_E_IO, errno, "poll"); }
        if (ready <= 0) { continue; }
        uint8_t *at = NULL;
        RW_TRY(rw_buf_reserve(into, 1024, &at, err));
        ssize_t got = read(fd, at, 1024);
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "reading the verdict"); }
        if (got == 0) { return RW_OK; }
        rw_buf_commit(into, (size_t)got);
    }
}

struct arguments {
    char *at[ARGS_MAX];
    size_t n;
    char wall[32];
    char clean[32];
};

static void add(struct arguments *a, const char *text)
{
    RW_ASSERT(a->n + 1 < ARGS_MAX);
    /* execve takes char* and does not write: the pointer is copied, its text is not touched. */
    rw_copy((void *)&a->at[a->n++], sizeof(a->at[0]), (const void *)&text, sizeof(text));
}

static void fill(struct arguments *a, const struct box_request *req, int64_t wall_ms)
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
    (void)snprintf(a->wall, sizeof(a->wall), "%lldms", (long long)wall_ms);
    add(a, "--wall");
    add(a, a->wall);
    if (req->clean_files >= 0) {
        (void)snprintf(a->clean, sizeof(a->clean), "%lld", (long long)req->clean_files);
        add(a, "--clean-files");
        add(a, a->clean);
    }
}

static RW_RC run_box(const struct box_request *req, struct rw_buf *text, struct rw_err *err)
{
    int64_t wall_ms = req->wall_ms > 0 ? req->wall_ms : DEFAULT_WALL_MS;
    struct arguments a = {.n = 0};
    int pair[2];
    fill(&a, req, wall_ms);
    if (pipe2(pair, O_CLOEXEC) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "pipe"); }
    RW_AUTO(rw_fd) rw_fd out = pair[0];
    const struct proc_fd fds[] = {{pair[1], STDOUT_FILENO}};
    const struct proc_spec spec = {
        .path = req->box, .argv = a.at, .fds = fds, .fd_count = 1, .die_with_parent = true};
    RW_AUTO(proc) struct proc child = {.pid = 0, .pidfd = -1};
    struct rw_rc rc = proc_start(&spec, &child, err);
    (void)close(pair[1]);
    RW_TRY(rc);
    RW_TRY(read_output(out, wall_ms + GRACE_MS, text, err));
    struct proc_exit gone;
    return proc_wait(&child, GRACE_MS, &gone, err);
}

RW_RC box_check_text(const struct box_request *req, struct verdict *out, struct rw_buf *text,
                     struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf raw = rw_buf_make(VERDICT_TEXT_BYTES_MAX);
    struct rw_err why = {.code = RW_E_NONE};
    struct rw_rc rc = run_box(req, &raw, &why);
    if (rw_is_ok(rc)) { rc = verdict_read(rw_buf_span(&raw), out, &why); }
    if (!rw_is_ok(rc)) {
        /* No verdict is a verdict of its own, and it never opens (INV-3). */
        *out = (struct verdict){.kind = VERDICT_SANDBOX_ERROR, .final = false, .exit_status = -1};
        (void)snprintf(out->reason, sizeof(out->reason), "%.200s", why.text);
        (void)snprintf(out->grade, sizeof(out->grade), "none");
        (void)snprintf(out->validator, sizeof(out->validator), "%.30s", req->type);
        return verdict_write(out, text, err);
    }
    return rw_buf_append(text, rw_buf_span(&raw), err);
}

RW_RC box_check(const struct box_request *req, struct verdict *out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make((size_t)2 * VERDICT_TEXT_BYTES_MAX);
    return box_check_text(req, out, &text, err);
}
