/* server_notify.h: tells the outside that the server accepts: systemd's socket, a port file, a descriptor.
 *
 * memory   borrows every argument
 * threads  the main thread
 * source   sd_notify(3): one datagram to $NOTIFY_SOCKET
 */
#ifndef RINGWARD_SERVER_NOTIFY_H
#define RINGWARD_SERVER_NOTIFY_H

#include "common/base/err.h"

/* Sends `state` ("READY=1") to $NOTIFY_SOCKET; succeeds without one. Fails with RW_E_IO. */
RW_RC server_notify_systemd(const char *state, struct rw_err *err);
/* Writes the port and a line end to a file, atomically. Fails with RW_E_IO. */
RW_RC server_notify_port_file(const char *path, unsigned port, struct rw_err *err);
/* Writes the port and a line end to descriptor `fd` and closes it. Fails with RW_E_IO. */
RW_RC server_notify_fd(int fd, unsigned port, struct rw_err *err);

#endif
