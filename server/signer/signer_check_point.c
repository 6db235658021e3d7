#include "server/signer/signer_check.h"

#include "common/policy/entry_codec.h"
#include "common/policy/entry_list.h"
#include "common/policy/trust_check.h"
#include "server/signer/signer_payload.h"

#include <stdio.h>
#include <string.h>

/* The verified content entry of one release, and the policy's word on its class in this ring. */
struct candidate {
    struct tuf_target target;
    struct install_rule_content content;
    struct install_rule_expedite expedite;
    int64_t min_bake_s;
};

/* An endpoint that fits: the question is whether anyone in the ring may take the release now, so platform and
 * engine are taken from the release itself. */
static RW_RC first_platform(const struct tuf_target *t, char dst[static INSTALL_NAME_BYTES],
                            struct rw_err *err)
{
    const struct json *custom = NULL;
    const struct json *list = NULL;
    dst[0] = '\0';
    if (t->custom == NULL) { return RW_OK; } /* entry_codec refuses it with its reason */
    RW_TRY(json_get(t->custom, "ringward", JSON_OBJECT, &custom, err));
    RW_TRY(json_get(custom, "platforms", JSON_ARRAY, &list, err));
    const struct json *one = json_first(list);
    if (one == NULL || json_type(one) != JSON_STR) { return RW_OK; }
    return rw_span_to_str(dst, INSTALL_NAME_BYTES, json_str(one), "platform", err);
}

static RW_RC read_list(const struct signer_view *v, const char *role, const char *family,
                       struct candidate *out, struct rw_err *err)
{
    const struct json *signed_part = NULL;
    struct rw_wall unused;
    struct entry_list list;
    RW_TRY(tuf_client_role(v->client, role, &signed_part, &unused, err));
    RW_TRY(entry_list_read(signed_part, family, &list, err));
    entry_list_apply(&list, &out->content);
    return RW_OK;
}

/* Most releases have none, and most repositories have no such role yet. What cannot be read shortens nothing. */
static RW_RC try_expedite(const struct signer_view *v, const char *ring, const char *family,
                          struct candidate *out, struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    struct tuf_target t;
    struct entry_codec_expedite x;
    const struct json *unused = NULL;
    RW_TRY(entry_codec_expedite_path(family, out->content.release, path, err));
    RW_TRY(tuf_client_find(v->client, path, &t, err));
    RW_TRY(entry_codec_read_expedite(&t, &x, err));
    entry_codec_expedite_for_ring(&t, &x, ring, &out->expedite);
    return tuf_client_role(v->client, SIGNER_EXPEDITE_ROLE, &unused, &out->expedite.expires, err);
}

static RW_RC find_candidate(const struct signer_view *v, const char *ring, const char *family,
                            int64_t release, struct candidate *out, struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    char role[SIGNER_ROLE_BYTES];
    char platform[INSTALL_NAME_BYTES];
    char class_name[INSTALL_NAME_BYTES];
    size_t ring_index = 0;
    size_t class_index = 0;
    RW_TRY(entry_codec_content_path(family, release, path, err));
    struct rw_rc rc = tuf_client_find(v->client, path, &out->target, err);
    if (rc.code == RW_E_NOT_FOUND) {
        return signer_refuse(err, RW_E_TRUST_RULE, "unlisted",
                             "role content-%s does not list release %lld", family,
                             (long long)release);
    }
    RW_TRY(rc);
    (void)snprintf(role, sizeof(role), "content-%s", family);
    if (strcmp(out->target.role, role) != 0) {
        return signer_refuse(err, RW_E_TRUST_RULE, "unlisted", "'%s' is listed by role '%s'", path,
                             out->target.role);
    }
    RW_TRY(first_platform(&out->target, platform, err));
    RW_TRY(entry_codec_read_content(&out->target, ring, platform, &out->content, class_name, err));
    RW_TRY(read_list(v, role, family, out, err));
    struct rw_err none;
    if (!rw_is_ok(try_expedite(v, ring, family, out, &none))) {
        out->expedite = (struct install_rule_expedite){.listed = false};
    }
    RW_TRY(ring_policy_find(&v->policy, ring, &ring_index, err));
    RW_TRY(ring_policy_find_class(&v->policy, class_name, &class_index, err));
    out->min_bake_s = ring_policy_min_bake_s(&v->policy, class_index, ring_index);
    return RW_OK;
}

/* INV-7: the agent's own rule, asked for an endpoint of this ring that has `installed` and waits for nothing but
 * the bake. */
static RW_RC decide(const struct candidate *c, const struct install_rule_pointer *p,
                    int64_t installed, const struct signer_view *v, struct rw_err *err)
{
    /* held: a ring may always go back to an older, listed release. Endpoints that never ran it wait for its bake by
     * themselves. */
    struct install_rule_state state = {.installed = installed,
                                       .engine = c->content.engine_min,
                                       .min_bake_s = c->min_bake_s,
                                       .hard_min_s = v->policy.hard_min_s,
                                       .expedite_longest_s = v->policy.expedite_longest_s,
                                       .engine_skew_max = v->policy.engine_skew_max,
                                       .drills = true,
                                       .held = !c->content.drill};
    rw_copy(state.ring, sizeof(state.ring), p->ring, sizeof(p->ring));
    rw_copy(state.family, sizeof(state.family), p->family, sizeof(p->family));
    const struct install_rule_result r =
        install_rule_decide(p, &c->content, &c->expedite, &state, v->now);
    switch (r.decision) {
    case INSTALL_GO:
    case INSTALL_NOTHING:
    case INSTALL_REVERT:
        return RW_OK;
    case INSTALL_WAIT:
        return signer_refuse(err, RW_E_TRUST_RULE, "bake", "release %lld in ring '%s' %s",
                             (long long)p->release, p->ring, r.reason);
    case INSTALL_HOLD:
    case INSTALL_REFUSE:
        break;
    }
    return signer_refuse(err, RW_E_TRUST_RULE, "rule", "release %lld in ring '%s': %s",
                         (long long)p->release, p->ring, r.reason);
}

/* Release that the ring points at today; 0: none. */
static RW_RC published_release(const struct signer_view *v, const char *ring, const char *family,
                               struct install_rule_pointer *out, bool *found_out,
                               struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    struct tuf_target t;
    RW_TRY(entry_codec_pointer_path(ring, family, path, err));
    *out = (struct install_rule_pointer){.release = 0};
    struct rw_rc rc = tuf_client_find(v->client, path, &t, err);
    *found_out = rw_is_ok(rc);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    return entry_codec_read_pointer(&t, out, err);
}

static RW_RC check_names(const struct signer_view *v, const struct signer_request *r,
                         struct rw_err *err)
{
    char role[SIGNER_ROLE_BYTES];
    size_t unused = 0;
    RW_AUTO(tuf_doc) struct tuf_doc content = {0};
    if (!rw_is_ok(ring_policy_check_name(r->ring, "ring", err)) ||
        !rw_is_ok(ring_policy_find(&v->policy, r->ring, &unused, err))) {
        return rw_wrap(err, "unknown-ring");
    }
    if (!rw_is_ok(ring_policy_check_name(r->family, "family", err))) {
        return rw_wrap(err, "unknown-family");
    }
    (void)snprintf(role, sizeof(role), "content-%s", r->family);
    struct rw_rc rc = signer_view_role(v, role, &content, err);
    if (!rw_is_ok(rc)) {
        return rw_wrap(err, rc.code == RW_E_TUF_ROLE ? "unknown-family" : "repository");
    }
    /* Taking a pointer away must work also when the content role has expired: it only goes back. */
    if (r->release == 0) { return RW_OK; }
    return signer_view_check_expiry(v, role, content.expires, err);
}

RW_RC signer_check_point(struct signer *s, const struct signer_view *v,
                         const struct signer_request *request, struct install_rule_pointer *out,
                         struct rw_err *err)
{
    bool found = false;
    struct install_rule_pointer published;
    struct candidate c = {.min_bake_s = 0};
    RW_TRY(check_names(v, request, err));
    if (request->release == 0) { return RW_OK; }
    RW_TRY(find_candidate(v, request->ring, request->family, request->release, &c, err));
    RW_TRY(published_release(v, request->ring, request->family, &published, &found, err));
    /* Built from the content entry: pointer and content agree by construction (AND). The rule is asked as if the
     * ring were open, so that a hold cannot bring in a release that has not baked. */
    struct install_rule_pointer p = {.release = request->release, .length = c.content.length};
    rw_copy(p.ring, sizeof(p.ring), request->ring, sizeof(request->ring));
    rw_copy(p.family, sizeof(p.family), request->family, sizeof(request->family));
    rw_copy(p.sha256, sizeof(p.sha256), c.content.sha256, sizeof(c.content.sha256));
    RW_TRY(decide(&c, &p, published.release, v, err));
    RW_TRY(signer_payload_check(s, &c.target, err));
    p.hold = request->hold;
    *out = p;
    return RW_OK;
}

/* --- the new state --- */
struct proof_check {
    const struct signer_view *proof;
    const char *family;
};

static RW_RC check_agreement(void *ctx, const char *ring, struct rw_err *err)
{
    const struct proof_check *pc = ctx;
    bool found = false;
    struct install_rule_pointer p;
    struct candidate c = {.min_bake_s = 0};
    size_t unused = 0;
    struct rw_err no_ring;
    RW_TRY(published_release(pc->proof, ring, pc->family, &p, &found, err));
    /* A ring that the policy retired has no bake any more; agents of no bucket follow it. */
    if (!found || !rw_is_ok(ring_policy_find(&pc->proof->policy, ring, &unused, &no_ring))) {
        return RW_OK;
    }
    RW_TRY(find_candidate(pc->proof, ring, pc->family, p.release, &c, err));
    return decide(&c, &p, p.release, pc->proof, err);
}

RW_RC signer_check_proof(const struct signer_view *proof, const char *ring, const char *family,
                         const struct install_rule_pointer *pointer, struct rw_err *err)
{
    bool found = false;
    struct install_rule_pointer p;
    struct proof_check pc = {proof, family};
    if (ring == NULL) {
        return trust_check_each(&proof->targets, "ring-", check_agreement, &pc, err);
    }
    RW_TRY(published_release(proof, ring, family, &p, &found, err));
    if (!found && pointer == NULL) { return RW_OK; }
    if (found && pointer != NULL && p.release == pointer->release && p.hold == pointer->hold) {
        return check_agreement(&pc, ring, err);
    }
    return signer_refuse(err, RW_E_TRUST_RULE, "rule",
                         "the new state does not say of ring '%s' what was asked for", ring);
}
