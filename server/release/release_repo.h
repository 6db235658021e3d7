/* release_repo.h: the published repository as the release domain needs it, read from its directory.
 *
 * Follows timestamp, snapshot and hashes, so that a half-written newer version is never seen. Signatures are
 * not looked at here: the checking signer verifies everything before it signs, and so does every agent.
 *
 * memory   a view owns its documents until release_repo_drop
 * threads  no shared state; reads files only
 * source   docs/protocol.md 2
 */
#ifndef RINGWARD_RELEASE_REPO_H
#define RINGWARD_RELEASE_REPO_H

#include "common/policy/ring_policy.h"
#include "common/tuf/tuf_make.h"
#include "common/tuf/tuf_sigset.h"
#include "server/release/release_codec.h"

struct release_repo {
    struct rw_wall root_expires; /* of the newest root: nothing may end later */
    struct tuf_doc targets;
    struct tuf_doc content;                /* role content-FAMILY */
    struct tuf_sigset_authority authority; /* who may sign the content role */
    struct tuf_doc expedite;               /* role expedite; no tree: never published */
    struct tuf_sigset_authority officers;  /* who may sign it; count 0: not delegated */
    struct ring_policy policy;
    char policy_sha256[DIGEST_HEX_BYTES];
    int64_t pointed[RING_POLICY_RINGS_MAX]; /* release that each ring points at; 0: none */
};

/* Reads what concerns one family from DIR/repo (`repo_dir` borrowed).
 * Fails with RW_E_TUF_ROLE (the family is not delegated), RW_E_TUF_HASH, RW_E_NOT_FOUND, RW_E_IO. */
RW_RC release_repo_read(int repo_dir, const char *family, struct release_repo *out,
                        struct rw_err *err);
void release_repo_drop(struct release_repo *repo);
/* Whether the content role lists the release with this very payload. */
bool release_repo_lists(const struct release_repo *repo, const struct release_id *id,
                        const char *sha256_hex);
/* The life of a document that is made now: it never ends after root. */
struct tuf_make_life release_repo_life(const struct release_repo *repo, struct rw_wall now,
                                       int64_t life_s);
/* Greatest release number that the content role lists; 0: none. */
int64_t release_repo_newest(const struct release_repo *repo, const char *family);

#endif
