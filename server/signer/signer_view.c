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

static void take_status(struct signer_view *v)
{
    struct tuf_role_status roles[STATUS_MAX];
    size_t n = tuf_client_status(v->client, roles, STATUS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(roles[i].role, "timestamp") != 0) { continue; }
        v->timestamp_version = roles[i].version;
        v->timestamp_expires = roles[i].expires;
    }
}

RW_RC signer_view_require_people(const struct signer_view *v, struct rw_err *err)
{
    struct rw_rc rc = signer_view_check_expiry(v, "root", v->root.expires, err);
    if (rw_is_ok(rc)) { rc = signer_view_check_expiry(v, "targets", v->targets.expires, err); }
    if (rw_is_ok(rc)) { return RW_OK; }
    return rw_hint(err, "root and targets are signed by people: hold a ceremony");
}

/* The policy in force is a target of `targets`: the payload must be the signed bytes. */
static RW_RC read_policy(const struct signer *s, struct signer_view *v, struct rw_err *err)
{
    static const char path[] = "policy/rings.json";
    struct tuf_target t;
    char file[TUF_PATH_BYTES + DIGEST_HEX_BYTES];
    uint8_t sha256[DIGEST_BYTES];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    const struct json *entry = json_find(json_find(v->targets.signed_part, "targets"), path);
    if (entry == NULL) { return rw_fail(err, RW_E_NOT_FOUND, "targets do not list %s", path); }
    RW_TRY(tuf_target_read(entry, "targets", v->targets.version, &t, err));
    RW_TRY(tuf_target_url(&t, file, sizeof(file), err));
    RW_TRY(rw_file_read_at(s->targets, file, RING_POLICY_BYTES_MAX, &text, err));
    RW_TRY(digest_sha256(rw_buf_span(&text), sha256, err));
    if ((int64_t)text.n != t.length || !digest_same(sha256, t.sha256, sizeof(sha256))) {
        return rw_fail(err, RW_E_TUF_HASH, "the policy file is not the signed one");
    }
    return ring_policy_parse(rw_buf_span(&text), &v->policy, err);
}

RW_RC signer_view_read_policy(const struct signer *s, struct signer_view *v, struct rw_err *err)
{
    return rw_is_ok(read_policy(s, v, err)) ? RW_OK : rw_wrap(err, "policy");
}

/* The client's directory holds, after a refresh, the very files that were verified. */
static RW_RC fill(const struct signer *s, struct signer_view *v, struct rw_err *err)
{
    take_status(v);
    RW_TRY(read_stored(v->dir, "root", "root", &v->root, err));
    RW_TRY(read_stored(v->dir, "snapshot", "snapshot", &v->snapshot, err));
    RW_TRY(read_stored(v->dir, "targets", "targets", &v->targets, err));
    return signer_view_read_policy(s, v, err);
}

/* `v` says directory and time of the cycle. */
static RW_RC open_view(struct signer *s, struct tuf_fetch fetch, struct rw_wall cycle,
                       struct signer_view *v, struct rw_err *err)
{
    struct rw_rc rc = tuf_client_open(v->dir, fetch, &v->client, err);
    if (rw_is_ok(rc)) { rc = tuf_client_refresh(v->client, cycle, err); }
    if (rw_is_ok(rc)) { rc = fill(s, v, err); }
    if (!rw_is_ok(rc)) { signer_view_drop(v); }
    return rc;
}

/* The time of this refresh is 1970: nothing has expired then. Signatures, versions, lengths and hashes are checked as
 * ever; what may have expired is decided by the caller. */
static const struct rw_wall before_any_expiry = {0};

RW_RC signer_view_open(struct signer *s, struct signer_view *out, struct rw_err *err)
{
    const struct tuf_fetch fetch = {.get = get_from_repo, .ctx = s};
    struct signer_view v = {.dir = s->trust, .now = rw_clock_wall(&s->clock)};
    RW_TRY(open_view(s, fetch, before_any_expiry, &v, err));
    *out = v;
    return RW_OK;
}

/* The directory of proofs, with nothing in it but the root that this signer trusts. */
static RW_RC begin_anew(const struct signer *s, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf root = rw_buf_make(TUF_ROOT_BYTES_MAX);
    RW_TRY(rw_file_remove_at(s->proof, "timestamp.json", err));
    RW_TRY(rw_file_remove_at(s->proof, "snapshot.json", err));
    RW_TRY(rw_file_read_at(s->trust, "root.json", TUF_ROOT_BYTES_MAX, &root, err));
    return tuf_client_init(s->proof, rw_buf_span(&root), err);
}

RW_RC signer_view_open_anew(struct signer *s, struct signer_view *out, struct rw_err *err)
{
    const struct tuf_fetch fetch = {.get = get_from_repo, .ctx = s};
    struct signer_view v = {.dir = s->proof, .now = rw_clock_wall(&s->clock)};
    RW_TRY(begin_anew(s, err));
    RW_TRY(open_view(s, fetch, before_any_expiry, &v, err));
    *out = v;
    return RW_OK;
}

RW_RC signer_view_prove(struct signer *s, const struct signer_view *before, struct signer_view *out,
                        struct rw_err *err)
{
    const struct tuf_fetch fetch = {.get = get_from_batch, .ctx = s};
    struct signer_view v = {.dir = s->proof, .now = before->now};
    /* A change that was proven but never written must leave no floor behind: the proof begins from nothing
     * but the root. */
    RW_TRY(begin_anew(s, err));
    if (!rw_is_ok(open_view(s, fetch, v.now, &v, err))) {
        return rw_wrap(err, "proof of the new state");
    }
    *out = v;
    return RW_OK;
}

void signer_view_drop(struct signer_view *v)
{
    tuf_client_drop(&v->client);
    tuf_doc_drop(&v->root);
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

RW_RC signer_view_role(const struct signer_view *v, const char *role, struct tuf_doc *out,
                       struct rw_err *err)
{
    /* The walk loads and verifies the role, and leaves its file in the client's directory. */
    RW_TRY(tuf_client_each(v->client, role, ignore_target, NULL, err));
    return read_stored(v->dir, role, "targets", out, err);
}
