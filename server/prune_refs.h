/* prune_refs.h: which versions are in force in a repository, and which content its metadata name.
 *
 * Follows timestamp, snapshot and hashes, as release_repo.h does; signatures are the signer's and the agents' matter.
 *
 * memory   a view owns its hashes until prune_refs_drop
 * threads  no shared state; reads files only
 * source   docs/protocol.md 2; docs/server.md "Removing what nobody needs"
 */
#ifndef RINGWARD_PRUNE_REFS_H
#define RINGWARD_PRUNE_REFS_H

#include "common/crypto/digest.h"
#include "common/tuf/tuf_doc.h"
#include "server/prune_list.h"

enum { PRUNE_ROLES_MAX = TUF_DELEGATIONS_MAX + 2, PRUNE_HASHES_MAX = 4000000 };

struct prune_role {
    char name[PRUNE_NAME_BYTES];
    int64_t version; /* in force */
};

struct prune_refs {
    struct prune_role roles[PRUNE_ROLES_MAX]; /* snapshot, and all that it lists */
    size_t role_count;
    uint8_t (*hashes)[DIGEST_BYTES]; /* owned */
    size_t hash_count;
    size_t hash_room;
};

/* Reads what is in force below `repo_dir`: every role has the length and hash that the snapshot lists, and is
 * understood. Fails with RW_E_TUF_HASH, RW_E_TUF_VERSION, RW_E_TUF_ROLE, RW_E_SYNTAX, RW_E_SCHEMA, RW_E_RANGE,
 * RW_E_NOT_FOUND, RW_E_IO, RW_E_NOMEM. */
RW_RC prune_refs_read(int repo_dir, struct prune_refs *out, struct rw_err *err);
/* Takes in what the version `e` of a role names. Fails as above. */
RW_RC prune_refs_add(int dir, const struct prune_entry *e, struct prune_refs *refs,
                     struct rw_err *err);
/* One more content that stays. Fails with RW_E_RANGE, RW_E_NOMEM. */
RW_RC prune_refs_take(struct prune_refs *refs, const uint8_t sha256[static DIGEST_BYTES],
                      struct rw_err *err);
/* Behind the last of these, before the first question. */
void prune_refs_sort(struct prune_refs *refs);
bool prune_refs_name(const struct prune_refs *refs, const uint8_t sha256[static DIGEST_BYTES]);
/* Version in force; 0: no such role. */
int64_t prune_refs_version(const struct prune_refs *refs, const char *role);
void prune_refs_drop(struct prune_refs *refs);

#endif
