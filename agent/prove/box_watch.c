#include "agent/prove/box_watch.h"

#include "agent/prove/box_calls.h"
#include "agent/prove/box_seccomp.h"
#include "common/base/file.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* An init has this long to say how the killed validator ended; then it is killed itself, and with it everything in
 * its name space. */
enum { INIT_MS = 250 };

static void kill_by(int pidfd)
{
    (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

/* The validator first: its init then reports what it used, and ends. */
static void stop(struct box_watch *w)
{
    struct rw_clock clock = rw_clock_system();
    if (!w->stopping) { w->stop_at = rw_clock_mono(&clock); }
    w->stopping = true;
    kill_by(w->validator_pidfd >= 0 ? w->validator_pidfd : w->pidfd);
}

static void take_layers(struct box_watch *w, const struct box_layers *child)
{
    w->layers.in_force =
        (w->layers.in_force & ~BOX_CHILD_LAYERS) | (child->in_force & BOX_CHILD_LAYERS);
    for (int i = 0; i < BOX_LAYERS; i++) {
        if ((BOX_CHILD_LAYERS & BOX_LAYER_BIT(i)) != 0) {
            w->layers.missing[i] = child->missing[i];
        }
    }
    w->layers.landlock_abi = child->landlock_abi;
}

/* Leave is given only when what is in force is worth the name of a sandbox (INV-12). */
static void take_ready(struct box_watch *w, const struct box_child_message *m)
{
    if (w->reported) { return; }
    w->reported = true;
    take_layers(w, &m->layers);
    bool permitted = box_grade_permits(&w->layers, w->phase.profile, w->allow_weak, w->refused);
    if (permitted && w->learn != NULL && !box_layer_in_force(&w->layers, BOX_LAYER_NOTIFY)) {
        (void)snprintf(w->refused, sizeof(w->refused), "nothing can be learnt without a listener");
        permitted = false;
    }
    if (!permitted) {
        stop(w);
        return;
    }
    w->phase.leave = send(w->control_fd, "!", 1, MSG_NOSIGNAL) == 1;
}

static void take_message(struct box_watch *w, const struct box_child_message *m, int *attached)
{
    switch (m->kind) {
    case BOX_CHILD_STARTED:
        if (w->validator_pidfd < 0) { w->validator_pidfd = rw_fd_steal(attached); }
        break;
    case BOX_CHILD_READY:
        if (w->listener_fd < 0 && !w->reported) { w->listener_fd = rw_fd_steal(attached); }
        take_ready(w, m);
        break;
    case BOX_CHILD_GONE:
        w->gone = true;
        w->wait_status = m->wait_status;
        w->cpu_ms = m->cpu_ms;
        w->peak_rss_kib = m->peak_rss_kib;
        break;
    case BOX_CHILD_FATAL:
    default: /* of a child of our own: it can only be cut short */
        w->fatal_errno = m->sys_errno != 0 ? m->sys_errno : EPROTO;
        (void)snprintf(w->fatal_step, sizeof(w->fatal_step), "%.*s", BOX_CHILD_STEP_BYTES - 1,
                       m->step);
        break;
    }
}

static void take_control(struct box_watch *w)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct box_child_message m = {.kind = 0};
    RW_AUTO(rw_fd) rw_fd attached = -1;
    struct iovec iov = {.iov_base = &m, .iov_len = sizeof(m)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    ssize_t got = recvmsg(w->control_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) { return; }
    if (got != (ssize_t)sizeof(m)) {
        rw_fd_drop(&w->control_fd); /* end of stream: exec closed it, or the child died */
        return;
    }
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        rw_copy(&attached, sizeof(int), CMSG_DATA(c), sizeof(int));
    }
    take_message(w, &m, &attached);
}

static void deny(struct box_watch *w, const struct seccomp_data *call)
{
    w->denied = true;
    box_calls_name(call->nr, w->denied_call, sizeof(w->denied_call));
    (void)snprintf(w->denied_text, sizeof(w->denied_text), "%s(0x%llx, 0x%llx, 0x%llx)",
                   w->denied_call, (unsigned long long)call->args[0],
                   (unsigned long long)call->args[1], (unsigned long long)call->args[2]);
    stop(w);
    rw_fd_drop(&w->listener_fd);
}

/* Calls outside the list arrive here. A denied one never goes on: the process is killed and the call goes into the
 * verdict. */
static void take_notification(struct box_watch *w)
{
    struct seccomp_notif n = {0};
    struct seccomp_notif_resp answer = {0};
    int answer_errno = EPERM;
    if (ioctl(w->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &n) != 0) {
        if (errno != EINTR && errno != ENOENT) { rw_fd_drop(&w->listener_fd); }
        return;
    }
    enum box_phase_answer judged = box_phase_judge(&w->phase, &n.data, &answer_errno);
    if (judged == BOX_PHASE_DENY && w->learn == NULL) {
        deny(w, &n.data);
        return;
    }
    if (judged == BOX_PHASE_DENY) { box_learn_note(w->learn, &n.data, box_phase_name(&w->phase)); }
    answer.id = n.id;
    if (judged == BOX_PHASE_CONTINUE) {
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
        answer.error = -answer_errno;
    }
    (void)ioctl(w->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
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
        stop(w);
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
        stop(w);
        rw_fd_drop(&w->diagnostics_fd);
    }
}

static void reap(struct box_watch *w)
{
    struct rusage use = {0};
    int status = 0;
    pid_t got = 0;
    do {
        got = wait4(w->pid, &status, 0, &use);
    } while (got < 0 && errno == EINTR);
    rw_fd_drop(&w->pidfd);
    if (w->gone) { return; }
    w->wait_status = status;
    w->cpu_ms = ((int64_t)use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
                (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
    w->peak_rss_kib = use.ru_maxrss;
}

/* What was written before the end still counts: the pipes are read to their end after the child is gone. A process
 * that outlived it (possible without a pid name space only) could hold them open: they are not waited for. */
static void drain(struct box_watch *w)
{
    struct pollfd p = {.events = POLLIN};
    while (w->control_fd >= 0 && !w->gone) {
        take_control(w);
    }
    for (p.fd = w->verdict_fd; w->verdict_fd >= 0 && !w->output_too_long && poll(&p, 1, 0) > 0;) {
        take_said(w);
    }
    for (p.fd = w->diagnostics_fd;
         w->diagnostics_fd >= 0 && !w->output_too_long && poll(&p, 1, 0) > 0;) {
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
    if (p[POLL_CONTROL].revents != 0) { take_control(w); }
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
    struct rw_clock clock = rw_clock_system();
    int64_t start_ms = rw_clock_mono(&clock).ms;
    int64_t end_ms = start_ms + w->wall_ms;
    bool gone = false;
    while (!gone) {
        int64_t now_ms = rw_clock_mono(&clock).ms;
        if (now_ms >= end_ms && !w->deadline_passed) {
            w->deadline_passed = !w->stopping;
            end_ms = now_ms + INT32_MAX;
            stop(w);
        }
        if (w->stopping && now_ms - w->stop_at.ms >= INIT_MS) { kill_by(w->pidfd); }
        gone = take_events(w, w->stopping ? INIT_MS : (int)(end_ms - now_ms));
    }
    reap(w);
    drain(w);
    w->used_wall_ms = rw_clock_mono(&clock).ms - start_ms;
}

void box_watch_drop(struct box_watch *w)
{
    rw_fd_drop(&w->pidfd);
    rw_fd_drop(&w->validator_pidfd);
    rw_fd_drop(&w->verdict_fd);
    rw_fd_drop(&w->diagnostics_fd);
    rw_fd_drop(&w->control_fd);
    rw_fd_drop(&w->listener_fd);
    rw_buf_drop(&w->said);
    rw_buf_drop(&w->diagnostics);
}
