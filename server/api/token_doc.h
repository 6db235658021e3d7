/* token_doc.h: what the store keeps of an enrolment or operator token: document "token", never the token itself.
 *
 * memory   plain values
 * threads  pure
 * source   docs/protocol.md 5
 */
#ifndef RINGWARD_TOKEN_DOC_H
#define RINGWARD_TOKEN_DOC_H

#include "common/base/clock.h"
#include "server/api/http_auth.h"

enum { TOKEN_DOC_BYTES_MAX = 1024, TOKEN_DOC_ID_BYTES = 33 };

struct token_doc {
    struct http_token token;
    bool revoked;
    struct rw_wall revoked_at;           /* 0: before that was noted */
    struct rw_wall until;                /* token.once: good before */
    bool used;                           /* token.once: an endpoint has enrolled with it ... */
    uint8_t used_by[API_ENDPOINT_BYTES]; /* ... this one ... */
    uint8_t used_proof[DIGEST_BYTES];    /* ... SHA-256 of what it proved itself with ... */
    struct rw_wall used_at;              /* ... first at this time */
};

/* "viewer", "operator", "publisher", "admin", "enrol". Fails with RW_E_SCHEMA naming the known ones. */
RW_RC token_doc_role(const char *name, enum api_auth *out, struct rw_err *err);
const char *token_doc_role_name(enum api_auth role);

/* Nobody gets in by it any more: revoked, or a one-time token after its time. */
bool token_doc_is_over(const struct token_doc *t, struct rw_wall now);
/* "in force"; of one-time tokens "unused", "used" (by one endpoint, which may repeat) or "over"; "revoked". */
const char *token_doc_state_name(const struct token_doc *t, struct rw_wall now);

/* The document's id: the first half of the hash, as hex. */
void token_doc_id(const uint8_t sha256[static DIGEST_BYTES], char dst[static TOKEN_DOC_ID_BYTES]);
RW_RC token_doc_write(const struct token_doc *t, struct rw_buf *into, struct rw_err *err);
/* Fails with RW_E_SYNTAX, RW_E_SCHEMA. */
RW_RC token_doc_read(struct rw_span body, struct token_doc *out, struct rw_err *err);

#endif
