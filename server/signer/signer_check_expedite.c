#include "server/signer/signer_check_expedite.h"

#include "common/policy/entry_codec.h"
#include "server/signer/signer_check_role.h"
#include "server/signer/signer_rule.h"

#include <string.h>

static RW_RC check_listed(const struct signer_view *v, const struct tuf_target *t,
                          const struct entry_codec_expedite *x, struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    struct tuf_target content;
    RW_TRY(entry_codec_content_path(x->family, x->release, path, err));
    struct rw_rc rc = tuf_client_find(v->client, path, &content, err);
    if (!rw_is_ok(rc) && rc.code != RW_E_NOT_FOUND) { return rc; }
    if (rw_is_ok(rc) && content.length == t->length &&
        memcmp(content.sha256, t->sha256, sizeof(content.sha256)) == 0) {
        return RW_OK;
    }
    return signer_refuse(err, RW_E_TRUST_RULE, "unlisted",
                         "'%s' names a release that role content-%s does not list so", t->path,
                         x->family);
}

static RW_RC check_new_entry(const struct signer_view *v, const struct tuf_target *t,
                             struct rw_err *err)
{
    struct entry_codec_expedite x;
    int64_t longest_s = v->policy.expedite_longest_s;
    size_t unused = 0;
    if (!rw_is_ok(entry_codec_read_expedite(t, &x, err))) { return rw_wrap(err, "entry"); }
    for (size_t i = 0; i < x.ring_count; i++) {
        if (!rw_is_ok(ring_policy_find(&v->policy, x.rings[i], &unused, err))) {
            return rw_wrap(err, "entry: '%s'", t->path);
        }
    }
    if (x.until.s - x.not_before.s > longest_s ||
        x.until.s > v->now.s + longest_s + SIGNER_CLOCK_SLACK_S) {
        return signer_refuse(err, RW_E_TRUST_RULE, "entry",
                             "'%s' would last longer than the policy allows", t->path);
    }
    return check_listed(v, t, &x, err);
}

/* What is published already is not looked at again: its release may have been withdrawn meanwhile, which must not keep
 * the officers from others. What has lapsed may stay until the next document: it shortens nothing. */
static RW_RC check_entry(const struct signer_check_role *c, const struct json *entry,
                         struct rw_err *err)
{
    const struct json *before = signer_check_role_entries(&c->before);
    struct tuf_target t;
    bool same = false;
    if (!rw_is_ok(tuf_target_read(entry, c->role, c->after.version, &t, err))) {
        return rw_wrap(err, "entry");
    }
    const struct json *had = before == NULL ? NULL : json_find(before, t.path);
    if (had != NULL) { RW_TRY(signer_check_role_same(had, entry, &same, err)); }
    return same ? RW_OK : check_new_entry(c->v, &t, err);
}

static RW_RC check_end(const struct signer_check_role *c, struct rw_err *err)
{
    int64_t latest = c->v->now.s + c->v->policy.expedite_longest_s + SIGNER_CLOCK_SLACK_S;
    if (c->after.expires.s <= latest) { return RW_OK; }
    return signer_refuse(err, RW_E_TRUST_RULE, "entry",
                         "role %s would live longer than the policy lets an expedite last",
                         c->role);
}

static RW_RC check(const struct signer_check_role *c, struct rw_err *err)
{
    const struct json *entries = signer_check_role_entries(&c->after);
    RW_TRY(check_end(c, err));
    for (const struct json *e = json_first(entries); e != NULL; e = json_next(e)) {
        RW_TRY(check_entry(c, e, err));
    }
    return RW_OK;
}

RW_RC signer_check_expedite(const struct signer_view *v, struct rw_span envelope,
                            struct signer_check_result *out, struct rw_err *err)
{
    struct signer_check_role c;
    RW_TRY(signer_check_role_open(v, SIGNER_EXPEDITE_ROLE, "unknown-role", envelope, &c, err));
    *out = (struct signer_check_result){.version = c.after.version, .published = c.published};
    struct rw_rc rc = c.published ? RW_OK : check(&c, err);
    signer_check_role_drop(&c);
    return rc;
}
