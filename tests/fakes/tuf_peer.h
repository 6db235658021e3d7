/* tuf_peer.h: a client with its folder beside a repository in memory: what the tests of the client begin with.
 *
 * memory   owns repository, client and folder until tuf_peer_drop
 * threads  one thread per peer
 */
#ifndef RINGWARD_TUF_PEER_H
#define RINGWARD_TUF_PEER_H

#include "tests/fakes/tuf_repo.h"
#include "tests/harness.h"

struct tuf_peer {
    struct tuf_repo *repo;
    struct harness_dir dir;
    struct tuf_client *client;
};

/* A client initialised with root 1 of a new repository, not yet refreshed. */
struct tuf_peer tuf_peer_new(void);
void tuf_peer_drop(struct tuf_peer *p);
/* Ends the client and opens it anew from its folder. */
void tuf_peer_restart(struct tuf_peer *p);
/* Refreshes at TUF_REPO_NOW and expects this code (RW_E_NONE: success). */
void tuf_peer_refresh(struct tuf_peer *p, enum rw_code want);
/* The version of a role that is trusted in memory, 0: none. */
int64_t tuf_peer_version(const struct tuf_peer *p, const char *role);
/* Whether the stored file is byte for byte the repository's `remote`. */
bool tuf_peer_stored(const struct tuf_peer *p, const char *file, const char *remote);
/* Finds a target and expects this code; gives the role that lists it, "" otherwise. */
const char *tuf_peer_find(struct tuf_peer *p, const char *path, enum rw_code want);
/* Writes "\"targets\":{...}" with one entry per word of `paths` into a body. */
void tuf_peer_targets(const char *paths, char body[static TUF_REPO_BODY_BYTES]);

#endif
