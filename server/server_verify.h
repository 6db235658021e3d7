/* server_verify.h: whether what a server keeps is whole: store, fleet, audit chain, repository, permissions.
 *
 * memory   nothing is kept; works on a copy of the store in a folder that it makes and removes
 * threads  no shared state
 * source   docs/backup.md; INV-8, INV-9
 */
#ifndef RINGWARD_SERVER_VERIFY_H
#define RINGWARD_SERVER_VERIFY_H

#include "common/base/clock.h"

/* Told of each check: what was looked at, and a failure or what was found (`bad` NULL). */
struct server_verify_tell {
    void (*tell)(void *ctx, const char *what, const char *found, const struct rw_err *bad);
    void *ctx;
};

/* Looks at a server's directory; the server may be running. Metadata that ended before `now` is told as bad. A store on
 * PostgreSQL is not looked at: `with_store` false. Gives how many checks failed.
 * Fails with RW_E_IO, RW_E_NOMEM when it could not look. */
RW_RC server_verify(const char *dir, bool with_store, struct rw_wall now,
                    const struct server_verify_tell *tell, size_t *bad_out, struct rw_err *err);

#endif
