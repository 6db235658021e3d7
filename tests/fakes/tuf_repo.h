/* tuf_repo.h: a TUF repository in memory with real keys, for tests of its clients.
 *
 * Keys are named by letters: "AB" means the keys A and B, made when first used. Metadata are written by small steps
 * that a test can leave out, repeat or falsify; the fetch function records what was asked for.
 *
 * memory   a repository owns its files and keys until tuf_repo_drop
 * threads  one thread per repository
 */
#ifndef RINGWARD_TUF_REPO_H
#define RINGWARD_TUF_REPO_H

#include "common/crypto/key.h"
#include "common/tuf/tuf_client.h"

enum {
    TUF_REPO_KEYS = 26,
    TUF_REPO_FILES = 400,
    TUF_REPO_ROLES = 48,
    TUF_REPO_ASKED = 400,
    TUF_REPO_NAME_BYTES = 96,
    TUF_REPO_BODY_BYTES = 4096,
};

/* Who signs one of the four top roles. */
struct tuf_repo_top {
    char keys[8]; /* letters */
    int threshold;
};

/* "targets" or a delegated role. */
struct tuf_repo_role {
    char name[TUF_REPO_NAME_BYTES];
    char signers[8];
    char body[TUF_REPO_BODY_BYTES]; /* members behind the common ones: "\"targets\":{...}" */
    const char *expires;
    int64_t version;
    char file[TUF_REPO_NAME_BYTES]; /* where its present version lies */
};

struct tuf_repo_file {
    char name[TUF_REPO_NAME_BYTES];
    struct rw_buf bytes;
};

struct tuf_repo {
    struct key keys[TUF_REPO_KEYS];
    struct tuf_repo_top root, timestamp, snapshot, targets;
    int64_t root_version, timestamp_version, snapshot_version;
    const char *root_expires, *timestamp_expires, *snapshot_expires;
    bool consistent;
    bool bare_meta; /* meta entries without length and hashes, which TUF permits */
    struct tuf_repo_role roles[TUF_REPO_ROLES];
    size_t role_count;
    struct tuf_repo_file files[TUF_REPO_FILES];
    size_t file_count;
    char asked[TUF_REPO_ASKED][TUF_REPO_NAME_BYTES];
    size_t asked_count;
    const char *fail_file; /* asking for it fails with fail_code; NULL: none */
    enum rw_code fail_code;
};

/* Time at which the metadata of this repository are fresh; they expire in 2030. */
#define TUF_REPO_NOW   ((struct rw_wall){1800000000})
#define TUF_REPO_FRESH "2030-01-01T00:00:00Z"
#define TUF_REPO_STALE "2020-01-01T00:00:00Z"

/* Version 1 of everything, root key R, timestamp T, snapshot S, targets G, no targets listed. */
struct tuf_repo *tuf_repo_new(void);
typedef struct tuf_repo *tuf_repo_ref;
void tuf_repo_ref_drop(tuf_repo_ref *r);

struct key *tuf_repo_key(struct tuf_repo *r, char letter);
/* An envelope of `signed_text` by these keys. */
struct rw_buf tuf_repo_envelope(struct tuf_repo *r, struct rw_span signed_text,
                                const char *signers);
void tuf_repo_put(struct tuf_repo *r, const char *name, struct rw_span bytes);
struct rw_buf *tuf_repo_get(struct tuf_repo *r, const char *name); /* NULL: no such file */
void tuf_repo_remove(struct tuf_repo *r, const char *name);

/* Writes the next root (root_version + 1) as the present settings say, signed by these keys. */
void tuf_repo_next_root(struct tuf_repo *r, const char *signers);
/* Writes the next version of a role, making it when it is new. */
struct tuf_repo_role *tuf_repo_next_role(struct tuf_repo *r, const char *name, const char *signers,
                                         const char *body);
struct tuf_repo_role *tuf_repo_find(struct tuf_repo *r, const char *name);
/* Write again at the present version (after a change of expiry, say). */
void tuf_repo_write_role(struct tuf_repo *r, struct tuf_repo_role *role);
void tuf_repo_write_snapshot(struct tuf_repo *r);
void tuf_repo_write_timestamp(struct tuf_repo *r);
/* Next snapshot and timestamp. */
void tuf_repo_publish(struct tuf_repo *r);

struct tuf_repo_delegation {
    const char *name;
    const char *keys; /* letters */
    int threshold;
    const char *paths; /* JSON list: [\"a/?\"] */
    bool terminating;
};
/* Writes "\"delegations\":{...}" into a body. */
void tuf_repo_delegate(struct tuf_repo *r, const struct tuf_repo_delegation *rows, size_t count,
                       char body[static TUF_REPO_BODY_BYTES]);

struct tuf_fetch tuf_repo_fetch(struct tuf_repo *r);
/* How often a file was asked for. */
size_t tuf_repo_asked(const struct tuf_repo *r, const char *name);

#endif
