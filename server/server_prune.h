/* server_prune.h: removes from a server's directory what is proven to be of no use any more; the server may be running.
 *
 * Files are listed first, then the store's releases are read, then what the repository's metadata name: whatever is
 * published in between is either not on the list, or known by what is read after it.
 *
 * Nobody is in the middle of what goes: a backup holds the directory's lock, a change of trust that of the policies,
 * clients and proxies have the age.
 *
 * memory   gives a list that the caller drops
 * threads  no shared state; one run per directory at a time (flock)
 * source   docs/server.md "Removing what nobody needs"
 */
#ifndef RINGWARD_SERVER_PRUNE_H
#define RINGWARD_SERVER_PRUNE_H

#include "common/base/clock.h"
#include "server/prune_list.h"
#include "server/store/store.h"

struct server_prune_settings {
    const char *dir; /* of the server */
    struct store *store;
    struct prune_limits limits;
    bool dry_run;   /* decides and removes nothing */
    const char *by; /* for the audit log */
    /* Asked before each file: true ends the run with success, what is left goes the next time. NULL: never. */
    bool (*stopping)(void *ctx);
    void *ctx;
};

struct server_prune_sum {
    int64_t files;
    int64_t bytes;
};

/* Gives all that was looked at with its verdict. Entries with PRUNE_GO are removed, each is logged, and the audit log
 * has a record of them before the first one goes. Nothing is removed unless all metadata and releases are understood.
 * Fails with RW_E_BUSY (another run, a backup, or a change of trust that is being written), as prune_list.h and
 * prune_refs.h do, and with RW_E_STORE, RW_E_FULL, RW_E_IO. */
RW_RC server_prune(const struct server_prune_settings *s, struct prune_list *out,
                   struct rw_err *err);
/* What went or would go of one kind. */
struct server_prune_sum server_prune_sum(const struct prune_list *list, enum prune_kind kind);

#endif
