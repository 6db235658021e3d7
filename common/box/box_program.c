#include "common/box/box_program.h"

#include "common/base/clock.h"
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* Reads the launcher's standard output to its end, the cap or the deadline. */
static RW_RC read_output(int fd, int64_t timeout_ms, struct rw_buf *into, struct rw_err *err)
{
    struct rw_clock clock = rw_clock_system();
    int64_t end_ms = rw_clock_mono(&clock).ms + timeout_ms;
    for (;;) {
        int64_t left_ms = end_ms - rw_clock_mono(&clock).ms;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0) { return rw_fail(err, RW_E_TIMEOUT, "the box gave no answer in time"); }
        int ready = poll(&p, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (ready < 0 && errno != EINTR) { return rw_fail_errno(err, RW_E_IO, errno, "poll"); }
        if (ready <= 0) { continue; }
        uint8_t *at = NULL;
        RW_TRY(rw_buf_reserve(into, 1024, &at, err));
        ssize_t got = read(fd, at, 1024);
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "reading the box's answer"); }
        if (got == 0) { return RW_OK; }
        rw_buf_commit(into, (size_t)got);
    }
}

RW_RC box_program_run(const char *path, char *const *argv, int64_t timeout_ms, struct rw_buf *text,
                      struct proc_exit *gone, struct rw_err *err)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "pipe"); }
    RW_AUTO(rw_fd) rw_fd out = pair[0];
    const struct proc_fd fds[] = {{pair[1], STDOUT_FILENO}};
    const struct proc_spec spec = {
        .path = path, .argv = argv, .fds = fds, .fd_count = 1, .die_with_parent = true};
    RW_AUTO(proc) struct proc child = {.pid = 0, .pidfd = -1};
    struct rw_rc rc = proc_start(&spec, &child, err);
    (void)close(pair[1]);
    RW_TRY(rc);
    RW_TRY(read_output(out, timeout_ms, text, err));
    return proc_wait(&child, BOX_PROGRAM_GRACE_MS, gone, err);
}
