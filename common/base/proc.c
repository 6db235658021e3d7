#include "common/base/proc.h"

#include "common/base/clock.h"
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROC_FDS_MAX = 8, PROC_FD_NUMBER_MAX = 15 };

/* stdin and stdout become /dev/null; stderr is ours, or /dev/null when we have none. */
static bool give_standard_fds(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* Lifted first: onto itself dup2 changes nothing, and the descriptor would close at exec. */
    int high = null < 0 ? -1 : fcntl(null, F_DUPFD_CLOEXEC, PROC_FD_NUMBER_MAX + 1);
    if (high < 0 || dup2(high, STDIN_FILENO) < 0 || dup2(high, STDOUT_FILENO) < 0) { return false; }
    bool has_stderr = null != STDERR_FILENO && fcntl(STDERR_FILENO, F_GETFD) >= 0;
    return has_stderr || dup2(high, STDERR_FILENO) >= 0;
}

/* Runs between fork and exec: async-signal-safe calls only, all signals blocked. Returns only on failure, with
 * errno. */
static void child_exec(const struct proc_spec *spec, const int *safe_fds, pid_t parent)
{
    /* The parent may have died before prctl took effect. */
    if (spec->die_with_parent && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)) {
        return;
    }
    if (spec->own_group && setpgid(0, 0) != 0) { return; }
    if (!give_standard_fds()) { return; }
    /* Also descriptors that we inherited ourselves without CLOEXEC; dup2 below clears the flag where it must. */
    if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0) { return; }
    for (size_t i = 0; i < spec->fd_count; i++) {
        if (dup2(safe_fds[i], spec->fds[i].to) < 0) { return; }
    }
    /* Dispositions before the mask: no handler of ours may run in the child. */
    for (int sig = 1; sig < NSIG; sig++) {
        (void)signal(sig, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (spec->envp != NULL) {
        (void)execve(spec->path, spec->argv, spec->envp);
    } else {
        (void)execv(spec->path, spec->argv);
    }
}

/* Moves the descriptors above every target number, so that dup2 in the child cannot overwrite one. */
static RW_RC lift_fds(const struct proc_spec *spec, int safe_fds[static PROC_FDS_MAX],
                      struct rw_err *err)
{
    for (size_t i = 0; i < spec->fd_count; i++) {
        RW_ASSERT(spec->fds[i].to <= PROC_FD_NUMBER_MAX);
        safe_fds[i] = fcntl(spec->fds[i].from, F_DUPFD_CLOEXEC, PROC_FD_NUMBER_MAX + 1);
        if (safe_fds[i] < 0) {
            return rw_fail_errno(err, RW_E_PROCESS, errno, "descriptor for '%s'", spec->path);
        }
    }
    return RW_OK;
}

/* The child of fork_with_report: tells through the pipe why exec failed. */
static _Noreturn void run_child(const struct proc_spec *spec, const int *safe_fds, pid_t parent,
                                int report_fd)
{
    child_exec(spec, safe_fds, parent);
    int failed = errno;
    ssize_t put = write(report_fd, &failed, sizeof(failed)); /* CLOEXEC: exec alone closes it */
    (void)put;
    _exit(127);
}

/* Forks with all signals blocked; *report_out reads an errno, or ends once exec succeeded. */
static RW_RC fork_with_report(const struct proc_spec *spec, const int *safe_fds, pid_t *pid_out,
                              int *report_out, struct rw_err *err)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) != 0) {
        return rw_fail_errno(err, RW_E_PROCESS, errno, "cannot start '%s'", spec->path);
    }
    RW_AUTO(rw_fd) rw_fd report = pair[0];
    RW_AUTO(rw_fd) rw_fd high = fcntl(pair[1], F_DUPFD_CLOEXEC, PROC_FD_NUMBER_MAX + 1);
    int dup_errno = errno;
    (void)close(pair[1]);
    if (high < 0) {
        return rw_fail_errno(err, RW_E_PROCESS, dup_errno, "cannot start '%s'", spec->path);
    }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) { run_child(spec, safe_fds, parent, high); }
    int fork_errno = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        return rw_fail_errno(err, RW_E_PROCESS, fork_errno, "cannot start '%s'", spec->path);
    }
    *pid_out = pid;
    *report_out = rw_fd_steal(&report);
    return RW_OK;
}

/* Killed first: where only the report could not be read the program runs, and would be waited for without end. */
static void reap_failed(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
}

static RW_RC fork_and_exec(const struct proc_spec *spec, const int *safe_fds, struct proc *out,
                           struct rw_err *err)
{
    pid_t pid = 0;
    RW_AUTO(rw_fd) rw_fd report = -1;
    RW_TRY(fork_with_report(spec, safe_fds, &pid, &report, err));
    int failed = 0;
    ssize_t got = 0;
    do {
        got = read(report, &failed, sizeof(failed));
    } while (got < 0 && errno == EINTR);
    if (got != 0) {
        reap_failed(pid);
        return rw_fail_errno(err, RW_E_PROCESS, got > 0 ? failed : EIO, "cannot run '%s'",
                             spec->path);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* closes at exec by itself */
    if (pidfd < 0) {
        int pidfd_errno = errno;
        reap_failed(pid);
        return rw_fail_errno(err, RW_E_PROCESS, pidfd_errno, "pidfd of '%s'", spec->path);
    }
    *out = (struct proc){.pid = pid, .pidfd = pidfd};
    return RW_OK;
}

RW_RC proc_start(const struct proc_spec *spec, struct proc *out, struct rw_err *err)
{
    RW_ASSERT(spec->fd_count <= PROC_FDS_MAX);
    int safe_fds[PROC_FDS_MAX] = {-1, -1, -1, -1, -1, -1, -1, -1};
    *out = (struct proc){.pid = 0, .pidfd = -1};
    struct rw_rc rc = lift_fds(spec, safe_fds, err);
    if (rw_is_ok(rc)) { rc = fork_and_exec(spec, safe_fds, out, err); }
    for (size_t i = 0; i < PROC_FDS_MAX; i++) {
        rw_fd_drop(&safe_fds[i]);
    }
    return rc;
}

static RW_RC reap(struct proc *p, struct proc_exit *out, struct rw_err *err)
{
    int status = 0;
    struct rusage use = {0};
    pid_t got = 0;
    do {
        got = wait4(p->pid, &status, 0, &use);
    } while (got < 0 && errno == EINTR);
    if (got != p->pid) { return rw_fail_errno(err, RW_E_PROCESS, errno, "wait"); }
    out->signaled = WIFSIGNALED(status);
    out->status = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    out->cpu_ms = ((int64_t)use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
                  (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
    out->rss_kib = use.ru_maxrss;
    rw_fd_drop(&p->pidfd);
    p->pid = 0;
    return RW_OK;
}

RW_RC proc_wait(struct proc *p, int64_t timeout_ms, struct proc_exit *out, struct rw_err *err)
{
    RW_ASSERT(p->pid > 0);
    struct rw_clock clock = rw_clock_system();
    int64_t end_ms = rw_clock_mono(&clock).ms + timeout_ms;
    for (;;) {
        int64_t left_ms = timeout_ms < 0 ? 60000 : end_ms - rw_clock_mono(&clock).ms;
        struct pollfd one = {.fd = p->pidfd, .events = POLLIN};
        int slice_ms = left_ms > 60000 ? 60000 : (left_ms < 0 ? 0 : (int)left_ms);
        int ready = poll(&one, 1, slice_ms);
        if (ready > 0) { return reap(p, out, err); }
        if (ready < 0 && errno != EINTR) { return rw_fail_errno(err, RW_E_PROCESS, errno, "poll"); }
        if (timeout_ms >= 0 && rw_clock_mono(&clock).ms >= end_ms) {
            return rw_fail(err, RW_E_TIMEOUT, "process %d still runs after %lld ms", (int)p->pid,
                           (long long)timeout_ms);
        }
    }
}

void proc_signal(const struct proc *p, int signal_number)
{
    if (p->pidfd >= 0) { (void)syscall(SYS_pidfd_send_signal, p->pidfd, signal_number, NULL, 0); }
}

bool proc_has_ended(const struct proc *p)
{
    struct pollfd one = {.fd = p->pidfd, .events = POLLIN};
    return p->pid > 0 && poll(&one, 1, 0) > 0;
}

void proc_kill_group(const struct proc *p)
{
    if (p->pid > 1) { (void)kill(-p->pid, SIGKILL); }
}

void proc_kill(struct proc *p)
{
    if (p->pid <= 0) { return; }
    struct rw_err err;
    struct proc_exit gone;
    proc_signal(p, SIGKILL);
    RW_IGNORE(proc_wait(p, -1, &gone, &err), "a killed child is gone either way");
}

void proc_drop(struct proc *p)
{
    proc_kill(p);
    rw_fd_drop(&p->pidfd);
}
