/* release_codec.h: a release as a plain value, and its JSON forms: request, stored document, answer.
 *
 * memory   struct release owns two buffers until release_drop
 * threads  no shared state
 * source   docs/protocol.md 1 and 8
 */
#ifndef RINGWARD_RELEASE_CODEC_H
#define RINGWARD_RELEASE_CODEC_H

#include "common/base/clock.h"
#include "common/crypto/key.h"
#include "common/json/json_write.h"
#include "server/release/release_rule.h"

enum {
    RELEASE_NAME_BYTES = 33,
    RELEASE_AUTHOR_BYTES = 65,
    RELEASE_NOTES_BYTES = 2049,
    RELEASE_REASON_BYTES = 401,
    RELEASE_PLATFORMS_MAX = 4,
    RELEASE_SIGNATURES_MAX = 16,
    RELEASE_KEY_BYTES = 64,                /* "yara/0000000002": ids sort by number */
    RELEASE_NUMBER_MAX = 999999999,        /* what the padded id holds */
    RELEASE_FILE_BYTES_MAX = 64 * 1048576, /* payload and samples */
    RELEASE_VERDICT_BYTES_MAX = 256 * 1024,
    RELEASE_TOSIGN_BYTES_MAX = 512 * 1024,
    RELEASE_SIGN_WITHIN_S_MIN =
        600, /* the signer's: a release becomes public ten minutes after its date at most */
    RELEASE_SIGN_WITHIN_S_MAX = 86400,
};

struct release_id {
    char family[RELEASE_NAME_BYTES];
    int64_t number; /* 1..RELEASE_NUMBER_MAX */
};

struct release_file {
    bool declared;
    bool here;     /* arrived with the declared length and hash */
    int64_t bytes; /* 1..RELEASE_FILE_BYTES_MAX */
    char sha256[DIGEST_HEX_BYTES];
};

struct release_signature {
    char keyid[DIGEST_HEX_BYTES];
    char sig_hex[2 * SIG_BYTES_MAX + 1];
    char by[RELEASE_AUTHOR_BYTES]; /* who handed it in */
};

struct release {
    struct release_id id;
    int state; /* enum release_state, as sm_move wants it */
    int64_t generation;
    char class_name[RELEASE_NAME_BYTES];
    char notes[RELEASE_NOTES_BYTES];
    char author[RELEASE_AUTHOR_BYTES];
    struct rw_wall created;
    struct release_file payload;
    struct release_file samples; /* optional */
    int64_t engine_min;
    int64_t engine_max;
    char platforms[RELEASE_PLATFORMS_MAX][RELEASE_NAME_BYTES];
    size_t platform_count;
    int64_t
        sign_within_s; /* time for all signatures; above the minimum the release is dated ahead */
    bool drill;        /* a rehearsal: signed as such, never a release that stays */
    bool unchecked;    /* goes without the server's box; shown everywhere, needs a reason */
    char reason[RELEASE_REASON_BYTES];
    bool trimmed;        /* verdict and signed document went: it was over for long */
    struct rw_buf check; /* the box's verdict, JSON text; empty: none */

    /* --- the document that waits for signatures --- */
    struct rw_buf tosign;                 /* "signed" of the next content role; empty: none made */
    int64_t base_version;                 /* version of the content role that it follows */
    char policy_sha256[DIGEST_HEX_BYTES]; /* policy that its times were computed by */
    int64_t threshold;                    /* of the delegation, when it was made */
    struct release_signature signatures[RELEASE_SIGNATURES_MAX]; /* each verified */
    size_t signature_count;
};

void release_drop(struct release *r);
struct release release_make(void); /* empty, with its buffers' ceilings */

/* "yara" and "2" as they stand in a path. Fails with RW_E_NOT_FOUND: no release can have such a name. */
RW_RC release_id_parse(struct rw_span family, struct rw_span number, struct release_id *out,
                       struct rw_err *err);
/* The store's id of the document. */
void release_id_key(const struct release_id *id, char dst[static RELEASE_KEY_BYTES]);

/* The body of POST /v1/releases; sets what a request says and nothing else.
 * Fails with RW_E_SYNTAX, RW_E_SCHEMA, RW_E_RANGE, naming the member. */
RW_RC release_read_request(struct rw_span body, struct release *out, struct rw_err *err);
/* The body of POST .../signatures. */
RW_RC release_read_signature(struct rw_span body, struct release_signature *out,
                             struct rw_err *err);
/* Members "signatures" of stored documents; at most RELEASE_SIGNATURES_MAX. */
RW_RC release_read_signatures(const struct json *tree,
                              struct release_signature into[static RELEASE_SIGNATURES_MAX],
                              size_t *count_out, struct rw_err *err);
void release_put_signatures(struct json_writer *w, const struct release_signature *sigs,
                            size_t count);
/* The same for everyone: key ids alone. */
void release_put_signers(struct json_writer *w, const struct release_signature *sigs, size_t count);
/* Stored form, both directions; `out` is release_make()'s. */
RW_RC release_read_stored(struct rw_span body, int64_t generation, struct release *out,
                          struct rw_err *err);
RW_RC release_write_stored(const struct release *r, struct rw_buf *into, struct rw_err *err);
/* The release object of the operator API as value `name` of an open writer. */
void release_put_public(struct json_writer *w, const char *name, const struct release *r);

#endif
