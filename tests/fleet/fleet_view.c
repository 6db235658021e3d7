#include "tests/fleet/fleet_view.h"

#include "common/base/file.h"
#include "common/net/http_client.h"
#include "common/policy/entry_codec.h"
#include "common/tuf/tuf_doc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 512, REQUEST_MS = 60 * 1000 };

struct fleet_view {
    char family[INSTALL_NAME_BYTES];
    char platform[INSTALL_NAME_BYTES];
    char folder[PATH_BYTES];
    rw_fd dir;
    struct http_client *http;
    struct tuf_client *tuf;
    struct ring_policy policy;
    struct fleet_view_ring rings[RING_POLICY_RINGS_MAX];
    uint32_t generation;
};

static RW_RC fetch(void *ctx, const char *path, size_t max, struct rw_buf *into, struct rw_err *err)
{
    struct fleet_view *v = ctx;
    char url[2 * TUF_PATH_BYTES];
    struct http_client_answer answer;
    (void)snprintf(url, sizeof(url), "/repo/metadata/%s", path);
    RW_TRY(http_client_get(v->http, url, NULL, max, into, &answer, err));
    if (answer.status == 404) { return rw_fail(err, RW_E_NOT_FOUND, "%s: status 404", path); }
    if (answer.status != 200) {
        return rw_fail(err, RW_E_HTTP, "%s: status %d", path, answer.status);
    }
    return RW_OK;
}

static RW_RC make_folder(struct fleet_view *v, struct rw_err *err)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(v->folder, sizeof(v->folder), "%s/ringward-fleet-XXXXXX",
                   tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
    if (mkdtemp(v->folder) == NULL) {
        struct rw_rc rc = rw_fail_errno(err, RW_E_IO, errno, "folder '%s'", v->folder);
        v->folder[0] = '\0';
        return rc;
    }
    return rw_dir_open(v->folder, &v->dir, err);
}

static RW_RC remove_one(void *ctx, const char *name, struct rw_err *err)
{
    const struct fleet_view *v = ctx;
    return rw_file_remove_at(v->dir, name, err);
}

void fleet_view_drop(struct fleet_view **v)
{
    struct rw_err unused;
    if (*v == NULL) { return; }
    tuf_client_drop(&(*v)->tuf);
    http_client_drop(&(*v)->http);
    if ((*v)->dir >= 0) {
        RW_IGNORE(rw_dir_each((*v)->dir, remove_one, *v, &unused),
                  "it lies in the folder for that");
    }
    rw_fd_drop(&(*v)->dir);
    if ((*v)->folder[0] != '\0') { (void)rmdir((*v)->folder); }
    rw_mem_free(*v);
    *v = NULL;
}

static RW_RC start(struct fleet_view *v, const struct fleet_view_options *o, struct rw_err *err)
{
    const struct http_client_options http = {
        .base_url = o->url, .ca_file = o->ca_file, .total_ms = REQUEST_MS};
    RW_AUTO(rw_buf) struct rw_buf root = rw_buf_make(TUF_ROOT_BYTES_MAX);
    RW_TRY(rw_file_read(o->root_file, TUF_ROOT_BYTES_MAX, &root, err));
    RW_TRY(make_folder(v, err));
    RW_TRY(http_client_open(&http, &v->http, err));
    RW_TRY(tuf_client_init(v->dir, rw_buf_span(&root), err));
    RW_TRY(tuf_client_open(v->dir, (struct tuf_fetch){fetch, v}, &v->tuf, err));
    return fleet_view_refresh(v, err);
}

RW_RC fleet_view_open(const struct fleet_view_options *o, struct fleet_view **out,
                      struct rw_err *err)
{
    struct fleet_view *v = rw_mem_new(sizeof(*v));
    if (v == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for metadata"); }
    v->dir = -1;
    (void)snprintf(v->family, sizeof(v->family), "%s", o->family);
    (void)snprintf(v->platform, sizeof(v->platform), "%s", o->platform);
    struct rw_rc rc = start(v, o, err);
    if (!rw_is_ok(rc)) {
        fleet_view_drop(&v);
        return rc;
    }
    *out = v;
    return RW_OK;
}

/* --- reading --- */

static RW_RC read_policy(struct fleet_view *v, struct ring_policy *out, struct rw_err *err)
{
    char url[2 * TUF_PATH_BYTES];
    char path[TUF_PATH_BYTES];
    struct tuf_target t;
    uint8_t hash[DIGEST_BYTES];
    struct http_client_answer answer;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    RW_TRY(tuf_client_find(v->tuf, "policy/rings.json", &t, err));
    RW_TRY(tuf_target_url(&t, path, sizeof(path), err));
    (void)snprintf(url, sizeof(url), "/repo/targets/%s", path);
    RW_TRY(http_client_get(v->http, url, NULL, RING_POLICY_BYTES_MAX, &text, &answer, err));
    RW_TRY(digest_sha256(rw_buf_span(&text), hash, err));
    if ((int64_t)text.n != t.length || !digest_same(hash, t.sha256, sizeof(hash))) {
        return rw_fail(err, RW_E_TUF_HASH, "the policy has another length or hash");
    }
    return ring_policy_parse(rw_buf_span(&text), out, err);
}

static RW_RC read_content(struct fleet_view *v, size_t ring, const struct entry_list *list,
                          struct fleet_view_ring *out, struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    char class_name[INSTALL_NAME_BYTES];
    struct tuf_target t;
    size_t class_index = 0;
    RW_TRY(entry_codec_content_path(v->family, out->pointer.release, path, err));
    struct rw_rc rc = tuf_client_find(v->tuf, path, &t, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    RW_TRY(entry_codec_read_content(&t, v->policy.rings[ring].name, v->platform, &out->content,
                                    class_name, err));
    RW_TRY(ring_policy_find_class(&v->policy, class_name, &class_index, err));
    out->min_bake_s = ring_policy_min_bake_s(&v->policy, class_index, ring);
    entry_list_apply(list, &out->content);
    return RW_OK;
}

static RW_RC read_ring(struct fleet_view *v, size_t ring, struct fleet_view_ring *out,
                       struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    char role[TUF_ROLE_NAME_BYTES];
    struct tuf_target t;
    struct rw_wall expires;
    const struct json *signed_part = NULL;
    struct entry_list list;
    *out = (struct fleet_view_ring){.has_pointer = false};
    RW_TRY(entry_codec_pointer_path(v->policy.rings[ring].name, v->family, path, err));
    struct rw_rc rc = tuf_client_find(v->tuf, path, &t, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    RW_TRY(entry_codec_read_pointer(&t, &out->pointer, err));
    out->has_pointer = true;
    (void)snprintf(role, sizeof(role), "content-%s", v->family);
    RW_TRY(tuf_client_role(v->tuf, role, &signed_part, &expires, err));
    RW_TRY(entry_list_read(signed_part, v->family, &list, err));
    return read_content(v, ring, &list, out, err);
}

RW_RC fleet_view_refresh(struct fleet_view *v, struct rw_err *err)
{
    struct rw_clock clock = rw_clock_system();
    struct fleet_view_ring rings[RING_POLICY_RINGS_MAX];
    RW_TRY(tuf_client_refresh(v->tuf, rw_clock_wall(&clock), err));
    RW_TRY(read_policy(v, &v->policy, err));
    for (size_t i = 0; i < v->policy.ring_count; i++) {
        RW_TRY(read_ring(v, i, &rings[i], err));
    }
    rw_copy(v->rings, sizeof(v->rings), rings, sizeof(rings));
    v->generation++;
    return RW_OK;
}

const struct ring_policy *fleet_view_policy(const struct fleet_view *v)
{
    return &v->policy;
}

const struct fleet_view_ring *fleet_view_of(const struct fleet_view *v, size_t ring)
{
    RW_ASSERT(ring < v->policy.ring_count);
    return &v->rings[ring];
}

uint32_t fleet_view_generation(const struct fleet_view *v)
{
    return v->generation;
}
