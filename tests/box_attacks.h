/* box_attacks.h: the containment table: what the hostile validator tries, and what becomes of it. */
#ifndef RINGWARD_TEST_BOX_ATTACKS_H
#define RINGWARD_TEST_BOX_ATTACKS_H

#include "tests/box_rig.h"

#include <sys/socket.h>
#include <sys/un.h>

enum { ANY = -1 };

/* What the filter alone stops is contained by the layers behind it: `bare` is how the try ended there, as the hostile
 * validator tells it. NULL: the same verdict as with the filter. */
static const struct box_attack {
    const char *id;
    enum verdict_kind want;
    int64_t signal;
    const char *syscall; /* "": none */
    const char *reason;  /* part of it; NULL: not looked at */
    enum verdict_kind bare_want;
    const char *bare;
} attacks[] = {
    {"good", VERDICT_ACCEPTED, 0, "", "fine", VERDICT_ACCEPTED, NULL},
    {"segv", VERDICT_CRASHED, 11, "", "signal 11", VERDICT_CRASHED, NULL},
    {"abort", VERDICT_CRASHED, 6, "", "signal 6", VERDICT_CRASHED, NULL},
    {"stack", VERDICT_CRASHED, 11, "", "signal 11", VERDICT_CRASHED, NULL},
    {"spin", VERDICT_TIMED_OUT, ANY, "", "CPU time", VERDICT_TIMED_OUT, NULL},
    {"sleep", VERDICT_TIMED_OUT, 9, "", "in time", VERDICT_TIMED_OUT, NULL},
    {"stop", VERDICT_TIMED_OUT, 9, "", "in time", VERDICT_TIMED_OUT, NULL},
    {"poll", VERDICT_POLICY_VIOLATION, 9, "poll", NULL, VERDICT_TIMED_OUT, "in time"},
    {"alloc", VERDICT_OUT_OF_MEMORY, ANY, "", NULL, VERDICT_OUT_OF_MEMORY, NULL},
    {"fork", VERDICT_POLICY_VIOLATION, 9, "clone", NULL, VERDICT_ACCEPTED, "EAGAIN after"},
    {"thread", VERDICT_POLICY_VIOLATION, 9, "clone", NULL, VERDICT_ACCEPTED, "works"},
    {"openat", VERDICT_POLICY_VIOLATION, 9, "openat", NULL, VERDICT_ACCEPTED, "ENOENT"},
    {"shadow", VERDICT_POLICY_VIOLATION, 9, "openat", NULL, VERDICT_ACCEPTED, "ENOENT"},
    {"environ", VERDICT_POLICY_VIOLATION, 9, "openat", NULL, VERDICT_ACCEPTED, "ENOENT"},
    {"write-tmp", VERDICT_POLICY_VIOLATION, 9, "openat", NULL, VERDICT_ACCEPTED, "ENOENT"},
    {"connect", VERDICT_POLICY_VIOLATION, 9, "socket", NULL, VERDICT_ACCEPTED, "EACCES"},
    {"abstract", VERDICT_POLICY_VIOLATION, 9, "socket", NULL, VERDICT_ACCEPTED, "ECONNREFUSED"},
    {"ptrace", VERDICT_POLICY_VIOLATION, 9, "ptrace", NULL, VERDICT_ACCEPTED, "EPERM"},
    {"kill-parent", VERDICT_POLICY_VIOLATION, 9, "kill", NULL, VERDICT_ACCEPTED, "EPERM"},
    {"tgkill-parent", VERDICT_POLICY_VIOLATION, 9, "tgkill", NULL, VERDICT_ACCEPTED, "EPERM"},
    {"kill-all", VERDICT_POLICY_VIOLATION, 9, "kill", NULL, VERDICT_ACCEPTED, "ESRCH"},
    {"rwx", VERDICT_POLICY_VIOLATION, 9, "mmap", NULL, VERDICT_ACCEPTED, "EACCES"},
    {"mprotect", VERDICT_POLICY_VIOLATION, 9, "mprotect", NULL, VERDICT_ACCEPTED, "EACCES"},
    {"content-as-code", VERDICT_POLICY_VIOLATION, 9, "mmap", NULL, VERDICT_ACCEPTED, "works"},
    {"exec", VERDICT_POLICY_VIOLATION, 9, "execve", NULL, VERDICT_ACCEPTED, "ENOENT"},
    {"memfd", VERDICT_POLICY_VIOLATION, 9, "memfd_create", NULL, VERDICT_ACCEPTED, "EFBIG"},
    {"unshare", VERDICT_POLICY_VIOLATION, 9, "unshare", NULL, VERDICT_ACCEPTED, NULL},
    {"mount", VERDICT_POLICY_VIOLATION, 9, "mount", NULL, VERDICT_ACCEPTED, "EPERM"},
    {"hostname", VERDICT_POLICY_VIOLATION, 9, "sethostname", NULL, VERDICT_ACCEPTED, "EPERM"},
    {"rlimit", VERDICT_POLICY_VIOLATION, 9, "prlimit64", NULL, VERDICT_ACCEPTED, "EPERM"},
    {"io-uring", VERDICT_POLICY_VIOLATION, 9, "io_uring_setup", NULL, VERDICT_ACCEPTED, NULL},
    {"bpf", VERDICT_POLICY_VIOLATION, 9, "bpf", NULL, VERDICT_ACCEPTED, NULL},
    {"keyctl", VERDICT_POLICY_VIOLATION, 9, "keyctl", NULL, VERDICT_ACCEPTED, NULL},
    {"shmget", VERDICT_POLICY_VIOLATION, 9, "shmget", NULL, VERDICT_ACCEPTED, NULL},
    {"new-call", VERDICT_ACCEPTED, 0, "", "ENOSYS", VERDICT_ACCEPTED, NULL},
#if defined(__x86_64__)
    {"int80", VERDICT_POLICY_VIOLATION, 31, "", "not named", VERDICT_ACCEPTED, NULL},
    {"x32", VERDICT_POLICY_VIOLATION, 31, "", "not named", VERDICT_ACCEPTED, "ENOSYS"},
#endif
    {"write-content", VERDICT_POLICY_VIOLATION, 9, "pwrite64", NULL, VERDICT_ACCEPTED, "EBADF"},
    {"reopen-content", VERDICT_POLICY_VIOLATION, 9, "openat", NULL, VERDICT_ACCEPTED, "ENOENT"},
    {"dup-content", VERDICT_POLICY_VIOLATION, 9, "fcntl", NULL, VERDICT_ACCEPTED, "EINVAL"},
    {"fds", VERDICT_ACCEPTED, 0, "", "0 1 2 3 4 5", VERDICT_ACCEPTED, NULL},
    {"environment", VERDICT_ACCEPTED, 0, "", "LC_ALL=C RINGWARD_VALIDATOR=1", VERDICT_ACCEPTED,
     NULL},
    {"look", VERDICT_ACCEPTED, 0, "", "ENOENT", VERDICT_ACCEPTED, NULL},
    {"flood-verdict", VERDICT_PROTOCOL_ERROR, 9, "", NULL, VERDICT_PROTOCOL_ERROR, NULL},
    {"flood-stderr", VERDICT_PROTOCOL_ERROR, 9, "", NULL, VERDICT_PROTOCOL_ERROR, NULL},
    {"silent", VERDICT_PROTOCOL_ERROR, 0, "", NULL, VERDICT_PROTOCOL_ERROR, NULL},
    {"accept-then-crash", VERDICT_CRASHED, 6, "", NULL, VERDICT_CRASHED, NULL},
    {"accept-exit7", VERDICT_PROTOCOL_ERROR, 0, "", "contradicts", VERDICT_PROTOCOL_ERROR, NULL},
    {"second-object", VERDICT_PROTOCOL_ERROR, 0, "", NULL, VERDICT_PROTOCOL_ERROR, NULL},
    {"key-twice", VERDICT_PROTOCOL_ERROR, 0, "", NULL, VERDICT_PROTOCOL_ERROR, NULL},
    {"deep", VERDICT_PROTOCOL_ERROR, 0, "", NULL, VERDICT_PROTOCOL_ERROR, NULL},
    {"escapes", VERDICT_REFUSED, 0, "", "?[2J evil ?", VERDICT_REFUSED, NULL},
    {"wrong-hash", VERDICT_PROTOCOL_ERROR, 0, "", NULL, VERDICT_PROTOCOL_ERROR, NULL},
    {"oom-exit", VERDICT_OUT_OF_MEMORY, 0, "", NULL, VERDICT_OUT_OF_MEMORY, NULL},
};

/* Only of sleepers the wall clock is the test; a busy host may need long for all others. */
static inline const char *wall_of(const char *mode)
{
    bool sleeps =
        strcmp(mode, "sleep") == 0 || strcmp(mode, "stop") == 0 || strcmp(mode, "poll") == 0;
    return sleeps ? "1s" : NULL;
}

static inline void expect_named(const struct box_attack *it, const struct verdict *v)
{
    if (v->kind != it->want) {
        fail_msg("%s: %s (%s), want %s", it->id, verdict_kind_name(v->kind), v->reason,
                 verdict_kind_name(it->want));
    }
    assert_string_equal(v->syscall, it->syscall);
    if (it->signal != ANY) { assert_int_equal(v->signal, it->signal); }
    if (it->reason != NULL && strstr(v->reason, it->reason) == NULL) {
        fail_msg("%s: reason '%s'", it->id, v->reason);
    }
}

/* Somebody of the host listens where the hostile validator tries to get at him. */
static inline int listen_abstract(void **state)
{
    static const char name[] = "ringward-hostile-listener";
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memmove(at.sun_path + 1, name, sizeof(name) - 1);
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&at, n) != 0 || listen(fd, 4) != 0) {
        return errno == EADDRINUSE ? rig_open(state) : -1; /* another run of this test listens */
    }
    return rig_open(state);
}

#endif
