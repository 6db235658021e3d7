/* server_node.h: the name of a node, and the lock that keeps a second process of it out.
 *
 * memory   plain values
 * threads  the main thread
 * source   docs/nodes.md, docs/server.md "Starting and stopping"
 */
#ifndef RINGWARD_SERVER_NODE_H
#define RINGWARD_SERVER_NODE_H

#include "common/base/file.h"
#include "server/server_conf.h"

/* Whether others may use the same store. */
bool server_node_shares(const struct server_conf *conf);
/* Puts the name in force into conf->node: `given` (NULL: not), the setting, or that of the host. Nothing for a store
 * of a single process. Fails with RW_E_USAGE, RW_E_CONFIG. */
RW_RC server_node_name(struct server_conf *conf, const char *given, struct rw_err *err);
/* Locks DIR/server.lock, or the node's own file; the lock goes with the process. Fails with RW_E_BUSY, RW_E_IO. */
RW_RC server_node_lock(const struct server_conf *conf, const char *dir, rw_fd *out,
                       struct rw_err *err);

#endif
