#include "tests/fakes/capture.h"

#include "tests/harness.h"

#include <signal.h>
#include <sys/wait.h>

static int captured_fd = -1;
static int kept_fd = -1;
static FILE *capture_file;
static char capture_text[65536];

void capture_begin(int fd)
{
    assert_int_equal(captured_fd, -1);
    (void)fflush(NULL);
    capture_file = tmpfile();
    assert_non_null(capture_file);
    kept_fd = dup(fd);
    captured_fd = fd;
    assert_true(dup2(fileno(capture_file), fd) >= 0);
}

const char *capture_end(void)
{
    (void)fflush(NULL);
    assert_true(dup2(kept_fd, captured_fd) >= 0);
    (void)close(kept_fd);
    captured_fd = -1;
    rewind(capture_file);
    size_t n = fread(capture_text, 1, sizeof(capture_text) - 1, capture_file);
    capture_text[n] = '\0';
    (void)fclose(capture_file);
    return capture_text;
}

int capture_signal(void (*f)(void))
{
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(null, STDERR_FILENO);
        struct sigaction plain = {.sa_handler = SIG_DFL};
        (void)sigaction(SIGABRT, &plain, NULL);
        (void)sigaction(SIGSEGV, &plain, NULL);
        f();
        _exit(0);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {}
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
