/* server_retention.h: the thread that removes what nobody needs any more, as often as the settings say.
 *
 * It does what `ringward-server prune` does, with a connection to the store of its own, so that the core thread never
 * waits for it. Of several nodes the controller alone does it; what it writes is fenced by the controller's term.
 *
 * memory   owns its thread; borrows the settings until server_retention_stop
 * threads  start and stop from the main thread; the others from any
 * source   docs/server.md "Removing what nobody needs"
 */
#ifndef RINGWARD_SERVER_RETENTION_H
#define RINGWARD_SERVER_RETENTION_H

#include "server/api/api_retention.h"
#include "server/server_conf.h"

struct server_retention;

/* Starts the thread, unless the settings want none. Gives; *out is NULL then.
 * Fails with RW_E_NOMEM, RW_E_PROCESS. */
RW_RC server_retention_start(const struct server_conf *conf, const char *dir,
                             struct server_retention **out, struct rw_err *err);
/* Ends the run between two files, and the thread (takes; accepts NULL). */
void server_retention_stop(struct server_retention *r);
/* Told every turn: whether this node is the controller, and its term (0 for the only process of a store). Accepts
 * NULL. */
void server_retention_allow(struct server_retention *r, bool controls, int64_t term);
/* How it goes. Accepts NULL. */
void server_retention_state(struct server_retention *r, struct api_retention *out);

#endif
