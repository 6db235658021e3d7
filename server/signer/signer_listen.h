/* signer_listen.h: a signer in a process and under a user of its own: it listens on a unix socket and serves one
 * session at a time, with peers of one user only.
 *
 * memory   a listener owns its socket and the socket's file until signer_listen_drop
 * threads  one thread
 * source   docs/protocol.md 13; docs/trust.md "The checking signer"; unix(7) SO_PEERCRED
 */
#ifndef RINGWARD_SIGNER_LISTEN_H
#define RINGWARD_SIGNER_LISTEN_H

#include "server/signer/signer.h"

#include <sys/types.h>

/* Who may ask for signatures. */
struct signer_peers {
    bool named; /* `user` was named: it alone; otherwise our own user and root */
    uid_t user;
};

struct signer_listen;

/* The peers of --peer-user: a user's name or number; NULL: our own user and root.
 * Fails with RW_E_USAGE (no such user). */
RW_RC signer_listen_peers(const char *name, struct signer_peers *out, struct rw_err *err);
bool signer_listen_allows(const struct signer_peers *peers, uid_t uid);
/* Listens on `path` (mode 0660); a socket file that nobody answers is replaced. From here on SIGTERM and SIGINT are
 * blocked and end signer_listen_serve. Gives. Fails with RW_E_USAGE (path), RW_E_BUSY (answered), RW_E_IO. */
RW_RC signer_listen_open(const char *path, const struct signer_peers *peers,
                         struct signer_listen **out, struct rw_err *err);
/* Removes the socket's file. */
void signer_listen_drop(struct signer_listen **l);
/* Serves until SIGTERM or SIGINT. Whatever a peer does ends its session at most; the reason is logged.
 * Fails with RW_E_IO, RW_E_NOMEM of our own. */
RW_RC signer_listen_serve(struct signer_listen *l, struct signer *s, struct rw_err *err);

#endif
