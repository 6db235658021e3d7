/* tuf_client.h: the TUF client workflow over a state directory: refresh, then look targets up.
 *
 * Used by the agent (files over HTTP) and by the signer and the server (files from the repository
 * directory): the same checks everywhere.
 *
 * memory   a client owns its parsed metadata until tuf_client_drop; look-ups borrow until the next refresh
 * threads  one thread per client
 * source   TUF 1.0.34, 5.1 to 5.7; docs/trust.md
 */
#ifndef RINGWARD_TUF_CLIENT_H
#define RINGWARD_TUF_CLIENT_H

#include "common/base/clock.h"
#include "common/crypto/digest.h"
#include "common/json/json_read.h"

struct tuf_client;

/* How metadata files are fetched: `path` is relative to the metadata base ("3.root.json"), at most `max`
 * bytes are appended to `into`. RW_E_NOT_FOUND means that the file is not there (404, 403); any other
 * failure aborts the refresh. */
struct tuf_fetch {
    RW_RC (*get)(void *ctx, const char *path, size_t max, struct rw_buf *into, struct rw_err *err);
    void *ctx;
};

enum { TUF_ROLE_NAME_BYTES = 64, TUF_PATH_BYTES = 256 };

/* What signed metadata say of one target. */
struct tuf_target {
    char path[TUF_PATH_BYTES];
    char role[TUF_ROLE_NAME_BYTES]; /* the role that lists it */
    int64_t role_version;
    int64_t length; /* bytes */
    uint8_t sha256[DIGEST_BYTES];
    const struct json *custom; /* the whole "custom" member, borrowed; NULL when absent */
};

struct tuf_role_status {
    char role[TUF_ROLE_NAME_BYTES];
    int64_t version;
    struct rw_wall expires;
    struct rw_wall made; /* s 0: it does not say */
};

/* Writes the trusted root into the empty state directory. Fails with RW_E_TRUST class when the root does
 * not verify by its own keys. */
RW_RC tuf_client_init(int state_dir, struct rw_span root, struct rw_err *err);

/* Loads and verifies what is stored; no network. `state_dir` is borrowed and stays open by the caller. */
RW_RC tuf_client_open(int state_dir, struct tuf_fetch fetch, struct tuf_client **out,
                      struct rw_err *err);
void tuf_client_drop(struct tuf_client **c);

/* The full workflow; `now` is fixed for the whole cycle. Every file is stored right after its own checks.
 * Fails with the TUF codes, RW_E_NET and the like; the client stays usable and what was trusted stays. */
RW_RC tuf_client_refresh(struct tuf_client *c, struct rw_wall now, struct rw_err *err);

/* Finds a target through the delegations (fetches delegated roles when needed).
 * Fails with RW_E_NOT_FOUND when no role lists it; other codes end the search. */
RW_RC tuf_client_find(struct tuf_client *c, const char *path, struct tuf_target *out,
                      struct rw_err *err);
/* All targets that one delegated role lists (the role is loaded when needed). Calls `each` in order. */
RW_RC tuf_client_each(struct tuf_client *c, const char *role,
                      RW_RC (*each)(void *ctx, const struct tuf_target *t, struct rw_err *err),
                      void *ctx, struct rw_err *err);

/* Gives the "signed" part of a delegated role (loaded when needed), borrowed until the next refresh, and its expiry. */
RW_RC tuf_client_role(struct tuf_client *c, const char *role, const struct json **signed_out,
                      struct rw_wall *expires_out, struct rw_err *err);

/* Versions and expiry of what is trusted now: root, timestamp, snapshot, targets and loaded roles.
 * Gives how many were written, at most `max`. */
size_t tuf_client_status(const struct tuf_client *c, struct tuf_role_status *out, size_t max);
/* The signed "custom"-like member of root ("ringward": {"trust": "development"}), NULL when absent. */
const struct json *tuf_client_root_member(const struct tuf_client *c, const char *name);
/* Reads one member of a "targets" object that `role` lists. `custom` is borrowed from the entry's tree.
 * Fails with RW_E_SCHEMA, RW_E_SYNTAX (the hash). */
RW_RC tuf_target_read(const struct json *entry, const char *role, int64_t role_version,
                      struct tuf_target *out, struct rw_err *err);
/* The URL path of a target below the targets base with consistent snapshots: "content/av/HASH.12.rwc". */
RW_RC tuf_target_url(const struct tuf_target *t, char *dst, size_t cap, struct rw_err *err);

#endif
