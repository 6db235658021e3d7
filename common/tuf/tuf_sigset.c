#include "common/tuf/tuf_sigset.h"

#include "common/tuf/tuf_bins.h"

#include <string.h>

void tuf_sigset_authority_drop(struct tuf_sigset_authority *a)
{
    for (size_t i = 0; i < a->count; i++) {
        key_drop(&a->keys[i]);
    }
    a->count = 0;
}

static bool has_id(const struct tuf_sigset_authority *a, struct rw_span id)
{
    for (size_t i = 0; i < a->count; i++) {
        if (rw_span_is(id, a->keys[i].id)) { return true; }
    }
    return false;
}

static RW_RC add_key(struct tuf_sigset_authority *a, const struct json *keys, struct rw_span id,
                     struct rw_err *err)
{
    char name[DIGEST_HEX_BYTES];
    /* A key id that is no hash, or twice, or not in "keys", has no vote. */
    struct rw_err unused;
    if (!rw_is_ok(rw_span_to_str(name, sizeof(name), id, "key id", &unused)) || has_id(a, id)) {
        return RW_OK;
    }
    const struct json *object = json_find(keys, name);
    if (object == NULL) { return RW_OK; }
    RW_ASSERT(a->count < TUF_KEYS_MAX);
    struct key *k = &a->keys[a->count];
    RW_TRY(key_read_public(object, k, err));
    if (strcmp(k->id, name) != 0) {
        key_drop(k);
        return rw_fail(err, RW_E_SCHEMA, "key id %.12s is not the hash of its key", name);
    }
    a->voter[a->count] = a->count;
    for (size_t i = a->count; i > 0; i--) {
        if (key_same_public(&a->keys[i - 1], k)) { a->voter[a->count] = i - 1; }
    }
    a->count++;
    return RW_OK;
}

static RW_RC read_authority(const struct json *keys, const struct json *role, const char *name,
                            struct tuf_sigset_authority *out, struct rw_err *err)
{
    const struct json *keyids = NULL;
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(rw_span_to_str(a.role, sizeof(a.role), rw_span_str(name), "role name", err));
    RW_TRY(json_get_int(role, "threshold", 1, INT64_MAX, &a.threshold, err));
    RW_TRY(json_get(role, "keyids", JSON_ARRAY, &keyids, err));
    for (const struct json *id = json_first(keyids); id != NULL; id = json_next(id)) {
        RW_TRY(add_key(&a, keys, json_str(id), err));
    }
    *out = a;
    a.count = 0; /* handed over */
    return RW_OK;
}

RW_RC tuf_sigset_of_root(const struct tuf_doc *root, const char *role,
                         struct tuf_sigset_authority *out, struct rw_err *err)
{
    const struct json *keys = NULL;
    const struct json *roles = NULL;
    const struct json *one = NULL;
    RW_TRY(json_get(root->signed_part, "keys", JSON_OBJECT, &keys, err));
    RW_TRY(json_get(root->signed_part, "roles", JSON_OBJECT, &roles, err));
    RW_TRY(json_get(roles, role, JSON_OBJECT, &one, err));
    return read_authority(keys, one, role, out, err);
}

RW_RC tuf_sigset_of_delegation(const struct tuf_doc *delegator, const char *role,
                               struct tuf_sigset_authority *out, struct rw_err *err)
{
    const struct json *delegations = json_find(delegator->signed_part, "delegations");
    const struct json *roles = delegations == NULL ? NULL : json_find(delegations, "roles");
    const struct json *keys = delegations == NULL ? NULL : json_find(delegations, "keys");
    const struct json *bins = delegations == NULL ? NULL : json_find(delegations, "succinct_roles");
    if (bins != NULL && keys != NULL && tuf_bins_has(bins, role)) {
        return read_authority(keys, bins, role, out, err);
    }
    if (roles != NULL && keys != NULL) {
        for (const struct json *r = json_first(roles); r != NULL; r = json_next(r)) {
            const struct json *name = json_find(r, "name");
            if (rw_span_is(json_str(name), role)) {
                return read_authority(keys, r, role, out, err);
            }
        }
    }
    return rw_fail(err, RW_E_TUF_ROLE, "role '%s' is not delegated", role);
}

static struct rw_span find_signature(const struct json *signatures, const char *id)
{
    for (const struct json *s = json_first(signatures); s != NULL; s = json_next(s)) {
        if (rw_span_is(json_str(json_find(s, "keyid")), id)) {
            return json_str(json_find(s, "sig"));
        }
    }
    return rw_span_of(NULL, 0);
}

RW_RC tuf_sigset_check(const struct tuf_doc *doc, const struct tuf_sigset_authority *a,
                       unsigned *votes_out, struct rw_err *err)
{
    bool voted[TUF_KEYS_MAX] = {false};
    unsigned votes = 0;
    RW_ASSERT(a->threshold >= 1); /* tuf_doc refuses anything else */
    for (size_t i = 0; i < a->count; i++) {
        RW_ASSERT(a->voter[i] <= i);
        /* TUF-5.3.4: ids with one public key share one voter, hence one vote. */
        if (voted[a->voter[i]]) { continue; }
        struct rw_span sig = find_signature(doc->signatures, a->keys[i].id);
        RW_TRY(key_verify(&a->keys[i], rw_buf_span(&doc->canon), sig, &voted[a->voter[i]], err));
        if (voted[a->voter[i]]) { votes++; }
    }
    if (votes_out != NULL) { *votes_out = votes; }
    if (votes < a->threshold) {
        return rw_fail(err, RW_E_TUF_THRESHOLD, "role '%s': %u valid signatures, needs %lld",
                       a->role, votes, (long long)a->threshold);
    }
    return RW_OK;
}

RW_RC tuf_sigset_check_one(const struct tuf_sigset_authority *a, struct rw_span keyid,
                           struct rw_span message, struct rw_span sig_hex, struct rw_err *err)
{
    for (size_t i = 0; i < a->count; i++) {
        if (!rw_span_is(keyid, a->keys[i].id)) { continue; }
        bool valid = false;
        RW_TRY(key_verify(&a->keys[i], message, sig_hex, &valid, err));
        if (!valid) {
            return rw_fail(err, RW_E_TUF_THRESHOLD, "the signature of key %.12s is not valid",
                           a->keys[i].id);
        }
        return RW_OK;
    }
    return rw_fail(err, RW_E_TUF_ROLE, "key %.*s is not a key of role '%s'",
                   (int)(keyid.n < 12 ? keyid.n : 12), keyid.p, a->role);
}
