#include "server/server_notify.h"

#include "common/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { PORT_LINE_BYTES = 16 };

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
