/* signer_state.h: the inside of a signer, shared by the files of this folder.
 *
 * memory   owned by the signer
 * threads  one thread
 * source   signer.h is the public face
 */
#ifndef RINGWARD_SIGNER_STATE_H
#define RINGWARD_SIGNER_STATE_H

#include "common/base/file.h"
#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/policy/ring_policy.h"
#include "common/tuf/tuf_sigset.h"
#include "server/signer/signer.h"

enum {
    SIGNER_FLOORS_MAX = 256,
    SIGNER_ROLE_BYTES = 64,
    SIGNER_FLOOR_BYTES = SIGNER_ROLE_BYTES + DIGEST_HEX_BYTES,
    SIGNER_PATH_BYTES = 4096,
    SIGNER_PAYLOADS_MAX = 64,
};

/* The highest version that this signer ever signed for a role with one key: a new key begins anew, as it does for
 * agents, so that versions which a thief pushed up do not outlive the stolen key. */
struct signer_floor {
    char name[SIGNER_FLOOR_BYTES]; /* "ROLE/KEYID" */
    int64_t version;
};

/* Files that one change makes, in the order in which they are to be written. */
struct signer_batch {
    struct {
        char role[SIGNER_ROLE_BYTES];
        int64_t version;
        char name[SIGNER_FILE_NAME_BYTES];
        struct rw_buf bytes;
    } files[SIGNER_FILES_MAX];
    size_t count;
};

/* What tells one state of a file from every other: whatever writes to it, or puts another one in its place, changes at
 * least one of these. */
struct signer_payload_file {
    uint64_t device;
    uint64_t inode;
    int64_t bytes;
    struct timespec written; /* st_mtim */
    struct timespec changed; /* st_ctim: nobody but root and the clock can set it */
};

/* A payload that was hashed, so that the request behind that need not wait for it again. */
struct signer_payload {
    struct signer_payload_file file;
    uint8_t sha256[DIGEST_BYTES];
    struct rw_mono at; /* when */
};

/* A payload that is being hashed. */
struct signer_look {
    rw_fd fd; /* -1: none */
    struct digest digest;
    struct signer_payload_file file; /* as it was when the hashing began */
    uint64_t done_bytes;
};

struct signer {
    char key_dir[SIGNER_PATH_BYTES];
    struct rw_clock clock;
    rw_fd lock;
    rw_fd keys;     /* of key_dir */
    rw_fd metadata; /* repo/metadata */
    rw_fd targets;  /* repo/targets */
    rw_fd state;    /* state/: floors */
    rw_fd trust;    /* state/trust: what was verified of the repository */
    rw_fd proof;    /* state/proof: the new state as an agent would take it; emptied each time */
    struct signer_floor floors[SIGNER_FLOORS_MAX];
    size_t floor_count;
    struct signer_payload payloads[SIGNER_PAYLOADS_MAX]; /* in memory only */
    size_t payload_next;     /* where the next one goes: the oldest goes when all are in use */
    struct signer_look look; /* of the requests that hash ahead */
    struct signer_request looking; /* which payload `look` is about */
    int64_t lift;                  /* of a restored repository; 0: none */
    struct signer_batch batch;     /* of the last request; answers borrow from it */
};

/* Fails with `code`; the text begins with the reason's fixed word, which the answer carries apart. */
__attribute__((format(printf, 4, 5))) RW_RC signer_refuse(struct rw_err *err, enum rw_code code,
                                                          const char *reason, const char *fmt, ...);

/* Makes a failure into the answer that tells it. */
void signer_refusal(const struct rw_err *err, struct signer_answer *out);

/* --- state on disk --- */
int64_t signer_state_floor(const struct signer *s, const char *role, const char *keyid);
/* In memory; signer_state_save makes all of them durable. The oldest entries go when there are too many: those of
 * keys that were rotated away long ago. */
void signer_state_raise(struct signer *s, const char *role, const char *keyid, int64_t version);
RW_RC signer_state_save(struct signer *s, struct rw_err *err);
RW_RC signer_state_load(struct signer *s, struct rw_err *err);

/* --- batch --- */
void signer_batch_clear(struct signer_batch *b);
/* Adds the file of a role; copies. Version 0: a name without a version (timestamp). */
RW_RC signer_batch_add(struct signer_batch *b, const char *role, int64_t version,
                       struct rw_span bytes, struct rw_err *err);

#endif
