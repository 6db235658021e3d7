/* api_token.h: enrolment and operator tokens in the store, and their way into the registry of the HTTP side.
 *
 * memory   plain values; a made token is written once into a buffer of the caller and kept nowhere
 * threads  the store's thread
 * source   docs/protocol.md 5
 */
#ifndef RINGWARD_API_TOKEN_H
#define RINGWARD_API_TOKEN_H

#include "common/base/clock.h"
#include "server/api/token_doc.h"
#include "server/store/store.h"

enum { TOKEN_ONCE_LONGEST_S = 90 * 86400 };

/* What is wanted of a new token. */
struct api_token_request {
    const char *name;   /* of the operator, or of the enrolment token; [a-z0-9-], 1 to 32 */
    const char *tenant; /* enrolment: required; operators: "" for all tenants */
    enum api_auth role;
    const char *by;  /* who makes it, for the audit record */
    bool once;       /* enrolment: good for one endpoint (token_once.h) ... */
    int64_t valid_s; /* ... that begins within this time; 1 s to TOKEN_ONCE_LONGEST_S */
    bool replace;    /* revoke the name's older tokens in the same transaction */
};

/* Makes a random token, keeps its hash as document "token" with an audit record in one transaction of its own,
 * and writes the token itself to dst. Fails with RW_E_SCHEMA (names), RW_E_EXISTS (the name has a token and
 * `replace` is not set), RW_E_TOO_BIG (HTTP_TOKENS_MAX are in force), RW_E_STORE. */
RW_RC api_token_make(struct store *store, const struct api_token_request *request,
                     struct rw_wall now, char dst[static HTTP_TOKEN_BYTES], struct rw_err *err);
/* Takes all tokens of a name out of force, with an audit record; gives their number. Fails with RW_E_NOT_FOUND. */
RW_RC api_token_revoke(struct store *store, const char *name, const char *by, struct rw_wall now,
                       size_t *count_out, struct rw_err *err);
/* Puts all tokens of the store that are neither revoked nor (one-time) over into force; gives their number.
 * Fails with RW_E_SCHEMA (a document that is not understood: none is changed then). */
RW_RC api_token_load(struct store *store, struct http_auth *auth, struct rw_wall now,
                     size_t *count_out, struct rw_err *err);
/* Calls `each` for all tokens, those that are revoked included. */
RW_RC api_token_each(struct store *store,
                     RW_RC (*each)(void *arg, const struct token_doc *t, struct rw_err *err),
                     void *arg, struct rw_err *err);

#endif
