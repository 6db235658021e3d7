/* signer_codec.h: frames between ringward-server and ringward-signer, both directions.
 *
 * The server asks for one change; the signer answers with the files that make it public, in the order in which they
 * must be written (roles, snapshot, timestamp), or with a refusal.
 *
 * memory   a received request or answer borrows from the received bytes
 * threads  no shared state
 * source   docs/protocol.md 13
 */
#ifndef RINGWARD_SIGNER_CODEC_H
#define RINGWARD_SIGNER_CODEC_H

#include "common/base/frame.h"

enum {
    SIGNER_ENVELOPE_BYTES_MAX = 2 * 1024 * 1024,
    /* A whole request frame; what a TRUST request carries together is within it, too. */
    SIGNER_REQUEST_BYTES_MAX = 2 * SIGNER_ENVELOPE_BYTES_MAX + 4096,
    SIGNER_FILES_MAX = 40,
    SIGNER_FILE_NAME_BYTES = 128,
    SIGNER_FILE_BYTES_MAX = 2 * 1024 * 1024,
    SIGNER_NAME_BYTES = 33,
    SIGNER_REASON_BYTES = 33,
    SIGNER_CONTENTS_MAX = 16,
    SIGNER_SHA256_BYTES = 32,
};

enum signer_request_type {
    SIGNER_PUBLISH = 1, /* a content role that engineers signed becomes part of the snapshot */
    SIGNER_POINT = 2,   /* a ring's pointer moves, is held, or goes */
    SIGNER_RENEW = 3,   /* what has less than half of its life left is signed anew */
    SIGNER_TRUST =
        4, /* a ceremony's root, targets or content roles take the place of the published ones */
    SIGNER_EXPEDITE = 5, /* a role that duty officers signed becomes part of the snapshot */
    SIGNER_LOOK = 6,     /* a payload that will be published is hashed ahead, one slice of it */
};

/* A content role that a ceremony brings along. */
struct signer_content {
    char family[SIGNER_NAME_BYTES];
    struct rw_span envelope;
};

struct signer_request {
    enum signer_request_type type;
    char family[SIGNER_NAME_BYTES];      /* PUBLISH, POINT, LOOK */
    char ring[SIGNER_NAME_BYTES];        /* POINT */
    int64_t release;                     /* POINT, LOOK; POINT with 0: no pointer any more */
    bool hold;                           /* POINT */
    int64_t bytes;                       /* LOOK: of the payload */
    uint8_t sha256[SIGNER_SHA256_BYTES]; /* LOOK */
    struct rw_span envelope; /* PUBLISH, EXPEDITE: the signed role, as agents will read it */
    struct rw_span root;     /* TRUST: the next root; n 0: stays */
    struct rw_span targets;  /* TRUST: the next targets; n 0: stay */
    struct signer_content contents[SIGNER_CONTENTS_MAX]; /* TRUST */
    size_t content_count;
};

struct signer_file {
    char name[SIGNER_FILE_NAME_BYTES]; /* below repo/metadata: "7.ring-canary.json" */
    struct rw_span bytes;
};

struct signer_answer {
    bool refused;
    /* --- refused --- */
    enum rw_code code;                /* of the table; unknown numbers are a protocol failure */
    char reason[SIGNER_REASON_BYTES]; /* a fixed word: "bake", "threshold", ... */
    char text[RW_ERR_TEXT_BYTES];
    char hint[RW_ERR_HINT_BYTES];
    /* --- granted --- */
    bool more; /* LOOK: sound so far, not all of it was read; no files then */
    struct signer_file files[SIGNER_FILES_MAX]; /* 0: everything is published already */
    size_t file_count;
};

/* Builds the frame of a request; the caller sends and drops it. Fails with RW_E_TOO_BIG, RW_E_NOMEM. */
RW_RC signer_request_write(const struct signer_request *r, struct frame_writer *out,
                           struct rw_err *err);
/* Fails with RW_E_PROTOCOL: unknown type, a field that does not fit, bytes left over. */
RW_RC signer_request_read(struct frame_reader *frame, struct signer_request *out,
                          struct rw_err *err);
RW_RC signer_answer_write(const struct signer_answer *a, struct frame_writer *out,
                          struct rw_err *err);
/* Fails with RW_E_PROTOCOL; also for a file name that is not a plain name ending in ".json". */
RW_RC signer_answer_read(struct frame_reader *frame, struct signer_answer *out, struct rw_err *err);
/* The same from a whole frame that was kept, header included: what signer_answer_write made. */
RW_RC signer_answer_kept(struct rw_span frame, struct signer_answer *out, struct rw_err *err);

#endif
