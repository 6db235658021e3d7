#include "agent/prove/box_launch.h"

#include "agent/prove/box_said.h"
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

static RW_RC start(const struct box_launch_request *req, const struct child_ends *e,
                   struct box_watch *w, struct rw_err *err)
{
    const struct box_lockdown_spec spec = {.content_fd = e->content_fd,
                                           .samples_fd = e->samples_fd,
                                           .verdict_fd = e->verdict_fd,
                                           .diagnostics_fd = e->diagnostics_fd,
                                           .validator_fd = e->validator_fd,
                                           .control_fd = e->control_fd,
                                           .cpu_s = req->cpu_s,
                                           .memory_bytes = req->memory_bytes,
                                           .parent = getpid(),
                                           .name = req->name,
                                           .type = req->type};
    w->pid = fork();
    if (w->pid == 0) { box_lockdown_and_exec(&spec); }
    if (w->pid < 0) { return rw_fail_errno(err, RW_E_PROCESS, errno, "fork"); }
    w->pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0);
    if (w->pidfd < 0) {
        int pidfd_errno = errno;
        (void)kill(w->pid, SIGKILL);
        (void)waitpid(w->pid, NULL, 0);
        return rw_fail_errno(err, RW_E_PROCESS, pidfd_errno, "pidfd");
    }
    return RW_OK;
}

RW_RC box_launch(const struct box_launch_request *req, struct box_watch *w, struct rw_err *err)
{
    RW_AUTO(child_ends) struct child_ends e = {-1, -1, -1, -1, -1, -1};
    RW_ASSERT(req->content->sealed && req->samples->sealed && req->validator->sealed);
    w->wall_ms = req->wall_ms;
    RW_TRY(box_memory_reopen(req->content, &e.content_fd, err));
    RW_TRY(box_memory_reopen(req->samples, &e.samples_fd, err));
    RW_TRY(box_memory_reopen(req->validator, &e.validator_fd, err));
    RW_TRY(make_pipes(w, &e, err));
    RW_TRY(start(req, &e, w, err));
    child_ends_drop(&e); /* or the pipes would never end */
    box_watch_run(w);
    return RW_OK;
}
