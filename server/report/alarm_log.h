/* alarm_log.h: alarms as records of the audit log: one when an alarm begins, one when it is over.
 *
 * memory   borrows the store and every argument
 * threads  the store's thread
 * source   docs/server.md "Webhooks"; INV-12: what protects less than it should is told
 */
#ifndef RINGWARD_ALARM_LOG_H
#define RINGWARD_ALARM_LOG_H

#include "common/base/clock.h"
#include "server/store/store.h"

enum { ALARM_LOG_BYTES_MAX = 256 * 1024 };

/* `alarms` is a JSON array of texts as they are now. What differs from the ones of the last call, which the store
 * keeps, is recorded (alarm.raise, alarm.clear) in a transaction of its own. Fails as the store does: nothing is
 * recorded then, and the next call tries again. */
RW_RC alarm_log_update(struct store *store, struct rw_span alarms, struct rw_wall now,
                       struct rw_err *err);

#endif
