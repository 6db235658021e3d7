/* Goal: a child gets exactly the descriptors and signals it should, every end of it is told, none is left behind. */
#include "common/base/proc.h"

#include "common/base/clock.h"
#include "common/base/file.h"
#include "tests/fakes/capture.h"
#include "tests/harness.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

static struct proc_exit run_shell(const char *script, const struct proc_fd *fds, size_t fd_count)
{
    struct rw_err err = {0};
    struct proc_exit gone = {0};
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script,
                    NULL};
    const struct proc_spec spec = {
        .path = "/bin/sh", .argv = argv, .fds = fds, .fd_count = fd_count};
    RW_AUTO(proc) struct proc p = {.pid = 0, .pidfd = -1};
    MUST(proc_start(&spec, &p, &err));
    MUST(proc_wait(&p, 20000, &gone, &err));
    return gone;
}

static struct proc start_sleeper(bool die_with_parent)
{
    struct rw_err err = {0};
    static char *argv[] = {(char *)(uintptr_t) "sleep", (char *)(uintptr_t) "600", NULL};
    const struct proc_spec spec = {
        .path = "/bin/sleep", .argv = argv, .die_with_parent = die_with_parent};
    struct proc p;
    MUST(proc_start(&spec, &p, &err));
    return p;
}

static const struct exit_row {
    const char *id;
    const char *script;
    bool signaled;
    int status;
} exits[] = {
    {"success", "exit 0", false, 0},
    {"own_status", "exit 9", false, 9},
    {"killed", "kill -KILL $$", true, SIGKILL},
    {"crashed", "kill -SEGV $$", true, SIGSEGV},
};

TEST_EACH(every_end_is_told, exits)
{
    struct proc_exit gone = run_shell(it->script, NULL, 0);
    assert_int_equal(gone.signaled, it->signaled);
    assert_int_equal(gone.status, it->status);
}

TEST(a_program_that_cannot_run_is_told_with_its_cause)
{
    struct rw_err err = {0};
    char *argv[] = {(char *)(uintptr_t) "x", NULL};
    struct proc p;
    const struct proc_spec missing = {.path = "/no/such/program", .argv = argv};
    MUST_FAIL(proc_start(&missing, &p, &err), RW_E_PROCESS);
    assert_string_equal(err.text, "cannot run '/no/such/program': No such file or directory");
    assert_int_equal(p.pid, 0);
    const struct proc_spec folder = {.path = "/tmp", .argv = argv};
    MUST_FAIL(proc_start(&folder, &p, &err), RW_E_PROCESS);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

TEST(a_deadline_passes_and_the_child_goes_on_until_killed)
{
    struct rw_err err = {0};
    struct proc_exit gone = {0};
    struct rw_clock clock = rw_clock_system();
    RW_AUTO(proc) struct proc p = start_sleeper(false);
    int64_t begin_ms = rw_clock_mono(&clock).ms;
    MUST_FAIL(proc_wait(&p, 60, &gone, &err), RW_E_TIMEOUT);
    assert_true(rw_clock_mono(&clock).ms - begin_ms >= 60);
    MUST_FAIL(proc_wait(&p, 0, &gone, &err), RW_E_TIMEOUT);
    proc_signal(&p, SIGTERM);
    MUST(proc_wait(&p, 20000, &gone, &err));
    assert_true(gone.signaled);
    assert_int_equal(gone.status, SIGTERM);
    assert_int_equal(p.pid, 0);
    assert_int_equal(p.pidfd, -1);
}

TEST(dropping_kills_and_reaps)
{
    int before = harness_open_fds();
    struct proc p = start_sleeper(false);
    pid_t pid = p.pid;
    proc_drop(&p);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    proc_drop(&p);
    proc_kill(&p);
    proc_signal(&p, SIGKILL);
    assert_int_equal(harness_open_fds(), before);
}

/* Descriptors of ours that happen to have the numbers the child shall see are not mixed up. */
TEST(the_child_sees_the_listed_descriptors_and_no_others)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    struct rw_err err = {0};
    int fds[2];
    MUST(rw_file_replace_at(d.fd, "three", 0600, rw_span_str("three"), &err));
    MUST(rw_file_replace_at(d.fd, "four", 0600, rw_span_str("four"), &err));
    RW_AUTO(rw_fd) rw_fd three = openat(d.fd, "three", O_RDONLY | O_CLOEXEC);
    RW_AUTO(rw_fd) rw_fd four = openat(d.fd, "four", O_RDONLY | O_CLOEXEC);
    RW_AUTO(rw_fd) rw_fd out = openat(d.fd, "out", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    fds[0] = fcntl(four, F_DUPFD, 3); /* not CLOEXEC, crosswise */
    const struct proc_fd list[] = {{out, 1}, {three, 3}, {four, 4}};
    /* 3 and 4 are given; beyond, only the shell's own script descriptor may be open. */
    struct proc_exit gone = run_shell("cat <&3; cat <&4; read x || echo eof", list, 3);
    (void)close(fds[0]);
    assert_int_equal(gone.status, 0);
    RW_AUTO(rw_buf) struct rw_buf got = rw_buf_make(1000);
    MUST(rw_file_read_at(d.fd, "out", 1000, &got, &err));
    assert_string_equal(rw_buf_str(&got), "threefoureof\n");
}

TEST(without_a_list_nothing_of_ours_is_inherited)
{
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(rw_fd) rw_fd file = openat(d.fd, "f", O_RDWR | O_CREAT, 0600); /* would be inherited */
    assert_true(file >= 3);
    struct proc_exit gone =
        run_shell("ls /proc/self/fd | grep -qvE '^[0-3]$' && exit 1; exit 0", NULL, 0);
    assert_int_equal(gone.status, 0);
}

/* A daemon may have closed its standard descriptors; the child still gets three. */
static void child_without_standard_fds(void)
{
    (void)close(0);
    (void)close(1);
    (void)close(2);
    struct proc_exit gone =
        run_shell("for n in 0 1 2; do [ -e /proc/self/fd/$n ] || exit 1; done; exit 7", NULL, 0);
    if (!gone.signaled && gone.status == 7) { (void)raise(SIGUSR1); }
}

TEST(a_parent_without_standard_descriptors_still_gives_them)
{
    assert_int_equal(capture_signal(child_without_standard_fds), SIGUSR1);
}

TEST(the_child_has_default_signals_and_an_empty_mask)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    sigset_t block;
    sigset_t had;
    (void)sigaction(SIGTERM, &ignore, &before);
    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &block, &had);
    struct proc_exit gone = run_shell("kill -TERM $$; exit 3", NULL, 0);
    sigset_t now;
    (void)sigprocmask(SIG_SETMASK, &had, &now);
    (void)sigaction(SIGTERM, &before, NULL);
    assert_true(gone.signaled);
    assert_int_equal(gone.status, SIGTERM);
    assert_true(sigismember(&now, SIGTERM) == 1); /* the parent's own mask is as it was */
    assert_true(sigismember(&now, SIGINT) == 0);
}

TEST(the_environment_is_the_given_one)
{
    struct rw_err err = {0};
    struct proc_exit gone = {0};
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                    (char *)(uintptr_t) "[ \"$RW_X\" = y ] && [ -z \"$HOME\" ]", NULL};
    char *envp[] = {(char *)(uintptr_t) "RW_X=y", NULL};
    const struct proc_spec spec = {.path = "/bin/sh", .argv = argv, .envp = envp};
    RW_AUTO(proc) struct proc p;
    MUST(proc_start(&spec, &p, &err));
    MUST(proc_wait(&p, -1, &gone, &err));
    assert_int_equal(gone.status, 0);
}

/* A supervisor in between starts a sleeper and dies; the pipe's end closes only when the sleeper died too. */
TEST(a_child_dies_with_its_parent)
{
    int pair[2];
    assert_int_equal(pipe(pair),
                     0); /* inherited on purpose: its end tells of the grandchild's end */
    pid_t supervisor = fork();
    if (supervisor == 0) {
        const struct proc_fd list[] = {{pair[1], 3}};
        char *argv[] = {(char *)(uintptr_t) "sleep", (char *)(uintptr_t) "600", NULL};
        const struct proc_spec spec = {.path = "/bin/sleep",
                                       .argv = argv,
                                       .fds = list,
                                       .fd_count = 1,
                                       .die_with_parent = true};
        struct proc p;
        struct rw_err err = {0};
        _exit(rw_is_ok(proc_start(&spec, &p, &err)) ? 0 : 1);
    }
    (void)close(pair[1]);
    int status = 0;
    assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
    assert_int_equal(status, 0);
    char byte = 0;
    assert_int_equal(read(pair[0], &byte, 1), 0);
    (void)close(pair[0]);
}

TEST(usage_of_the_child_is_measured)
{
    struct proc_exit gone = run_shell("i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done", NULL, 0);
    assert_true(gone.cpu_ms >= 5);
    assert_true(gone.rss_kib >= 100);
}

RUN_TESTS(cmocka_unit_test(every_end_is_told),
          cmocka_unit_test(a_program_that_cannot_run_is_told_with_its_cause),
          cmocka_unit_test(a_deadline_passes_and_the_child_goes_on_until_killed),
          cmocka_unit_test(dropping_kills_and_reaps),
          cmocka_unit_test(the_child_sees_the_listed_descriptors_and_no_others),
          cmocka_unit_test(without_a_list_nothing_of_ours_is_inherited),
          cmocka_unit_test(a_parent_without_standard_descriptors_still_gives_them),
          cmocka_unit_test(the_child_has_default_signals_and_an_empty_mask),
          cmocka_unit_test(the_environment_is_the_given_one),
          cmocka_unit_test(a_child_dies_with_its_parent),
          cmocka_unit_test(usage_of_the_child_is_measured))
