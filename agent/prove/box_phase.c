#include "agent/prove/box_phase.h"

#include "agent/prove/box_calls.h"
#include "agent/prove/box_seccomp.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* Descriptors are ints: the kernel looks at the low half of the register only. */
static bool is_input(uint64_t arg)
{
    return (uint32_t)arg == BOX_FD_CONTENT || (uint32_t)arg == BOX_FD_SAMPLES;
}

static bool is_code(const struct seccomp_data *call)
{
    return (call->args[2] & PROT_EXEC) != 0;
}

static bool touches(const struct seccomp_data *call)
{
    if (call->nr == SYS_mmap) { return is_input(call->args[4]) && !is_code(call); }
    return (call->nr == SYS_read || call->nr == SYS_pread64 || call->nr == SYS_readv) &&
           is_input(call->args[0]);
}

static bool is_loading(const struct seccomp_data *call)
{
    switch (call->nr) {
    case SYS_openat:
        return (call->args[2] & box_calls_open_changes()) == 0;
    case SYS_mmap: /* content never becomes code */
        return is_code(call) && !is_input(call->args[4]);
    case SYS_mprotect:
        return is_code(call);
    case SYS_newfstatat:
    case SYS_getdents64:
    case SYS_getcwd:
        return true;
    default:
        return false;
    }
}

static bool is_soft(const struct box_phase *p, int nr)
{
    for (size_t i = 0; i < p->soft_count; i++) {
        if (p->soft[i] == nr) { return true; }
    }
    return false;
}

enum box_phase_answer box_phase_judge(struct box_phase *p, const struct seccomp_data *call,
                                      int *errno_out)
{
    if (call->nr == SYS_execveat && !p->exec && p->leave &&
        (uint32_t)call->args[0] == BOX_SECCOMP_EXEC_FD) {
        p->exec = true;
        return BOX_PHASE_CONTINUE;
    }
    if (!p->exec) { return BOX_PHASE_DENY; }
    if (p->profile != BOX_PROFILE_STATIC) {
        if (touches(call)) {
            p->content = true;
            return BOX_PHASE_CONTINUE;
        }
        if (!p->content && is_loading(call)) { return BOX_PHASE_CONTINUE; }
        if (call->nr == SYS_newfstatat) {
            *errno_out = ENOENT;
            return BOX_PHASE_ERRNO;
        }
    }
    if (is_soft(p, call->nr)) {
        *errno_out = EPERM;
        return BOX_PHASE_ERRNO;
    }
    return BOX_PHASE_DENY;
}

const char *box_phase_name(const struct box_phase *p)
{
    if (!p->exec) { return "setup"; }
    /* Of a static validator nothing is known of phases: it is under the strict filter from its start. */
    return p->content || p->profile == BOX_PROFILE_STATIC ? "content" : "loader";
}
