#include "server/release/release_order_tosign.h"

#include "common/base/num.h"
#include "common/json/json_canon.h"
#include "common/policy/entry_list.h"
#include "common/tuf/tuf_make.h"
#include "server/release/release_tosign.h"

#include <stdio.h>
#include <string.h>

static bool is_expedite(const struct release_order *o)
{
    return o->id.kind == RELEASE_ORDER_EXPEDITE;
}

/* The published document of the role that the order is about; no tree: never published. */
static const struct tuf_doc *base_of(const struct release_repo *repo, const struct release_order *o)
{
    return is_expedite(o) ? &repo->expedite : &repo->content;
}

const struct tuf_sigset_authority *release_order_tosign_authority(const struct release_repo *repo,
                                                                  const struct release_order *o)
{
    return is_expedite(o) ? &repo->officers : &repo->authority;
}

/* --- may it be? --- */
static RW_RC check_not_pointed(const struct release_repo *repo, int64_t from, int64_t to,
                               struct rw_err *err)
{
    for (size_t i = 0; i < repo->policy.ring_count; i++) {
        if (repo->pointed[i] < from || repo->pointed[i] > to) { continue; }
        RW_IGNORE(rw_fail(err, RW_E_POLICY, "ring '%s' points at release %lld",
                          repo->policy.rings[i].name, (long long)repo->pointed[i]),
                  "the hint follows");
        return rw_hint(err, "halt or roll back its rollout first");
    }
    return RW_OK;
}

static RW_RC may_withdraw(const struct release_repo *repo, const struct release_order *o,
                          const struct release_order_payload *payload, struct rw_err *err)
{
    struct entry_list said;
    uint8_t sha256[DIGEST_BYTES];
    RW_TRY(entry_list_read(repo->content.signed_part, o->id.release.family, &said, err));
    RW_TRY(rw_hex_decode(sha256, sizeof(sha256), rw_span_str(payload->sha256), "sha256", err));
    if (entry_list_is_withdrawn(&said, sha256)) {
        return rw_fail(err, RW_E_POLICY, "%s/%lld was withdrawn already", o->id.release.family,
                       (long long)o->id.release.number);
    }
    return check_not_pointed(repo, o->id.release.number, o->id.release.number, err);
}

static RW_RC may_renew(const struct release_repo *repo, const struct release_order *o,
                       struct rw_err *err)
{
    struct entry_list said;
    RW_TRY(entry_list_read(repo->content.signed_part, o->id.release.family, &said, err));
    if (o->floor != 0 && o->floor < said.floor) {
        return rw_fail(err, RW_E_POLICY, "the floor of %s is %lld already and never sinks",
                       o->id.release.family, (long long)said.floor);
    }
    return o->floor == 0 ? RW_OK : check_not_pointed(repo, 1, o->floor - 1, err);
}

static RW_RC may_expedite(const struct release_repo *repo, const struct release_order *o,
                          const struct release_order_payload *payload, struct rw_err *err)
{
    size_t unused = 0;
    if (repo->officers.count == 0) {
        RW_IGNORE(rw_fail(err, RW_E_TUF_ROLE, "targets do not delegate role 'expedite'"),
                  "the hint follows");
        return rw_hint(err, "name duty officers in a ceremony: docs/trust.md");
    }
    for (size_t i = 0; i < o->ring_count; i++) {
        RW_TRY(ring_policy_find(&repo->policy, o->rings[i], &unused, err));
    }
    if (o->for_s > repo->policy.expedite_longest_s) {
        char longest[32];
        rw_say_duration_s(longest, sizeof(longest), repo->policy.expedite_longest_s);
        return rw_fail(err, RW_E_POLICY, "the policy lets an expedite last %s at most", longest);
    }
    if (release_repo_lists(repo, &o->id.release, payload->sha256)) { return RW_OK; }
    return rw_fail(err, RW_E_POLICY, "%s/%lld is not listed", o->id.release.family,
                   (long long)o->id.release.number);
}

RW_RC release_order_tosign_may(const struct release_repo *repo, const struct release_order *o,
                               const struct release_order_payload *payload, struct rw_err *err)
{
    switch (o->id.kind) {
    case RELEASE_ORDER_WITHDRAW:
        return may_withdraw(repo, o, payload, err);
    case RELEASE_ORDER_EXPEDITE:
        return may_expedite(repo, o, payload, err);
    case RELEASE_ORDER_RENEW:
    case RELEASE_ORDER_KINDS:
        break;
    }
    return may_renew(repo, o, err);
}

/* --- content roles --- */
static RW_RC change_list(const struct release_order *o, const struct release_order_payload *payload,
                         struct entry_list *said, struct rw_err *err)
{
    uint8_t sha256[DIGEST_BYTES];
    if (o->id.kind == RELEASE_ORDER_RENEW) {
        if (o->floor > said->floor) { said->floor = o->floor; }
        return RW_OK;
    }
    RW_TRY(rw_hex_decode(sha256, sizeof(sha256), rw_span_str(payload->sha256), "sha256", err));
    return entry_list_withdraw(said, o->id.release.number, sha256, err);
}

/* Entries stay as they were signed, their signed_at included: only what goes, goes. */
static RW_RC put_entries(struct json_writer *w, const struct release_repo *repo,
                         const struct release_order *o, int64_t floor, struct rw_err *err)
{
    const struct json *targets = NULL;
    RW_TRY(json_get(repo->content.signed_part, "targets", JSON_OBJECT, &targets, err));
    json_open_object(w, "targets");
    for (const struct json *e = json_first(targets); e != NULL; e = json_next(e)) {
        char path[TUF_PATH_BYTES];
        const struct json *custom = NULL;
        const struct json *ours = NULL;
        int64_t number = 0;
        RW_TRY(rw_span_to_str(path, sizeof(path), json_name(e), "target path", err));
        RW_TRY(json_get(e, "custom", JSON_OBJECT, &custom, err));
        RW_TRY(json_get(custom, "ringward", JSON_OBJECT, &ours, err));
        RW_TRY(json_get_int(ours, "release", 1, RW_JSON_INT_MAX, &number, err));
        bool goes = number < floor ||
                    (o->id.kind == RELEASE_ORDER_WITHDRAW && number == o->id.release.number);
        if (!goes) { json_put_tree(w, path, e); }
    }
    json_close_object(w);
    return RW_OK;
}

static RW_RC write_content(const struct release_repo *repo, const struct release_order *o,
                           const struct release_order_payload *payload, struct json_writer *w,
                           struct rw_err *err)
{
    struct entry_list said;
    RW_TRY(entry_list_read(repo->content.signed_part, o->id.release.family, &said, err));
    RW_TRY(change_list(o, payload, &said, err));
    tuf_make_open(w, "targets", repo->content.version + 1,
                  release_repo_life(repo, o->made, RELEASE_EXPIRES_S));
    entry_list_write(w, &said);
    RW_TRY(put_entries(w, repo, o, said.floor, err));
    json_close_object(w);
    return RW_OK;
}

/* --- the officers' role --- */

/* What still is in force stays; the rest has no effect and goes. */
static RW_RC put_others(struct json_writer *w, const struct release_repo *repo, const char *own,
                        struct rw_wall now, struct rw_err *err)
{
    const struct json *targets =
        repo->expedite.tree == NULL ? NULL : json_find(repo->expedite.signed_part, "targets");
    for (const struct json *e = targets == NULL ? NULL : json_first(targets); e != NULL;
         e = json_next(e)) {
        struct tuf_target t;
        struct entry_codec_expedite x;
        RW_TRY(tuf_target_read(e, "expedite", repo->expedite.version, &t, err));
        RW_TRY(entry_codec_read_expedite(&t, &x, err));
        if (strcmp(t.path, own) != 0 && x.until.s > now.s) { json_put_tree(w, t.path, e); }
    }
    return RW_OK;
}

static RW_RC write_expedite(const struct release_repo *repo, struct release_order *o,
                            const struct release_order_payload *payload, struct json_writer *w,
                            struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    struct entry_codec_expedite x = {
        .release = o->id.release.number, .ring_count = o->ring_count, .not_before = o->made};
    o->until.s = o->made.s + o->for_s;
    x.until = o->until;
    rw_copy(x.family, sizeof(x.family), o->id.release.family, sizeof(o->id.release.family));
    rw_copy(x.reason, sizeof(x.reason), o->reason, sizeof(o->reason));
    rw_copy(x.rings, sizeof(x.rings), o->rings, sizeof(o->rings));
    RW_TRY(entry_codec_expedite_path(x.family, x.release, path, err));
    tuf_make_open(w, "targets", repo->expedite.version + 1,
                  release_repo_life(repo, o->made, repo->policy.expedite_longest_s));
    json_open_object(w, "targets");
    RW_TRY(put_others(w, repo, path, o->made, err));
    entry_codec_write_expedite(w, path, &x, payload->bytes, payload->sha256);
    json_close_object(w);
    json_close_object(w);
    return RW_OK;
}

RW_RC release_order_tosign_write(const struct release_repo *repo, struct release_order *o,
                                 const struct release_order_payload *payload, struct rw_wall now,
                                 struct rw_err *err)
{
    rw_buf_clear(&o->tosign);
    struct json_writer w = json_begin(&o->tosign);
    o->made = now;
    o->signature_count = 0;
    if (is_expedite(o)) {
        RW_TRY(write_expedite(repo, o, payload, &w, err));
    } else {
        RW_TRY(write_content(repo, o, payload, &w, err));
    }
    o->base_version = base_of(repo, o)->version;
    o->threshold = release_order_tosign_authority(repo, o)->threshold;
    rw_copy(o->policy_sha256, sizeof(o->policy_sha256), repo->policy_sha256,
            sizeof(repo->policy_sha256));
    return json_done(&w, err);
}

/* --- does it still fit? --- */
RW_RC release_order_tosign_fits(const struct release_repo *repo, const struct release_order *o,
                                struct rw_wall now, const char **why_out, struct rw_err *err)
{
    int64_t life_s = is_expedite(o) ? RELEASE_ORDER_EXPEDITE_SIGN_S
                                    : RELEASE_EXPIRES_S - RELEASE_TOSIGN_LEFT_S_MIN;
    struct rw_wall expires;
    *why_out = NULL;
    if (o->tosign.n == 0) {
        *why_out = "no document was made yet";
        return RW_OK;
    }
    RW_TRY(release_tosign_expires(rw_buf_span(&o->tosign), &expires, err));
    if (o->base_version != base_of(repo, o)->version) {
        *why_out = "the role changed meanwhile";
    } else if (strcmp(o->policy_sha256, repo->policy_sha256) != 0) {
        *why_out = "the policy changed meanwhile";
    } else if (o->threshold != release_order_tosign_authority(repo, o)->threshold) {
        *why_out = "the delegation changed meanwhile";
    } else if (expires.s > repo->root_expires.s) {
        *why_out = "it would end after root";
    } else if (now.s > o->made.s + life_s || now.s >= expires.s ||
               (is_expedite(o) && now.s >= o->until.s)) {
        *why_out = "the document is too old";
    }
    return RW_OK;
}

RW_RC release_order_tosign_in_force(const struct release_repo *repo, const struct release_order *o,
                                    bool *out, struct rw_err *err)
{
    const struct tuf_doc *base = base_of(repo, o);
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(rw_buf) struct rw_buf canon = rw_buf_make((size_t)2 * RELEASE_TOSIGN_BYTES_MAX);
    *out = false;
    if (o->tosign.n == 0 || base->tree == NULL || base->version != o->base_version + 1) {
        return RW_OK;
    }
    RW_TRY(json_parse(rw_buf_span(&o->tosign), &json_limits_metadata, &tree, err));
    RW_TRY(json_canon(tree, &canon, err));
    *out = rw_span_eq(rw_buf_span(&canon), rw_buf_span(&base->canon));
    return RW_OK;
}
