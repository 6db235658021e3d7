/* notify.h: tells the service manager how this process is.
 *
 * memory   borrows every argument
 * threads  the main thread: reads the environment
 * source   sd_notify(3): one datagram to $NOTIFY_SOCKET; sd_watchdog_enabled(3): $WATCHDOG_USEC, $WATCHDOG_PID
 */
#ifndef RINGWARD_NOTIFY_H
#define RINGWARD_NOTIFY_H

#include "common/base/err.h"

/* Sends `state` ("READY=1", "WATCHDOG=1") to $NOTIFY_SOCKET; succeeds without one. Fails with RW_E_IO. */
RW_RC notify_say(const char *state, struct rw_err *err);
/* The service manager restarts this process when it hears nothing for so long; 0: it does not watch. */
int64_t notify_watchdog_ms(void);

#endif
