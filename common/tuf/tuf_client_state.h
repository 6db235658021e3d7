/* tuf_client_state.h: the inside of a TUF client, shared by tuf_client.c and tuf_search.c.
 *
 * memory   owned by the client
 * threads  one thread per client
 * source   tuf_client.h is the public face
 */
#ifndef RINGWARD_TUF_CLIENT_STATE_H
#define RINGWARD_TUF_CLIENT_STATE_H

#include "common/tuf/tuf_client.h"
#include "common/tuf/tuf_doc.h"
#include "common/tuf/tuf_sigset.h"

enum { TUF_ROLES_CACHED_MAX = 64, TUF_FILE_NAME_BYTES = 256 };

/* Trust is per edge: a role verified through one delegator is verified again through another. */
struct tuf_cached_role {
    char role[TUF_ROLE_NAME_BYTES];
    char delegator[TUF_ROLE_NAME_BYTES];
    int64_t delegator_version;
    struct tuf_doc doc;
};

struct tuf_client {
    int dir; /* borrowed */
    struct tuf_fetch fetch;
    struct rw_wall now; /* fixed for one refresh and the look-ups behind it */
    struct tuf_doc root;
    struct tuf_doc timestamp; /* tree NULL: none trusted */
    struct tuf_doc snapshot;
    struct tuf_doc targets;
    struct tuf_cached_role roles[TUF_ROLES_CACHED_MAX];
    size_t role_count;
};

/* What one versioned role file must satisfy. */
struct tuf_client_want {
    const char *role;                             /* "snapshot", "targets" or a delegated role */
    const char *type;                             /* "_type" inside */
    const struct tuf_sigset_authority *authority; /* by whom it must be signed */
    const struct tuf_meta *meta;                  /* version, length, hash that list it */
    const struct tuf_doc *floor;                  /* stored snapshot; NULL for other roles */
    size_t bytes_max;                             /* our own cap */
};

/* TUF-5.5, 5.6: takes the stored file when it is the wanted one and unexpired, else fetches, checks length and
 * hash, signatures, version and expiry, and stores it. Also for delegated roles: they are checked no less. */
RW_RC tuf_client_load_role(struct tuf_client *c, const struct tuf_client_want *want,
                           struct tuf_doc *out, struct rw_err *err);

#endif
