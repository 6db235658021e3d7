#include "common/base/notify.h"

#include "common/base/file.h"
#include "common/base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { USEC_PER_MS = 1000, FIRST_SOCKET = 3 /* SD_LISTEN_FDS_START */ };

RW_RC notify_say(const char *state, struct rw_err *err)
{
    const char *path = getenv("NOTIFY_SOCKET"); /* NOLINT(concurrency-mt-unsafe) nobody sets it */
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path == NULL || path[0] == '\0') { return RW_OK; }
    size_t n = strlen(path);
    if (n >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@')) {
        return rw_fail(err, RW_E_IO, "NOTIFY_SOCKET is no usable address");
    }
    rw_copy(to.sun_path, sizeof(to.sun_path), path, n);
    if (path[0] == '@') { to.sun_path[0] = '\0'; } /* abstract address */
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    RW_AUTO(rw_fd) rw_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                         (const struct sockaddr *)(const void *)&to, bytes) < 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "NOTIFY_SOCKET");
    }
    return RW_OK;
}

/* The value of a variable that holds a positive number; 0 for anything else. */
static int64_t number_of(const char *name)
{
    const char *text = getenv(name); /* NOLINT(concurrency-mt-unsafe) nobody sets it */
    int64_t n = 0;
    struct rw_err unused;
    if (text == NULL ||
        !rw_is_ok(rw_parse_i64(rw_span_str(text), 0, INT64_MAX, name, &n, &unused))) {
        return 0;
    }
    return n;
}

RW_RC notify_take_socket(rw_fd *out, struct rw_err *err)
{
    int64_t count = number_of("LISTEN_FDS");
    if (count == 0 || number_of("LISTEN_PID") != getpid()) { return RW_OK; } /* another's */
    static const char *const names[] = {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"};
    for (size_t i = 0; i < RW_LEN(names); i++) {
        (void)unsetenv(names[i]); /* NOLINT(concurrency-mt-unsafe) no other thread runs yet */
    }
    if (count != 1) {
        return rw_fail(err, RW_E_CONFIG, "%lld sockets were handed over, one is served",
                       (long long)count);
    }
    if (fcntl(FIRST_SOCKET, F_SETFD, FD_CLOEXEC) != 0) {
        return rw_fail_errno(err, RW_E_CONFIG, errno, "the socket of LISTEN_FDS");
    }
    *out = FIRST_SOCKET;
    return RW_OK;
}

int64_t notify_watchdog_ms(void)
{
    int64_t pid = number_of("WATCHDOG_PID");
    if (pid != 0 && pid != getpid()) { return 0; } /* meant for another process */
    return number_of("WATCHDOG_USEC") / USEC_PER_MS;
}
