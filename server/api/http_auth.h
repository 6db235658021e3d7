/* http_auth.h: who sent this request? Endpoint tokens by HMAC, all others by a table of hashes.
 *
 * memory   the registry owns copies of the secret (wiped at the end) and of the token table
 * threads  http_auth_check from any thread; http_auth_set_tokens replaces the table at run time in one step
 * source   docs/protocol.md 5
 */
#ifndef RINGWARD_HTTP_AUTH_H
#define RINGWARD_HTTP_AUTH_H

#include "common/crypto/digest.h"
#include "server/api/api_job.h"
#include "server/api/token_rule.h"

enum {
    HTTP_SECRET_BYTES = 32,
    HTTP_TOKENS_MAX = 10000,
    HTTP_TOKEN_BYTES = 160, /* the longest token and its NUL */
};

/* What is kept of an enrolment or operator token: never the token itself. */
struct http_token {
    uint8_t sha256[DIGEST_BYTES]; /* of the whole token text */
    char name[API_NAME_BYTES];    /* operator tokens; "" for enrolment */
    char tenant[API_TENANT_BYTES];
    enum api_auth role; /* API_AUTH_ENROL or API_AUTH_VIEWER and above */
    bool once;          /* enrolment: for one endpoint; whose it is the store knows */
};

struct http_auth;

/* A registry without tokens; gives. Fails with RW_E_NOMEM. */
RW_RC http_auth_new(const uint8_t secret[static HTTP_SECRET_BYTES], struct http_auth **out,
                    struct rw_err *err);
void http_auth_free(struct http_auth *auth); /* accepts NULL; no thread may use it any more */

/* Replaces all tokens; copies 0..HTTP_TOKENS_MAX entries. A failure leaves the old table in force.
 * Fails with RW_E_TOO_BIG, RW_E_SCHEMA (a role that is none), RW_E_NOMEM. */
RW_RC http_auth_set_tokens(struct http_auth *auth, const struct http_token *tokens, size_t count,
                           struct rw_err *err);

/* Decides whether the value of an Authorization header ("Bearer ...", empty when missing) may pass a
 * route that asks for `need`, and tells whose it is. For API_AUTH_NONE it is not looked at. *out is written
 * in any case: behind a failure it tells whose token it is nevertheless (aged out, of another level), or
 * API_AUTH_NONE when nothing was proven.
 * Fails with RW_E_AUTH (missing, malformed, unknown), RW_E_FORBIDDEN (valid, but not for this). */
RW_RC http_auth_check(struct http_auth *auth, enum api_auth need, struct rw_span header,
                      struct api_identity *out, struct rw_err *err);

/* How endpoint tokens age; without it they do not. Before any thread uses the registry. */
void http_auth_set_life(struct http_auth *auth, const struct token_rule_life *life,
                        struct rw_clock clock);

/* Writes the token of an endpoint; the same arguments always give the same token.
 * `tenant` is 1 to 32 of [a-z0-9-]. Fails with RW_E_CRYPTO. */
RW_RC http_auth_endpoint_token(const struct http_auth *auth,
                               const uint8_t endpoint[static API_ENDPOINT_BYTES],
                               const char *tenant, struct rw_wall issued,
                               char dst[static HTTP_TOKEN_BYTES], struct rw_err *err);

#endif
