#include "agent/prove/box_watch.h"

#include "agent/prove/box_seccomp.h"
#include "common/base/clock.h"
#include "common/base/file.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Layers without which a validator is never started: with fewer, an attack would go unnoticed. */
static const enum box_lockdown_layer required[] = {BOX_LAYER_RLIMIT, BOX_LAYER_NNP,
                                                   BOX_LAYER_SECCOMP};

static void kill_child(const struct box_watch *w)
{
    (void)syscall(SYS_pidfd_send_signal, w->pidfd, SIGKILL, NULL, 0);
}

static void take_report(struct box_watch *w)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = &w->report, .iov_len = sizeof(w->report)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    ssize_t got = recvmsg(w->control_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got != (ssize_t)sizeof(w->report) || w->reported) {
        rw_fd_drop(&w->control_fd); /* end of stream: exec closed it, or the child died */
        return;
    }
    w->reported = true;
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        rw_copy(&w->listener_fd, sizeof(int), CMSG_DATA(c), sizeof(int));
    }
    for (size_t i = 0; i < RW_LEN(required); i++) {
        if ((w->report.in_force & (UINT32_C(1) << required[i])) == 0) {
            (void)snprintf(w->refused_layer, sizeof(w->refused_layer), "%s",
                           box_lockdown_layer_name(required[i]));
        }
    }
    if (w->report.fatal != 0 || w->refused_layer[0] != '\0') {
        kill_child(w);
        return;
    }
    w->leave_given = send(w->control_fd, "!", 1, MSG_NOSIGNAL) == 1;
}

/* A denied call arrives here. Exactly one is let through: the exec of the sealed validator. Anything else is
 * never continued: the process is killed and the call goes into the verdict. */
static void take_notification(struct box_watch *w)
{
    struct seccomp_notif n = {0};
    struct seccomp_notif_resp answer = {0};
    if (ioctl(w->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &n) != 0) {
        if (errno != EINTR && errno != ENOENT) { rw_fd_drop(&w->listener_fd); }
        return;
    }
    answer.id = n.id;
    if (n.data.nr == SYS_execveat && !w->exec_done && w->leave_given &&
        n.data.args[0] == BOX_SECCOMP_EXEC_FD) {
        w->exec_done = true;
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        (void)ioctl(w->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
        return;
    }
    w->denied = true;
    box_seccomp_name(n.data.nr, w->denied_call, sizeof(w->denied_call));
    (void)snprintf(w->denied_text, sizeof(w->denied_text), "%s(0x%llx, 0x%llx, 0x%llx)",
                   w->denied_call, (unsigned long long)n.data.args[0],
                   (unsigned long long)n.data.args[1], (unsigned long long)n.data.args[2]);
    kill_child(w);
    rw_fd_drop(&w->listener_fd);
}

static void take_said(struct box_watch *w)
{
    uint8_t chunk[4096];
    struct rw_err err;
    ssize_t got = read(w->verdict_fd, chunk, sizeof(chunk));
    if (got < 0 && errno == EINTR) { return; }
    if (got <= 0) {
        rw_fd_drop(&w->verdict_fd);
        return;
    }
    if (!rw_is_ok(rw_buf_append(&w->said, rw_span_of(chunk, (size_t)got), &err))) {
        w->output_too_long = true;
        kill_child(w);
        rw_fd_drop(&w->verdict_fd);
    }
}

static void take_diagnostics(struct box_watch *w)
{
    uint8_t chunk[4096];
    struct rw_err err;
    ssize_t got = read(w->diagnostics_fd, chunk, sizeof(chunk));
    if (got < 0 && errno == EINTR) { return; }
    if (got <= 0) {
        rw_fd_drop(&w->diagnostics_fd);
        return;
    }
    w->diagnostics_total += (size_t)got;
    RW_IGNORE(rw_buf_append(&w->diagnostics, rw_span_of(chunk, (size_t)got), &err),
              "only the first bytes are kept");
    if (w->diagnostics_total > BOX_DIAGNOSTICS_BYTES_MAX) {
        w->output_too_long = true;
        kill_child(w);
        rw_fd_drop(&w->diagnostics_fd);
    }
}

static void reap(struct box_watch *w)
{
    struct rusage use = {0};
    pid_t got = 0;
    do {
        got = wait4(w->pid, &w->wait_status, 0, &use);
    } while (got < 0 && errno == EINTR);
    w->cpu_ms = ((int64_t)use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
                (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
    w->peak_rss_kib = use.ru_maxrss;
    rw_fd_drop(&w->pidfd);
}

/* What was written before the end still counts: the pipes are read to their end after the child is gone. */
static void drain(struct box_watch *w)
{
    while (w->verdict_fd >= 0 && !w->output_too_long) {
        take_said(w);
    }
    while (w->diagnostics_fd >= 0 && !w->output_too_long) {
        take_diagnostics(w);
    }
}

enum { POLL_PIDFD, POLL_VERDICT, POLL_DIAGNOSTICS, POLL_CONTROL, POLL_LISTENER, POLL_COUNT };

/* Looks once at everything that may have happened; true when the child has gone. */
static bool take_events(struct box_watch *w, int timeout_ms)
{
    struct pollfd p[POLL_COUNT] = {[POLL_PIDFD] = {.fd = w->pidfd, .events = POLLIN},
                                   [POLL_VERDICT] = {.fd = w->verdict_fd, .events = POLLIN},
                                   [POLL_DIAGNOSTICS] = {.fd = w->diagnostics_fd, .events = POLLIN},
                                   [POLL_CONTROL] = {.fd = w->control_fd, .events = POLLIN},
                                   [POLL_LISTENER] = {.fd = w->listener_fd, .events = POLLIN}};
    if (poll(p, POLL_COUNT, timeout_ms) <= 0) { return false; }
    if (p[POLL_CONTROL].revents != 0) { take_report(w); }
    if ((p[POLL_LISTENER].revents & POLLIN) != 0) {
        take_notification(w);
    } else if (p[POLL_LISTENER].revents != 0) {
        rw_fd_drop(&w->listener_fd); /* nobody is left under the filter */
    }
    if (p[POLL_VERDICT].revents != 0) { take_said(w); }
    if (p[POLL_DIAGNOSTICS].revents != 0) { take_diagnostics(w); }
    return p[POLL_PIDFD].revents != 0;
}

void box_watch_run(struct box_watch *w)
{
    enum { AFTER_KILL_MS = 1000 };
    struct rw_clock clock = rw_clock_system();
    int64_t start_ms = rw_clock_mono(&clock).ms;
    int64_t end_ms = start_ms + w->wall_ms;
    bool gone = false;
    while (!gone) {
        int64_t left_ms = end_ms - rw_clock_mono(&clock).ms;
        if (left_ms <= 0 && !w->deadline_passed) {
            w->deadline_passed = true;
            kill_child(w);
        }
        gone = take_events(w, w->deadline_passed ? AFTER_KILL_MS : (int)left_ms);
    }
    reap(w);
    drain(w);
    w->used_wall_ms = rw_clock_mono(&clock).ms - start_ms;
}

void box_watch_drop(struct box_watch *w)
{
    rw_fd_drop(&w->pidfd);
    rw_fd_drop(&w->verdict_fd);
    rw_fd_drop(&w->diagnostics_fd);
    rw_fd_drop(&w->control_fd);
    rw_fd_drop(&w->listener_fd);
    rw_buf_drop(&w->said);
    rw_buf_drop(&w->diagnostics);
}
