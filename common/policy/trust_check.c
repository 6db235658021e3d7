#include "common/policy/trust_check.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 64, ONLINE_MAX = RING_POLICY_RINGS_MAX + TRUST_CHECK_DELEGATIONS_MAX + 2 };

static const char content_prefix[] = "content-";
static const char ring_prefix[] = "ring-";
static const char expedite_role[] = "expedite";

/* Roles whose keys lie on a server, and what was found of them. */
struct online {
    struct tuf_sigset_authority *roles; /* ONLINE_MAX */
    size_t count;
};

static void online_drop(struct online *o)
{
    for (size_t i = 0; i < o->count; i++) {
        tuf_sigset_authority_drop(&o->roles[i]);
    }
    rw_mem_free(o->roles);
}

static RW_RC online_make(struct online *o, struct rw_err *err)
{
    o->roles = rw_mem_new_array(ONLINE_MAX, sizeof(*o->roles));
    if (o->roles == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for keys"); }
    return RW_OK;
}

bool trust_check_shares_key(const struct tuf_sigset_authority *a,
                            const struct tuf_sigset_authority *b)
{
    for (size_t i = 0; i < a->count; i++) {
        for (size_t k = 0; k < b->count; k++) {
            if (key_same_public(&a->keys[i], &b->keys[k])) { return true; }
        }
    }
    return false;
}

/* Distinct keys that can vote: unknown schemes never verify. */
static int64_t voters(const struct tuf_sigset_authority *a)
{
    int64_t n = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (a->voter[i] == i && a->keys[i].pkey != NULL) { n++; }
    }
    return n;
}

static RW_RC check_satisfiable(const struct tuf_sigset_authority *a, struct rw_err *err)
{
    if (voters(a) >= a->threshold) { return RW_OK; }
    return rw_fail(err, RW_E_TRUST_RULE,
                   "role '%s' needs %lld signatures and has %lld usable keys: nobody could sign it",
                   a->role, (long long)a->threshold, (long long)voters(a));
}

/* INV-7: whoever takes over a server must find no key there that votes on what may be installed. */
static RW_RC check_apart(const struct online *o, const struct tuf_sigset_authority *a,
                         struct rw_err *err)
{
    for (size_t i = 0; i < o->count; i++) {
        if (!trust_check_shares_key(&o->roles[i], a)) { continue; }
        return rw_fail(err, RW_E_TRUST_RULE, "roles '%s' and '%s' share a key", o->roles[i].role,
                       a->role);
    }
    return RW_OK;
}

static RW_RC add_online(struct online *o, struct tuf_sigset_authority *a, struct rw_err *err)
{
    RW_TRY(check_apart(o, a, err));
    if (o->count == ONLINE_MAX) { return rw_fail(err, RW_E_TOO_BIG, "too many online roles"); }
    o->roles[o->count++] = *a;
    a->count = 0; /* handed over */
    return RW_OK;
}

static RW_RC read_root(const struct tuf_doc *root, struct online *o, struct rw_err *err)
{
    static const char *const roles[] = {"snapshot", "timestamp", "root", "targets"};
    for (size_t i = 0; i < RW_LEN(roles); i++) {
        RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
        RW_TRY(tuf_sigset_of_root(root, roles[i], &a, err));
        RW_TRY(check_satisfiable(&a, err));
        if (i < 2) {
            RW_TRY(add_online(o, &a, err));
        } else {
            RW_TRY(check_apart(o, &a, err));
        }
    }
    return RW_OK;
}

RW_RC trust_check_root(const struct tuf_doc *root, struct rw_err *err)
{
    RW_AUTO(online) struct online o = {.roles = NULL};
    const struct json *consistent = json_find(root->signed_part, "consistent_snapshot");
    if (consistent == NULL || json_type(consistent) != JSON_TRUE) {
        return rw_fail(err, RW_E_TRUST_RULE, "root: consistent_snapshot must be true");
    }
    RW_TRY(online_make(&o, err));
    return read_root(root, &o, err);
}

/* --- delegations --- */
static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* "content-av" signs `content/av/...` and nothing else; no other role may come behind it. */
static RW_RC wanted_pattern(const char *name, char dst[static NAME_BYTES + 8], struct rw_err *err)
{
    bool content = begins(name, content_prefix);
    if (strcmp(name, expedite_role) == 0) {
        (void)snprintf(dst, NAME_BYTES + 8, "expedite/*/*");
        return RW_OK;
    }
    if (!content && !begins(name, ring_prefix)) {
        return rw_fail(err, RW_E_TRUST_RULE,
                       "role '%s' is neither content-FAMILY, ring-RING nor expedite", name);
    }
    const char *rest = name + (content ? sizeof(content_prefix) : sizeof(ring_prefix)) - 1;
    RW_TRY(ring_policy_check_name(rest, content ? "family" : "ring", err));
    (void)snprintf(dst, NAME_BYTES + 8, "%s/%s/*", content ? "content" : "rings", rest);
    return RW_OK;
}

static RW_RC check_pattern(const struct json *role, const char *name, struct rw_err *err)
{
    char want[NAME_BYTES + 8];
    bool terminating = false;
    const struct json *paths = json_find(role, "paths");
    const struct json *one = paths == NULL ? NULL : json_first(paths);
    RW_TRY(wanted_pattern(name, want, err));
    RW_TRY(json_get_bool(role, "terminating", &terminating, err));
    if (!terminating || one == NULL || json_next(one) != NULL || json_type(one) != JSON_STR ||
        !rw_span_is(json_str(one), want)) {
        return rw_fail(err, RW_E_TRUST_RULE, "role '%s' must be terminating with the path %s alone",
                       name, want);
    }
    return RW_OK;
}

static RW_RC check_threshold(const struct tuf_sigset_authority *a, struct rw_err *err)
{
    if (begins(a->role, ring_prefix) && a->threshold != 1) {
        return rw_fail(err, RW_E_TRUST_RULE, "role '%s' is signed by one online key: threshold 1",
                       a->role);
    }
    if (!begins(a->role, ring_prefix) && a->threshold < TRUST_CHECK_CONTENT_THRESHOLD_MIN) {
        return rw_fail(err, RW_E_TRUST_RULE, "role '%s' must need at least %d people", a->role,
                       TRUST_CHECK_CONTENT_THRESHOLD_MIN);
    }
    return check_satisfiable(a, err);
}

struct walk {
    const struct tuf_doc *targets;
    struct online *online;
    bool
        rings; /* ring roles, which are online, come before the content roles, which are compared with all */
};

static RW_RC check_delegation(const struct walk *w, const struct json *role, struct rw_err *err)
{
    char name[NAME_BYTES];
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(json_get_str(role, "name", name, sizeof(name), err));
    RW_TRY(check_pattern(role, name, err));
    if (begins(name, ring_prefix) != w->rings) { return RW_OK; }
    RW_TRY(tuf_sigset_of_delegation(w->targets, name, &a, err));
    RW_TRY(check_threshold(&a, err));
    return w->rings ? add_online(w->online, &a, err) : check_apart(w->online, &a, err);
}

static const struct json *roles_of(const struct tuf_doc *targets)
{
    const struct json *delegations = json_find(targets->signed_part, "delegations");
    return delegations == NULL ? NULL : json_find(delegations, "roles");
}

static RW_RC check_delegations(const struct tuf_doc *targets, struct online *o, bool rings,
                               struct rw_err *err)
{
    const struct walk w = {targets, o, rings};
    const struct json *roles = roles_of(targets);
    if (roles == NULL || json_count(roles) > TRUST_CHECK_DELEGATIONS_MAX) {
        return rw_fail(err, RW_E_TRUST_RULE, "targets must delegate to 1 to %d roles by name",
                       TRUST_CHECK_DELEGATIONS_MAX);
    }
    for (const struct json *r = json_first(roles); r != NULL; r = json_next(r)) {
        RW_TRY(check_delegation(&w, r, err));
    }
    return RW_OK;
}

struct officers {
    const struct tuf_doc *targets;
    const struct tuf_sigset_authority *authority;
};

static RW_RC check_engineers_apart(void *ctx, const char *family, struct rw_err *err)
{
    const struct officers *o = ctx;
    char name[NAME_BYTES];
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    (void)snprintf(name, sizeof(name), "%s%s", content_prefix, family);
    RW_TRY(tuf_sigset_of_delegation(o->targets, name, &a, err));
    if (!trust_check_shares_key(o->authority, &a)) { return RW_OK; }
    return rw_fail(err, RW_E_TRUST_RULE,
                   "roles '%s' and '%s' share a key: who signs a release does not expedite it",
                   expedite_role, name);
}

/* Shortening the bake is for others than those who are in a hurry. The role need not be there. */
static RW_RC check_officers(const struct tuf_doc *targets, struct rw_err *err)
{
    struct rw_err absent;
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    if (!rw_is_ok(tuf_sigset_of_delegation(targets, expedite_role, &a, &absent))) { return RW_OK; }
    struct officers o = {targets, &a};
    return trust_check_each(targets, content_prefix, check_engineers_apart, &o, err);
}

static RW_RC check_rings(const struct tuf_doc *targets, const struct ring_policy *policy,
                         struct rw_err *err)
{
    for (size_t i = 0; i < policy->ring_count; i++) {
        char name[NAME_BYTES];
        RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
        (void)snprintf(name, sizeof(name), "%s%s", ring_prefix, policy->rings[i].name);
        if (!rw_is_ok(tuf_sigset_of_delegation(targets, name, &a, err))) {
            return rw_fail(err, RW_E_TRUST_RULE, "ring '%s' of the policy has no role '%s'",
                           policy->rings[i].name, name);
        }
    }
    return RW_OK;
}

RW_RC trust_check_outlives(const struct tuf_doc *root, const char *role, struct rw_wall expires,
                           struct rw_err *err)
{
    char own[RW_TIME_TEXT_BYTES];
    char end[RW_TIME_TEXT_BYTES];
    if (expires.s <= root->expires.s) { return RW_OK; }
    rw_wall_format(own, expires);
    rw_wall_format(end, root->expires);
    RW_IGNORE(rw_fail(err, RW_E_TRUST_RULE, "%s would end at %s, after root, which ends at %s",
                      role, own, end),
              "hint");
    return rw_hint(err, "renew root first, or give an earlier end");
}

RW_RC trust_check_targets(const struct tuf_doc *root, const struct tuf_doc *targets,
                          const struct ring_policy *policy, struct rw_err *err)
{
    RW_AUTO(online) struct online o = {.roles = NULL};
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority people = {.count = 0};
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority top = {.count = 0};
    RW_TRY(online_make(&o, err));
    RW_TRY(read_root(root, &o, err));
    RW_TRY(check_delegations(targets, &o, true, err));
    RW_TRY(check_delegations(targets, &o, false, err));
    RW_TRY(tuf_sigset_of_root(root, "root", &top, err));
    RW_TRY(tuf_sigset_of_root(root, "targets", &people, err));
    RW_TRY(check_apart(&o, &top, err)); /* rings are known only now */
    RW_TRY(check_apart(&o, &people, err));
    RW_TRY(check_officers(targets, err));
    RW_TRY(check_rings(targets, policy, err));
    return trust_check_outlives(root, "targets", targets->expires, err);
}

RW_RC trust_check_each(const struct tuf_doc *targets, const char *prefix,
                       RW_RC (*each)(void *ctx, const char *rest, struct rw_err *err), void *ctx,
                       struct rw_err *err)
{
    const struct json *roles = roles_of(targets);
    size_t skip = strlen(prefix);
    if (roles == NULL) { return RW_OK; }
    for (const struct json *r = json_first(roles); r != NULL; r = json_next(r)) {
        char name[NAME_BYTES];
        RW_TRY(json_get_str(r, "name", name, sizeof(name), err));
        if (strncmp(name, prefix, skip) != 0) { continue; }
        RW_TRY(each(ctx, name + skip, err));
    }
    return RW_OK;
}
