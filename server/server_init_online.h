/* server_init_online.h: the first published state of a repository: what people signed is put in, what online keys sign
 * is made.
 *
 * memory   owns its descriptor and lists until server_online_drop; borrows the directory's name
 * threads  one thread
 * source   docs/protocol.md 2 and 4
 */
#ifndef RINGWARD_SERVER_INIT_ONLINE_H
#define RINGWARD_SERVER_INIT_ONLINE_H

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/crypto/key.h"
#include "common/json/json_write.h"

struct server_online {
    const char *dir;
    struct rw_wall now;
    struct rw_wall root_expires; /* nothing is signed for longer */
    rw_fd metadata;              /* repo/metadata */
    struct rw_buf meta;          /* "meta" of snapshot, written entry by entry */
    struct json_writer meta_json;
};

/* Begins in place: the writer points into the object. Fails with RW_E_IO. */
RW_RC server_online_begin(const char *dir, struct rw_wall now, struct rw_wall root_expires,
                          struct server_online *o, struct rw_err *err);
void server_online_drop(struct server_online *o);

/* Root: version N of the chain, the installer's copy for agents, the signer's anchor: the same bytes. */
RW_RC server_online_put_root(struct server_online *o, int64_t version, struct rw_span envelope,
                             struct rw_err *err);
/* The policy under its hash, byte for byte. */
RW_RC server_online_put_policy(const struct server_online *o, struct rw_span text,
                               struct rw_err *err);
/* A signed role, listed in snapshot. */
RW_RC server_online_put_role(struct server_online *o, const char *role, int64_t version,
                             struct rw_span envelope, struct rw_err *err);
/* A ring role without entries, signed by its key. */
RW_RC server_online_make_ring(struct server_online *o, const char *ring, const struct key *key,
                              struct rw_err *err);
/* Snapshot and timestamp over everything that was put in; comes last. */
RW_RC server_online_seal(struct server_online *o, const struct key *snapshot,
                         const struct key *timestamp, struct rw_err *err);

#endif
