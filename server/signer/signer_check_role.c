#include "server/signer/signer_check_role.h"

#include "common/json/json_canon.h"
#include "common/policy/trust_check.h"

#include <stdio.h>

enum { ENTRY_BYTES_MAX = 64 * 1024 };

void signer_check_role_drop(struct signer_check_role *c)
{
    tuf_doc_drop(&c->before);
    tuf_doc_drop(&c->after);
}

const struct json *signer_check_role_entries(const struct tuf_doc *doc)
{
    return doc->tree == NULL ? NULL : json_find(doc->signed_part, "targets");
}

RW_RC signer_check_role_same(const struct json *a, const struct json *b, bool *same_out,
                             struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf one = rw_buf_make(ENTRY_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf two = rw_buf_make(ENTRY_BYTES_MAX);
    RW_TRY(json_canon(a, &one, err));
    RW_TRY(json_canon(b, &two, err));
    *same_out = rw_span_eq(rw_buf_span(&one), rw_buf_span(&two));
    return RW_OK;
}

/* A role that targets delegate and snapshot does not list yet is new: it begins with version 1. */
static RW_RC load_before(struct signer_check_role *c, const char *missing, struct rw_err *err)
{
    char file[SIGNER_FILE_NAME_BYTES];
    struct tuf_meta unused;
    struct rw_err not_listed;
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    (void)snprintf(file, sizeof(file), "%s.json", c->role);
    struct rw_rc rc = tuf_sigset_of_delegation(&c->v->targets, c->role, &a, err);
    if (rw_is_ok(rc) && rw_is_ok(tuf_doc_meta(&c->v->snapshot, file, &unused, &not_listed))) {
        rc = signer_view_role(c->v, c->role, &c->before, err);
    }
    if (rw_is_ok(rc)) { return RW_OK; }
    return rw_wrap(err, "%s", rc.code == RW_E_TUF_ROLE ? missing : "repository");
}

static RW_RC check_signatures(const struct signer_check_role *c, struct rw_err *err)
{
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(tuf_sigset_of_delegation(&c->v->targets, c->role, &a, err));
    if (!rw_is_ok(tuf_sigset_check(&c->after, &a, NULL, err))) { return rw_wrap(err, "threshold"); }
    return RW_OK;
}

/* Sent again after a crash of the server: what is published already needs no new signature. */
static RW_RC find_published(struct signer_check_role *c, struct rw_span envelope,
                            struct rw_err *err)
{
    char file[SIGNER_FILE_NAME_BYTES];
    struct tuf_meta meta;
    struct rw_err unused;
    if (c->before.tree == NULL) { return RW_OK; }
    (void)snprintf(file, sizeof(file), "%s.json", c->role);
    RW_TRY(tuf_doc_meta(&c->v->snapshot, file, &meta, err));
    c->published = c->after.version == meta.version &&
                   rw_is_ok(tuf_doc_check_bytes(&meta, file, envelope, &unused));
    return RW_OK;
}

static RW_RC check_document(const struct signer_check_role *c, struct rw_err *err)
{
    if (json_find(c->after.signed_part, "delegations") != NULL) {
        return signer_refuse(err, RW_E_TRUST_RULE, "document", "role %s may not delegate", c->role);
    }
    if (c->after.version != c->before.version + 1) {
        return signer_refuse(err, RW_E_TUF_VERSION, "version",
                             "%s version %lld cannot follow version %lld", c->role,
                             (long long)c->after.version, (long long)c->before.version);
    }
    RW_TRY(signer_view_check_expiry(c->v, c->role, c->after.expires, err));
    if (rw_is_ok(trust_check_outlives(&c->v->root, c->role, c->after.expires, err))) {
        return RW_OK;
    }
    return rw_wrap(err, "outlives");
}

static RW_RC fill(struct signer_check_role *c, const char *missing, struct rw_span envelope,
                  struct rw_err *err)
{
    RW_TRY(load_before(c, missing, err));
    if (!rw_is_ok(tuf_doc_parse(envelope, "targets", &c->after, err))) {
        return rw_wrap(err, "document");
    }
    RW_TRY(check_signatures(c, err));
    RW_TRY(find_published(c, envelope, err));
    return c->published ? RW_OK : check_document(c, err);
}

RW_RC signer_check_role_open(const struct signer_view *v, const char *role, const char *missing,
                             struct rw_span envelope, struct signer_check_role *out,
                             struct rw_err *err)
{
    struct signer_check_role c = {.v = v};
    (void)snprintf(c.role, sizeof(c.role), "%s", role);
    struct rw_rc rc = fill(&c, missing, envelope, err);
    if (!rw_is_ok(rc)) {
        signer_check_role_drop(&c);
        return rc;
    }
    *out = c;
    return RW_OK;
}
