/* Goal: where clone3 is hidden, as in containers, a child is made all the same, and every layer that went with it is
 * named (INV-12). */
#include "agent/prove/box_clone.h"
#include "tests/harness.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* From now on clone3 ends with this errno. */
static void hide_clone3(unsigned sys_errno)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | sys_errno),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog program = {.len = RW_LEN(code), .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
        _exit(50);
    }
}

/* In a process of its own, since a filter stays. Its exit status is the line that was not true. */
static int clone_there(unsigned sys_errno)
{
    struct rw_err err;
    struct box_layers l = {.cgroup_version = 2};
    pid_t pid = -1;
    int pidfd = -1;
    hide_clone3(sys_errno);
    box_layer_note(&l, BOX_LAYER_CGROUP, true, 0);
    struct rw_rc rc = box_clone(&l, 0, &pid, &pidfd, &err);
    if (sys_errno != ENOSYS) { return rw_is_ok(rc) ? 1 : 0; }
    if (!rw_is_ok(rc)) { return 2; }
    if (pid == 0) { _exit(7); }
    int status = 0;
    if (pidfd < 0 || waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7) { return 3; }
    if ((l.in_force & BOX_LAYER_NAMESPACES) != 0) { return 4; }
    if (l.missing[BOX_LAYER_PIDNS] != ENOSYS || l.missing[BOX_LAYER_MNTNS] != ENOSYS) { return 5; }
    if (box_layer_in_force(&l, BOX_LAYER_CGROUP) || l.missing[BOX_LAYER_CGROUP] != ENOSYS) {
        return 6;
    }
    return 0;
}

static const struct {
    const char *id;
    unsigned sys_errno;
} cases[] = {
    {"hidden: fork does it", ENOSYS},
    {"forbidden: a failure, not a loop", EPERM},
    {"no memory: a failure", ENOMEM},
};

TEST_EACH(a_child_is_made_with_what_is_left, cases)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) { _exit(clone_there(it->sys_errno)); }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

TEST(what_was_made_is_noted_on_both_sides)
{
    struct rw_err err;
    struct box_layers l = {.without = BOX_LAYER_BIT(BOX_LAYER_UTSNS)};
    pid_t pid = -1;
    int pidfd = -1;
    int status = 0;
    MUST(box_clone(&l, -1, &pid, &pidfd, &err));
    if (pid == 0) { _exit(box_layer_in_force(&l, BOX_LAYER_PIDNS) ? (getpid() == 1 ? 1 : 9) : 0); }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), box_layer_in_force(&l, BOX_LAYER_PIDNS) ? 1 : 0);
    assert_int_equal(l.missing[BOX_LAYER_UTSNS], BOX_LAYER_TAKEN_AWAY);
    assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
    (void)close(pidfd);
}

RUN_TESTS(cmocka_unit_test(a_child_is_made_with_what_is_left),
          cmocka_unit_test(what_was_made_is_noted_on_both_sides))
