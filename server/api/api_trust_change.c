#include "server/api/api_trust_change.h"

#include "common/base/log.h"
#include "server/api/api_core.h"
#include "server/api/api_operator.h"
#include "server/report/audit_log.h"

#include <stdio.h>

enum { BODY_BYTES_MAX = 4 * 1024 * 1024, DETAILS_BYTES_MAX = 4096 };

static const struct json_limits body_limits = {
    .bytes_max = BODY_BYTES_MAX, .nodes_max = 400000, .depth_max = 32};

/* A request's documents as bytes: written anew from the body's tree, since that is what will be served. */
struct documents {
    struct rw_buf root;
    struct rw_buf targets;
    struct rw_buf policy;
    struct rw_buf contents[SIGNER_CONTENTS_MAX];
    struct release_signer_trust change;
    struct rw_buf details; /* for the audit record */
};

static void documents_drop(struct documents *d)
{
    rw_buf_drop(&d->root);
    rw_buf_drop(&d->targets);
    rw_buf_drop(&d->policy);
    for (size_t i = 0; i < SIGNER_CONTENTS_MAX; i++) {
        rw_buf_drop(&d->contents[i]);
    }
    rw_buf_drop(&d->details);
}

static struct documents documents_make(void)
{
    struct documents d = {.root = rw_buf_make(SIGNER_ENVELOPE_BYTES_MAX),
                          .targets = rw_buf_make(SIGNER_ENVELOPE_BYTES_MAX),
                          .policy = rw_buf_make(RING_POLICY_BYTES_MAX),
                          .details = rw_buf_make(DETAILS_BYTES_MAX)};
    for (size_t i = 0; i < SIGNER_CONTENTS_MAX; i++) {
        d.contents[i] = rw_buf_make(SIGNER_ENVELOPE_BYTES_MAX);
    }
    return d;
}

/* --- reading --- */
static RW_RC take_envelope(const struct json *v, struct rw_buf *into, struct rw_err *err)
{
    if (json_type(v) != JSON_OBJECT) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: a signed document is an object", json_line(v));
    }
    struct json_writer w = json_begin(into);
    json_put_tree(&w, NULL, v);
    return json_done(&w, err);
}

static RW_RC take_contents(const struct json *list, struct documents *d, struct rw_err *err)
{
    if (json_count(list) > SIGNER_CONTENTS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "%zu content roles, at most %d are allowed",
                       json_count(list), SIGNER_CONTENTS_MAX);
    }
    for (const struct json *e = json_first(list); e != NULL; e = json_next(e)) {
        size_t at = d->change.content_count;
        struct signer_content *c = &d->change.contents[at];
        RW_TRY(rw_span_to_str(c->family, sizeof(c->family), json_name(e), "family", err));
        RW_TRY(take_envelope(e, &d->contents[at], err));
        c->envelope = rw_buf_span(&d->contents[at]);
        d->change.content_count++;
    }
    return RW_OK;
}

static RW_RC read_body(struct rw_span body, struct documents *d, struct rw_err *err)
{
    static const char *const members[] = {"root", "targets", "policy", "content"};
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct rw_span policy;
    RW_TRY(json_parse(body, &body_limits, &tree, err));
    if (json_type(tree) != JSON_OBJECT) {
        return rw_fail(err, RW_E_SCHEMA, "the body is %s, want an object",
                       json_type_name(json_type(tree)));
    }
    RW_TRY(json_only(tree, members, RW_LEN(members), err));
    const struct json *root = json_find(tree, "root");
    const struct json *targets = json_find(tree, "targets");
    if (root != NULL) { RW_TRY(take_envelope(root, &d->root, err)); }
    if (targets != NULL) { RW_TRY(take_envelope(targets, &d->targets, err)); }
    if (json_find(tree, "policy") != NULL) {
        RW_TRY(json_get_span(tree, "policy", &policy, err));
        RW_TRY(rw_buf_append(&d->policy, policy, err));
    }
    if (json_find(tree, "content") != NULL) {
        const struct json *list = NULL;
        RW_TRY(json_get(tree, "content", JSON_OBJECT, &list, err));
        RW_TRY(take_contents(list, d, err));
    }
    d->change.root = rw_buf_span(&d->root);
    d->change.targets = rw_buf_span(&d->targets);
    d->change.policy = rw_buf_span(&d->policy);
    return RW_OK;
}

/* --- recording --- */
static RW_RC put_hash(struct json_writer *w, const char *name, struct rw_span bytes,
                      struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    if (bytes.n == 0) { return RW_OK; }
    RW_TRY(digest_sha256_hex(bytes, hex, err));
    json_put_str(w, name, hex);
    return RW_OK;
}

/* Hashes of the files as they will be served. */
static RW_RC write_details(struct documents *d, struct rw_err *err)
{
    struct json_writer w = json_begin(&d->details);
    json_open_object(&w, NULL);
    RW_TRY(put_hash(&w, "root", d->change.root, err));
    RW_TRY(put_hash(&w, "targets", d->change.targets, err));
    RW_TRY(put_hash(&w, "policy", d->change.policy, err));
    for (size_t i = 0; i < d->change.content_count; i++) {
        RW_TRY(put_hash(&w, d->change.contents[i].family, d->change.contents[i].envelope, err));
    }
    json_close_object(&w);
    return json_done(&w, err);
}

/* INV-9: the record is kept only when the documents were published. A crash between publishing and the commit is
 * healed by sending the same again: it is published already then, and only recorded. */
static RW_RC change(struct api_core *c, const struct api_job *job, const char *action,
                    struct documents *d, struct rw_err *err)
{
    RW_TRY(write_details(d, err));
    const struct audit_log_entry entry = {.actor = job->req.who.name,
                                          .action = action,
                                          .object = "trust",
                                          .reason = "",
                                          .details = rw_buf_span(&d->details)};
    RW_TRY(store_begin(c->store, err));
    struct rw_rc rc = audit_log_append(c->store, &entry, rw_clock_wall(&c->clock), err);
    if (rw_is_ok(rc)) { rc = c->outside.trust(c->outside.ctx, &d->change, err); }
    if (rw_is_ok(rc)) { rc = store_commit(c->store, err); }
    if (!rw_is_ok(rc)) {
        store_rollback(c->store);
        return rc;
    }
    rw_log(RW_LOG_INFO, "trust_changed", "by", job->req.who.name);
    api_core_renew(c); /* takes the new state, and the new policy, into use */
    return RW_OK;
}

/* --- what came of it --- */
static RW_RC write_answer(const struct api_core *c, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_open_array(&w, "roles");
    api_trust_write_roles(c->trust, &w);
    json_close_array(&w);
    json_close_object(&w);
    return json_done(&w, err);
}

enum which { WITH_ROOT, WITH_TARGETS, CONTENT_ONLY };

static RW_RC check_which(const struct documents *d, enum which which, struct rw_err *err)
{
    bool root = d->change.root.n > 0;
    bool targets = d->change.targets.n > 0;
    switch (which) {
    case WITH_ROOT:
        if (root) { return RW_OK; }
        return rw_fail(err, RW_E_SCHEMA, "member 'root' is missing");
    case WITH_TARGETS:
        if (targets && !root) { return RW_OK; }
        return rw_fail(err, RW_E_SCHEMA, "member 'targets' must be there, 'root' must not");
    case CONTENT_ONLY:
        if (!targets && !root && d->change.policy.n == 0 && d->change.content_count > 0) {
            return RW_OK;
        }
        return rw_fail(err, RW_E_SCHEMA, "member 'content' must be there, and alone");
    }
    return rw_fail(err, RW_E_SCHEMA, "unknown request");
}

static void apply(struct api_core *c, struct api_job *job, enum which which, const char *action)
{
    struct rw_err err;
    RW_AUTO(documents) struct documents d = documents_make();
    struct rw_rc rc = api_operator_any_tenant(job, &err);
    if (rw_is_ok(rc)) { rc = read_body(job->req.body, &d, &err); }
    if (rw_is_ok(rc)) { rc = check_which(&d, which, &err); }
    if (rw_is_ok(rc)) { rc = change(c, job, action, &d, &err); }
    if (rw_is_ok(rc)) { rc = write_answer(c, &job->reply.body, &err); }
    api_core_answer(job, rc, &err, 200);
}

static void apply_root(void *core, struct api_job *job)
{
    apply(core, job, WITH_ROOT, "trust.root");
}

static void apply_targets(void *core, struct api_job *job)
{
    apply(core, job, WITH_TARGETS, "trust.targets");
}

static void apply_content(void *core, struct api_job *job)
{
    apply(core, job, CONTENT_ONLY, "trust.content");
}

const struct api_route api_trust_change_routes[] = {
    {.method = "POST",
     .pattern = "/v1/trust/root",
     .auth = API_AUTH_ADMIN,
     .body_bytes_max = BODY_BYTES_MAX,
     .controller = true,
     .apply = apply_root},
    {.method = "POST",
     .pattern = "/v1/trust/targets",
     .auth = API_AUTH_ADMIN,
     .body_bytes_max = BODY_BYTES_MAX,
     .controller = true,
     .apply = apply_targets},
    {.method = "POST",
     .pattern = "/v1/trust/content",
     .auth = API_AUTH_PUBLISHER,
     .body_bytes_max = BODY_BYTES_MAX,
     .controller = true,
     .apply = apply_content},
};
const size_t api_trust_change_route_count = RW_LEN(api_trust_change_routes);
