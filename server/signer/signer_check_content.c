#include "server/signer/signer_check.h"

#include "common/policy/entry_codec.h"
#include "common/policy/entry_list.h"
#include "common/policy/trust_check.h"
#include "server/signer/signer_check_role.h"
#include "server/signer/signer_payload.h"
#include "server/signer/signer_rule.h"

#include <stdio.h>
#include <string.h>

struct content_check {
    struct signer *s;
    const struct signer_view *v;
    const char *family;
    struct signer_check_role doc;
    int64_t newest;             /* greatest release listed before */
    struct rw_wall last_signed; /* latest signed_at listed before */
};

static void content_check_drop(struct content_check *c)
{
    signer_check_role_drop(&c->doc);
}

static const struct json *find_before(const struct content_check *c, const char *path)
{
    const struct json *entries = signer_check_role_entries(&c->doc.before);
    return entries == NULL ? NULL : json_find(entries, path);
}

/* --- one entry --- */
static RW_RC read_entry(const struct content_check *c, const struct json *entry,
                        struct tuf_target *t, struct install_rule_content *out, struct rw_err *err)
{
    char class_name[INSTALL_NAME_BYTES];
    size_t class_index = 0;
    RW_TRY(tuf_target_read(entry, c->doc.role, c->doc.after.version, t, err));
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
    /* The bake counts from signed_at: what was signed long ago, or says so, must not have baked unseen. */
    if (!signer_rule_signed_now(content->signed_at, c->v->now) ||
        content->signed_at.s < c->last_signed.s) {
        char text[RW_TIME_TEXT_BYTES];
        rw_wall_format(text, content->signed_at);
        RW_IGNORE(signer_refuse(err, RW_E_TRUST_RULE, "entry",
                                "signed_at of release %lld is %s: more than %d min ago, more than "
                                "a day ahead, or before that of an earlier release",
                                (long long)content->release, text, SIGNER_CLOCK_SLACK_S / 60),
                  "hint");
        return rw_hint(err, "fetch the document again and sign that one");
    }
    if (c->v->policy.engine_skew_max >= 0 &&
        content->engine_max - content->engine_min > c->v->policy.engine_skew_max) {
        return signer_refuse(err, RW_E_TRUST_RULE, "entry",
                             "release %lld is for more engine versions than the policy allows",
                             (long long)content->release);
    }
    return signer_payload_check(c->s, t, err);
}

static RW_RC check_entry(const struct content_check *c, const struct json *entry,
                         struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    struct tuf_target t;
    struct install_rule_content content = {.listed = false};
    bool same = false;
    RW_TRY(rw_span_to_str(path, sizeof(path), json_name(entry), "target path", err));
    const struct json *had = find_before(c, path);
    if (had != NULL) { RW_TRY(signer_check_role_same(had, entry, &same, err)); }
    /* Not looked at again: the policy may know more rings by now than when it was signed. */
    if (same) { return RW_OK; }
    if (had != NULL) {
        return signer_refuse(err, RW_E_TRUST_RULE, "entry",
                             "'%s' is listed already, and differently", path);
    }
    if (!rw_is_ok(read_entry(c, entry, &t, &content, err))) { return rw_wrap(err, "entry"); }
    return check_new_entry(c, &t, &content, err);
}

static RW_RC measure_before(struct content_check *c, struct rw_err *err)
{
    const struct json *entries = signer_check_role_entries(&c->doc.before);
    if (entries == NULL) { return RW_OK; }
    for (const struct json *e = json_first(entries); e != NULL; e = json_next(e)) {
        struct tuf_target t;
        struct install_rule_content content;
        char class_name[INSTALL_NAME_BYTES];
        RW_TRY(tuf_target_read(e, c->doc.role, c->doc.before.version, &t, err));
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
    const struct json *entry = json_find(signer_check_role_entries(&c->doc.after), path);
    if (entry != NULL) {
        RW_TRY(tuf_target_read(entry, c->doc.role, c->doc.after.version, &listed, err));
        if (listed.length == p.length &&
            memcmp(listed.sha256, p.sha256, sizeof(listed.sha256)) == 0) {
            return RW_OK;
        }
    }
    return signer_refuse(err, RW_E_TRUST_RULE, "dropped",
                         "ring '%s' points at release %lld, which is no longer listed", ring,
                         (long long)p.release);
}

/* --- the role as a whole --- */

/* Floor and withdrawals are for good. Numbers are never used twice, so that what was listed once stays below. */
static RW_RC check_list(struct content_check *c, struct rw_err *err)
{
    struct entry_list had = {.floor = 0};
    struct entry_list next;
    if (c->doc.before.tree != NULL) {
        RW_TRY(entry_list_read(c->doc.before.signed_part, c->family, &had, err));
    }
    if (!rw_is_ok(entry_list_read(c->doc.after.signed_part, c->family, &next, err)) ||
        !rw_is_ok(entry_list_check_next(&had, &next, err))) {
        return rw_wrap(err, "entry");
    }
    for (size_t i = 0; i < had.withdrawn_count; i++) {
        if (had.withdrawn[i].release > c->newest) { c->newest = had.withdrawn[i].release; }
    }
    return RW_OK;
}

RW_RC signer_check_content(struct signer *s, const struct signer_view *v,
                           const struct signer_content *content, struct signer_check_result *out,
                           struct rw_err *err)
{
    char role[SIGNER_ROLE_BYTES];
    RW_AUTO(content_check) struct content_check c = {.s = s, .v = v, .family = content->family};
    *out = (struct signer_check_result){.published = false};
    if (!rw_is_ok(ring_policy_check_name(c.family, "family", err))) {
        return rw_wrap(err, "unknown-family");
    }
    (void)snprintf(role, sizeof(role), "content-%s", c.family);
    RW_TRY(signer_check_role_open(v, role, "unknown-family", content->envelope, &c.doc, err));
    out->published = c.doc.published;
    out->version = c.doc.after.version;
    if (out->published) { return RW_OK; }
    RW_TRY(measure_before(&c, err));
    RW_TRY(check_list(&c, err));
    const struct json *entries = signer_check_role_entries(&c.doc.after);
    for (const struct json *e = json_first(entries); e != NULL; e = json_next(e)) {
        RW_TRY(check_entry(&c, e, err));
    }
    return trust_check_each(&v->targets, "ring-", check_ring_keeps, &c, err);
}
