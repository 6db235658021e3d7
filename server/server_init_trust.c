#include "server/server_init_trust.h"

#include "common/base/file.h"
#include "common/crypto/key.h"
#include "common/policy/ring_policy.h"
#include "common/tuf/tuf_make.h"
#include "common/tuf/tuf_write.h"
#include "server/server_init_online.h"

#include <stdio.h>
#include <string.h>

enum {
    DAY_S = 86400,
    ROOT_S = 365 * DAY_S,
    TARGETS_S = 180 * DAY_S,
    CONTENT_S = 14 * DAY_S,
    DOC_BYTES_MAX = 256 * 1024,
    ENVELOPE_BYTES_MAX = 512 * 1024,
    PATH_BYTES = 4096,
    ROLE_BYTES = 64,
    FILE_BYTES = 256,
};

/* docs/trust.md "Roles": content needs two engineers, whoever wrote the release. */
enum { CONTENT_THRESHOLD = 2, ENGINEERS = 2, EXPEDITE_THRESHOLD = 2, OFFICERS = 2 };

static const char *const engineer_names[ENGINEERS] = {"alice", "bob"};
/* Who expedites is no engineer of the release. */
static const char *const officer_names[OFFICERS] = {"carol", "dave"};

struct trust {
    const struct server_init_settings *s;
    struct ring_policy policy;
    struct key root;
    struct key targets;
    struct key engineers[ENGINEERS];
    struct key officers[OFFICERS];
    struct key rings[RING_POLICY_RINGS_MAX];
    struct key snapshot;
    struct key timestamp;
    struct server_online online;
};

static void trust_drop(struct trust *t)
{
    key_drop(&t->root);
    key_drop(&t->targets);
    for (size_t i = 0; i < ENGINEERS; i++) {
        key_drop(&t->engineers[i]);
    }
    for (size_t i = 0; i < OFFICERS; i++) {
        key_drop(&t->officers[i]);
    }
    for (size_t i = 0; i < RING_POLICY_RINGS_MAX; i++) {
        key_drop(&t->rings[i]);
    }
    key_drop(&t->snapshot);
    key_drop(&t->timestamp);
    server_online_drop(&t->online);
}

static struct rw_wall in(const struct trust *t, int64_t seconds)
{
    return (struct rw_wall){t->s->now.s + seconds};
}

static struct tuf_make_life life(const struct trust *t, int64_t seconds)
{
    return (struct tuf_make_life){t->s->now, in(t, seconds)};
}

/* --- keys --- */
static RW_RC make_key(const struct trust *t, enum key_scheme scheme, const char *file,
                      struct key *out, struct rw_err *err)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s/%s", t->s->dir, file);
    if (n < 0 || n >= PATH_BYTES) { return rw_fail(err, RW_E_RANGE, "directory name too long"); }
    RW_TRY(key_generate(scheme, out, err));
    return key_save_private(out, path, NULL, err);
}

static RW_RC make_keys(struct trust *t, struct rw_err *err)
{
    char file[FILE_BYTES];
    RW_TRY(make_key(t, KEY_ECDSA_P256, "offline/root-1.key", &t->root, err));
    RW_TRY(make_key(t, KEY_ECDSA_P256, "offline/targets-1.key", &t->targets, err));
    for (size_t i = 0; i < ENGINEERS; i++) {
        (void)snprintf(file, sizeof(file), "engineers/%s.key", engineer_names[i]);
        RW_TRY(make_key(t, KEY_ECDSA_P256, file, &t->engineers[i], err));
    }
    for (size_t i = 0; i < OFFICERS; i++) {
        (void)snprintf(file, sizeof(file), "officers/%s.key", officer_names[i]);
        RW_TRY(make_key(t, KEY_ECDSA_P256, file, &t->officers[i], err));
    }
    for (size_t i = 0; i < t->policy.ring_count; i++) {
        (void)snprintf(file, sizeof(file), "signer/ring-%s.key", t->policy.rings[i].name);
        RW_TRY(make_key(t, KEY_ED25519, file, &t->rings[i], err));
    }
    RW_TRY(make_key(t, KEY_ED25519, "signer/snapshot.key", &t->snapshot, err));
    return make_key(t, KEY_ED25519, "signer/timestamp.key", &t->timestamp, err);
}

/* --- pieces of documents --- */
static RW_RC put_key(struct json_writer *w, const struct key *k, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(KEY_FILE_BYTES_MAX);
    RW_TRY(key_write_public(k, &text, err));
    json_put_raw(w, k->id, rw_buf_span(&text));
    return RW_OK;
}

static void put_keyids(struct json_writer *w, const struct key *keys, size_t count,
                       int64_t threshold)
{
    json_open_array(w, "keyids");
    for (size_t i = 0; i < count; i++) {
        json_put_str(w, NULL, keys[i].id);
    }
    json_close_array(w);
    json_put_int(w, "threshold", threshold);
}

static void put_root_role(struct json_writer *w, const char *role, const struct key *k)
{
    json_open_object(w, role);
    put_keyids(w, k, 1, 1);
    json_close_object(w);
}

/* A terminating delegation of one pattern. */
static void put_delegation(struct json_writer *w, const char *role, const char *pattern,
                           const struct key *keys, size_t count, int64_t threshold)
{
    json_open_object(w, NULL);
    put_keyids(w, keys, count, threshold);
    json_put_str(w, "name", role);
    json_open_array(w, "paths");
    json_put_str(w, NULL, pattern);
    json_close_array(w);
    json_put_bool(w, "terminating", true);
    json_close_object(w);
}

/* --- signing and writing --- */
static RW_RC write_root(struct trust *t, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(DOC_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf envelope = rw_buf_make(ENVELOPE_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "root", 1, life(t, ROOT_S));
    json_put_bool(&w, "consistent_snapshot", true);
    json_open_object(&w, "keys");
    RW_TRY(put_key(&w, &t->root, err));
    RW_TRY(put_key(&w, &t->targets, err));
    RW_TRY(put_key(&w, &t->snapshot, err));
    RW_TRY(put_key(&w, &t->timestamp, err));
    json_close_object(&w);
    json_open_object(&w, "ringward");
    json_put_str(&w, "trust", "development");
    json_close_object(&w);
    json_open_object(&w, "roles");
    put_root_role(&w, "root", &t->root);
    put_root_role(&w, "snapshot", &t->snapshot);
    put_root_role(&w, "targets", &t->targets);
    put_root_role(&w, "timestamp", &t->timestamp);
    json_close_object(&w);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_TRY(tuf_write_envelope(rw_buf_span(&text), &t->root, 1, &envelope, err));
    return server_online_put_root(&t->online, 1, rw_buf_span(&envelope), err);
}

static RW_RC put_delegations(const struct trust *t, struct json_writer *w, struct rw_err *err)
{
    char role[ROLE_BYTES];
    char pattern[ROLE_BYTES];
    json_open_object(w, "delegations");
    json_open_object(w, "keys");
    for (size_t i = 0; i < ENGINEERS; i++) {
        RW_TRY(put_key(w, &t->engineers[i], err));
    }
    for (size_t i = 0; i < OFFICERS; i++) {
        RW_TRY(put_key(w, &t->officers[i], err));
    }
    for (size_t i = 0; i < t->policy.ring_count; i++) {
        RW_TRY(put_key(w, &t->rings[i], err));
    }
    json_close_object(w);
    json_open_array(w, "roles");
    for (size_t i = 0; i < t->s->family_count; i++) {
        (void)snprintf(role, sizeof(role), "content-%s", t->s->families[i]);
        (void)snprintf(pattern, sizeof(pattern), "content/%s/*", t->s->families[i]);
        put_delegation(w, role, pattern, t->engineers, ENGINEERS, CONTENT_THRESHOLD);
    }
    for (size_t i = 0; i < t->policy.ring_count; i++) {
        (void)snprintf(role, sizeof(role), "ring-%s", t->policy.rings[i].name);
        (void)snprintf(pattern, sizeof(pattern), "rings/%s/*", t->policy.rings[i].name);
        put_delegation(w, role, pattern, &t->rings[i], 1, 1);
    }
    /* Its first document comes with the first expedite. */
    put_delegation(w, "expedite", "expedite/*/*", t->officers, OFFICERS, EXPEDITE_THRESHOLD);
    json_close_array(w);
    json_close_object(w);
    return RW_OK;
}

static RW_RC write_targets(struct trust *t, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(DOC_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf envelope = rw_buf_make(ENVELOPE_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "targets", 1, life(t, TARGETS_S));
    RW_TRY(put_delegations(t, &w, err));
    json_open_object(&w, "targets");
    RW_TRY(tuf_make_target(&w, "policy/rings.json", t->s->policy, err));
    json_close_object(&w);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_TRY(tuf_write_envelope(rw_buf_span(&text), &t->targets, 1, &envelope, err));
    return server_online_put_role(&t->online, "targets", 1, rw_buf_span(&envelope), err);
}

/* A family without releases, signed by both engineers. */
static RW_RC write_content(struct trust *t, const char *family, struct rw_err *err)
{
    char role[ROLE_BYTES];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(DOC_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf envelope = rw_buf_make(ENVELOPE_BYTES_MAX);
    (void)snprintf(role, sizeof(role), "content-%s", family);
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "targets", 1, life(t, CONTENT_S));
    json_open_object(&w, "targets");
    json_close_object(&w);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_TRY(tuf_write_envelope(rw_buf_span(&text), t->engineers, ENGINEERS, &envelope, err));
    return server_online_put_role(&t->online, role, 1, rw_buf_span(&envelope), err);
}

static RW_RC write_delegated(struct trust *t, struct rw_err *err)
{
    for (size_t i = 0; i < t->s->family_count; i++) {
        RW_TRY(write_content(t, t->s->families[i], err));
    }
    for (size_t i = 0; i < t->policy.ring_count; i++) {
        RW_TRY(server_online_make_ring(&t->online, t->policy.rings[i].name, &t->rings[i], err));
    }
    return RW_OK;
}

RW_RC server_trust_make(const struct server_init_settings *settings, struct rw_err *err)
{
    RW_AUTO(trust) struct trust t = {.s = settings};
    RW_TRY(ring_policy_parse(settings->policy, &t.policy, err));
    for (size_t i = 0; i < settings->family_count; i++) {
        RW_TRY(ring_policy_check_name(settings->families[i], "family", err));
    }
    RW_TRY(server_online_begin(settings->dir, settings->now, in(&t, ROOT_S), &t.online, err));
    RW_TRY(make_keys(&t, err));
    RW_TRY(write_root(&t, err));
    RW_TRY(server_online_put_policy(&t.online, settings->policy, err));
    RW_TRY(write_targets(&t, err));
    RW_TRY(write_delegated(&t, err));
    return server_online_seal(&t.online, &t.snapshot, &t.timestamp, err);
}
