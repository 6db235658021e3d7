#include "agent/prove/box_lockdown.h"

#include "agent/prove/box_seccomp.h"
#include "common/base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's headers are older than the kernels this runs on. */
enum {
    LANDLOCK_CREATE = 444,
    LANDLOCK_RESTRICT = 446,
    LANDLOCK_VERSION_FLAG = 1,
    MDWE_SET = 65,
    MDWE_REFUSE_EXEC_GAIN = 1,
    /* A uid of its own, outside the ranges that Debian and systemd hand out, so that RLIMIT_NPROC counts us alone. */
    BOX_UID = 61001,
    EXIT_SETUP = 125,
    ARG_BYTES = 64,
};

static const char *const layer_names[BOX_LAYERS] = {
    "rlimit", "nnp",   "uid",   "landlock", "landlock_scope", "mdwe",
    "mntns",  "netns", "ipcns", "seccomp",  "seccomp_notify",
};

const char *box_lockdown_layer_name(enum box_lockdown_layer layer)
{
    return layer_names[layer];
}

static void note(struct box_lockdown_report *r, enum box_lockdown_layer layer, bool in_force)
{
    if (in_force) {
        r->in_force |= UINT32_C(1) << layer;
    } else {
        r->missing[layer] = errno;
    }
}

/* Lowers a limit; a hard limit that is lower already stays (a container may forbid raising it). */
static bool limit(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0) { return false; }
    if (now.rlim_max != RLIM_INFINITY && hard > now.rlim_max) { hard = now.rlim_max; }
    const struct rlimit want = {soft < hard ? soft : hard, hard};
    return setrlimit((__rlimit_resource_t)resource, &want) == 0;
}

static bool set_limits(const struct box_lockdown_spec *spec)
{
    rlim_t memory =
        (rlim_t)spec->memory_bytes * 4; /* address space; the launcher checks residence */
    rlim_t cpu = (rlim_t)spec->cpu_s;
    return limit(RLIMIT_CORE, 0, 0) && limit(RLIMIT_FSIZE, 0, 0) && limit(RLIMIT_NOFILE, 16, 16) &&
           limit(RLIMIT_CPU, cpu, cpu + 1) && limit(RLIMIT_AS, memory, memory) &&
           limit(RLIMIT_STACK, 8 << 20, 8 << 20) && limit(RLIMIT_MEMLOCK, 0, 0) &&
           limit(RLIMIT_MSGQUEUE, 0, 0) && limit(RLIMIT_SIGPENDING, 64, 64) &&
           limit(RLIMIT_NPROC, 4, 4);
}

/* Numbers the descriptors as the validator's interface says: 0 null, 1 and 2 diagnostics, 3 content, 4 samples,
 * 5 verdict; 6 and 7 close at exec. Lifted out of the way first, so that no dup2 overwrites a source. */
static bool arrange_fds(const struct box_lockdown_spec *spec)
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

/* A root directory of our own: an empty tmpfs, read-only, with nothing of the host below it. */
static bool enter_empty_root(void)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", "/tmp", "tmpfs", flags, "size=64k,mode=0555") == 0 &&
           chdir("/tmp") == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
           umount2(".", MNT_DETACH) == 0 && chdir("/") == 0 &&
           mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | flags, NULL) == 0;
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
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0) { return; }
    ssize_t put = write(fd, "1000", 4);
    (void)put; /* a nicety: nothing depends on it */
    (void)close(fd);
}

static bool drop_identity(void)
{
    for (int cap = 0; cap <= 63; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EINVAL) { return false; }
    }
    return setgroups(0, NULL) == 0 && setresgid(BOX_UID, BOX_UID, BOX_UID) == 0 &&
           setresuid(BOX_UID, BOX_UID, BOX_UID) == 0;
}

/* Capabilities are gone by the change of uid; an unprivileged launcher had none. */
static void drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[2] = {{0}};
    (void)syscall(SYS_capset, &header, none);
}

/* Everything that this kernel's Landlock knows is handled, and nothing is granted. */
static void restrict_files(struct box_lockdown_report *r)
{
    struct {
        uint64_t fs, net, scoped;
    } attr = {0};
    static const uint64_t fs_rights[] = {0x1FFF, 0x3FFF, 0x7FFF, 0x7FFF, 0xFFFF};
    long abi = syscall(LANDLOCK_CREATE, NULL, 0UL, LANDLOCK_VERSION_FLAG);
    if (abi < 1) {
        note(r, BOX_LAYER_LANDLOCK, false);
        note(r, BOX_LAYER_SCOPE, false);
        return;
    }
    size_t size = abi >= 6 ? sizeof(attr) : (abi >= 4 ? 16 : 8);
    attr.fs = fs_rights[abi >= 5 ? 4 : abi - 1];
    if (abi >= 4) { attr.net = 3; }    /* bind and connect of TCP */
    if (abi >= 6) { attr.scoped = 3; } /* abstract sockets and signals */
    long fd = syscall(LANDLOCK_CREATE, &attr, size, 0);
    bool done = fd >= 0 && syscall(LANDLOCK_RESTRICT, fd, 0) == 0;
    if (fd >= 0) { (void)close((int)fd); }
    r->landlock_abi = (int32_t)abi;
    note(r, BOX_LAYER_LANDLOCK, done);
    errno = abi >= 6 ? errno : EOPNOTSUPP;
    note(r, BOX_LAYER_SCOPE, done && abi >= 6);
}

static int install_filter(struct box_lockdown_report *r)
{
    struct box_seccomp_program program;
    box_seccomp_build(&program, getpid(), true);
    struct sock_fprog prog = {.len = program.count, .filter = program.code};
    int listener =
        (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
    note(r, BOX_LAYER_NOTIFY, listener >= 0);
    if (listener >= 0) {
        note(r, BOX_LAYER_SECCOMP, true);
        return listener;
    }
    box_seccomp_build(&program, getpid(), false);
    prog.len = program.count;
    note(r, BOX_LAYER_SECCOMP, syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0);
    return -1;
}

static bool send_report(struct box_lockdown_report *r, int listener)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct iovec iov = {.iov_base = r, .iov_len = sizeof(*r)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (listener >= 0) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        rw_copy(CMSG_DATA(c), sizeof(int), &listener, sizeof(int));
    }
    return sendmsg(BOX_SECCOMP_CONTROL_FD, &msg, 0) == (ssize_t)sizeof(*r);
}

static _Noreturn void fail_setup(struct box_lockdown_report *r)
{
    r->fatal = errno != 0 ? errno : EPROTO;
    (void)send_report(r, -1);
    _exit(EXIT_SETUP);
}

_Noreturn void box_lockdown_and_exec(const struct box_lockdown_spec *spec)
{
    struct box_lockdown_report r = {0};
    char leave = 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != spec->parent || !arrange_fds(spec)) { fail_setup(&r); }
    reset_process();
    (void)setsid();
    (void)umask(0777);
    note(&r, BOX_LAYER_MNTNS, enter_empty_root());
    /* Own network and IPC name spaces where that is allowed; the filter denies both anyway. */
    note(&r, BOX_LAYER_NETNS, unshare(CLONE_NEWNET) == 0);
    note(&r, BOX_LAYER_IPCNS, unshare(CLONE_NEWIPC) == 0);
    if (geteuid() == 0) {
        note(&r, BOX_LAYER_UID, drop_identity());
        if ((r.in_force & (UINT32_C(1) << BOX_LAYER_UID)) == 0) { fail_setup(&r); }
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* the change of uid cleared it */
        if (getppid() != spec->parent) { _exit(EXIT_SETUP); }
    } else {
        errno = EPERM;
        note(&r, BOX_LAYER_UID, false);
    }
    drop_capabilities();
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    note(&r, BOX_LAYER_RLIMIT, set_limits(spec));
    note(&r, BOX_LAYER_NNP, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    restrict_files(&r);
    note(&r, BOX_LAYER_MDWE, prctl(MDWE_SET, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0);
    int listener = install_filter(&r);
    /* The launcher gives leave only if every required layer is in force (INV-12). */
    if (!send_report(&r, listener) || read(BOX_SECCOMP_CONTROL_FD, &leave, 1) != 1) {
        _exit(EXIT_SETUP);
    }
    char name[ARG_BYTES]; /* exec wants what it could write to */
    char type[ARG_BYTES];
    (void)snprintf(name, sizeof(name), "%s", spec->name);
    (void)snprintf(type, sizeof(type), "%s", spec->type);
    static char verb[] = "validate";
    char *const argv[] = {name, verb, type, NULL};
    static char locale[] = "LC_ALL=C";
    static char marker[] = "RINGWARD_VALIDATOR=1";
    char *const envp[] = {locale, marker, NULL};
    (void)syscall(SYS_execveat, BOX_SECCOMP_EXEC_FD, "", argv, envp, 0x1000);
    _exit(EXIT_SETUP);
}
