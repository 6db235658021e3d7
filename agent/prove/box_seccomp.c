#include "agent/prove/box_seccomp.h"

#include "agent/prove/box_calls.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define BOX_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define BOX_ARCH AUDIT_ARCH_AARCH64
#else
#error "no system call table for this architecture"
#endif

enum { X32_BIT = 0x40000000, EMPTY_PATH = 0x1000 };

/* What the rules become depends on who may be asked. */
struct build {
    struct box_seccomp_program *p;
    enum box_profile profile;
    bool notify;
    unsigned self;
    unsigned fallback; /* of everything that is not permitted */
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

static void emit_errno(struct box_seccomp_program *p, unsigned value)
{
    emit_return(p, SECCOMP_RET_ERRNO | (value & SECCOMP_RET_DATA));
}

static void emit_load(struct box_seccomp_program *p, size_t offset)
{
    emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset));
}

/* The low half of an argument: both targets are little endian. */
static void emit_load_arg(struct box_seccomp_program *p, unsigned arg)
{
    emit_load(p, offsetof(struct seccomp_data, args) + 8 * (size_t)arg);
}

static void emit_if_equal(struct box_seccomp_program *p, unsigned value, unsigned action)
{
    emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    emit_return(p, action);
}

static void emit_if_any_bit(struct box_seccomp_program *p, unsigned bits, unsigned action)
{
    emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1));
    emit_return(p, action);
}

/* Content and samples go to the listener: the first touch ends the loader's phase. */
static void emit_if_input(const struct build *b, unsigned arg, unsigned action)
{
    emit_load_arg(b->p, arg);
    emit_if_equal(b->p, BOX_FD_CONTENT, action);
    emit_if_equal(b->p, BOX_FD_SAMPLES, action);
}

static bool has_phases(const struct build *b)
{
    return b->profile != BOX_PROFILE_STATIC && b->notify;
}

/* The loader's calls when nobody listens: open for the whole run of a profile that has a loader. */
static bool loader_open(const struct build *b)
{
    return b->profile != BOX_PROFILE_STATIC && !b->notify;
}

static void emit_mmap(const struct build *b)
{
    enum { PROT_ARG = 2, FD_ARG = 4 };
    if (loader_open(b)) {
        emit_load_arg(b->p, PROT_ARG);
        emit(b->p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0));
        emit_return(b->p, SECCOMP_RET_ALLOW);
        emit_if_input(b, FD_ARG, b->fallback); /* content never becomes code */
    } else {
        emit_load_arg(b->p, PROT_ARG);
        emit_if_any_bit(b->p, PROT_EXEC, b->fallback);
        if (has_phases(b)) { emit_if_input(b, FD_ARG, SECCOMP_RET_USER_NOTIF); }
    }
    emit_return(b->p, SECCOMP_RET_ALLOW);
}

/* By path: loader phase (the listener asks), or as if nothing were there. */
static void emit_stat(const struct build *b)
{
    emit_load_arg(b->p, 3);
    emit_if_equal(b->p, EMPTY_PATH, SECCOMP_RET_ALLOW);
    if (has_phases(b)) {
        emit_return(b->p, SECCOMP_RET_USER_NOTIF);
    } else if (loader_open(b)) {
        emit_return(b->p, SECCOMP_RET_ALLOW);
    } else {
        emit_errno(b->p, ENOENT);
    }
}

static void emit_list(const struct build *b, const struct box_calls_rule *r)
{
    emit_load_arg(b->p, r->arg);
    if (r->value != 0) {
        emit(b->p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~r->value));
    }
    for (size_t i = 0; i < r->list_count; i++) {
        emit_if_equal(b->p, r->list[i], SECCOMP_RET_ALLOW);
    }
}

static void emit_null(const struct build *b, unsigned arg)
{
    emit_load_arg(b->p, arg);
    emit(b->p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
    emit_return(b->p, b->fallback);
    emit_load(b->p, offsetof(struct seccomp_data, args) + 8 * (size_t)arg + 4);
    emit_if_equal(b->p, 0, SECCOMP_RET_ALLOW);
    emit_return(b->p, b->fallback);
}

/* Ends in a return on every path. */
static void emit_body(const struct build *b, const struct box_calls_rule *r)
{
    struct box_seccomp_program *p = b->p;
    switch (r->kind) {
    case BOX_CALL_ALLOW:
        emit_return(p, SECCOMP_RET_ALLOW);
        return;
    case BOX_CALL_ERRNO:
        emit_errno(p, r->soft);
        return;
    case BOX_CALL_EQUAL:
    case BOX_CALL_EQUAL_SOFT:
    case BOX_CALL_SELF:
        emit_load_arg(p, r->arg);
        emit_if_equal(p, r->kind == BOX_CALL_SELF ? b->self : r->value, SECCOMP_RET_ALLOW);
        break;
    case BOX_CALL_ONE_OF:
    case BOX_CALL_ONE_OF_SOFT:
        emit_list(b, r);
        break;
    case BOX_CALL_NULL:
        emit_null(b, r->arg);
        return;
    case BOX_CALL_TOUCH:
        if (has_phases(b)) { emit_if_input(b, 0, SECCOMP_RET_USER_NOTIF); }
        emit_return(p, SECCOMP_RET_ALLOW);
        return;
    case BOX_CALL_MMAP:
        emit_mmap(b);
        return;
    case BOX_CALL_MPROTECT:
        emit_load_arg(p, 2);
        if (!loader_open(b)) { emit_if_any_bit(p, PROT_EXEC, b->fallback); }
        emit_return(p, SECCOMP_RET_ALLOW);
        return;
    case BOX_CALL_STAT:
        emit_stat(b);
        return;
    case BOX_CALL_LOADER_OPEN:
        emit_load_arg(p, 2);
        emit_if_any_bit(p, box_calls_open_changes(), b->fallback);
        emit_return(p, b->notify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW);
        return;
    case BOX_CALL_LOADER:
        emit_return(p, b->notify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW);
        return;
    }
    if (r->soft != 0) {
        emit_errno(p, r->soft);
    } else {
        emit_return(p, b->fallback);
    }
}

/* Each rule is a block that a mismatch of the number jumps over. */
static void emit_rules(const struct build *b, const struct box_calls_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned short head = b->p->count;
        emit(b->p,
             (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)rules[i].nr, 0, 0));
        emit_body(b, &rules[i]);
        int body = b->p->count - head - 1;
        RW_ASSERT(body > 0 && body < 256);
        b->p->code[head].jf = (unsigned char)body;
    }
}

static void emit_head(struct box_seccomp_program *p)
{
    /* Another architecture's numbers mean other calls: never interpret them. */
    emit_load(p, offsetof(struct seccomp_data, arch));
    emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BOX_ARCH, 1, 0));
    emit_return(p, SECCOMP_RET_KILL_PROCESS);
    emit_load(p, offsetof(struct seccomp_data, nr));
    emit_if_any_bit(p, X32_BIT, SECCOMP_RET_KILL_PROCESS);
    emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, BOX_CALLS_NEWEST, 0, 1));
    emit_return(p, SECCOMP_RET_ERRNO | ENOSYS);
}

void box_seccomp_build(struct box_seccomp_program *p, enum box_profile profile, pid_t self,
                       bool notify)
{
    const struct build b = {.p = p,
                            .profile = profile,
                            .notify = notify,
                            .self = (unsigned)self,
                            .fallback = notify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_KILL_PROCESS};
    size_t count = 0;
    p->count = 0;
    emit_head(p);
    if (profile == BOX_PROFILE_FILES) {
        const struct box_calls_rule *files = box_calls_files(&count);
        emit_rules(&b, files, count);
    }
    const struct box_calls_rule *strict = box_calls_strict(&count);
    emit_rules(&b, strict, count);
    if (profile != BOX_PROFILE_STATIC) {
        const struct box_calls_rule *loader = box_calls_loader(&count);
        emit_rules(&b, loader, count);
    }
    if (!notify) {
        /* Without a listener the one exec is allowed by its descriptor, which that exec closes. */
        const struct box_calls_rule exec = {
            .nr = SYS_execveat, .kind = BOX_CALL_EQUAL, .arg = 0, .value = BOX_SECCOMP_EXEC_FD};
        emit_rules(&b, &exec, 1);
    }
    emit_return(p, b.fallback);
}
