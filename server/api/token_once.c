#include "server/api/token_once.h"

#include "server/report/audit_log.h"

#include <stdio.h>
#include <string.h>

enum token_once_decision token_once_decide(const struct token_doc *t,
                                           const struct token_once_asker *a,
                                           const uint8_t proof_sha256[static DIGEST_BYTES],
                                           struct rw_wall now)
{
    if (t->revoked) { return TOKEN_ONCE_REVOKED; }
    if (now.s >= t->until.s) { return TOKEN_ONCE_OVER; }
    if (!a->has_proof) { return TOKEN_ONCE_NO_PROOF; }
    if (!t->used) { return TOKEN_ONCE_CLAIM; }
    bool same = memcmp(t->used_by, a->endpoint, sizeof(a->endpoint)) == 0 &&
                digest_same(t->used_proof, proof_sha256, DIGEST_BYTES);
    return same ? TOKEN_ONCE_REPEAT : TOKEN_ONCE_TAKEN;
}

static RW_RC refuse(const struct token_doc *t, enum token_once_decision d, struct rw_err *err)
{
    char at[RW_TIME_TEXT_BYTES];
    rw_wall_format(at, d == TOKEN_ONCE_OVER ? t->until : t->used_at);
    switch (d) {
    case TOKEN_ONCE_CLAIM:
    case TOKEN_ONCE_REPEAT:
        return RW_OK;
    case TOKEN_ONCE_NO_PROOF:
        return rw_fail(err, RW_E_SCHEMA, "'proof' is missing: a one-time token asks for it");
    case TOKEN_ONCE_REVOKED:
        RW_IGNORE(rw_fail(err, RW_E_AUTH, "the one-time token '%s' was revoked", t->token.name),
                  "hint follows");
        break;
    case TOKEN_ONCE_OVER:
        RW_IGNORE(
            rw_fail(err, RW_E_AUTH, "the one-time token '%s' was good until %s", t->token.name, at),
            "hint follows");
        break;
    case TOKEN_ONCE_TAKEN:
        RW_IGNORE(rw_fail(err, RW_E_FORBIDDEN,
                          "the one-time token '%s' was used by another endpoint at %s",
                          t->token.name, at),
                  "hint follows");
        break;
    }
    return rw_hint(err, "make one for this endpoint: ringward-server token --role enrol --once");
}

static RW_RC write_claim(struct store *store, const struct store_doc *old, struct token_doc *t,
                         const struct token_once_asker *a, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(TOKEN_DOC_BYTES_MAX);
    struct store_doc doc = {.generation = old->generation + 1};
    t->used = true;
    rw_copy(t->used_by, sizeof(t->used_by), a->endpoint, sizeof(a->endpoint));
    RW_TRY(token_doc_write(t, &body, err));
    rw_copy(doc.id, sizeof(doc.id), old->id, sizeof(old->id));
    doc.body = rw_buf_span(&body);
    return store_doc_put(store, "token", &doc, err);
}

static RW_RC audit_claim(struct store *store, const struct token_doc *t, struct rw_wall now,
                         struct rw_err *err)
{
    char object[160];
    char actor[2 * API_ENDPOINT_BYTES + 16];
    char id[2 * API_ENDPOINT_BYTES + 1];
    rw_hex_encode(id, sizeof(id), t->used_by, sizeof(t->used_by));
    (void)snprintf(actor, sizeof(actor), "endpoint %s", id);
    (void)snprintf(object, sizeof(object), "token %s (enrol of tenant %s)", t->token.name,
                   t->token.tenant);
    const struct audit_log_entry entry = {
        .actor = actor, .action = "token.use", .object = object, .reason = ""};
    return audit_log_append(store, &entry, now, err);
}

RW_RC token_once_claim(struct store *store, const uint8_t sha256[static DIGEST_BYTES],
                       const struct token_once_asker *a, struct rw_wall now, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(TOKEN_DOC_BYTES_MAX);
    struct store_doc doc = {.generation = 0};
    struct token_doc t;
    uint8_t proof_sha256[DIGEST_BYTES] = {0};
    char id[TOKEN_DOC_ID_BYTES];
    token_doc_id(sha256, id);
    (void)snprintf(doc.id, sizeof(doc.id), "%s", id);
    struct rw_rc rc = store_doc_get(store, "token", id, &body, &doc.generation, err);
    if (rc.code == RW_E_NOT_FOUND) {
        return rw_fail(err, RW_E_AUTH, "the token is not known here");
    }
    RW_TRY(rc);
    RW_TRY(token_doc_read(rw_buf_span(&body), &t, err));
    RW_TRY(digest_sha256(rw_span_of(a->proof, sizeof(a->proof)), proof_sha256, err));
    enum token_once_decision d = token_once_decide(&t, a, proof_sha256, now);
    RW_TRY(refuse(&t, d, err));
    if (d == TOKEN_ONCE_REPEAT) { return RW_OK; }
    rw_copy(t.used_proof, sizeof(t.used_proof), proof_sha256, sizeof(proof_sha256));
    t.used_at = now;
    RW_TRY(write_claim(store, &doc, &t, a, err));
    return audit_claim(store, &t, now, err);
}
