#include "agent/prove/box_seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define BOX_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define BOX_ARCH AUDIT_ARCH_AARCH64
#else
#error "no system call table for this architecture"
#endif

/* Newest call that was reviewed (mseal); later ones look as if the kernel did not have them. */
enum { NEWEST_REVIEWED = 462, X32_BIT = 0x40000000 };

enum rule_kind {
    RULE_ALLOW,
    RULE_ERRNO,     /* refused softly: C start-up code asks and copes */
    RULE_IF_EQUAL,  /* allowed when argument `arg` is `value` */
    RULE_IF_ABSENT, /* allowed when no bit of `value` is set in argument `arg` */
    RULE_IF_SELF,   /* allowed when argument `arg` is the process itself */
    RULE_IF_NULL,   /* allowed when pointer argument `arg` is NULL */
};

struct rule {
    int nr;
    enum rule_kind kind;
    unsigned arg;
    unsigned value;
};

static const struct rule rules[] = {
    {SYS_read, RULE_ALLOW, 0, 0},
    {SYS_pread64, RULE_ALLOW, 0, 0},
    {SYS_write, RULE_ALLOW, 0, 0},
    {SYS_writev, RULE_ALLOW, 0, 0},
    {SYS_lseek, RULE_ALLOW, 0, 0},
    {SYS_close, RULE_ALLOW, 0, 0},
    {SYS_fstat, RULE_ALLOW, 0, 0},
    {SYS_newfstatat, RULE_IF_EQUAL, 3, 0x1000}, /* AT_EMPTY_PATH: fstat in disguise */
    {SYS_mmap, RULE_IF_ABSENT, 2, PROT_EXEC},
    {SYS_mprotect, RULE_IF_ABSENT, 2, PROT_EXEC},
    {SYS_munmap, RULE_ALLOW, 0, 0},
    {SYS_mremap, RULE_ALLOW, 0, 0},
    {SYS_brk, RULE_ALLOW, 0, 0},
    {SYS_madvise, RULE_ALLOW, 0, 0},
    {SYS_futex, RULE_ALLOW, 0, 0},
    {SYS_rt_sigaction, RULE_ALLOW, 0, 0},
    {SYS_rt_sigprocmask, RULE_ALLOW, 0, 0},
    {SYS_rt_sigreturn, RULE_ALLOW, 0, 0},
    {SYS_sigaltstack, RULE_ALLOW, 0, 0},
    {SYS_restart_syscall, RULE_ALLOW, 0, 0},
    {SYS_tgkill, RULE_IF_SELF, 0, 0}, /* abort() */
    {SYS_getpid, RULE_ALLOW, 0, 0},
    {SYS_gettid, RULE_ALLOW, 0, 0},
    {SYS_getppid, RULE_ALLOW, 0, 0},
    {SYS_getuid, RULE_ALLOW, 0, 0},
    {SYS_geteuid, RULE_ALLOW, 0, 0},
    {SYS_getgid, RULE_ALLOW, 0, 0},
    {SYS_getegid, RULE_ALLOW, 0, 0},
    {SYS_uname, RULE_ALLOW, 0, 0},
    {SYS_sysinfo, RULE_ALLOW, 0, 0},
    {SYS_sched_getaffinity, RULE_ALLOW, 0, 0},
    {SYS_sched_yield, RULE_ALLOW, 0, 0},
    {SYS_clock_gettime, RULE_ALLOW, 0, 0},
    {SYS_clock_getres, RULE_ALLOW, 0, 0},
    {SYS_gettimeofday, RULE_ALLOW, 0, 0},
    {SYS_clock_nanosleep, RULE_ALLOW, 0, 0},
    {SYS_nanosleep, RULE_ALLOW, 0, 0},
    {SYS_getrandom, RULE_ALLOW, 0, 0},
    {SYS_exit, RULE_ALLOW, 0, 0},
    {SYS_exit_group, RULE_ALLOW, 0, 0},
    {SYS_set_tid_address, RULE_ALLOW, 0, 0},
    {SYS_set_robust_list, RULE_ALLOW, 0, 0},
    {SYS_rseq, RULE_ALLOW, 0, 0},
    {SYS_prlimit64, RULE_IF_NULL, 2, 0},
    {SYS_sendmsg, RULE_IF_EQUAL, 0, BOX_SECCOMP_CONTROL_FD}, /* gone after exec */
    {SYS_readlinkat, RULE_ERRNO, 0, ENOENT},
    {SYS_faccessat, RULE_ERRNO, 0, ENOENT},
    {SYS_faccessat2, RULE_ERRNO, 0, ENOENT},
    {SYS_ioctl, RULE_ERRNO, 0, ENOTTY},
    {SYS_statx, RULE_ERRNO, 0, ENOSYS},
    {SYS_clone3, RULE_ERRNO, 0, ENOSYS},
    {SYS_prctl, RULE_ERRNO, 0, EINVAL},
#if defined(__x86_64__)
    {SYS_arch_prctl, RULE_IF_EQUAL, 0, 0x1002}, /* ARCH_SET_FS: thread-local storage at start */
    {SYS_time, RULE_ALLOW, 0, 0},
    {SYS_readlink, RULE_ERRNO, 0, ENOENT},
    {SYS_access, RULE_ERRNO, 0, ENOENT},
    {SYS_stat, RULE_ERRNO, 0, ENOENT},
    {SYS_lstat, RULE_ERRNO, 0, ENOENT},
#endif
};

static void emit(struct box_seccomp_program *p, struct sock_filter one)
{
    RW_ASSERT(p->count < BOX_SECCOMP_PROGRAM_MAX);
    p->code[p->count++] = one;
}

static void emit_return(struct box_seccomp_program *p, unsigned action)
{
    emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void emit_load(struct box_seccomp_program *p, size_t offset)
{
    emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset));
}

static size_t arg_low(unsigned arg)
{
    return offsetof(struct seccomp_data, args) +
           8 * (size_t)arg; /* both targets are little endian */
}

/* Each rule is a block that a mismatch of the number jumps over. `fallback` ends a failed condition. */
static void emit_rule(struct box_seccomp_program *p, const struct rule *r, unsigned fallback)
{
    static const unsigned char lengths[] = {
        [RULE_ALLOW] = 1,   [RULE_ERRNO] = 1,     [RULE_IF_EQUAL] = 4,
        [RULE_IF_SELF] = 4, [RULE_IF_ABSENT] = 4, [RULE_IF_NULL] = 6};
    emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)r->nr, 0,
                                         lengths[r->kind]));
    switch (r->kind) {
    case RULE_ALLOW:
        break;
    case RULE_ERRNO:
        emit_return(p, SECCOMP_RET_ERRNO | (r->value & SECCOMP_RET_DATA));
        return;
    case RULE_IF_SELF: /* box_seccomp_build made it RULE_IF_EQUAL */
    case RULE_IF_EQUAL:
        emit_load(p, arg_low(r->arg));
        emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r->value, 1, 0));
        emit_return(p, fallback);
        break;
    case RULE_IF_ABSENT:
        emit_load(p, arg_low(r->arg));
        emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, r->value, 0, 1));
        emit_return(p, fallback);
        break;
    case RULE_IF_NULL:
        emit_load(p, arg_low(r->arg));
        emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2));
        emit_load(p, arg_low(r->arg) + 4);
        emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
        emit_return(p, fallback);
        break;
    }
    emit_return(p, SECCOMP_RET_ALLOW);
}

void box_seccomp_build(struct box_seccomp_program *p, pid_t self, bool notify)
{
    unsigned fallback = notify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_KILL_PROCESS;
    p->count = 0;
    /* Another architecture's numbers mean other calls: never interpret them. */
    emit_load(p, offsetof(struct seccomp_data, arch));
    emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BOX_ARCH, 1, 0));
    emit_return(p, SECCOMP_RET_KILL_PROCESS);
    emit_load(p, offsetof(struct seccomp_data, nr));
    emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, X32_BIT, 0, 1));
    emit_return(p, SECCOMP_RET_KILL_PROCESS);
    emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NEWEST_REVIEWED, 0, 1));
    emit_return(p, SECCOMP_RET_ERRNO | ENOSYS);
    for (size_t i = 0; i < RW_LEN(rules); i++) {
        struct rule one = rules[i];
        if (one.kind == RULE_IF_SELF) {
            one = (struct rule){one.nr, RULE_IF_EQUAL, one.arg, (unsigned)self};
        }
        emit_rule(p, &one, fallback);
    }
    if (!notify) {
        /* Without a listener the one exec is allowed by its descriptor, which that exec closes. */
        const struct rule exec = {SYS_execveat, RULE_IF_EQUAL, 0, BOX_SECCOMP_EXEC_FD};
        emit_rule(p, &exec, fallback);
    }
    emit_return(p, fallback);
}

static const struct named_call {
    int nr;
    const char *name;
} named_calls[] = {
    {SYS_openat, "openat"},
    {SYS_socket, "socket"},
    {SYS_connect, "connect"},
    {SYS_execve, "execve"},
    {SYS_execveat, "execveat"},
    {SYS_clone, "clone"},
    {SYS_ptrace, "ptrace"},
    {SYS_kill, "kill"},
    {SYS_tkill, "tkill"},
    {SYS_tgkill, "tgkill"},
    {SYS_rt_sigqueueinfo, "rt_sigqueueinfo"},
    {SYS_pidfd_open, "pidfd_open"},
    {SYS_pkey_mprotect, "pkey_mprotect"},
    {SYS_dup3, "dup3"},
    {SYS_readv, "readv"},
    {SYS_sendfile, "sendfile"},
    {SYS_splice, "splice"},
    {SYS_userfaultfd, "userfaultfd"},
    {SYS_init_module, "init_module"},
    {SYS_finit_module, "finit_module"},
    {SYS_chroot, "chroot"},
    {SYS_pivot_root, "pivot_root"},
    {SYS_setresuid, "setresuid"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_mmap, "mmap"},
    {SYS_mprotect, "mprotect"},
    {SYS_memfd_create, "memfd_create"},
    {SYS_unshare, "unshare"},
    {SYS_setns, "setns"},
    {SYS_mount, "mount"},
    {SYS_umount2, "umount2"},
    {SYS_bpf, "bpf"},
    {SYS_io_uring_setup, "io_uring_setup"},
    {SYS_keyctl, "keyctl"},
    {SYS_add_key, "add_key"},
    {SYS_shmget, "shmget"},
    {SYS_pwrite64, "pwrite64"},
    {SYS_dup, "dup"},
    {SYS_fcntl, "fcntl"},
    {SYS_prlimit64, "prlimit64"},
    {SYS_setrlimit, "setrlimit"},
    {SYS_sethostname, "sethostname"},
    {SYS_unlinkat, "unlinkat"},
    {SYS_mkdirat, "mkdirat"},
    {SYS_renameat2, "renameat2"},
    {SYS_ppoll, "ppoll"},
    {SYS_process_vm_readv, "process_vm_readv"},
    {SYS_perf_event_open, "perf_event_open"},
    {SYS_sendto, "sendto"},
    {SYS_setuid, "setuid"},
    {SYS_ftruncate, "ftruncate"},
    {SYS_newfstatat, "newfstatat"},
    {SYS_getdents64, "getdents64"},
#if defined(__x86_64__)
    {SYS_open, "open"},
    {SYS_fork, "fork"},
    {SYS_vfork, "vfork"},
    {SYS_poll, "poll"},
    {SYS_arch_prctl, "arch_prctl"},
    {SYS_creat, "creat"},
#endif
};

void box_seccomp_name(int nr, char *dst, size_t cap)
{
    for (size_t i = 0; i < RW_LEN(named_calls); i++) {
        if (named_calls[i].nr == nr) {
            (void)snprintf(dst, cap, "%s", named_calls[i].name);
            return;
        }
    }
    (void)snprintf(dst, cap, "system call %d", nr);
}
