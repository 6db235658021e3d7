#include "server/api/api_token.h"

#include "common/json/json_write.h"
#include "common/policy/ring_policy.h"
#include "server/report/audit_log.h"

#include <stdio.h>
#include <string.h>

enum {
    SECRET_BYTES = 32,
    SECRET_HEX_BYTES = 2 * SECRET_BYTES + 1,
    DOC_BYTES_MAX = 1024,
    OLD_TOKENS_MAX = 64
};

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

static RW_RC write_doc(const struct http_token *t, bool revoked, struct rw_buf *into,
                       struct rw_err *err)
{
    char sha256[DIGEST_HEX_BYTES];
    rw_hex_encode(sha256, sizeof(sha256), t->sha256, sizeof(t->sha256));
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_str(&w, "sha256", sha256);
    json_put_str(&w, "name", t->name);
    json_put_str(&w, "tenant", t->tenant);
    json_put_str(&w, "role", api_token_role_name(t->role));
    if (revoked) { json_put_bool(&w, "revoked", true); }
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC read_doc(struct rw_span body, struct http_token *out, bool *revoked_out,
                      struct rw_err *err)
{
    static const char *const known[] = {"sha256", "name", "tenant", "role", "revoked"};
    struct rw_span sha256;
    char role[16];
    RW_AUTO(json_tree) json_tree tree = NULL;
    *revoked_out = false;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(json_get_span(tree, "sha256", &sha256, err));
    RW_TRY(rw_hex_decode(out->sha256, DIGEST_BYTES, sha256, "sha256", err));
    RW_TRY(json_get_str(tree, "name", out->name, sizeof(out->name), err));
    RW_TRY(json_get_str(tree, "tenant", out->tenant, sizeof(out->tenant), err));
    RW_TRY(json_get_str(tree, "role", role, sizeof(role), err));
    if (json_find(tree, "revoked") != NULL) {
        RW_TRY(json_get_bool(tree, "revoked", revoked_out, err));
    }
    return api_token_role(role, &out->role, err);
}

/* --- revoking: the documents stay, so that the audit log's names can be looked up --- */

struct old_token {
    char id[STORE_ID_BYTES];
    int64_t generation;
    struct http_token token;
};

struct search {
    const char *name;
    struct old_token found[OLD_TOKENS_MAX];
    size_t count;
};

static RW_RC find_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    struct search *s = arg;
    struct http_token token;
    bool revoked = false;
    if (!rw_is_ok(read_doc(doc->body, &token, &revoked, err))) {
        return rw_wrap(err, "token '%s' in the store", doc->id);
    }
    if (revoked || strcmp(token.name, s->name) != 0) { return RW_OK; }
    if (s->count == OLD_TOKENS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "'%s' has more than %d tokens", s->name, OLD_TOKENS_MAX);
    }
    struct old_token *o = &s->found[s->count++];
    rw_copy(o->id, sizeof(o->id), doc->id, sizeof(doc->id));
    o->generation = doc->generation;
    o->token = token;
    return RW_OK;
}

static RW_RC audit(struct store *store, const char *by, const char *action,
                   const struct http_token *t, struct rw_wall now, struct rw_err *err)
{
    char object[128];
    (void)snprintf(object, sizeof(object), "token %s (%s%s%s)", t->name,
                   api_token_role_name(t->role), t->tenant[0] == '\0' ? "" : " of tenant ",
                   t->tenant);
    const struct audit_log_entry entry = {
        .actor = by, .action = action, .object = object, .reason = ""};
    return audit_log_append(store, &entry, now, err);
}

static RW_RC revoke_found(struct store *store, const struct search *s, const char *by,
                          struct rw_wall now, struct rw_err *err)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct old_token *o = &s->found[i];
        RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(DOC_BYTES_MAX);
        struct store_doc doc = {.generation = o->generation + 1};
        RW_TRY(write_doc(&o->token, true, &body, err));
        rw_copy(doc.id, sizeof(doc.id), o->id, sizeof(o->id));
        doc.body = rw_buf_span(&body);
        RW_TRY(store_doc_put(store, "token", &doc, err));
        RW_TRY(audit(store, by, "token.revoke", &o->token, now, err));
    }
    return RW_OK;
}

/* Ends the transaction: state and audit record are kept or lost together (INV-9). */
static RW_RC finish(struct store *store, struct rw_rc rc, struct rw_err *err)
{
    if (rw_is_ok(rc)) { return store_commit(store, err); }
    store_rollback(store);
    return rc;
}

RW_RC api_token_revoke(struct store *store, const char *name, const char *by, struct rw_wall now,
                       size_t *count_out, struct rw_err *err)
{
    struct search s = {.name = name};
    RW_TRY(store_doc_each(store, "token", find_one, &s, err));
    if (s.count == 0) {
        return rw_fail(err, RW_E_NOT_FOUND, "no token of '%.40s' is in force", name);
    }
    RW_TRY(store_begin(store, err));
    RW_TRY(finish(store, revoke_found(store, &s, by, now, err), err));
    *count_out = s.count;
    return RW_OK;
}

/* --- making --- */

static RW_RC draw(const struct api_token_request *r, char dst[static HTTP_TOKEN_BYTES],
                  struct rw_err *err)
{
    uint8_t secret[SECRET_BYTES];
    char hex[SECRET_HEX_BYTES];
    bool enrol = r->role == API_AUTH_ENROL;
    RW_TRY(digest_random(secret, sizeof(secret), err));
    rw_hex_encode(hex, sizeof(hex), secret, sizeof(secret));
    (void)snprintf(dst, HTTP_TOKEN_BYTES, "%s.%s.%s", enrol ? "rwj1" : "rwo1",
                   enrol ? r->tenant : r->name, hex);
    rw_wipe(secret, sizeof(secret));
    rw_wipe(hex, sizeof(hex));
    return RW_OK;
}

static RW_RC keep(struct store *store, const struct api_token_request *r, const char *token,
                  struct rw_wall now, struct rw_err *err)
{
    struct http_token t = {.role = r->role};
    char hex[DIGEST_HEX_BYTES];
    struct store_doc doc = {.generation = 1};
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(DOC_BYTES_MAX);
    RW_TRY(digest_sha256(rw_span_str(token), t.sha256, err));
    RW_TRY(rw_span_to_str(t.name, sizeof(t.name), rw_span_str(r->name), "name", err));
    RW_TRY(rw_span_to_str(t.tenant, sizeof(t.tenant), rw_span_str(r->tenant), "tenant", err));
    RW_TRY(write_doc(&t, false, &body, err));
    rw_hex_encode(hex, sizeof(hex), t.sha256, sizeof(t.sha256));
    (void)snprintf(doc.id, sizeof(doc.id), "%.32s", hex);
    doc.body = rw_buf_span(&body);
    RW_TRY(store_doc_put(store, "token", &doc, err));
    return audit(store, r->by, "token.create", &t, now, err);
}

static RW_RC replace_and_keep(struct store *store, const struct api_token_request *r,
                              const struct search *old, const char *token, struct rw_wall now,
                              struct rw_err *err)
{
    RW_TRY(revoke_found(store, old, r->by, now, err));
    return keep(store, r, token, now, err);
}

RW_RC api_token_make(struct store *store, const struct api_token_request *request,
                     struct rw_wall now, char dst[static HTTP_TOKEN_BYTES], struct rw_err *err)
{
    struct search old = {.name = request->name};
    RW_TRY(check_request(request, err));
    RW_TRY(store_doc_each(store, "token", find_one, &old, err));
    if (old.count > 0 && !request->replace) {
        RW_IGNORE(rw_fail(err, RW_E_EXISTS, "'%s' has a token already", request->name), "hint");
        return rw_hint(err, "add --replace to revoke the older one in the same step");
    }
    RW_TRY(draw(request, dst, err));
    RW_TRY(store_begin(store, err));
    return finish(store, replace_and_keep(store, request, &old, dst, now, err), err);
}

/* --- loading --- */

struct loading {
    struct http_token *tokens;
    size_t count;
};

static RW_RC load_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    struct loading *l = arg;
    if (l->count == HTTP_TOKENS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d tokens", HTTP_TOKENS_MAX);
    }
    bool revoked = false;
    if (!rw_is_ok(read_doc(doc->body, &l->tokens[l->count], &revoked, err))) {
        return rw_wrap(err, "token '%s' in the store", doc->id);
    }
    if (!revoked) { l->count++; }
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
