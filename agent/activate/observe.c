#include "agent/activate/observe.h"

#include "common/base/file.h"
#include "common/base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PROC_BYTES_MAX = 16384, PID_FILE_BYTES_MAX = 32, SHOWN_BYTES_MAX = 8192, UNIT_MS = 5000 };

static RW_RC read_proc(pid_t pid, const char *name, struct rw_buf *into, struct rw_err *err)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    RW_AUTO(rw_fd) rw_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) { return rw_fail_errno(err, RW_E_NOT_FOUND, errno, "'%s'", path); }
    for (;;) {
        uint8_t *to = NULL;
        RW_TRY(rw_buf_reserve(into, 1024, &to, err));
        ssize_t got = read(fd, to, 1024);
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return rw_fail_errno(err, RW_E_NOT_FOUND, errno, "'%s'", path); }
        if (got == 0) { return RW_OK; }
        rw_buf_commit(into, (size_t)got);
    }
}

static RW_RC start_of(pid_t pid, int64_t *ticks_out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(PROC_BYTES_MAX);
    RW_TRY(read_proc(pid, "stat", &text, err));
    return observe_rule_start(rw_buf_span(&text), ticks_out, err);
}

bool observe_ended(int pidfd)
{
    struct pollfd one = {.fd = pidfd, .events = POLLIN};
    return poll(&one, 1, 0) != 0; /* what cannot be asked is not trusted either */
}

bool observe_is_same(pid_t pid, int64_t start_ticks)
{
    int64_t ticks = 0;
    struct rw_err unused;
    struct rw_rc rc = start_of(pid, &ticks, &unused);
    return rc.code == RW_E_NOT_FOUND || (rw_is_ok(rc) && ticks == start_ticks);
}

uid_t observe_uid(pid_t pid)
{
    int64_t uid = -1;
    struct rw_err unused;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(PROC_BYTES_MAX);
    if (!rw_is_ok(read_proc(pid, "status", &text, &unused)) ||
        !rw_is_ok(observe_rule_uid(rw_buf_span(&text), &uid, &unused))) {
        return (uid_t)-1;
    }
    return (uid_t)uid;
}

bool observe_takes(pid_t pid, int signal_number)
{
    struct rw_err unused;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(PROC_BYTES_MAX);
    return rw_is_ok(read_proc(pid, "status", &text, &unused)) &&
           observe_rule_takes(rw_buf_span(&text), signal_number);
}

/* All that is read of the process is of the one that the descriptor holds: it still runs afterwards. */
static RW_RC hold(pid_t pid, struct observe_found *out, struct rw_err *err)
{
    const struct rw_clock clock = rw_clock_system();
    struct observe_found f = {.pid = pid};
    if (pid == getpid()) { return rw_fail(err, RW_E_CONFIG, "the sensor cannot be the agent"); }
    RW_AUTO(rw_fd) rw_fd fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) {
        return rw_fail_errno(err, errno == ESRCH ? RW_E_NOT_FOUND : RW_E_PROCESS, errno,
                             "process %d of the sensor", (int)pid);
    }
    RW_TRY(start_of(pid, &f.start_ticks, err));
    f.uid = observe_uid(pid);
    if (f.uid == (uid_t)-1 || observe_ended(fd)) {
        return rw_fail(err, RW_E_NOT_FOUND, "process %d of the sensor has just ended", (int)pid);
    }
    f.age_ms = rw_clock_mono(&clock).ms - f.start_ticks * 1000 / sysconf(_SC_CLK_TCK);
    f.pidfd = rw_fd_steal(&fd);
    *out = f;
    return RW_OK;
}

/* --- by a pid file --- */

/* Whoever can write the file names the process that vouches for content: root, we, or the sensor's own user. */
static RW_RC check_writers(const char *path, const struct stat *st, uid_t sensor,
                           struct rw_err *err)
{
    if (!S_ISREG(st->st_mode)) {
        return rw_fail(err, RW_E_CONFIG, "sensor_pid_file: '%s' is not a regular file", path);
    }
    if (st->st_uid != 0 && st->st_uid != geteuid() && st->st_uid != sensor) {
        return rw_fail(err, RW_E_CONFIG,
                       "sensor_pid_file: '%s' belongs to user %lld, neither root, the agent's nor "
                       "the sensor's",
                       path, (long long)st->st_uid);
    }
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return rw_fail(err, RW_E_CONFIG,
                       "sensor_pid_file: '%s' can be written by others (mode %04o)", path,
                       (unsigned)st->st_mode & 07777U);
    }
    return RW_OK;
}

static RW_RC read_pid_file(const char *path, struct stat *st_out, int64_t *pid_out,
                           struct rw_err *err)
{
    uint8_t text[PID_FILE_BYTES_MAX + 1];
    RW_AUTO(rw_fd) rw_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) {
        return rw_fail_errno(err, errno == ENOENT ? RW_E_NOT_FOUND : RW_E_CONFIG, errno,
                             "sensor_pid_file '%s'", path);
    }
    if (fstat(fd, st_out) != 0) {
        return rw_fail_errno(err, RW_E_CONFIG, errno, "sensor_pid_file '%s'", path);
    }
    ssize_t n = S_ISREG(st_out->st_mode) ? read(fd, text, sizeof(text)) : 0;
    if (n <= 0) { /* not written yet */
        return rw_fail(err, RW_E_NOT_FOUND, "sensor_pid_file: '%s' holds no process number", path);
    }
    return observe_rule_pid(rw_span_of(text, (size_t)n), pid_out, err);
}

static RW_RC find_by_file(const char *path, struct observe_found *out, struct rw_err *err)
{
    struct stat st;
    int64_t pid = 0;
    const struct rw_clock clock = rw_clock_system();
    struct observe_found f = {.pidfd = -1};
    RW_TRY(read_pid_file(path, &st, &pid, err));
    RW_TRY(hold((pid_t)pid, &f, err));
    struct rw_rc rc = check_writers(path, &st, f.uid, err);
    const struct rw_wall started = {rw_clock_wall(&clock).s - f.age_ms / 1000};
    if (rw_is_ok(rc) && observe_rule_is_stale((struct rw_wall){st.st_mtim.tv_sec}, started)) {
        rc = rw_fail(err, RW_E_NOT_FOUND,
                     "sensor_pid_file: '%s' was written before process %lld began: it is of an "
                     "earlier one",
                     path, (long long)pid);
    }
    if (!rw_is_ok(rc)) {
        rw_fd_drop(&f.pidfd);
        return rc;
    }
    *out = f;
    return RW_OK;
}

/* --- by a unit --- */

static RW_RC read_shown(int fd, struct rw_buf *into, struct rw_err *err)
{
    const struct rw_clock clock = rw_clock_system();
    int64_t end_ms = rw_clock_mono(&clock).ms + UNIT_MS;
    for (;;) {
        int64_t left_ms = end_ms - rw_clock_mono(&clock).ms;
        struct pollfd one = {.fd = fd, .events = POLLIN};
        int ready = poll(&one, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready < 0 && errno == EINTR) { continue; }
        if (ready <= 0) { return rw_fail(err, RW_E_TIMEOUT, "no answer within %d ms", UNIT_MS); }
        uint8_t *to = NULL;
        RW_TRY(rw_buf_reserve(into, 1024, &to, err));
        ssize_t got = read(fd, to, 1024);
        if (got < 0 && errno != EINTR) { return rw_fail_errno(err, RW_E_PROCESS, errno, "read"); }
        if (got == 0) { return RW_OK; }
        if (got > 0) { rw_buf_commit(into, (size_t)got); }
    }
}

static RW_RC ask_systemd(const struct observe_target *t, struct rw_buf *into, struct rw_err *err)
{
    char unit[OBSERVE_RULE_UNIT_BYTES];
    (void)snprintf(unit, sizeof(unit), "%s", t->unit);
    static char properties[] = "--property=LoadState,MainPID,NRestarts,Result,ControlGroup,"
                               "ActiveExitTimestampMonotonic,ExecMainStartTimestampMonotonic,"
                               "ExecMainExitTimestampMonotonic,ExecMainStatus";
    char *const argv[] = {"systemctl", "show", properties, "--", unit, NULL};
    char *const envp[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
    int pair[2];
    struct proc child = {.pidfd = -1};
    struct proc_exit gone;
    if (pipe2(pair, O_CLOEXEC) != 0) { return rw_fail_errno(err, RW_E_PROCESS, errno, "pipe"); }
    RW_AUTO(rw_fd) rw_fd from = pair[0];
    RW_AUTO(rw_fd) rw_fd into_child = pair[1];
    const struct proc_fd fds[] = {{into_child, STDOUT_FILENO}};
    const struct proc_spec spec = {.path =
                                       t->systemctl != NULL ? t->systemctl : "/usr/bin/systemctl",
                                   .argv = argv,
                                   .envp = envp,
                                   .fds = fds,
                                   .fd_count = 1,
                                   .die_with_parent = true};
    RW_TRY(proc_start(&spec, &child, err));
    rw_fd_drop(&into_child);
    struct rw_rc rc = read_shown(from, into, err);
    if (rw_is_ok(rc)) { rc = proc_wait(&child, UNIT_MS, &gone, err); }
    proc_drop(&child);
    return rc;
}

static RW_RC find_by_unit(const struct observe_target *t, struct observe_found *out,
                          struct observe_rule_unit *unit_out, struct rw_err *err)
{
    struct observe_rule_unit u;
    struct observe_found f = {.pidfd = -1};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SHOWN_BYTES_MAX);
    RW_TRY(ask_systemd(t, &text, err));
    RW_TRY(observe_rule_unit(rw_buf_span(&text), &u, err));
    *unit_out = u;
    if (u.pid == 0) { return rw_fail(err, RW_E_NOT_FOUND, "it does not run"); }
    RW_TRY(hold((pid_t)u.pid, &f, err));
    RW_AUTO(rw_buf) struct rw_buf group = rw_buf_make(PROC_BYTES_MAX);
    struct rw_rc rc = read_proc(f.pid, "cgroup", &group, err);
    /* Between the answer and the descriptor the number may have gone to another process. */
    if (rw_is_ok(rc) && !observe_rule_in_group(rw_buf_span(&group), u.group)) {
        rc = rw_fail(err, RW_E_NOT_FOUND, "process %d is not in its control group", (int)f.pid);
    }
    if (!rw_is_ok(rc)) {
        rw_fd_drop(&f.pidfd);
        return rc;
    }
    *out = f;
    return RW_OK;
}

RW_RC observe_find(const struct observe_target *t, struct observe_found *out,
                   struct observe_rule_unit *unit_out, struct rw_err *err)
{
    *unit_out = (struct observe_rule_unit){.pid = -1};
    if (t->pid_file != NULL) { return find_by_file(t->pid_file, out, err); }
    if (!rw_is_ok(find_by_unit(t, out, unit_out, err))) {
        return rw_wrap(err, "sensor_unit '%s'", t->unit);
    }
    return RW_OK;
}
