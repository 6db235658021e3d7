#include "server/signer/signer_trust.h"

#include "common/policy/trust_check.h"
#include "server/signer/signer_check.h"
#include "server/signer/signer_key.h"
#include "server/signer/signer_sign.h"

#include <stdio.h>
#include <string.h>

/* `v` begins as the published state and turns into the one after the change, document by document. Its client stays
 * with the published one: what is read through it was verified by the old documents. */
struct change {
    struct signer *s;
    struct signer_view *v;
    const struct signer_request *r;
    bool anew;    /* v was opened without the memory of versions */
    bool root;    /* there is a new one */
    bool targets; /* there are new ones */
};

static RW_RC check_votes(const struct tuf_doc *by_root, const char *role, const struct tuf_doc *doc,
                         struct rw_err *err)
{
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(tuf_sigset_of_root(by_root, role, &a, err));
    return tuf_sigset_check(doc, &a, NULL, err);
}

static RW_RC parse(struct rw_span bytes, const char *type, struct tuf_doc *out, struct rw_err *err)
{
    return rw_is_ok(tuf_doc_parse(bytes, type, out, err)) ? RW_OK : rw_wrap(err, "document");
}

/* Sent again: the very document that is published already. */
static bool is_same(const struct tuf_doc *a, const struct tuf_doc *b)
{
    return rw_span_eq(rw_buf_span(&a->canon), rw_buf_span(&b->canon));
}

static RW_RC check_next(const char *role, const struct tuf_doc *had, const struct tuf_doc *next,
                        struct rw_err *err)
{
    if (next->version == had->version + 1) { return RW_OK; }
    return signer_refuse(err, RW_E_TUF_VERSION, "version", "%s version %lld cannot follow %lld",
                         role, (long long)next->version, (long long)had->version);
}

/* --- root --- */

/* Whether no key of the role survives: then nothing that the old ones signed has power over agents any more. */
static RW_RC loses_power(const struct tuf_doc *had, const struct tuf_doc *next, const char *role,
                         bool *out, struct rw_err *err)
{
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority b = {.count = 0};
    RW_TRY(tuf_sigset_of_root(had, role, &a, err));
    RW_TRY(tuf_sigset_of_root(next, role, &b, err));
    *out = !trust_check_shares_key(&a, &b);
    return RW_OK;
}

/* TUF-5.3.11, as agents apply it: a stored file that does not verify by the new root is no floor. The snapshot's own
 * version stands in the timestamp too, the versions of the roles in the snapshot alone. */
static RW_RC find_restarts(const struct tuf_doc *had, const struct tuf_doc *next,
                           struct signer_view_restart *out, struct rw_err *err)
{
    RW_TRY(loses_power(had, next, "timestamp", &out->timestamp, err));
    RW_TRY(loses_power(had, next, "snapshot", &out->roles, err));
    out->snapshot = out->timestamp && out->roles;
    return RW_OK;
}

static RW_RC take_root(struct change *c, struct rw_err *err)
{
    struct tuf_doc *had = &c->v->root;
    RW_AUTO(tuf_doc) struct tuf_doc next = {0};
    if (c->r->root.n == 0) { return RW_OK; }
    RW_TRY(parse(c->r->root, "root", &next, err));
    if (is_same(had, &next)) { return RW_OK; }
    RW_TRY(check_next("root", had, &next, err));
    struct rw_rc rc = check_votes(had, "root", &next, err);
    if (!rw_is_ok(rc)) {
        return rw_wrap(err, "threshold: by the keys of root %lld", (long long)had->version);
    }
    if (!rw_is_ok(check_votes(&next, "root", &next, err))) {
        return rw_wrap(err, "threshold: by the keys of the new root");
    }
    if (!rw_is_ok(trust_check_root(&next, err))) { return rw_wrap(err, "root"); }
    RW_TRY(signer_view_check_expiry(c->v, "root", next.expires, err));
    RW_TRY(find_restarts(had, &next, &c->v->restart, err));
    RW_TRY(signer_batch_add(&c->s->batch, "root", next.version, c->r->root, err));
    tuf_doc_drop(had);
    *had = next;
    next = (struct tuf_doc){0}; /* handed over */
    c->root = true;
    return RW_OK;
}

/* --- targets --- */

/* Snapshot lists a role for ever, so targets must delegate it for ever: an agent that looks for it would find a list
 * without a signer. A family or ring that is given up keeps an empty role. */
static RW_RC check_nothing_vanishes(const struct signer_view *v, const struct tuf_doc *next,
                                    struct rw_err *err)
{
    const struct json *meta = NULL;
    RW_TRY(json_get(v->snapshot.signed_part, "meta", JSON_OBJECT, &meta, err));
    for (const struct json *e = json_first(meta); e != NULL; e = json_next(e)) {
        char role[SIGNER_FILE_NAME_BYTES];
        RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
        RW_TRY(rw_span_to_str(role, sizeof(role), json_name(e), "role in snapshot", err));
        char *ending = strstr(role, ".json");
        if (ending != NULL) { *ending = '\0'; }
        if (strcmp(role, "targets") == 0) { continue; }
        if (!rw_is_ok(tuf_sigset_of_delegation(next, role, &a, err))) {
            return signer_refuse(err, RW_E_TRUST_RULE, "dropped",
                                 "targets version %lld no longer delegate role '%s'",
                                 (long long)next->version, role);
        }
    }
    return RW_OK;
}

/* A root that stays alone must fit the published targets. */
static RW_RC keep_targets(const struct change *c, struct rw_err *err)
{
    const struct signer_view *v = c->v;
    if (!c->root) { return RW_OK; }
    if (!rw_is_ok(check_votes(&v->root, "targets", &v->targets, err))) {
        RW_IGNORE(rw_wrap(err, "targets: by the new root the published ones have too few votes"),
                  "hint");
        return rw_hint(err, "send new targets together with the root");
    }
    if (!rw_is_ok(trust_check_targets(&v->root, &v->targets, &v->policy, err))) {
        return rw_wrap(err, "targets");
    }
    return RW_OK;
}

static RW_RC take_targets(struct change *c, struct rw_err *err)
{
    struct tuf_doc *had = &c->v->targets;
    RW_AUTO(tuf_doc) struct tuf_doc next = {0};
    if (c->r->targets.n == 0) { return keep_targets(c, err); }
    RW_TRY(parse(c->r->targets, "targets", &next, err));
    if (is_same(had, &next)) { return keep_targets(c, err); }
    RW_TRY(check_next("targets", had, &next, err));
    if (!rw_is_ok(check_votes(&c->v->root, "targets", &next, err))) {
        return rw_wrap(err, "threshold");
    }
    RW_TRY(check_nothing_vanishes(c->v, &next, err));
    RW_TRY(signer_view_check_expiry(c->v, "targets", next.expires, err));
    RW_TRY(signer_batch_add(&c->s->batch, "targets", next.version, c->r->targets, err));
    tuf_doc_drop(had);
    *had = next;
    next = (struct tuf_doc){0}; /* handed over */
    c->targets = true;
    RW_TRY(signer_view_read_policy(c->s, c->v, err));
    if (!rw_is_ok(trust_check_targets(&c->v->root, had, &c->v->policy, err))) {
        return rw_wrap(err, "targets");
    }
    return RW_OK;
}

/* --- roles below targets --- */
static bool is_listed(const struct change *c, const char *role)
{
    char file[SIGNER_FILE_NAME_BYTES];
    struct tuf_meta unused;
    struct rw_err not_listed;
    (void)snprintf(file, sizeof(file), "%s.json", role);
    return rw_is_ok(tuf_doc_meta(&c->v->snapshot, file, &unused, &not_listed));
}

/* Whether the published role keeps its votes after the change. */
static RW_RC keeps_votes(const struct change *c, const char *role, struct rw_err *err)
{
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(signer_view_role(c->v, role, &doc, err));
    RW_TRY(tuf_sigset_of_delegation(&c->v->targets, role, &a, err));
    return tuf_sigset_check(&doc, &a, NULL, err);
}

static RW_RC take_content(struct change *c, const struct signer_content *content,
                          struct rw_err *err)
{
    char role[SIGNER_ROLE_BYTES];
    struct signer_check_result result;
    RW_TRY(signer_check_content(c->s, c->v, content, &result, err));
    if (result.published) { return RW_OK; }
    (void)snprintf(role, sizeof(role), "content-%s", content->family);
    return signer_batch_add(&c->s->batch, role, result.version, content->envelope, err);
}

static RW_RC settle_content(void *ctx, const char *family, struct rw_err *err)
{
    struct change *c = ctx;
    char role[SIGNER_ROLE_BYTES];
    for (size_t i = 0; i < c->r->content_count; i++) {
        if (strcmp(c->r->contents[i].family, family) == 0) {
            return take_content(c, &c->r->contents[i], err);
        }
    }
    (void)snprintf(role, sizeof(role), "content-%s", family);
    if (!is_listed(c, role)) {
        return signer_refuse(err, RW_E_TRUST_RULE, "content",
                             "family '%s' is new: its first role, signed by its engineers, must "
                             "come along",
                             family);
    }
    struct rw_rc rc = keeps_votes(c, role, err);
    if (rc.code != RW_E_TUF_THRESHOLD) { return rc; }
    RW_IGNORE(
        rw_wrap(err, "content: the published role '%s' has too few votes by the new targets", role),
        "hint");
    return rw_hint(err, "its engineers sign it anew: send it together with the targets");
}

static RW_RC settle_ring(void *ctx, const char *ring, struct rw_err *err)
{
    const struct change *c = ctx;
    char role[SIGNER_ROLE_BYTES];
    (void)snprintf(role, sizeof(role), "ring-%s", ring);
    const struct signer_sign_move move = {.ring = ring, .first = !is_listed(c, role)};
    if (!move.first) {
        struct rw_rc rc = keeps_votes(c, role, err);
        if (rc.code != RW_E_TUF_THRESHOLD) { return rc; }
    }
    /* By the new key, with the entries that the old one had signed: it could only delay or go back (INV-7). */
    return signer_sign_ring(c->s, c->v, &move, err);
}

/* Every family that came along is delegated: otherwise nobody would have looked at it. */
static RW_RC check_families(const struct change *c, struct rw_err *err)
{
    for (size_t i = 0; i < c->r->content_count; i++) {
        char role[SIGNER_ROLE_BYTES];
        RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
        (void)snprintf(role, sizeof(role), "content-%s", c->r->contents[i].family);
        if (!rw_is_ok(tuf_sigset_of_delegation(&c->v->targets, role, &a, err))) {
            return rw_wrap(err, "unknown-family");
        }
    }
    return RW_OK;
}

static RW_RC prove_family(void *ctx, const char *family, struct rw_err *err)
{
    const struct signer_view *proof = ctx;
    return signer_check_proof(proof, NULL, family, NULL, err);
}

static RW_RC apply(struct change *c, struct rw_err *err)
{
    struct signer_view proof;
    RW_TRY(take_root(c, err));
    if (c->anew && !c->v->restart.snapshot) {
        return signer_refuse(err, RW_E_TUF_VERSION, "root",
                             "the repository went back to older versions, and this root does not "
                             "replace the keys of timestamp and snapshot");
    }
    RW_TRY(take_targets(c, err));
    RW_TRY(check_families(c, err));
    RW_TRY(trust_check_each(&c->v->targets, "content-", settle_content, c, err));
    RW_TRY(trust_check_each(&c->v->targets, "ring-", settle_ring, c, err));
    if (c->s->batch.count == 0) { return RW_OK; }
    RW_TRY(signer_sign_seal(c->s, c->v, true, err));
    RW_TRY(signer_view_prove(c->s, c->v, &proof, err));
    struct rw_rc rc = trust_check_each(&proof.targets, "content-", prove_family, &proof, err);
    signer_view_drop(&proof);
    return rc;
}

RW_RC signer_trust_change(struct signer *s, const struct signer_request *request,
                          struct rw_err *err)
{
    struct signer_view v;
    struct rw_err ignored;
    struct change c = {.s = s, .v = &v, .r = request};
    struct rw_rc rc = signer_view_open(s, &v, err);
    if (!rw_is_ok(rc) && request->root.n > 0) {
        /* Versions that a thief pushed up may stand between this signer and a repository restored from a backup.
         * A root that takes the power from the keys behind them needs no memory of them. */
        c.anew = rw_is_ok(signer_view_open_anew(s, &v, &ignored));
    }
    if (!rw_is_ok(rc) && !c.anew) { return rc; }
    rc = apply(&c, err);
    signer_view_drop(&v);
    return rc;
}
