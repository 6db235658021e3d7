#include "agent/prove/box_child.h"

#include "agent/prove/box_lockdown.h"
#include "agent/prove/box_root.h"
#include "agent/prove/box_seccomp.h"
#include "common/base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NICE = 10 };

bool box_child_send(int control_fd, const struct box_child_message *m, int attached_fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct box_child_message copy = *m; /* sendmsg asks for what it could write to */
    struct iovec iov = {.iov_base = &copy, .iov_len = sizeof(copy)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (attached_fd >= 0) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        rw_copy(CMSG_DATA(c), sizeof(int), &attached_fd, sizeof(int));
    }
    return sendmsg(control_fd, &msg, MSG_NOSIGNAL) == (ssize_t)sizeof(copy);
}

static _Noreturn void fail(const char *step)
{
    struct box_child_message m = {.kind = BOX_CHILD_FATAL,
                                  .sys_errno = errno != 0 ? errno : EPROTO};
    (void)snprintf(m.step, sizeof(m.step), "%s", step);
    (void)box_child_send(BOX_SECCOMP_CONTROL_FD, &m, -1);
    _exit(BOX_CHILD_EXIT_SETUP);
}

/* Numbers the descriptors as the validator's interface says: 0 null, 1 and 2 diagnostics, 3 content, 4 samples,
 * 5 verdict; 6 and 7 close at exec. Lifted out of the way first, so that no dup2 overwrites a source. */
static bool arrange_fds(const struct box_child_spec *spec)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int from[] = {null,
                        spec->diagnostics_fd,
                        spec->diagnostics_fd,
                        spec->content_fd,
                        spec->samples_fd,
                        spec->verdict_fd,
                        spec->validator_fd,
                        spec->control_fd};
    int lifted[RW_LEN(from)];
    for (size_t i = 0; i < RW_LEN(from); i++) {
        lifted[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 32);
        if (lifted[i] < 0) { return false; }
    }
    for (size_t i = 0; i < RW_LEN(from); i++) {
        bool kept = i < BOX_SECCOMP_EXEC_FD;
        if (dup3(lifted[i], (int)i, kept ? 0 : O_CLOEXEC) < 0) { return false; }
    }
    return syscall(SYS_close_range, 8U, ~0U, 0U) == 0;
}

/* The launcher's signal settings would be inherited through exec. When memory is short the host takes the
 * validator first, and it runs behind interactive work. */
static void reset_process(void)
{
    const struct sigaction fallback = {.sa_handler = SIG_DFL};
    const struct sched_param batch = {.sched_priority = 0};
    sigset_t none;
    for (int number = 1; number < NSIG; number++) {
        (void)sigaction(number, &fallback, NULL); /* SIGKILL and SIGSTOP refuse */
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)sched_setscheduler(0, SCHED_BATCH, &batch);
    int nicer = nice(NICE);
    (void)nicer;
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0) { return; }
    ssize_t put = write(fd, "1000", 4);
    (void)put; /* a nicety: nothing depends on it */
    (void)close(fd);
}

static bool change_uid(void)
{
    return setgroups(0, NULL) == 0 && setresgid(BOX_CHILD_UID, BOX_CHILD_UID, BOX_CHILD_UID) == 0 &&
           setresuid(BOX_CHILD_UID, BOX_CHILD_UID, BOX_CHILD_UID) == 0;
}

/* Root's capabilities, or those that a user name space gave. An unprivileged process has none to lose. */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[2] = {{0}};
    return syscall(SYS_capset, &header, none) == 0;
}

static bool drop_bounding_set(void)
{
    for (int cap = 0; cap <= 63; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EINVAL) { return false; }
    }
    return true;
}

static void give_up_identity(struct box_layers *l)
{
    bool root = geteuid() == 0;
    bool powers = root || box_layer_in_force(l, BOX_LAYER_USERNS);
    if (powers && !drop_bounding_set()) { fail("bounding set"); }
    if (!root) {
        box_layer_note(l, BOX_LAYER_UID, false, EPERM);
    } else if (box_layer_wanted(l, BOX_LAYER_UID)) {
        /* The root of a container may have no other identity to change to. */
        box_layer_note(l, BOX_LAYER_UID, change_uid(), errno);
    }
    if (!drop_capabilities()) { fail("capabilities"); }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* the change of identity cleared it */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static void enter_root(const struct box_child_spec *spec, struct box_layers *l)
{
    if (!box_layer_in_force(l, BOX_LAYER_MNTNS)) { return; }
    bool own_uid = geteuid() == 0 && (l->without & BOX_LAYER_BIT(BOX_LAYER_UID)) == 0;
    const struct box_root_spec root = {.profile = spec->profile,
                                       .extension = spec->extension,
                                       .samples_as_files = spec->samples_as_files,
                                       .content_is_sets = spec->content_is_sets,
                                       .content_bytes = spec->content_bytes,
                                       .samples_bytes = spec->samples_bytes,
                                       .uid = own_uid ? BOX_CHILD_UID : geteuid(),
                                       .gid = own_uid ? BOX_CHILD_UID : getegid()};
    bool done = box_root_enter(&root);
    box_layer_note(l, BOX_LAYER_MNTNS, done, errno);
    /* Half of a root would be neither the host's nor an empty one. */
    if (!done) { fail("root directory"); }
}

/* Init of the pid name space. A process that is itself init survives abort() and most signals: so the validator is
 * its child. Reaps whatever else ends here. */
static _Noreturn void be_init(pid_t validator)
{
    struct box_child_message m = {.kind = BOX_CHILD_STARTED};
    int status = 0;
    struct rusage use = {0};
    int pidfd = (int)syscall(SYS_pidfd_open, validator, 0);
    if (pidfd < 0 || !box_child_send(BOX_SECCOMP_CONTROL_FD, &m, pidfd)) {
        _exit(BOX_CHILD_EXIT_SETUP);
    }
    (void)syscall(SYS_close_range, 0U, (unsigned)BOX_SECCOMP_CONTROL_FD - 1, 0U);
    (void)syscall(SYS_close_range, (unsigned)BOX_SECCOMP_CONTROL_FD + 1, ~0U, 0U);
    for (pid_t got = 0; got != validator;) {
        got = wait4(-1, &status, 0, &use);
        if (got < 0 && errno != EINTR) { _exit(BOX_CHILD_EXIT_SETUP); }
    }
    m = (struct box_child_message){.kind = BOX_CHILD_GONE, .wait_status = status};
    m.cpu_ms = ((int64_t)use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
               (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
    m.peak_rss_kib = use.ru_maxrss;
    _exit(box_child_send(BOX_SECCOMP_CONTROL_FD, &m, -1) ? 0 : BOX_CHILD_EXIT_SETUP);
}

_Noreturn void box_child_run(const struct box_child_spec *spec)
{
    struct box_layers l = spec->layers;
    char go = 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    /* With its other end closed here, a launcher that died before the line above shows as an end of stream. */
    (void)close(spec->launcher_fd);
    if (read(spec->control_fd, &go, 1) != 1) { _exit(BOX_CHILD_EXIT_SETUP); }
    box_cgroup_enter(spec->group, &l);
    if (!arrange_fds(spec)) { _exit(BOX_CHILD_EXIT_SETUP); }
    reset_process();
    (void)umask(0);
    if (box_layer_in_force(&l, BOX_LAYER_UTSNS) && sethostname("box", 3) != 0) {
        fail("host name");
    }
    enter_root(spec, &l);
    give_up_identity(&l);
    if (box_layer_in_force(&l, BOX_LAYER_PIDNS)) {
        pid_t validator = fork();
        if (validator < 0) { fail("fork"); }
        if (validator > 0) { be_init(validator); }
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != 1) { _exit(BOX_CHILD_EXIT_SETUP); }
    }
    box_lockdown_and_exec(spec, &l);
}
