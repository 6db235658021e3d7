/* Goal: the filter's program decides by number and arguments in every profile, and what it asks the launcher about
 * goes on only in the loader's phase and never once content was touched (INV-5). Runs under the sanitizers: the
 * program is interpreted here as the kernel would. */
#include "agent/prove/box_calls.h"
#include "agent/prove/box_phase.h"
#include "agent/prove/box_seccomp.h"
#include "tests/harness.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { SELF = 4242, EMPTY_PATH = 0x1000 };

#if defined(__aarch64__)
#define OWN_ARCH 0xC00000B7U
#else
#define OWN_ARCH 0xC000003EU
#endif

static unsigned simulate(const struct box_seccomp_program *p, const struct seccomp_data *call)
{
    unsigned acc = 0;
    for (unsigned at = 0; at < p->count; at++) {
        const struct sock_filter *f = &p->code[at];
        switch (f->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memmove(&acc, (const char *)call + f->k, sizeof(acc));
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            acc &= f->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += acc == f->k ? f->jt : f->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            at += (acc & f->k) != 0 ? f->jt : f->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            at += acc > f->k ? f->jt : f->jf;
            break;
        case BPF_RET | BPF_K:
            return f->k;
        default:
            fail_msg("unknown instruction %u", f->code);
        }
    }
    fail_msg("the program has no end");
    return 0;
}

/* A allow, N ask the launcher, K kill; other numbers: refused softly with that errno. One letter per profile and
 * listener: static, dynamic, files with a listener; static, dynamic, files without. */
enum { A = -1, N = -2, K = -3 };

static const struct {
    const char *id;
    int nr;
    uint64_t args[6];
    int want[6];
} calls[] = {
    {"read of content", SYS_read, {3}, {A, N, N, A, A, A}},
    {"pread of samples", SYS_pread64, {4}, {A, N, N, A, A, A}},
    {"readv of content", SYS_readv, {3}, {A, N, N, A, A, A}},
    {"read of a library", SYS_read, {8}, {A, A, A, A, A, A}},
    {"preadv of content", SYS_preadv, {3}, {N, N, N, K, K, K}},
    {"openat for reading", SYS_openat, {0, 0, 0}, {N, N, A, K, A, A}},
    {"openat for writing", SYS_openat, {0, 0, 1}, {N, N, A, K, K, A}},
    {"openat that makes a file", SYS_openat, {0, 0, 0100}, {N, N, A, K, K, A}},
    {"openat that cuts a file", SYS_openat, {0, 0, 01000}, {N, N, A, K, K, A}},
    {"mmap of data", SYS_mmap, {0, 1, PROT_READ | PROT_WRITE, 0, 9}, {A, A, A, A, A, A}},
    {"mmap of content", SYS_mmap, {0, 1, PROT_READ, 0, 3}, {A, N, N, A, A, A}},
    {"mmap of code", SYS_mmap, {0, 1, PROT_READ | PROT_EXEC, 0, 9}, {N, N, N, K, A, A}},
    {"mmap of content as code", SYS_mmap, {0, 1, PROT_EXEC, 0, 3}, {N, N, N, K, K, K}},
    {"mprotect to data", SYS_mprotect, {0, 1, PROT_READ}, {A, A, A, A, A, A}},
    {"mprotect to code", SYS_mprotect, {0, 1, PROT_EXEC}, {N, N, N, K, A, A}},
    {"abort of itself", SYS_tgkill, {SELF, SELF, 6}, {A, A, A, A, A, A}},
    {"a signal to another", SYS_tgkill, {SELF + 1, SELF, 9}, {N, N, N, K, K, K}},
    {"fstat in disguise", SYS_newfstatat, {3, 0, 0, EMPTY_PATH}, {A, A, A, A, A, A}},
    {"stat by path", SYS_newfstatat, {3, 0, 0, 0}, {ENOENT, N, A, ENOENT, A, A}},
    {"statx by path", SYS_statx, {0, 0, 0}, {ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS}},
    {"statx of a descriptor", SYS_statx, {3, 0, EMPTY_PATH}, {A, A, A, A, A, A}},
    {"asking for a limit", SYS_prlimit64, {0, 3, 0}, {A, A, A, A, A, A}},
    {"setting a limit", SYS_prlimit64, {0, 3, 0x1000}, {N, N, N, K, K, K}},
    {"setting a limit, high pointer", SYS_prlimit64, {0, 3, UINT64_C(1) << 32}, {N, N, N, K, K, K}},
    {"sendmsg on the control socket", SYS_sendmsg, {7}, {A, A, A, A, A, A}},
    {"sendmsg elsewhere", SYS_sendmsg, {5}, {N, N, N, K, K, K}},
    {"close-on-exec flag", SYS_fcntl, {3, 1}, {A, A, A, A, A, A}},
    {"a second descriptor of content", SYS_fcntl, {3, 0}, {N, N, N, K, K, K}},
    {"advice", SYS_madvise, {0, 0, 4}, {A, A, A, A, A, A}},
    {"advice to merge pages", SYS_madvise, {0, 0, 12}, {22, 22, 22, 22, 22, 22}},
    {"waiting", SYS_futex, {0, FUTEX_WAIT | FUTEX_PRIVATE_FLAG}, {A, A, A, A, A, A}},
    {"priority inheritance", SYS_futex, {0, FUTEX_LOCK_PI}, {N, N, N, K, K, K}},
    {"folders", SYS_getdents64, {3}, {N, N, A, K, A, A}},
    {"removing", SYS_unlinkat, {3}, {N, N, A, K, K, A}},
    {"writing into a file", SYS_pwrite64, {3}, {N, N, A, K, K, A}},
    {"a terminal", SYS_ioctl, {1}, {ENOTTY, ENOTTY, ENOTTY, ENOTTY, ENOTTY, ENOTTY}},
    {"clone3", SYS_clone3, {0}, {ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS}},
    {"a call of the future", 463, {0}, {ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS}},
    {"exec", SYS_execve, {0}, {N, N, N, K, K, K}},
    {"exec of the validator", SYS_execveat, {6}, {N, N, N, A, A, A}},
    {"exec of the content", SYS_execveat, {3}, {N, N, N, K, K, K}},
    {"clone", SYS_clone, {0}, {N, N, N, K, K, K}},
    {"a socket", SYS_socket, {1}, {N, N, N, K, K, K}},
#if defined(__x86_64__)
    {"thread-local storage", SYS_arch_prctl, {0x1002}, {A, A, A, A, A, A}},
    {"shadow stacks", SYS_arch_prctl, {0x5001}, {22, 22, 22, 22, 22, 22}},
    {"access", SYS_access, {0}, {ENOENT, ENOENT, A, ENOENT, ENOENT, A}},
    {"a call of x32", 0x40000000, {0}, {K, K, K, K, K, K}},
#endif
};

static unsigned action_of(int want)
{
    if (want == A) { return SECCOMP_RET_ALLOW; }
    if (want == N) { return SECCOMP_RET_USER_NOTIF; }
    if (want == K) { return SECCOMP_RET_KILL_PROCESS; }
    return SECCOMP_RET_ERRNO | (unsigned)want;
}

TEST_EACH(the_filter_decides_by_profile_number_and_arguments, calls)
{
    for (int i = 0; i < 6; i++) {
        struct box_seccomp_program p;
        struct seccomp_data call = {.nr = it->nr, .arch = OWN_ARCH};
        memmove(call.args, it->args, sizeof(call.args));
        box_seccomp_build(&p, (enum box_profile)(i % 3), SELF, i < 3);
        unsigned got = simulate(&p, &call);
        if (got != action_of(it->want[i])) { fail_msg("column %d: %x", i, got); }
        call.arch = 0x40000003U; /* 32-bit x86 */
        assert_int_equal(simulate(&p, &call), SECCOMP_RET_KILL_PROCESS);
    }
}

TEST(programs_are_small_and_end_in_a_denial)
{
    for (int i = 0; i < 6; i++) {
        struct box_seccomp_program p;
        box_seccomp_build(&p, (enum box_profile)(i % 3), SELF, i < 3);
        assert_true(p.count < BOX_SECCOMP_PROGRAM_MAX);
        unsigned last = p.code[p.count - 1].k;
        assert_int_equal(last, i < 3 ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_KILL_PROCESS);
    }
}

/* --- what the launcher answers --- */

enum { C = 0, D = -1 };

static const struct {
    const char *id;
    int nr;
    uint64_t args[6];
    int loader;  /* C goes on, D denied, else errno; dynamic profile */
    int content; /* the same behind the first touch */
    int fixed;   /* static profile */
} questions[] = {
    {"openat for reading", SYS_openat, {0, 0, 0}, C, D, D},
    {"openat for writing", SYS_openat, {0, 0, 2}, D, D, D},
    {"a file without a name", SYS_openat, {0, 0, 020200000 | 2}, D, D, D},
    {"code of a library", SYS_mmap, {0, 1, PROT_EXEC, 0, 9}, C, D, D},
    {"content as code", SYS_mmap, {0, 1, PROT_EXEC, 0, 3}, D, D, D},
    {"samples as code, high half set",
     SYS_mmap,
     {0, 1, PROT_EXEC, 0, UINT64_C(7) << 32 | 4},
     D,
     D,
     D},
    {"pages become code", SYS_mprotect, {0, 1, PROT_EXEC}, C, D, D},
    {"stat by path", SYS_newfstatat, {0, 0, 0, 0}, C, ENOENT, D},
    {"folders", SYS_getdents64, {9}, C, D, D},
    {"where am I", SYS_getcwd, {0}, C, D, D},
    {"a socket", SYS_socket, {0}, D, D, D},
    {"exec again", SYS_execveat, {6}, D, D, D},
};

TEST_EACH(only_the_loaders_phase_opens_anything, questions)
{
    const int wants[] = {it->loader, it->content, it->fixed};
    for (int i = 0; i < 3; i++) {
        struct box_phase p = {.profile = i == 2 ? BOX_PROFILE_STATIC : BOX_PROFILE_DYNAMIC,
                              .leave = true,
                              .exec = true,
                              .content = i == 1};
        struct seccomp_data call = {.nr = it->nr};
        int answer = 0;
        memmove(call.args, it->args, sizeof(call.args));
        enum box_phase_answer got = box_phase_judge(&p, &call, &answer);
        if (wants[i] == C) {
            assert_int_equal(got, BOX_PHASE_CONTINUE);
        } else if (wants[i] == D) {
            assert_int_equal(got, BOX_PHASE_DENY);
        } else {
            assert_int_equal(got, BOX_PHASE_ERRNO);
            assert_int_equal(answer, wants[i]);
        }
        assert_int_equal(p.content, i == 1); /* none of these is a touch */
    }
}

static const struct {
    const char *id;
    int nr;
    uint64_t args[6];
} touches[] = {
    {"read of content", SYS_read, {3}},
    {"pread of samples", SYS_pread64, {4}},
    {"readv of content", SYS_readv, {3}},
    {"content in memory", SYS_mmap, {0, 1, PROT_READ, 0, 3}},
    {"high half set", SYS_read, {UINT64_C(1) << 32 | 3}},
};

TEST_EACH(the_first_touch_ends_the_loaders_phase_for_good, touches)
{
    struct box_phase p = {.profile = BOX_PROFILE_FILES, .leave = true, .exec = true};
    const struct seccomp_data load = {.nr = SYS_mprotect, .args = {0, 1, PROT_EXEC}};
    struct seccomp_data call = {.nr = it->nr};
    int answer = 0;
    memmove(call.args, it->args, sizeof(call.args));
    assert_int_equal(box_phase_judge(&p, &load, &answer), BOX_PHASE_CONTINUE);
    assert_string_equal(box_phase_name(&p), "loader");
    assert_int_equal(box_phase_judge(&p, &call, &answer), BOX_PHASE_CONTINUE);
    assert_string_equal(box_phase_name(&p), "content");
    assert_int_equal(box_phase_judge(&p, &load, &answer), BOX_PHASE_DENY);
    assert_int_equal(box_phase_judge(&p, &call, &answer), BOX_PHASE_CONTINUE); /* and reads go on */
}

TEST(exactly_one_exec_goes_on_and_only_with_leave)
{
    const struct seccomp_data exec = {.nr = SYS_execveat, .args = {6}};
    const struct seccomp_data other = {.nr = SYS_execveat, .args = {3}};
    const struct seccomp_data early = {.nr = SYS_openat};
    struct box_phase p = {.profile = BOX_PROFILE_DYNAMIC};
    int answer = 0;
    assert_int_equal(box_phase_judge(&p, &exec, &answer), BOX_PHASE_DENY); /* INV-12: no leave */
    p.leave = true;
    assert_int_equal(box_phase_judge(&p, &other, &answer), BOX_PHASE_DENY);
    assert_int_equal(box_phase_judge(&p, &early, &answer), BOX_PHASE_DENY);
    assert_string_equal(box_phase_name(&p), "setup");
    assert_int_equal(box_phase_judge(&p, &exec, &answer), BOX_PHASE_CONTINUE);
    assert_int_equal(box_phase_judge(&p, &exec, &answer), BOX_PHASE_DENY);
}

TEST(a_soft_call_is_refused_with_an_error_and_never_goes_on)
{
    struct box_phase p = {.profile = BOX_PROFILE_STATIC,
                          .leave = true,
                          .exec = true,
                          .soft = {SYS_umask},
                          .soft_count = 1};
    const struct seccomp_data soft = {.nr = SYS_umask};
    const struct seccomp_data other = {.nr = SYS_chdir};
    int answer = 0;
    assert_int_equal(box_phase_judge(&p, &soft, &answer), BOX_PHASE_ERRNO);
    assert_int_equal(answer, EPERM);
    assert_int_equal(box_phase_judge(&p, &other, &answer), BOX_PHASE_DENY);
}

TEST(calls_have_their_names)
{
    char name[40];
    box_calls_name(SYS_openat, name, sizeof(name));
    assert_string_equal(name, "openat");
    box_calls_name(462, name, sizeof(name));
    assert_string_equal(name, "mseal");
    box_calls_name(999, name, sizeof(name));
    assert_string_equal(name, "system call 999");
    assert_int_equal(box_calls_number("umask", 5), SYS_umask);
    assert_int_equal(box_calls_number("umas", 4), -1);
}

RUN_TESTS(cmocka_unit_test(the_filter_decides_by_profile_number_and_arguments),
          cmocka_unit_test(programs_are_small_and_end_in_a_denial),
          cmocka_unit_test(only_the_loaders_phase_opens_anything),
          cmocka_unit_test(the_first_touch_ends_the_loaders_phase_for_good),
          cmocka_unit_test(exactly_one_exec_goes_on_and_only_with_leave),
          cmocka_unit_test(a_soft_call_is_refused_with_an_error_and_never_goes_on),
          cmocka_unit_test(calls_have_their_names))
