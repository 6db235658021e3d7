/* server_notify.h: tells a caller that the server accepts: a port file, a descriptor.
 *
 * memory   borrows every argument
 * threads  the main thread
 * source   docs/server.md "Starting and stopping"
 */
#ifndef RINGWARD_SERVER_NOTIFY_H
#define RINGWARD_SERVER_NOTIFY_H

#include "common/base/err.h"

/* Writes the port and a line end to a file, atomically. Fails with RW_E_IO. */
RW_RC server_notify_port_file(const char *path, unsigned port, struct rw_err *err);
/* Writes the port and a line end to descriptor `fd` and closes it. Fails with RW_E_IO. */
RW_RC server_notify_fd(int fd, unsigned port, struct rw_err *err);

#endif
