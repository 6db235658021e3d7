#include "agent/prove/box_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Debian 12's headers are older than the kernels this runs on. */
enum {
    EMPTY_PATH = 0x1000, /* AT_EMPTY_PATH: fstat in disguise */
    DUMPABLE = 4,        /* PR_SET_DUMPABLE */
    ARCH_FS = 0x1002,    /* ARCH_SET_FS: thread-local storage at start */
    PAC_RESET_KEYS = 54, /* PR_PAC_RESET_KEYS: aarch64, when pointer authentication is on */
    EXEC_FD = 6,
    CONTROL_FD = 7,
};

/* NORMAL to DONTNEED, FREE, HUGEPAGE, NOHUGEPAGE, DONTDUMP, GUARD_INSTALL, GUARD_REMOVE. */
static const unsigned advice[] = {0, 1, 2, 3, 4, 8, 14, 15, 16, 102, 103};
/* No priority inheritance: it is the part of futex with the longest list of kernel faults. */
static const unsigned futex_operations[] = {
    FUTEX_WAIT,    FUTEX_WAKE,        FUTEX_REQUEUE,     FUTEX_CMP_REQUEUE,
    FUTEX_WAKE_OP, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET,
};
static const unsigned fcntl_commands[] = {F_GETFD, F_GETFL};

#define LIST(values) .list = (values), .list_count = RW_LEN(values)
#define ALLOW(call)                                                                                \
    {                                                                                              \
        .nr = SYS_##call, .kind = BOX_CALL_ALLOW                                                   \
    }
#define SOFT(call, errno_value)                                                                    \
    {                                                                                              \
        .nr = SYS_##call, .kind = BOX_CALL_ERRNO, .soft = (errno_value)                            \
    }

static const struct box_calls_rule strict[] = {
    {.nr = SYS_read, .kind = BOX_CALL_TOUCH},
    {.nr = SYS_pread64, .kind = BOX_CALL_TOUCH},
    {.nr = SYS_readv, .kind = BOX_CALL_TOUCH},
    {.nr = SYS_mmap, .kind = BOX_CALL_MMAP},
    {.nr = SYS_mprotect, .kind = BOX_CALL_MPROTECT},
    {.nr = SYS_newfstatat, .kind = BOX_CALL_STAT},
    {.nr = SYS_statx, .kind = BOX_CALL_EQUAL_SOFT, .arg = 2, .value = EMPTY_PATH, .soft = ENOSYS},
    ALLOW(write),
    ALLOW(writev),
    ALLOW(lseek),
    ALLOW(close),
    ALLOW(fstat),
    {.nr = SYS_fcntl, .kind = BOX_CALL_ONE_OF, .arg = 1, LIST(fcntl_commands)},
    ALLOW(munmap),
    ALLOW(mremap),
    ALLOW(brk),
    {.nr = SYS_madvise, .kind = BOX_CALL_ONE_OF_SOFT, .arg = 2, .soft = EINVAL, LIST(advice)},
    {.nr = SYS_futex,
     .kind = BOX_CALL_ONE_OF,
     .arg = 1,
     .value = FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME,
     LIST(futex_operations)},
    ALLOW(rt_sigaction),
    ALLOW(rt_sigprocmask),
    ALLOW(rt_sigreturn),
    ALLOW(sigaltstack),
    ALLOW(restart_syscall),
    {.nr = SYS_tgkill, .kind = BOX_CALL_SELF, .arg = 0}, /* abort() */
    ALLOW(getpid),
    ALLOW(gettid),
    ALLOW(getppid),
    ALLOW(getuid),
    ALLOW(geteuid),
    ALLOW(getgid),
    ALLOW(getegid),
    ALLOW(uname),
    ALLOW(sysinfo),
    ALLOW(sched_getaffinity),
    ALLOW(sched_yield),
    ALLOW(clock_gettime),
    ALLOW(clock_getres),
    ALLOW(gettimeofday),
    ALLOW(clock_nanosleep),
    ALLOW(nanosleep),
    ALLOW(getrandom),
    ALLOW(exit),
    ALLOW(exit_group),
    /* --- start-up of the C library --- */
    ALLOW(set_tid_address),
    ALLOW(set_robust_list),
    ALLOW(rseq),
    {.nr = SYS_prlimit64, .kind = BOX_CALL_NULL, .arg = 2},
    /* --- the launcher's own tail: both descriptors close at exec --- */
    {.nr = SYS_sendmsg, .kind = BOX_CALL_EQUAL, .arg = 0, .value = CONTROL_FD},
    /* --- refused softly --- */
    SOFT(readlinkat, ENOENT),
    SOFT(faccessat, ENOENT),
    SOFT(faccessat2, ENOENT),
    SOFT(ioctl, ENOTTY),
    SOFT(clone3, ENOSYS),
#if defined(__x86_64__)
    ALLOW(time),
    {.nr = SYS_arch_prctl, .kind = BOX_CALL_EQUAL_SOFT, .arg = 0, .value = ARCH_FS, .soft = EINVAL},
    SOFT(prctl, EINVAL),
    SOFT(readlink, ENOENT),
    SOFT(access, ENOENT),
    SOFT(stat, ENOENT),
    SOFT(lstat, ENOENT),
#elif defined(__aarch64__)
    {.nr = SYS_prctl,
     .kind = BOX_CALL_EQUAL_SOFT,
     .arg = 0,
     .value = PAC_RESET_KEYS,
     .soft = EINVAL},
#endif
};

/* What a loader of libraries needs, until the first untrusted byte was read. */
static const struct box_calls_rule loader[] = {
    {.nr = SYS_openat, .kind = BOX_CALL_LOADER_OPEN},
    {.nr = SYS_getdents64, .kind = BOX_CALL_LOADER},
    {.nr = SYS_getcwd, .kind = BOX_CALL_LOADER},
};

/* What parsers need that insist on paths: bounded by the root of their own, Landlock and the scratch's size. */
static const struct box_calls_rule files[] = {
    ALLOW(openat),     ALLOW(newfstatat), ALLOW(getdents64), ALLOW(faccessat), ALLOW(faccessat2),
    ALLOW(readlinkat), ALLOW(mkdirat),    ALLOW(unlinkat),   ALLOW(fchmodat),  ALLOW(fchmod),
    ALLOW(ftruncate),  ALLOW(renameat2),  ALLOW(pwrite64),
#if defined(__x86_64__)
    ALLOW(open),       ALLOW(stat),       ALLOW(lstat),      ALLOW(access),    ALLOW(readlink),
    ALLOW(mkdir),      ALLOW(rmdir),      ALLOW(unlink),     ALLOW(chmod),     ALLOW(rename),
#endif
};

const struct box_calls_rule *box_calls_strict(size_t *count_out)
{
    *count_out = RW_LEN(strict);
    return strict;
}

const struct box_calls_rule *box_calls_loader(size_t *count_out)
{
    *count_out = RW_LEN(loader);
    return loader;
}

const struct box_calls_rule *box_calls_files(size_t *count_out)
{
    *count_out = RW_LEN(files);
    return files;
}

unsigned box_calls_open_changes(void)
{
    return (unsigned)O_ACCMODE | (unsigned)O_CREAT | (unsigned)O_TRUNC |
           ((unsigned)O_TMPFILE & ~(unsigned)O_DIRECTORY);
}

/* From the compiler's own kernel headers (CMakeLists.txt), and what is newer than they are. */
static const struct named_call {
    int nr;
    const char *name;
} named_calls[] = {
#include "box_call_names.inc"
    {451, "cachestat"},         {452, "fchmodat2"},        {453, "map_shadow_stack"},
    {454, "futex_wake"},        {455, "futex_wait"},       {456, "futex_requeue"},
    {457, "statmount"},         {458, "listmount"},        {459, "lsm_get_self_attr"},
    {460, "lsm_set_self_attr"}, {461, "lsm_list_modules"}, {BOX_CALLS_NEWEST, "mseal"},
};

void box_calls_name(int nr, char *dst, size_t cap)
{
    for (size_t i = 0; i < RW_LEN(named_calls); i++) {
        if (named_calls[i].nr == nr) {
            (void)snprintf(dst, cap, "%s", named_calls[i].name);
            return;
        }
    }
    (void)snprintf(dst, cap, "system call %d", nr);
}

int box_calls_number(const char *name, size_t n)
{
    for (size_t i = 0; i < RW_LEN(named_calls); i++) {
        if (strlen(named_calls[i].name) == n && strncmp(named_calls[i].name, name, n) == 0) {
            return named_calls[i].nr;
        }
    }
    return -1;
}
