#include "agent/prove/box_launch.h"

#include "agent/prove/box_clone.h"
#include "agent/prove/box_root.h"
#include "agent/prove/box_said.h"
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PROCESSES = 6,                    /* init, validator, and the four of RLIMIT_NPROC */
    OVERHEAD_BYTES = 4 * 1024 * 1024, /* page tables, stacks, the init */
};

/* The child's ends and inputs: closed in the launcher as soon as the child has its copies. */
struct child_ends {
    int content_fd, samples_fd, validator_fd, verdict_fd, diagnostics_fd, control_fd;
};

static void child_ends_drop(struct child_ends *e)
{
    rw_fd_drop(&e->content_fd);
    rw_fd_drop(&e->samples_fd);
    rw_fd_drop(&e->validator_fd);
    rw_fd_drop(&e->verdict_fd);
    rw_fd_drop(&e->diagnostics_fd);
    rw_fd_drop(&e->control_fd);
}

struct box_watch box_launch_prepare(void)
{
    return (struct box_watch){.pidfd = -1,
                              .validator_pidfd = -1,
                              .verdict_fd = -1,
                              .diagnostics_fd = -1,
                              .control_fd = -1,
                              .listener_fd = -1,
                              .said = rw_buf_make(BOX_SAID_BYTES_MAX),
                              .diagnostics = rw_buf_make(BOX_DIAGNOSTICS_KEPT)};
}

static RW_RC make_pipes(struct box_watch *w, struct child_ends *e, struct rw_err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "control socket");
    }
    w->control_fd = pair[0];
    e->control_fd = pair[1];
    if (pipe2(pair, O_CLOEXEC) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "pipe"); }
    w->verdict_fd = pair[0];
    e->verdict_fd = pair[1];
    if (pipe2(pair, O_CLOEXEC) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "pipe"); }
    w->diagnostics_fd = pair[0];
    e->diagnostics_fd = pair[1];
    return RW_OK;
}

static int64_t bytes_of_root(const struct box_launch_request *req)
{
    const struct box_root_spec root = {.profile = req->profile,
                                       .samples_as_files = req->samples_as_files,
                                       .content_is_sets = req->content_is_sets,
                                       .content_bytes = (int64_t)req->content->n,
                                       .samples_bytes = (int64_t)req->samples->n};
    return box_root_bytes(&root);
}

/* The child waits until it has an identity: "go". */
static RW_RC let_go(const struct box_watch *w, struct rw_err *err)
{
    RW_TRY(box_clone_map_ids(w->pid, &w->layers, err));
    if (send(w->control_fd, "g", 1, MSG_NOSIGNAL) != 1) {
        return rw_fail_errno(err, RW_E_PROCESS, errno, "the box's child");
    }
    return RW_OK;
}

static RW_RC start(const struct box_launch_request *req, const struct child_ends *e,
                   const struct box_cgroup *group, struct box_watch *w, struct rw_err *err)
{
    struct box_child_spec spec = {.content_fd = e->content_fd,
                                  .samples_fd = e->samples_fd,
                                  .verdict_fd = e->verdict_fd,
                                  .diagnostics_fd = e->diagnostics_fd,
                                  .validator_fd = e->validator_fd,
                                  .control_fd = e->control_fd,
                                  .launcher_fd = w->control_fd,
                                  .profile = req->profile,
                                  .extension = req->extension,
                                  .samples_as_files = req->samples_as_files,
                                  .content_is_sets = req->content_is_sets,
                                  .content_bytes = (int64_t)req->content->n,
                                  .samples_bytes = (int64_t)req->samples->n,
                                  .cpu_s = req->cpu_s,
                                  .memory_bytes = req->memory_bytes,
                                  .argv = req->argv,
                                  .group = group};
    RW_TRY(box_clone(&w->layers, box_cgroup_clone_fd(group, &w->layers), &w->pid, &w->pidfd, err));
    if (w->pid == 0) {
        spec.layers = w->layers;
        box_child_run(&spec);
    }
    struct rw_rc rc = let_go(w, err);
    if (rw_is_ok(rc)) { return rc; }
    (void)syscall(SYS_pidfd_send_signal, w->pidfd, SIGKILL, NULL, 0);
    (void)waitpid(w->pid, NULL, 0);
    return rc;
}

static void note_inputs(const struct box_launch_request *req, struct box_layers *l)
{
    if (!box_layer_wanted(l, BOX_LAYER_NOEXEC_SEAL)) { return; }
    bool sealed = req->content->noexec && req->samples->noexec;
    box_layer_note(l, BOX_LAYER_NOEXEC_SEAL, sealed, EINVAL);
}

static void set_up(const struct box_launch_request *req, struct box_watch *w)
{
    RW_ASSERT(req->content->sealed && req->samples->sealed && req->validator->sealed);
    RW_ASSERT(req->soft_count <= BOX_PHASE_SOFT_MAX);
    w->wall_ms = req->wall_ms;
    w->allow_weak = req->allow_weak;
    w->learn = req->learn;
    w->layers.without = req->without;
    w->phase = (struct box_phase){.profile = req->profile, .soft_count = req->soft_count};
    for (size_t i = 0; i < req->soft_count; i++) {
        w->phase.soft[i] = req->soft[i];
    }
    note_inputs(req, &w->layers);
}

RW_RC box_launch(const struct box_launch_request *req, struct box_watch *w, struct rw_err *err)
{
    RW_AUTO(child_ends) struct child_ends e = {-1, -1, -1, -1, -1, -1};
    const struct box_cgroup_limits limits = {.memory_bytes = req->memory_bytes +
                                                             bytes_of_root(req) + OVERHEAD_BYTES,
                                             .processes = PROCESSES};
    struct box_cgroup_base base = {.v2 = ""};
    struct box_cgroup group;
    set_up(req, w);
    RW_TRY(box_memory_reopen(req->content, &e.content_fd, err));
    RW_TRY(box_memory_reopen(req->samples, &e.samples_fd, err));
    RW_TRY(box_memory_reopen(req->validator, &e.validator_fd, err));
    RW_TRY(make_pipes(w, &e, err));
    if (box_layer_wanted(&w->layers, BOX_LAYER_CGROUP)) { box_cgroup_find_own(&base); }
    box_cgroup_open(&group, &base, &limits, &w->layers);
    struct rw_rc rc = start(req, &e, &group, w, err);
    child_ends_drop(&e); /* or the pipes would never end */
    if (rw_is_ok(rc)) { box_watch_run(w); }
    box_cgroup_close(&group, &w->layers);
    w->oom_kills = group.oom_kills;
    w->cgroup_peak_kib = group.peak_kib;
    return rc;
}
