#include "server/server_notify.h"

#include "common/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PORT_LINE_BYTES = 16 };

RW_RC server_notify_systemd(const char *state, struct rw_err *err)
{
    const char *path = getenv("NOTIFY_SOCKET");
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

RW_RC server_notify_port_file(const char *path, unsigned port, struct rw_err *err)
{
    char line[PORT_LINE_BYTES];
    (void)snprintf(line, sizeof(line), "%u\n", port);
    return rw_file_replace(path, 0644, rw_span_str(line), err);
}

RW_RC server_notify_fd(int fd, unsigned port, struct rw_err *err)
{
    char line[PORT_LINE_BYTES];
    (void)snprintf(line, sizeof(line), "%u\n", port);
    struct rw_rc rc = rw_fd_write_all(fd, rw_span_str(line), err);
    (void)close(fd);
    return rc;
}
