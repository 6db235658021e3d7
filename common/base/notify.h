/* notify.h: what passes between this process and the service manager.
 *
 * memory   borrows every argument
 * threads  the main thread, before others run: reads and changes the environment
 * source   sd_notify(3): one datagram to $NOTIFY_SOCKET; sd_watchdog_enabled(3): $WATCHDOG_USEC, $WATCHDOG_PID;
 *          sd_listen_fds(3): $LISTEN_PID, $LISTEN_FDS, descriptors from 3 on
 */
#ifndef RINGWARD_NOTIFY_H
#define RINGWARD_NOTIFY_H

#include "common/base/err.h"
#include "common/base/file.h"

/* Sends `state` ("READY=1", "WATCHDOG=1") to $NOTIFY_SOCKET; succeeds without one. Fails with RW_E_IO. */
RW_RC notify_say(const char *state, struct rw_err *err);
/* The service manager restarts this process when it hears nothing for so long; 0: it does not watch. */
int64_t notify_watchdog_ms(void);
/* Takes the listening socket that the service manager holds for us (gives, close-on-exec); *out stays when there is
 * none. Children do not learn of it. Fails with RW_E_CONFIG when there is more than one, or none where one was
 * promised. */
RW_RC notify_take_socket(rw_fd *out, struct rw_err *err);

#endif
