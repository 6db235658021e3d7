#include "server/api/api_token.h"

#include "common/policy/ring_policy.h"
#include "server/api/token_doc.h"
#include "server/report/audit_log.h"

#include <stdio.h>
#include <string.h>

enum { SECRET_BYTES = 32, SECRET_HEX_BYTES = 2 * SECRET_BYTES + 1, OLD_TOKENS_MAX = 64 };

static RW_RC check_request(const struct api_token_request *r, struct rw_err *err)
{
    RW_TRY(ring_policy_check_name(r->name, "name", err));
    if (r->role == API_AUTH_ENROL || r->tenant[0] != '\0') {
        RW_TRY(ring_policy_check_name(r->tenant, "tenant", err));
    }
    if (r->once && r->role != API_AUTH_ENROL) {
        return rw_fail(err, RW_E_SCHEMA, "only an enrolment token can be good for one endpoint");
    }
    if (r->once && (r->valid_s < 1 || r->valid_s > TOKEN_ONCE_LONGEST_S)) {
        return rw_fail(err, RW_E_SCHEMA, "a one-time token is good for 1 s to %d days",
                       TOKEN_ONCE_LONGEST_S / 86400);
    }
    return RW_OK;
}

/* --- revoking: the documents stay, so that the audit log's names can be looked up --- */

struct old_token {
    char id[STORE_ID_BYTES];
    int64_t generation;
    struct token_doc doc;
};

struct search {
    const char *name;
    struct rw_wall now;
    size_t in_force; /* tokens of other names that a load takes */
    struct old_token found[OLD_TOKENS_MAX];
    size_t count;
};

static RW_RC find_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    struct search *s = arg;
    struct token_doc t;
    if (!rw_is_ok(token_doc_read(doc->body, &t, err))) {
        return rw_wrap(err, "token '%s' in the store", doc->id);
    }
    bool ours = strcmp(t.token.name, s->name) == 0;
    if (!ours && !token_doc_is_over(&t, s->now)) { s->in_force++; }
    if (t.revoked || !ours) { return RW_OK; }
    if (s->count == OLD_TOKENS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "'%s' has more than %d tokens", s->name, OLD_TOKENS_MAX);
    }
    struct old_token *o = &s->found[s->count++];
    rw_copy(o->id, sizeof(o->id), doc->id, sizeof(doc->id));
    o->generation = doc->generation;
    o->doc = t;
    return RW_OK;
}

static RW_RC audit(struct store *store, const char *by, const char *action,
                   const struct http_token *t, struct rw_wall now, struct rw_err *err)
{
    char object[128];
    (void)snprintf(object, sizeof(object), "token %s (%s%s%s)", t->name,
                   token_doc_role_name(t->role), t->tenant[0] == '\0' ? "" : " of tenant ",
                   t->tenant);
    const struct audit_log_entry entry = {
        .actor = by, .action = action, .object = object, .reason = ""};
    return audit_log_append(store, &entry, now, err);
}

static RW_RC revoke_found(struct store *store, const struct search *s, const char *by,
                          struct rw_wall now, struct rw_err *err)
{
    for (size_t i = 0; i < s->count; i++) {
        struct token_doc gone = s->found[i].doc;
        const struct old_token *o = &s->found[i];
        RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(TOKEN_DOC_BYTES_MAX);
        struct store_doc doc = {.generation = o->generation + 1};
        gone.revoked = true;
        gone.revoked_at = now;
        RW_TRY(token_doc_write(&gone, &body, err));
        rw_copy(doc.id, sizeof(doc.id), o->id, sizeof(o->id));
        doc.body = rw_buf_span(&body);
        RW_TRY(store_doc_put(store, "token", &doc, err));
        RW_TRY(audit(store, by, "token.revoke", &gone.token, now, err));
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

/* Looks inside the transaction: what other nodes have done is seen, and nobody does anything meanwhile. */
static RW_RC revoke_all(struct store *store, const char *name, const char *by, struct rw_wall now,
                        size_t *count_out, struct rw_err *err)
{
    struct search s = {.name = name, .now = now};
    RW_TRY(store_doc_each(store, "token", find_one, &s, err));
    if (s.count == 0) {
        return rw_fail(err, RW_E_NOT_FOUND, "no token of '%.40s' is in force", name);
    }
    *count_out = s.count;
    return revoke_found(store, &s, by, now, err);
}

RW_RC api_token_revoke(struct store *store, const char *name, const char *by, struct rw_wall now,
                       size_t *count_out, struct rw_err *err)
{
    size_t count = 0;
    RW_TRY(store_begin(store, err));
    RW_TRY(finish(store, revoke_all(store, name, by, now, &count, err), err));
    *count_out = count;
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
    struct token_doc t = {.token = {.role = r->role, .once = r->once}};
    struct store_doc doc = {.generation = 1};
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(TOKEN_DOC_BYTES_MAX);
    if (r->once) { t.until.s = now.s + r->valid_s; }
    RW_TRY(digest_sha256(rw_span_str(token), t.token.sha256, err));
    RW_TRY(rw_span_to_str(t.token.name, API_NAME_BYTES, rw_span_str(r->name), "name", err));
    RW_TRY(rw_span_to_str(t.token.tenant, API_TENANT_BYTES, rw_span_str(r->tenant), "tenant", err));
    RW_TRY(token_doc_write(&t, &body, err));
    token_doc_id(t.token.sha256, doc.id);
    doc.body = rw_buf_span(&body);
    RW_TRY(store_doc_put(store, "token", &doc, err));
    return audit(store, r->by, r->once ? "token.create_once" : "token.create", &t.token, now, err);
}

/* One more than a load takes would keep the server from starting. */
static RW_RC check_room(const struct search *s, struct rw_err *err)
{
    if (s->in_force < HTTP_TOKENS_MAX) { return RW_OK; }
    RW_IGNORE(
        rw_fail(err, RW_E_TOO_BIG, "%zu tokens are in force, which is the limit", s->in_force),
        "hint");
    return rw_hint(err,
                   "revoke some first; one-time tokens leave by themselves when they are over");
}

/* Looks inside the transaction: two nodes that are asked for one name make one token. */
static RW_RC replace_and_keep(struct store *store, const struct api_token_request *r,
                              const char *token, struct rw_wall now, struct rw_err *err)
{
    struct search old = {.name = r->name, .now = now};
    RW_TRY(store_doc_each(store, "token", find_one, &old, err));
    if (old.count > 0 && !r->replace) {
        RW_IGNORE(rw_fail(err, RW_E_EXISTS, "'%s' has a token already", r->name), "hint");
        return rw_hint(err, "add --replace to revoke the older one in the same step");
    }
    RW_TRY(check_room(&old, err));
    RW_TRY(revoke_found(store, &old, r->by, now, err));
    return keep(store, r, token, now, err);
}

RW_RC api_token_make(struct store *store, const struct api_token_request *request,
                     struct rw_wall now, char dst[static HTTP_TOKEN_BYTES], struct rw_err *err)
{
    char token[HTTP_TOKEN_BYTES];
    RW_TRY(check_request(request, err));
    RW_TRY(draw(request, token, err));
    RW_TRY(store_begin(store, err));
    struct rw_rc rc = finish(store, replace_and_keep(store, request, token, now, err), err);
    if (rw_is_ok(rc)) { rw_copy(dst, HTTP_TOKEN_BYTES, token, sizeof(token)); }
    rw_wipe(token, sizeof(token));
    return rc;
}

/* --- loading --- */

struct loading {
    struct http_token *tokens;
    size_t count;
    struct rw_wall now;
};

static RW_RC load_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    struct loading *l = arg;
    struct token_doc t;
    if (!rw_is_ok(token_doc_read(doc->body, &t, err))) {
        return rw_wrap(err, "token '%s' in the store", doc->id);
    }
    /* One-time tokens come in numbers: those that are over must not use up the table. */
    if (token_doc_is_over(&t, l->now)) { return RW_OK; }
    if (l->count == HTTP_TOKENS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d tokens", HTTP_TOKENS_MAX);
    }
    l->tokens[l->count++] = t.token;
    return RW_OK;
}

RW_RC api_token_load(struct store *store, struct http_auth *auth, struct rw_wall now,
                     size_t *count_out, struct rw_err *err)
{
    struct loading l = {.tokens = rw_mem_new_array(HTTP_TOKENS_MAX, sizeof(struct http_token)),
                        .now = now};
    if (l.tokens == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for tokens"); }
    struct rw_rc rc = store_doc_each(store, "token", load_one, &l, err);
    if (rw_is_ok(rc)) { rc = http_auth_set_tokens(auth, l.tokens, l.count, err); }
    rw_mem_free(l.tokens);
    if (rw_is_ok(rc)) { *count_out = l.count; }
    return rc;
}

/* --- listing --- */

struct listing {
    RW_RC (*each)(void *arg, const struct token_doc *t, struct rw_err *err);
    void *arg;
};

static RW_RC list_one(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    const struct listing *l = arg;
    struct token_doc t;
    if (!rw_is_ok(token_doc_read(doc->body, &t, err))) {
        return rw_wrap(err, "token '%s' in the store", doc->id);
    }
    return l->each(l->arg, &t, err);
}

RW_RC api_token_each(struct store *store,
                     RW_RC (*each)(void *arg, const struct token_doc *t, struct rw_err *err),
                     void *arg, struct rw_err *err)
{
    struct listing l = {.each = each, .arg = arg};
    return store_doc_each(store, "token", list_one, &l, err);
}
