#include "server/api/token_doc.h"

#include "common/json/json_write.h"

#include <stdio.h>
#include <string.h>

static const struct role_name {
    const char *name;
    enum api_auth role;
} role_names[] = {
    {"viewer", API_AUTH_VIEWER}, {"operator", API_AUTH_OPERATOR}, {"publisher", API_AUTH_PUBLISHER},
    {"admin", API_AUTH_ADMIN},   {"enrol", API_AUTH_ENROL},
};

RW_RC token_doc_role(const char *name, enum api_auth *out, struct rw_err *err)
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

const char *token_doc_role_name(enum api_auth role)
{
    for (size_t i = 0; i < RW_LEN(role_names); i++) {
        if (role_names[i].role == role) { return role_names[i].name; }
    }
    return "none";
}

bool token_doc_is_over(const struct token_doc *t, struct rw_wall now)
{
    return t->revoked || (t->token.once && now.s >= t->until.s);
}

const char *token_doc_state_name(const struct token_doc *t, struct rw_wall now)
{
    if (t->revoked) { return "revoked"; }
    if (!t->token.once) { return "in force"; }
    if (t->used) { return "used"; }
    return token_doc_is_over(t, now) ? "over" : "unused";
}

void token_doc_id(const uint8_t sha256[static DIGEST_BYTES], char dst[static TOKEN_DOC_ID_BYTES])
{
    char hex[DIGEST_HEX_BYTES];
    rw_hex_encode(hex, sizeof(hex), sha256, DIGEST_BYTES);
    (void)snprintf(dst, TOKEN_DOC_ID_BYTES, "%.32s", hex);
}

static void put_hex(struct json_writer *w, const char *name, const uint8_t *bytes, size_t n)
{
    char hex[DIGEST_HEX_BYTES];
    rw_hex_encode(hex, sizeof(hex), bytes, n);
    json_put_str(w, name, hex);
}

static void put_time(struct json_writer *w, const char *name, struct rw_wall t)
{
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, t);
    json_put_str(w, name, text);
}

RW_RC token_doc_write(const struct token_doc *t, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    put_hex(&w, "sha256", t->token.sha256, DIGEST_BYTES);
    json_put_str(&w, "name", t->token.name);
    json_put_str(&w, "tenant", t->token.tenant);
    json_put_str(&w, "role", token_doc_role_name(t->token.role));
    if (t->revoked) { json_put_bool(&w, "revoked", true); }
    if (t->revoked_at.s > 0) { put_time(&w, "revoked_at", t->revoked_at); }
    if (t->token.once) { put_time(&w, "once_until", t->until); }
    if (t->used) {
        put_hex(&w, "used_by", t->used_by, sizeof(t->used_by));
        put_hex(&w, "used_proof", t->used_proof, sizeof(t->used_proof));
        put_time(&w, "used_at", t->used_at);
    }
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC get_hex(const struct json *o, const char *name, uint8_t *dst, size_t n,
                     struct rw_err *err)
{
    struct rw_span hex;
    RW_TRY(json_get_span(o, name, &hex, err));
    return rw_hex_decode(dst, n, hex, name, err);
}

static RW_RC get_time(const struct json *o, const char *name, struct rw_wall *out,
                      struct rw_err *err)
{
    struct rw_span text;
    RW_TRY(json_get_span(o, name, &text, err));
    return rw_wall_parse(text, name, out, err);
}

RW_RC token_doc_read(struct rw_span body, struct token_doc *out, struct rw_err *err)
{
    static const char *const known[] = {"sha256",     "name",       "tenant",     "role",
                                        "revoked",    "revoked_at", "once_until", "used_by",
                                        "used_proof", "used_at"};
    char role[16];
    RW_AUTO(json_tree) json_tree tree = NULL;
    *out = (struct token_doc){.revoked = false};
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(get_hex(tree, "sha256", out->token.sha256, DIGEST_BYTES, err));
    RW_TRY(json_get_str(tree, "name", out->token.name, sizeof(out->token.name), err));
    RW_TRY(json_get_str(tree, "tenant", out->token.tenant, sizeof(out->token.tenant), err));
    RW_TRY(json_get_str(tree, "role", role, sizeof(role), err));
    if (json_find(tree, "revoked") != NULL) {
        RW_TRY(json_get_bool(tree, "revoked", &out->revoked, err));
    }
    if (json_find(tree, "revoked_at") != NULL) {
        RW_TRY(get_time(tree, "revoked_at", &out->revoked_at, err));
    }
    out->token.once = json_find(tree, "once_until") != NULL;
    if (out->token.once) { RW_TRY(get_time(tree, "once_until", &out->until, err)); }
    out->used = json_find(tree, "used_by") != NULL;
    if (out->used) {
        RW_TRY(get_hex(tree, "used_by", out->used_by, sizeof(out->used_by), err));
        RW_TRY(get_hex(tree, "used_proof", out->used_proof, sizeof(out->used_proof), err));
        RW_TRY(get_time(tree, "used_at", &out->used_at, err));
    }
    return token_doc_role(role, &out->token.role, err);
}
