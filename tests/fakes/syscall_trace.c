#include "tests/fakes/syscall_trace.h"

#include "tests/harness.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

const char *syscall_kind_name(enum syscall_kind kind)
{
    static const char *const names[] = {"create",  "write",  "sync",  "rename",   "link",
                                        "symlink", "unlink", "mkdir", "truncate", "chmod",
                                        "bind",    "open",   "read",  "list",     "stat",
                                        "lock",    "socket", "take",  "put",      "other"};
    return names[kind];
}

#if defined(__x86_64__)

struct call {
    enum syscall_kind kind;
    bool has_fd;    /* its first argument is a descriptor that decides whether the call counts */
    int length_arg; /* register of the length: 2 (rdx); negative: none */
};

static const struct {
    long nr;
    struct call call;
} known[] = {
    {SYS_openat, {SYSCALL_OPEN, false, -1}},       {SYS_write, {SYSCALL_WRITE, true, 2}},
    {SYS_pwrite64, {SYSCALL_WRITE, true, 2}},      {SYS_writev, {SYSCALL_WRITE, true, -1}},
    {SYS_fsync, {SYSCALL_SYNC, true, -1}},         {SYS_fdatasync, {SYSCALL_SYNC, true, -1}},
    {SYS_rename, {SYSCALL_RENAME, false, -1}},     {SYS_renameat, {SYSCALL_RENAME, false, -1}},
    {SYS_renameat2, {SYSCALL_RENAME, false, -1}},  {SYS_linkat, {SYSCALL_LINK, false, -1}},
    {SYS_link, {SYSCALL_LINK, false, -1}},         {SYS_symlinkat, {SYSCALL_SYMLINK, false, -1}},
    {SYS_symlink, {SYSCALL_SYMLINK, false, -1}},   {SYS_unlinkat, {SYSCALL_UNLINK, false, -1}},
    {SYS_unlink, {SYSCALL_UNLINK, false, -1}},     {SYS_rmdir, {SYSCALL_UNLINK, false, -1}},
    {SYS_mkdirat, {SYSCALL_MKDIR, false, -1}},     {SYS_mkdir, {SYSCALL_MKDIR, false, -1}},
    {SYS_ftruncate, {SYSCALL_TRUNCATE, true, -1}}, {SYS_truncate, {SYSCALL_TRUNCATE, false, -1}},
    {SYS_fallocate, {SYSCALL_TRUNCATE, true, -1}}, {SYS_fchmod, {SYSCALL_CHMOD, true, -1}},
    {SYS_fchmodat, {SYSCALL_CHMOD, false, -1}},    {SYS_bind, {SYSCALL_BIND, false, -1}},
    {SYS_read, {SYSCALL_READ, true, 2}},           {SYS_pread64, {SYSCALL_READ, true, 2}},
    {SYS_getdents64, {SYSCALL_LIST, true, -1}},    {SYS_readlinkat, {SYSCALL_STAT, false, -1}},
    {SYS_newfstatat, {SYSCALL_STAT, false, -1}},   {SYS_fstat, {SYSCALL_STAT, true, -1}},
    {SYS_lseek, {SYSCALL_STAT, true, -1}},         {SYS_flock, {SYSCALL_LOCK, true, -1}},
    {SYS_socket, {SYSCALL_SOCKET, false, -1}},     {SYS_connect, {SYSCALL_SOCKET, false, -1}},
    {SYS_sendto, {SYSCALL_SOCKET, false, 2}},      {SYS_recvfrom, {SYSCALL_SOCKET, false, 2}},
    {SYS_sendmsg, {SYSCALL_SOCKET, false, -1}},    {SYS_recvmsg, {SYSCALL_SOCKET, false, -1}},
};

static struct call call_of(const struct user_regs_struct *r)
{
    for (size_t i = 0; i < RW_LEN(known); i++) {
        if ((long)r->orig_rax != known[i].nr) { continue; }
        struct call c = known[i].call;
        bool makes = ((int)r->rdx & (O_CREAT | O_TRUNC)) != 0;
        if (c.kind == SYSCALL_OPEN && makes) { c.kind = SYSCALL_CREATE; }
        return c;
    }
    return (struct call){SYSCALL_OTHER, false, -1};
}

static bool is_below(pid_t pid, int fd, const char *folder)
{
    char link[64];
    char path[512];
    (void)snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n <= 0) { return false; }
    path[n] = '\0';
    return strncmp(path, folder, strlen(folder)) == 0;
}

static enum syscall_kind kind_outside(enum syscall_kind kind)
{
    if (kind == SYSCALL_READ) { return SYSCALL_TAKE; }
    return kind == SYSCALL_WRITE ? SYSCALL_PUT : SYSCALL_OTHER;
}

/* Lets the child run to its next stop at a system call. False: it has ended, with this status. */
static bool next_stop(pid_t pid, int *status)
{
    int deliver = 0;
    for (;;) {
        if (ptrace(PTRACE_SYSCALL, pid, NULL, deliver) != 0 && errno != ESRCH) { return false; }
        if (waitpid(pid, status, 0) != pid || !WIFSTOPPED(*status)) { return false; }
        if (WSTOPSIG(*status) == (SIGTRAP | 0x80)) { return true; }
        deliver = WSTOPSIG(*status) == SIGTRAP ? 0 : WSTOPSIG(*status);
    }
}

static void at_entry(pid_t pid, const struct syscall_plan *p, struct user_regs_struct *r)
{
    if (p->deed == SYSCALL_FAIL) { r->orig_rax = (unsigned long long)-1; }
    if (p->deed == SYSCALL_SHORT) { r->rdx = 1; }
    (void)ptrace(PTRACE_SETREGS, pid, NULL, r);
}

static void at_exit(pid_t pid, const struct syscall_plan *p)
{
    struct user_regs_struct r;
    if (p->deed == SYSCALL_KILL) { (void)kill(pid, SIGKILL); }
    if (p->deed != SYSCALL_FAIL || ptrace(PTRACE_GETREGS, pid, NULL, &r) != 0) { return; }
    r.rax = (unsigned long long)-p->error;
    (void)ptrace(PTRACE_SETREGS, pid, NULL, &r);
}

/* Is this call one of those that count, and the one that the deed is for? */
static bool is_due(pid_t pid, const struct syscall_plan *p, const struct user_regs_struct *r,
                   struct syscall_result *out)
{
    struct call c = call_of(r);
    if (c.has_fd && !is_below(pid, (int)r->rdi, p->folder)) { c.kind = kind_outside(c.kind); }
    if ((p->kinds >> c.kind & 1U) == 0) { return false; }
    if (p->deed == SYSCALL_SHORT && (c.length_arg < 0 || r->rdx <= 1)) { return false; }
    out->counted++;
    out->by_kind[c.kind]++;
    bool due = p->deed != SYSCALL_ONLY_COUNT &&
               (out->counted == p->at || (p->from_there_on && out->counted > p->at));
    if (due && !out->hit) {
        out->hit = true;
        out->kind = c.kind;
    }
    return due;
}

static void follow(pid_t pid, const struct syscall_plan *p, struct syscall_result *out)
{
    struct user_regs_struct r;
    while (next_stop(pid, &out->status)) { /* at the entry of a call */
        bool due = ptrace(PTRACE_GETREGS, pid, NULL, &r) == 0 && is_due(pid, p, &r, out);
        if (due) { at_entry(pid, p, &r); }
        if (!next_stop(pid, &out->status)) { return; } /* at its end */
        if (due) { at_exit(pid, p); }
    }
}

bool syscall_trace_works(void)
{
    return true;
}

struct syscall_result syscall_trace(int (*life)(void *ctx), void *ctx,
                                    const struct syscall_plan *plan)
{
    struct syscall_result out = {.counted = 0};
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) { fail_msg("fork: %s", strerror(errno)); }
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP); /* waits for the tracer's options */
        _exit(life(ctx));
    }
    if (waitpid(pid, &out.status, 0) != pid || !WIFSTOPPED(out.status) ||
        ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &out.status, 0);
        return out;
    }
    follow(pid, plan, &out);
    return out;
}

#else

bool syscall_trace_works(void)
{
    return false;
}

struct syscall_result syscall_trace(int (*life)(void *ctx), void *ctx,
                                    const struct syscall_plan *plan)
{
    (void)plan;
    return (struct syscall_result){.status = life(ctx)};
}

#endif
