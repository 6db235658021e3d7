/* Attacks on the host, the launcher and the kernel. */
#include "agent/prove/hostile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { FORKS_MAX = 100 };

static const char *do_abort(void)
{
    abort();
}

static const char *do_sleep(void)
{
    for (;;) {
        (void)sleep(100);
    }
    return "works";
}

static const char *do_stop(void)
{
    (void)raise(SIGSTOP);
    return "works";
}

static const char *do_poll(void)
{
    struct pollfd none = {.fd = -1};
    for (;;) {
        if (poll(&none, 1, 100000) < 0) { return hostile_outcome(false); }
    }
    return "works";
}

/* Its children sleep and are left behind. */
static const char *do_fork(void)
{
    static char text[64];
    int made = 0;
    for (; made < FORKS_MAX; made++) {
        pid_t pid = fork();
        if (pid < 0) { break; }
        if (pid == 0) {
            for (;;) {
                (void)sleep(100);
            }
        }
    }
    (void)snprintf(text, sizeof(text), "%s after %d",
                   made < FORKS_MAX ? hostile_outcome(false) : "works", made);
    return text;
}

static void *do_nothing(void *unused)
{
    return unused;
}

static const char *do_thread(void)
{
    pthread_t thread;
    errno = pthread_create(&thread, NULL, do_nothing, NULL);
    if (errno != 0) { return hostile_outcome(false); }
    return hostile_outcome(pthread_join(thread, NULL) == 0);
}

static const char *do_shadow(void)
{
    return hostile_open("/etc/shadow", O_RDONLY);
}

static const char *do_environ(void)
{
    return hostile_open("/proc/1/environ", O_RDONLY);
}

static const char *do_write_tmp(void)
{
    return hostile_open("/tmp/ringward-hostile", O_WRONLY | O_CREAT);
}

static const char *do_connect(void)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return hostile_outcome(fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0);
}

/* A test of the box listens there. */
static const char *do_abstract(void)
{
    static const char name[] = "ringward-hostile-listener";
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    for (size_t i = 0; i < sizeof(name) - 1; i++) {
        to.sun_path[i + 1] = name[i];
    }
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return hostile_outcome(fd >= 0 && connect(fd, (const struct sockaddr *)&to, n) == 0);
}

static const char *do_ptrace(void)
{
    return hostile_outcome(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0);
}

static const char *do_kill_parent(void)
{
    return hostile_outcome(kill(getppid(), SIGKILL) == 0);
}

static const char *do_tgkill_parent(void)
{
    return hostile_outcome(syscall(SYS_tgkill, getppid(), getppid(), SIGKILL) == 0);
}

static const char *do_kill_all(void)
{
    return hostile_outcome(kill(-1, 0) == 0);
}

static const char *do_unshare(void)
{
    return hostile_outcome(unshare(CLONE_NEWUSER) == 0);
}

static const char *do_mount(void)
{
    return hostile_outcome(mount("none", "/", "tmpfs", 0, NULL) == 0);
}

static const char *do_hostname(void)
{
    return hostile_outcome(sethostname("evil", 4) == 0);
}

static const char *do_rlimit(void)
{
    const struct rlimit more = {4096, 4096};
    return hostile_outcome(setrlimit(RLIMIT_NOFILE, &more) == 0);
}

static const char *do_io_uring(void)
{
    char parameters[256] = {0};
    return hostile_outcome(syscall(SYS_io_uring_setup, 8, parameters) >= 0);
}

static const char *do_bpf(void)
{
    char attributes[128] = {0};
    return hostile_outcome(syscall(SYS_bpf, 0, attributes, sizeof(attributes)) >= 0);
}

static const char *do_keyctl(void)
{
    return hostile_outcome(syscall(SYS_keyctl, 0, -3, 1) >= 0); /* id of the session's keyring */
}

static const char *do_shmget(void)
{
    return hostile_outcome(shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) >= 0);
}

static const char *do_new_call(void)
{
    return hostile_outcome(syscall(500) >= 0); /* above all that were reviewed */
}

#if defined(__x86_64__)
static const char *do_int80(void)
{
    long nr = 20; /* getpid of the 32-bit table */
    __asm__ volatile("int $0x80" : "+a"(nr) : : "memory");
    return nr > 0 ? "works" : "ENOSYS";
}

static const char *do_x32(void)
{
    return hostile_outcome(syscall(0x40000000L + SYS_getpid) >= 0);
}
#endif

const struct hostile_mode hostile_attacks[] = {
    {"abort", do_abort, false},
    {"sleep", do_sleep, false},
    {"stop", do_stop, false},
    {"poll", do_poll, false},
    {"fork", do_fork, false},
    {"thread", do_thread, false},
    {"shadow", do_shadow, false},
    {"environ", do_environ, false},
    {"write-tmp", do_write_tmp, false},
    {"connect", do_connect, false},
    {"abstract", do_abstract, false},
    {"ptrace", do_ptrace, false},
    {"kill-parent", do_kill_parent, false},
    {"tgkill-parent", do_tgkill_parent, false},
    {"kill-all", do_kill_all, false},
    {"unshare", do_unshare, false},
    {"mount", do_mount, false},
    {"hostname", do_hostname, false},
    {"rlimit", do_rlimit, false},
    {"io-uring", do_io_uring, false},
    {"bpf", do_bpf, false},
    {"keyctl", do_keyctl, false},
    {"shmget", do_shmget, false},
    {"new-call", do_new_call, false},
#if defined(__x86_64__)
    {"int80", do_int80, false},
    {"x32", do_x32, false},
#endif
};
const size_t hostile_attacks_count = RW_LEN(hostile_attacks);
