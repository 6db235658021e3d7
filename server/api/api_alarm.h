/* api_alarm.h: what is wrong with the server itself: trust, signer, store, controller, pointers of rings.
 *
 * memory   borrows its arguments
 * threads  the core thread
 * source   INV-12
 */
#ifndef RINGWARD_API_ALARM_H
#define RINGWARD_API_ALARM_H

#include "server/api/api_core.h"

/* Appends strings to an open array. `of_tenant`: for a token of one tenant, which is told what does not work, but
 * neither reasons, which may name hosts, users and paths, nor endpoints (INV-11). */
void api_alarm_write(const struct api_core *c, struct rw_wall now, bool of_tenant,
                     struct json_writer *w);
/* Records alarms that began or ended since the last call; a failure is logged, and the next call tries again. */
void api_alarm_record(struct api_core *c);

#endif
