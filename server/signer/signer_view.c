#include "server/signer/signer_view.h"

#include "common/tuf/tuf_path.h"

#include <string.h>

enum { STATUS_MAX = 80, ROLE_PREFIX_MAX = 16 };

/* --- fetching --- */
static RW_RC get_from_repo(void *ctx, const char *path, size_t max, struct rw_buf *into,
                           struct rw_err *err)
{
    const struct signer *s = ctx;
    return rw_file_read_at(s->metadata, path, max, into, err);
}

/* The new files hide those of the repository: what an agent would get after they were written. */
static RW_RC get_from_batch(void *ctx, const char *path, size_t max, struct rw_buf *into,
                            struct rw_err *err)
{
    const struct signer *s = ctx;
    for (size_t i = 0; i < s->batch.count; i++) {
        if (strcmp(s->batch.files[i].name, path) != 0) { continue; }
        if (s->batch.files[i].bytes.n > max) {
            return rw_fail(err, RW_E_TOO_BIG, "'%s' has %zu bytes, at most %zu are allowed", path,
                           s->batch.files[i].bytes.n, max);
        }
        return rw_buf_append(into, rw_buf_span(&s->batch.files[i].bytes), err);
    }
    return get_from_repo(ctx, path, max, into, err);
}

/* --- opening --- */
static RW_RC read_stored(int dir, const char *role, const char *type, struct tuf_doc *out,
                         struct rw_err *err)
{
    char name[SIGNER_FILE_NAME_BYTES];
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(TUF_TARGETS_BYTES_MAX);
    RW_TRY(tuf_path_metadata_name(role, 0, name, sizeof(name), err));
    RW_TRY(rw_file_read_at(dir, name, TUF_TARGETS_BYTES_MAX, &bytes, err));
    return tuf_doc_parse(rw_buf_span(&bytes), type, out, err);
}

RW_RC signer_view_check_expiry(const struct signer_view *v, const char *role,
                               struct rw_wall expires, struct rw_err *err)
{
    char text[RW_TIME_TEXT_BYTES];
    if (expires.s > v->now.s) { return RW_OK; }
    rw_wall_format(text, expires);
    return signer_refuse(err, RW_E_TUF_EXPIRED, "expired", "%s expired at %s", role, text);
}

static RW_RC take_status(struct signer_view *v, struct rw_err *err)
{
    struct tuf_role_status roles[STATUS_MAX];
    size_t n = tuf_client_status(v->client, roles, STATUS_MAX);
    for (size_t i = 0; i < n; i++) {
        const struct tuf_role_status *r = &roles[i];
        if (strcmp(r->role, "timestamp") == 0) {
            v->timestamp_version = r->version;
            v->timestamp_expires = r->expires;
        }
        if (strcmp(r->role, "root") != 0 && strcmp(r->role, "targets") != 0) { continue; }
        if (!rw_is_ok(signer_view_check_expiry(v, r->role, r->expires, err))) {
            return rw_hint(err, "root and targets are signed by people: hold a ceremony");
        }
    }
    return RW_OK;
}

/* The policy in force is a target of `targets`: the payload must be the signed bytes. */
static RW_RC read_policy(const struct signer *s, struct signer_view *v, struct rw_err *err)
{
    struct tuf_target t;
    char path[TUF_PATH_BYTES + DIGEST_HEX_BYTES];
    uint8_t sha256[DIGEST_BYTES];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    RW_TRY(tuf_client_find(v->client, "policy/rings.json", &t, err));
    RW_TRY(tuf_target_url(&t, path, sizeof(path), err));
    RW_TRY(rw_file_read_at(s->targets, path, RING_POLICY_BYTES_MAX, &text, err));
    RW_TRY(digest_sha256(rw_buf_span(&text), sha256, err));
    if ((int64_t)text.n != t.length || !digest_same(sha256, t.sha256, sizeof(sha256))) {
        return rw_fail(err, RW_E_TUF_HASH, "the policy file is not the signed one");
    }
    return ring_policy_parse(rw_buf_span(&text), &v->policy, err);
}

/* The client's directory holds, after a refresh, the very files that were verified. */
static RW_RC fill(struct signer *s, int dir, struct signer_view *v, struct rw_err *err)
{
    RW_TRY(take_status(v, err));
    RW_TRY(read_stored(dir, "snapshot", "snapshot", &v->snapshot, err));
    RW_TRY(read_stored(dir, "targets", "targets", &v->targets, err));
    return read_policy(s, v, err);
}

RW_RC signer_view_open(struct signer *s, struct signer_view *out, struct rw_err *err)
{
    /* The time of this refresh is 1970: nothing has expired then. Signatures, versions, lengths and hashes are
     * checked as ever; who may have expired is decided by take_status and by the caller. */
    static const struct rw_wall before_any_expiry = {0};
    const struct tuf_fetch fetch = {.get = get_from_repo, .ctx = s};
    struct signer_view v = {.now = rw_clock_wall(&s->clock)};
    struct rw_rc rc = tuf_client_open(s->trust, fetch, &v.client, err);
    if (rw_is_ok(rc)) { rc = tuf_client_refresh(v.client, before_any_expiry, err); }
    if (rw_is_ok(rc)) { rc = fill(s, s->trust, &v, err); }
    if (!rw_is_ok(rc)) {
        signer_view_drop(&v);
        return rc;
    }
    *out = v;
    return RW_OK;
}

RW_RC signer_view_prove(struct signer *s, const struct signer_view *before, struct signer_view *out,
                        struct rw_err *err)
{
    const struct tuf_fetch fetch = {.get = get_from_batch, .ctx = s};
    struct signer_view v = {.now = before->now};
    RW_AUTO(rw_buf) struct rw_buf root = rw_buf_make(TUF_ROOT_BYTES_MAX);
    /* A change that was proven but never written must leave no floor behind: the proof begins from nothing
     * but the root. */
    RW_TRY(rw_file_remove_at(s->proof, "timestamp.json", err));
    RW_TRY(rw_file_remove_at(s->proof, "snapshot.json", err));
    RW_TRY(rw_file_read_at(s->trust, "root.json", TUF_ROOT_BYTES_MAX, &root, err));
    RW_TRY(tuf_client_init(s->proof, rw_buf_span(&root), err));
    struct rw_rc rc = tuf_client_open(s->proof, fetch, &v.client, err);
    if (rw_is_ok(rc)) { rc = tuf_client_refresh(v.client, v.now, err); }
    if (rw_is_ok(rc)) { rc = fill(s, s->proof, &v, err); }
    if (!rw_is_ok(rc)) {
        signer_view_drop(&v);
        return rw_wrap(err, "proof of the new state");
    }
    *out = v;
    return RW_OK;
}

void signer_view_drop(struct signer_view *v)
{
    tuf_client_drop(&v->client);
    tuf_doc_drop(&v->snapshot);
    tuf_doc_drop(&v->targets);
}

/* --- reading --- */
static RW_RC ignore_target(void *ctx, const struct tuf_target *t, struct rw_err *err)
{
    (void)ctx;
    (void)t;
    (void)err;
    return RW_OK;
}

RW_RC signer_view_role(struct signer *s, const struct signer_view *v, const char *role,
                       struct tuf_doc *out, struct rw_err *err)
{
    /* The walk loads and verifies the role, and leaves its file in the client's directory. */
    RW_TRY(tuf_client_each(v->client, role, ignore_target, NULL, err));
    return read_stored(s->trust, role, "targets", out, err);
}

RW_RC signer_view_each(const struct signer_view *v, const char *prefix,
                       RW_RC (*each)(void *ctx, const char *rest, struct rw_err *err), void *ctx,
                       struct rw_err *err)
{
    const struct json *delegations = json_find(v->targets.signed_part, "delegations");
    const struct json *roles = delegations == NULL ? NULL : json_find(delegations, "roles");
    size_t skip = strlen(prefix);
    if (roles == NULL) { return RW_OK; }
    for (const struct json *r = json_first(roles); r != NULL; r = json_next(r)) {
        char name[SIGNER_ROLE_BYTES];
        RW_TRY(json_get_str(r, "name", name, sizeof(name), err));
        if (strncmp(name, prefix, skip) != 0) { continue; }
        RW_TRY(each(ctx, name + skip, err));
    }
    return RW_OK;
}
