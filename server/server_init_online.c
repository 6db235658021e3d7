#include "server/server_init_online.h"

#include "common/tuf/tuf_client.h"
#include "common/tuf/tuf_make.h"
#include "common/tuf/tuf_path.h"
#include "common/tuf/tuf_write.h"

#include <stdio.h>

enum {
    ONLINE_S = 7 * 86400,
    TIMESTAMP_S = 36 * 3600,
    DOC_BYTES_MAX = 256 * 1024,
    ENVELOPE_BYTES_MAX = 512 * 1024,
    PATH_BYTES = 4096,
    ROLE_BYTES = 64,
    FILE_BYTES = 256,
};

RW_RC server_online_begin(const char *dir, struct rw_wall now, struct rw_wall root_expires,
                          struct server_online *o, struct rw_err *err)
{
    char path[PATH_BYTES];
    *o = (struct server_online){.dir = dir,
                                .now = now,
                                .root_expires = root_expires,
                                .metadata = -1,
                                .meta = rw_buf_make(DOC_BYTES_MAX)};
    int n = snprintf(path, sizeof(path), "%s/repo/metadata", dir);
    if (n < 0 || n >= PATH_BYTES) { return rw_fail(err, RW_E_RANGE, "directory name too long"); }
    RW_TRY(rw_dir_open(path, &o->metadata, err));
    o->meta_json = json_begin(&o->meta);
    json_open_object(&o->meta_json, NULL);
    return RW_OK;
}

void server_online_drop(struct server_online *o)
{
    if (o->meta.max > 0) { rw_buf_drop(&o->meta); }
    if (o->dir != NULL) { rw_fd_drop(&o->metadata); }
}

static struct tuf_make_life life(const struct server_online *o, int64_t seconds)
{
    struct rw_wall end = {o->now.s + seconds};
    return (struct tuf_make_life){o->now, end.s < o->root_expires.s ? end : o->root_expires};
}

static RW_RC put_file(const struct server_online *o, const char *role, int64_t version,
                      struct rw_span envelope, struct rw_err *err)
{
    char name[FILE_BYTES];
    RW_TRY(tuf_path_metadata_name(role, version, name, sizeof(name), err));
    return rw_file_replace_at(o->metadata, name, 0644, envelope, err);
}

RW_RC server_online_put_root(struct server_online *o, int64_t version, struct rw_span envelope,
                             struct rw_err *err)
{
    char path[PATH_BYTES];
    RW_AUTO(rw_fd) rw_fd trust = -1;
    RW_TRY(put_file(o, "root", version, envelope, err));
    (void)snprintf(path, sizeof(path), "%s/root.json", o->dir);
    RW_TRY(rw_file_replace(path, 0644, envelope, err));
    (void)snprintf(path, sizeof(path), "%s/signer/state/trust", o->dir);
    RW_TRY(rw_dir_open(path, &trust, err));
    return tuf_client_init(trust, envelope, err);
}

RW_RC server_online_put_policy(const struct server_online *o, struct rw_span text,
                               struct rw_err *err)
{
    char path[PATH_BYTES];
    char hex[DIGEST_HEX_BYTES];
    RW_TRY(digest_sha256_hex(text, hex, err));
    (void)snprintf(path, sizeof(path), "%s/repo/targets/policy/%s.rings.json", o->dir, hex);
    return rw_file_replace(path, 0644, text, err);
}

RW_RC server_online_put_role(struct server_online *o, const char *role, int64_t version,
                             struct rw_span envelope, struct rw_err *err)
{
    char file[FILE_BYTES];
    RW_TRY(put_file(o, role, version, envelope, err));
    RW_TRY(tuf_path_metadata_name(role, 0, file, sizeof(file), err));
    return tuf_make_meta(&o->meta_json, file, version, envelope, err);
}

RW_RC server_online_make_ring(struct server_online *o, const char *ring, const struct key *key,
                              struct rw_err *err)
{
    char role[ROLE_BYTES];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(DOC_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf envelope = rw_buf_make(ENVELOPE_BYTES_MAX);
    (void)snprintf(role, sizeof(role), "ring-%s", ring);
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "targets", 1, life(o, ONLINE_S));
    json_open_object(&w, "targets");
    json_close_object(&w);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_TRY(tuf_write_envelope(rw_buf_span(&text), key, 1, &envelope, err));
    return server_online_put_role(o, role, 1, rw_buf_span(&envelope), err);
}

static RW_RC make_snapshot(struct server_online *o, const struct key *key, struct rw_buf *envelope,
                           struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(DOC_BYTES_MAX);
    json_close_object(&o->meta_json);
    RW_TRY(json_done(&o->meta_json, err));
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "snapshot", 1, life(o, ONLINE_S));
    json_put_raw(&w, "meta", rw_buf_span(&o->meta));
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    return tuf_write_envelope(rw_buf_span(&text), key, 1, envelope, err);
}

RW_RC server_online_seal(struct server_online *o, const struct key *snapshot,
                         const struct key *timestamp, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(DOC_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf listed = rw_buf_make(ENVELOPE_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf envelope = rw_buf_make(ENVELOPE_BYTES_MAX);
    RW_TRY(make_snapshot(o, snapshot, &listed, err));
    RW_TRY(put_file(o, "snapshot", 1, rw_buf_span(&listed), err));
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "timestamp", 1, life(o, TIMESTAMP_S));
    json_open_object(&w, "meta");
    RW_TRY(tuf_make_meta(&w, "snapshot.json", 1, rw_buf_span(&listed), err));
    json_close_object(&w);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_TRY(tuf_write_envelope(rw_buf_span(&text), timestamp, 1, &envelope, err));
    return put_file(o, "timestamp", 0, rw_buf_span(&envelope), err);
}
