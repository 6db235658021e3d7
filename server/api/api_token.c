#include "server/api/api_token.h"

#include "common/json/json_write.h"
#include "common/policy/ring_policy.h"
#include "server/report/audit_log.h"

#include <stdio.h>
#include <string.h>

enum { SECRET_BYTES = 32, SECRET_HEX_BYTES = 2 * SECRET_BYTES + 1, DOC_BYTES_MAX = 1024 };

static const struct role_name {
    const char *name;
    enum api_auth role;
} role_names[] = {
    {"viewer", API_AUTH_VIEWER}, {"operator", API_AUTH_OPERATOR}, {"publisher", API_AUTH_PUBLISHER},
    {"admin", API_AUTH_ADMIN},   {"enrol", API_AUTH_ENROL},
};

RW_RC api_token_role(const char *name, enum api_auth *out, struct rw_err *err)
{
    for (size_t i = 0; i < RW_LEN(role_names); i++) {
        if (strcmp(role_names[i].name, name) == 0) {
            *out = role_names[i].role;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_SCHEMA,
                   "role '%.40s' is not viewer, operator, publisher, admin or enrol", name);
}

const char *api_token_role_name(enum api_auth role)
{
    for (size_t i = 0; i < RW_LEN(role_names); i++) {
        if (role_names[i].role == role) { return role_names[i].name; }
    }
    return "none";
}

static RW_RC check_request(const struct api_token_request *r, struct rw_err *err)
{
    RW_TRY(ring_policy_check_name(r->name, "name", err));
    if (r->role == API_AUTH_ENROL || r->tenant[0] != '\0') {
        RW_TRY(ring_policy_check_name(r->tenant, "tenant", err));
    }
    return RW_OK;
}

static RW_RC write_doc(const struct api_token_request *r, const char *token, struct rw_buf *into,
                       struct rw_err *err)
{
    char sha256[DIGEST_HEX_BYTES];
    RW_TRY(digest_sha256_hex(rw_span_str(token), sha256, err));
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_str(&w, "sha256", sha256);
    json_put_str(&w, "name", r->name);
    json_put_str(&w, "tenant", r->tenant);
    json_put_str(&w, "role", api_token_role_name(r->role));
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC keep(struct store *store, const struct api_token_request *r, struct rw_span body,
                  struct rw_wall now, struct rw_err *err)
{
    struct store_doc doc = {.generation = 1, .body = body};
    char object[128];
    (void)snprintf(doc.id, sizeof(doc.id), "%s", r->name);
    (void)snprintf(object, sizeof(object), "token %s (%s%s%s)", r->name,
                   api_token_role_name(r->role), r->tenant[0] == '\0' ? "" : " of tenant ",
                   r->tenant);
    const struct audit_log_entry entry = {
        .actor = r->by, .action = "token.create", .object = object, .reason = ""};
    RW_TRY(store_doc_put(store, "token", &doc, err));
    return audit_log_append(store, &entry, now, err);
}

RW_RC api_token_make(struct store *store, const struct api_token_request *request,
                     struct rw_wall now, char dst[static HTTP_TOKEN_BYTES], struct rw_err *err)
{
    uint8_t secret[SECRET_BYTES];
    char hex[SECRET_HEX_BYTES];
    char token[HTTP_TOKEN_BYTES];
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(DOC_BYTES_MAX);
    RW_TRY(check_request(request, err));
    RW_TRY(digest_random(secret, sizeof(secret), err));
    rw_hex_encode(hex, sizeof(hex), secret, sizeof(secret));
    bool enrol = request->role == API_AUTH_ENROL;
    (void)snprintf(token, sizeof(token), "%s.%s.%s", enrol ? "rwj1" : "rwo1",
                   enrol ? request->tenant : request->name, hex);
    RW_TRY(write_doc(request, token, &body, err));
    RW_TRY(store_begin(store, err));
    struct rw_rc rc = keep(store, request, rw_buf_span(&body), now, err);
    if (rw_is_ok(rc)) { rc = store_commit(store, err); }
    if (!rw_is_ok(rc)) {
        store_rollback(store);
        return rc;
    }
    rw_copy(dst, HTTP_TOKEN_BYTES, token, sizeof(token));
    rw_wipe(secret, sizeof(secret));
    rw_wipe(hex, sizeof(hex));
    rw_wipe(token, sizeof(token));
    return RW_OK;
}

struct loading {
    struct http_token *tokens;
    size_t count;
};

static RW_RC read_token(struct rw_span body, struct http_token *out, struct rw_err *err)
{
    static const char *const known[] = {"sha256", "name", "tenant", "role"};
    struct rw_span sha256;
    char role[16];
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(json_get_span(tree, "sha256", &sha256, err));
    RW_TRY(rw_hex_decode(out->sha256, DIGEST_BYTES, sha256, "sha256", err));
    RW_TRY(json_get_str(tree, "name", out->name, sizeof(out->name), err));
    RW_TRY(json_get_str(tree, "tenant", out->tenant, sizeof(out->tenant), err));
    RW_TRY(json_get_str(tree, "role", role, sizeof(role), err));
    return api_token_role(role, &out->role, err);
}

static RW_RC load_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    struct loading *l = arg;
    if (l->count == HTTP_TOKENS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d tokens", HTTP_TOKENS_MAX);
    }
    if (!rw_is_ok(read_token(doc->body, &l->tokens[l->count], err))) {
        return rw_wrap(err, "token '%s' in the store", doc->id);
    }
    l->count++;
    return RW_OK;
}

RW_RC api_token_load(struct store *store, struct http_auth *auth, size_t *count_out,
                     struct rw_err *err)
{
    struct loading l = {.tokens = rw_mem_new_array(HTTP_TOKENS_MAX, sizeof(struct http_token))};
    if (l.tokens == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for tokens"); }
    struct rw_rc rc = store_doc_each(store, "token", load_one, &l, err);
    if (rw_is_ok(rc)) { rc = http_auth_set_tokens(auth, l.tokens, l.count, err); }
    rw_mem_free(l.tokens);
    if (rw_is_ok(rc)) { *count_out = l.count; }
    return rc;
}
