/* tuf_doc.h: one metadata file, parsed once: envelope, common members, shape of its type.
 *
 * memory   a document owns its tree and canonical bytes until tuf_doc_drop
 * threads  no shared state
 * source   TUF 1.0.34, 4.2 to 4.6; docs/trust.md "Check list per object"
 */
#ifndef RINGWARD_TUF_DOC_H
#define RINGWARD_TUF_DOC_H

#include "common/base/clock.h"
#include "common/json/json_read.h"

/* Caps of the agent; a declared length above one is a refusal, not a larger buffer. */
enum {
    TUF_ROOT_BYTES_MAX = 128 * 1024,
    TUF_TIMESTAMP_BYTES_MAX = 16 * 1024,
    TUF_SNAPSHOT_BYTES_MAX = 512 * 1024,
    TUF_TARGETS_BYTES_MAX = 2 * 1024 * 1024,
    TUF_CANON_BYTES_MAX = 2 * TUF_TARGETS_BYTES_MAX, /* every byte may need an escape */
    TUF_ROOTS_PER_REFRESH_MAX = 256,
    TUF_VISITS_MAX = 32,
    TUF_DELEGATIONS_MAX = 256,
    TUF_KEYS_MAX = 64,
    TUF_SIGNATURES_MAX = 64,
};

/* A member of ours in every signed part: when the document was made. TUF knows ends only. */
#define TUF_MADE_MEMBER "x-ringward-made"

struct tuf_doc {
    json_tree tree;                 /* the whole file; NULL: no document */
    const struct json *signed_part; /* borrowed from tree */
    const struct json *signatures;  /* borrowed from tree */
    struct rw_buf canon;            /* canonical bytes of the signed part */
    int64_t version;                /* 1..2^53-1 */
    struct rw_wall expires;
    struct rw_wall made; /* s 0: not said, or not before its end; decides nothing */
};

/* Parses and checks the shape for `type` ("root", "timestamp", "snapshot", "targets"); no signature is
 * looked at. Fails with RW_E_SYNTAX, RW_E_SCHEMA, RW_E_TUF_ROLE (another type), RW_E_TOO_BIG. */
RW_RC tuf_doc_parse(struct rw_span bytes, const char *type, struct tuf_doc *out,
                    struct rw_err *err);
void tuf_doc_drop(struct tuf_doc *doc);

/* The version, and length and sha256 when given, that a "meta" member says of a file. */
struct tuf_meta {
    int64_t version;
    int64_t length;        /* negative: not given */
    struct rw_span sha256; /* hex, borrowed; p NULL: not given */
};
/* Looks `file` ("snapshot.json") up in timestamp or snapshot. Fails with RW_E_TUF_ROLE when it is not listed. */
RW_RC tuf_doc_meta(const struct tuf_doc *doc, const char *file, struct tuf_meta *out,
                   struct rw_err *err);
/* Length and hash of received bytes against what was declared. Fails with RW_E_TUF_HASH. */
RW_RC tuf_doc_check_bytes(const struct tuf_meta *meta, const char *file, struct rw_span bytes,
                          struct rw_err *err);

#endif
