#include "server/signer/signer_check.h"

#include "common/json/json_canon.h"
#include "common/policy/entry_codec.h"
#include "common/policy/trust_check.h"
#include "server/signer/signer_payload.h"
#include "server/signer/signer_rule.h"

#include <stdio.h>
#include <string.h>

enum { ENTRY_BYTES_MAX = 64 * 1024, SIGNED_AGE_S_MAX = 7 * 86400 };

struct content_check {
    struct signer *s;
    const struct signer_view *v;
    const char *family;
    char role[SIGNER_ROLE_BYTES];
    struct tuf_doc
        before; /* the published role; may have expired: this change is its cure; no tree: none */
    struct tuf_doc after;
    int64_t newest;             /* greatest release listed before */
    struct rw_wall last_signed; /* latest signed_at listed before */
};

static void content_check_drop(struct content_check *c)
{
    tuf_doc_drop(&c->before);
    tuf_doc_drop(&c->after);
}

static const struct json *targets_of(const struct tuf_doc *doc)
{
    return json_find(doc->signed_part, "targets");
}

static const struct json *find_before(const struct content_check *c, const char *path)
{
    return c->before.tree == NULL ? NULL : json_find(targets_of(&c->before), path);
}

/* --- one entry --- */
static RW_RC read_entry(const struct content_check *c, const struct json *entry,
                        struct tuf_target *t, struct install_rule_content *out, struct rw_err *err)
{
    char class_name[INSTALL_NAME_BYTES];
    size_t class_index = 0;
    RW_TRY(tuf_target_read(entry, c->role, c->after.version, t, err));
    for (size_t i = 0; i < c->v->policy.ring_count; i++) {
        const char *ring = c->v->policy.rings[i].name;
        RW_TRY(entry_codec_read_content(t, ring, "", out, class_name, err));
        if (!out->has_not_before) {
            return rw_fail(err, RW_E_SCHEMA, "'%s' has no bake time for ring '%s'", t->path, ring);
        }
    }
    RW_TRY(ring_policy_find_class(&c->v->policy, class_name, &class_index, err));
    if (strcmp(out->family, c->family) != 0) {
        return rw_fail(err, RW_E_TRUST_RULE, "'%s' is not of family '%s'", t->path, c->family);
    }
    return RW_OK;
}

static RW_RC same_entry(const struct json *a, const struct json *b, bool *same_out,
                        struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf one = rw_buf_make(ENTRY_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf two = rw_buf_make(ENTRY_BYTES_MAX);
    RW_TRY(json_canon(a, &one, err));
    RW_TRY(json_canon(b, &two, err));
    *same_out = rw_span_eq(rw_buf_span(&one), rw_buf_span(&two));
    return RW_OK;
}

/* A number is used once: going back needs no bake, so a new payload under an old or lower number would go
 * around the bake (INV-7). */
static RW_RC check_new_entry(const struct content_check *c, const struct tuf_target *t,
                             const struct install_rule_content *content, struct rw_err *err)
{
    if (content->release <= c->newest) {
        return signer_refuse(err, RW_E_TRUST_RULE, "number",
                             "release %lld is not above %lld, which is listed already",
                             (long long)content->release, (long long)c->newest);
    }
    if (content->signed_at.s > c->v->now.s + SIGNER_CLOCK_SLACK_S ||
        content->signed_at.s < c->v->now.s - SIGNED_AGE_S_MAX ||
        content->signed_at.s < c->last_signed.s - SIGNER_CLOCK_SLACK_S) {
        char text[RW_TIME_TEXT_BYTES];
        rw_wall_format(text, content->signed_at);
        return signer_refuse(err, RW_E_TRUST_RULE, "entry",
                             "signed_at of release %lld is %s: in the future, older than 7 days, "
                             "or before that of an earlier release",
                             (long long)content->release, text);
    }
    return signer_payload_check(c->s, t, err);
}

static RW_RC check_entry(const struct content_check *c, const struct json *entry,
                         struct rw_err *err)
{
    struct tuf_target t;
    struct install_rule_content content = {.listed = false};
    bool same = false;
    if (!rw_is_ok(read_entry(c, entry, &t, &content, err))) { return rw_wrap(err, "entry"); }
    const struct json *had = find_before(c, t.path);
    if (had == NULL) { return check_new_entry(c, &t, &content, err); }
    RW_TRY(same_entry(had, entry, &same, err));
    if (same) { return RW_OK; }
    return signer_refuse(err, RW_E_TRUST_RULE, "entry", "'%s' is listed already, and differently",
                         t.path);
}

static RW_RC measure_before(struct content_check *c, struct rw_err *err)
{
    if (c->before.tree == NULL) { return RW_OK; }
    for (const struct json *e = json_first(targets_of(&c->before)); e != NULL; e = json_next(e)) {
        struct tuf_target t;
        struct install_rule_content content;
        char class_name[INSTALL_NAME_BYTES];
        RW_TRY(tuf_target_read(e, c->role, c->before.version, &t, err));
        RW_TRY(entry_codec_read_content(&t, "", "", &content, class_name, err));
        if (content.release > c->newest) { c->newest = content.release; }
        if (content.signed_at.s > c->last_signed.s) { c->last_signed = content.signed_at; }
    }
    return RW_OK;
}

/* --- what rings point at --- */
static RW_RC check_ring_keeps(void *ctx, const char *ring, struct rw_err *err)
{
    const struct content_check *c = ctx;
    char path[TUF_PATH_BYTES];
    struct tuf_target found;
    struct tuf_target listed;
    struct install_rule_pointer p;
    RW_TRY(entry_codec_pointer_path(ring, c->family, path, err));
    struct rw_rc rc = tuf_client_find(c->v->client, path, &found, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    RW_TRY(entry_codec_read_pointer(&found, &p, err));
    RW_TRY(entry_codec_content_path(c->family, p.release, path, err));
    const struct json *entry = json_find(targets_of(&c->after), path);
    if (entry != NULL) {
        RW_TRY(tuf_target_read(entry, c->role, c->after.version, &listed, err));
        if (listed.length == p.length &&
            memcmp(listed.sha256, p.sha256, sizeof(listed.sha256)) == 0) {
            return RW_OK;
        }
    }
    return signer_refuse(err, RW_E_TRUST_RULE, "dropped",
                         "ring '%s' points at release %lld, which is no longer listed", ring,
                         (long long)p.release);
}

/* --- the document --- */
static RW_RC check_signatures(const struct content_check *c, struct rw_err *err)
{
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(tuf_sigset_of_delegation(&c->v->targets, c->role, &a, err));
    if (!rw_is_ok(tuf_sigset_check(&c->after, &a, NULL, err))) { return rw_wrap(err, "threshold"); }
    return RW_OK;
}

static RW_RC check_document(const struct content_check *c, struct rw_err *err)
{
    if (json_find(c->after.signed_part, "delegations") != NULL) {
        return signer_refuse(err, RW_E_TRUST_RULE, "document", "a content role may not delegate");
    }
    if (c->after.version != c->before.version + 1) {
        return signer_refuse(err, RW_E_TUF_VERSION, "version",
                             "%s version %lld cannot follow version %lld", c->role,
                             (long long)c->after.version, (long long)c->before.version);
    }
    return signer_view_check_expiry(c->v, c->role, c->after.expires, err);
}

/* Sent again after a crash of the server: what is published already needs no new signature. */
static RW_RC is_published(const struct content_check *c, struct rw_span envelope, bool *out,
                          struct rw_err *err)
{
    char file[SIGNER_FILE_NAME_BYTES];
    struct tuf_meta meta;
    struct rw_err unused;
    *out = false;
    if (c->before.tree == NULL) { return RW_OK; }
    (void)snprintf(file, sizeof(file), "%s.json", c->role);
    RW_TRY(tuf_doc_meta(&c->v->snapshot, file, &meta, err));
    *out = c->after.version == meta.version &&
           rw_is_ok(tuf_doc_check_bytes(&meta, file, envelope, &unused));
    return RW_OK;
}

/* A family that targets delegate and snapshot does not list yet is new: its first role has version 1. */
static RW_RC load_before(struct content_check *c, struct rw_err *err)
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
    return rw_wrap(err, rc.code == RW_E_TUF_ROLE ? "unknown-family" : "repository");
}

RW_RC signer_check_content(struct signer *s, const struct signer_view *v,
                           const struct signer_content *content, struct signer_check_result *out,
                           struct rw_err *err)
{
    RW_AUTO(content_check) struct content_check c = {.s = s, .v = v, .family = content->family};
    *out = (struct signer_check_result){.published = false};
    if (!rw_is_ok(ring_policy_check_name(c.family, "family", err))) {
        return rw_wrap(err, "unknown-family");
    }
    (void)snprintf(c.role, sizeof(c.role), "content-%s", c.family);
    RW_TRY(load_before(&c, err));
    if (!rw_is_ok(tuf_doc_parse(content->envelope, "targets", &c.after, err))) {
        return rw_wrap(err, "document");
    }
    RW_TRY(check_signatures(&c, err));
    RW_TRY(is_published(&c, content->envelope, &out->published, err));
    out->version = c.after.version;
    if (out->published) { return RW_OK; }
    RW_TRY(check_document(&c, err));
    RW_TRY(measure_before(&c, err));
    for (const struct json *e = json_first(targets_of(&c.after)); e != NULL; e = json_next(e)) {
        RW_TRY(check_entry(&c, e, err));
    }
    return trust_check_each(&v->targets, "ring-", check_ring_keeps, &c, err);
}
