#include "agent/prove/box_lockdown.h"

#include "agent/prove/box_landlock.h"
#include "agent/prove/box_seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's headers are older than the kernels this runs on. */
enum {
    MDWE_SET = 65,
    MDWE_REFUSE_EXEC_GAIN = 1,
    EMPTY_PATH = 0x1000,
    FILES_STATIC = 16,
    FILES_LOADED = 64, /* a loader has a few open at a time, a parser of paths as well */
};

/* Lowers a limit; a hard limit that is lower already stays (a container may forbid raising it). */
static bool limit(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0) { return false; }
    if (now.rlim_max != RLIM_INFINITY && hard > now.rlim_max) { hard = now.rlim_max; }
    const struct rlimit want = {soft < hard ? soft : hard, hard};
    return setrlimit((__rlimit_resource_t)resource, &want) == 0;
}

static bool set_limits(const struct box_child_spec *spec)
{
    /* Of address space; the launcher and the control group look at what is really used. */
    rlim_t memory = (rlim_t)spec->memory_bytes * 4;
    rlim_t cpu = (rlim_t)spec->cpu_s;
    rlim_t files = spec->profile == BOX_PROFILE_STATIC ? FILES_STATIC : FILES_LOADED;
    rlim_t written = spec->profile == BOX_PROFILE_FILES ? BOX_SCRATCH_BYTES : 0;
    return limit(RLIMIT_CORE, 0, 0) && limit(RLIMIT_FSIZE, written, written) &&
           limit(RLIMIT_NOFILE, files, files) && limit(RLIMIT_CPU, cpu, cpu + 1) &&
           limit(RLIMIT_AS, memory, memory) && limit(RLIMIT_STACK, 8 << 20, 8 << 20) &&
           limit(RLIMIT_MEMLOCK, 0, 0) && limit(RLIMIT_MSGQUEUE, 0, 0) &&
           limit(RLIMIT_SIGPENDING, 64, 64) && limit(RLIMIT_NPROC, 4, 4);
}

/* Gives the listener, or -1. */
static int install_filter(struct box_layers *l, enum box_profile profile)
{
    struct box_seccomp_program program;
    int listener = -1;
    if (!box_layer_wanted(l, BOX_LAYER_SECCOMP)) {
        box_layer_note(l, BOX_LAYER_NOTIFY, false, BOX_LAYER_TAKEN_AWAY);
        return -1;
    }
    if (box_layer_wanted(l, BOX_LAYER_NOTIFY)) {
        box_seccomp_build(&program, profile, getpid(), true);
        const struct sock_fprog prog = {.len = program.count, .filter = program.code};
        listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
        box_layer_note(l, BOX_LAYER_NOTIFY, listener >= 0, errno);
    }
    if (listener >= 0) {
        box_layer_note(l, BOX_LAYER_SECCOMP, true, 0);
        return listener;
    }
    box_seccomp_build(&program, profile, getpid(), false);
    const struct sock_fprog prog = {.len = program.count, .filter = program.code};
    bool done = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0;
    box_layer_note(l, BOX_LAYER_SECCOMP, done, errno);
    return -1;
}

static void note_call(struct box_layers *l, enum box_layer layer, int result)
{
    box_layer_note(l, layer, result == 0, errno);
}

_Noreturn void box_lockdown_and_exec(const struct box_child_spec *spec, struct box_layers *l)
{
    static char locale[] = "LC_ALL=C";
    static char marker[] = "RINGWARD_VALIDATOR=1";
    char *const envp[] = {locale, marker, NULL};
    struct box_child_message ready = {.kind = BOX_CHILD_READY};
    char leave = 0;
    (void)setsid();
    (void)umask(spec->profile == BOX_PROFILE_FILES ? 0077 : 0777);
    if (box_layer_wanted(l, BOX_LAYER_RLIMIT)) {
        note_call(l, BOX_LAYER_RLIMIT, set_limits(spec) ? 0 : -1);
    }
    if (box_layer_wanted(l, BOX_LAYER_NNP)) {
        note_call(l, BOX_LAYER_NNP, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    }
    box_landlock_restrict(l, spec->profile, spec->extension);
    if (box_layer_wanted(l, BOX_LAYER_MDWE)) {
        note_call(l, BOX_LAYER_MDWE, prctl(MDWE_SET, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0));
    }
    int listener = install_filter(l, spec->profile);
    ready.layers = *l;
    /* The launcher gives leave only if enough layers are in force (INV-12). */
    if (!box_child_send(BOX_SECCOMP_CONTROL_FD, &ready, listener) ||
        read(BOX_SECCOMP_CONTROL_FD, &leave, 1) != 1) {
        _exit(BOX_CHILD_EXIT_SETUP);
    }
    (void)syscall(SYS_execveat, BOX_SECCOMP_EXEC_FD, "", spec->argv, envp, EMPTY_PATH);
    _exit(BOX_CHILD_EXIT_SETUP);
}
