#include "server/signer/signer_sign.h"

#include "common/policy/entry_codec.h"
#include "common/tuf/tuf_make.h"
#include "common/tuf/tuf_path.h"
#include "common/tuf/tuf_write.h"
#include "server/signer/signer_key.h"
#include "server/signer/signer_rule.h"

#include <stdio.h>
#include <string.h>

static RW_RC next_version(const struct signer *s, const char *role, const struct key *key,
                          int64_t published, int64_t *out, struct rw_err *err)
{
    int64_t floor = signer_state_floor(s, role, key->id);
    if (rw_is_ok(signer_rule_next_version(published, floor, out, err))) { return RW_OK; }
    RW_IGNORE(rw_wrap(err, "role '%s'", role), "hint");
    return rw_hint(err, "somebody pushed the version up: rotate the key (docs/trust.md, Rotation)");
}

static struct tuf_make_life life(const struct signer_view *v, int64_t life_s)
{
    return (struct tuf_make_life){v->now, signer_rule_expires(v->now, life_s, v->root.expires)};
}

/* Signs the text, adds it to the batch, raises the role's floor in memory. */
static RW_RC add_signed(struct signer *s, const char *role, int64_t version,
                        const struct rw_buf *text, const struct key *key, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf envelope = rw_buf_make(SIGNER_FILE_BYTES_MAX);
    int64_t in_name = strcmp(role, "timestamp") == 0 ? 0 : version;
    RW_TRY(tuf_write_envelope(rw_buf_span(text), key, 1, &envelope, err));
    RW_TRY(signer_batch_add(&s->batch, role, in_name, rw_buf_span(&envelope), err));
    signer_state_raise(s, role, key->id, version);
    return RW_OK;
}

/* --- ring roles --- */
static RW_RC put_entries(struct json_writer *w, const struct tuf_doc *doc,
                         const struct signer_sign_move *move, struct rw_err *err)
{
    char own[TUF_PATH_BYTES] = "";
    const struct json *targets = /* a new ring has no document yet */
        doc->tree == NULL ? NULL : json_find(doc->signed_part, "targets");
    if (move->family != NULL) {
        RW_TRY(entry_codec_pointer_path(move->ring, move->family, own, err));
    }
    for (const struct json *e = targets == NULL ? NULL : json_first(targets); e != NULL;
         e = json_next(e)) {
        char path[TUF_PATH_BYTES];
        RW_TRY(rw_span_to_str(path, sizeof(path), json_name(e), "target path", err));
        if (strcmp(path, own) != 0) { json_put_tree(w, path, e); }
    }
    if (move->pointer != NULL) { entry_codec_write_pointer(w, own, move->pointer); }
    return RW_OK;
}

RW_RC signer_sign_ring(struct signer *s, const struct signer_view *v,
                       const struct signer_sign_move *move, struct rw_err *err)
{
    char role[SIGNER_ROLE_BYTES];
    int64_t version = 0;
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    RW_AUTO(key) struct key key = {.scheme = KEY_UNKNOWN};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SIGNER_FILE_BYTES_MAX);
    RW_TRY(ring_policy_check_name(move->ring, "ring", err));
    (void)snprintf(role, sizeof(role), "ring-%s", move->ring);
    if (!move->first) { RW_TRY(signer_view_role(v, role, &doc, err)); }
    RW_TRY(signer_key_of_delegation(s, v, role, &key, err));
    RW_TRY(next_version(s, role, &key, v->restart.roles ? 0 : doc.version, &version, err));
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "targets", version, life(v, SIGNER_RING_LIFE_S));
    json_open_object(&w, "targets");
    RW_TRY(put_entries(&w, &doc, move, err));
    json_close_object(&w);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    return add_signed(s, role, version, &text, &key, err);
}

/* --- snapshot and timestamp --- */
static RW_RC put_batch_meta(const struct signer *s, size_t at, const char *file,
                            struct json_writer *w, struct rw_err *err)
{
    return tuf_make_meta(w, file, s->batch.files[at].version,
                         rw_buf_span(&s->batch.files[at].bytes), err);
}

/* Index of the role whose un-versioned file name is `file`; batch.count: none. */
static size_t find_in_batch(const struct signer *s, struct rw_span file)
{
    for (size_t i = 0; i < s->batch.count; i++) {
        char name[SIGNER_FILE_NAME_BYTES];
        (void)snprintf(name, sizeof(name), "%s.json", s->batch.files[i].role);
        if (rw_span_is(file, name)) { return i; }
    }
    return s->batch.count;
}

/* Every role that was listed stays listed for ever; those of the batch with their new versions. */
static RW_RC put_snapshot_meta(const struct signer *s, const struct signer_view *v,
                               struct json_writer *w, struct rw_err *err)
{
    bool written[SIGNER_FILES_MAX] = {false};
    const struct json *meta = NULL;
    char name[SIGNER_FILE_NAME_BYTES];
    RW_TRY(json_get(v->snapshot.signed_part, "meta", JSON_OBJECT, &meta, err));
    for (const struct json *e = json_first(meta); e != NULL; e = json_next(e)) {
        size_t at = find_in_batch(s, json_name(e));
        RW_TRY(rw_span_to_str(name, sizeof(name), json_name(e), "role in snapshot", err));
        if (at == s->batch.count) {
            json_put_tree(w, name, e);
        } else {
            RW_TRY(put_batch_meta(s, at, name, w, err));
            written[at] = true;
        }
    }
    for (size_t i = 0; i < s->batch.count; i++) {
        if (written[i] || strcmp(s->batch.files[i].role, "root") == 0) { continue; }
        (void)snprintf(name, sizeof(name), "%s.json", s->batch.files[i].role);
        RW_TRY(put_batch_meta(s, i, name, w, err));
    }
    return RW_OK;
}

static RW_RC sign_snapshot(struct signer *s, const struct signer_view *v, struct rw_err *err)
{
    int64_t version = 0;
    int64_t published = v->restart.snapshot ? 0 : v->snapshot.version;
    RW_AUTO(key) struct key key = {.scheme = KEY_UNKNOWN};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TUF_SNAPSHOT_BYTES_MAX);
    RW_TRY(signer_key_of_root(s, v, "snapshot", &key, err));
    RW_TRY(next_version(s, "snapshot", &key, published, &version, err));
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "snapshot", version, life(v, SIGNER_SNAPSHOT_LIFE_S));
    json_open_object(&w, "meta");
    RW_TRY(put_snapshot_meta(s, v, &w, err));
    json_close_object(&w);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    return add_signed(s, "snapshot", version, &text, &key, err);
}

/* `snapshot` is the file as agents will read it. */
static RW_RC sign_timestamp(struct signer *s, const struct signer_view *v, int64_t snapshot_version,
                            struct rw_span snapshot, struct rw_err *err)
{
    int64_t version = 0;
    int64_t published = v->restart.timestamp ? 0 : v->timestamp_version;
    RW_AUTO(key) struct key key = {.scheme = KEY_UNKNOWN};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TUF_TIMESTAMP_BYTES_MAX);
    RW_TRY(signer_key_of_root(s, v, "timestamp", &key, err));
    RW_TRY(next_version(s, "timestamp", &key, published, &version, err));
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "timestamp", version, life(v, SIGNER_TIMESTAMP_LIFE_S));
    json_open_object(&w, "meta");
    RW_TRY(tuf_make_meta(&w, "snapshot.json", snapshot_version, snapshot, err));
    json_close_object(&w);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    return add_signed(s, "timestamp", version, &text, &key, err);
}

RW_RC signer_sign_seal(struct signer *s, const struct signer_view *v, bool with_snapshot,
                       struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf published = rw_buf_make(TUF_SNAPSHOT_BYTES_MAX);
    int64_t version = v->snapshot.version;
    struct rw_span snapshot;
    if (with_snapshot) {
        RW_TRY(sign_snapshot(s, v, err));
        version = s->batch.files[s->batch.count - 1].version;
        snapshot = rw_buf_span(&s->batch.files[s->batch.count - 1].bytes);
    } else {
        RW_ASSERT(s->batch.count ==
                  0); /* a new role without a new snapshot would be seen by nobody */
        RW_TRY(rw_file_read_at(v->dir, "snapshot.json", TUF_SNAPSHOT_BYTES_MAX, &published, err));
        snapshot = rw_buf_span(&published);
    }
    RW_TRY(sign_timestamp(s, v, version, snapshot, err));
    /* Two files of one version must never exist: the versions are durable before any of them leaves. */
    return signer_state_save(s, err);
}
