#include "server/release/release_repo.h"

#include "common/base/file.h"
#include "common/base/num.h"
#include "common/policy/entry_codec.h"
#include "common/tuf/tuf_client.h"
#include "common/tuf/tuf_path.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 256, POLICY_PATH_BYTES = TUF_PATH_BYTES + DIGEST_HEX_BYTES };

struct reader {
    rw_fd metadata;
    rw_fd targets;
    struct tuf_doc snapshot;
};

static void reader_drop(struct reader *r)
{
    tuf_doc_drop(&r->snapshot);
    rw_fd_drop(&r->metadata);
    rw_fd_drop(&r->targets);
}

/* Reads `role` as `list` (timestamp or snapshot) names it: that version, that length, that hash. */
static RW_RC read_listed(const struct reader *r, const struct tuf_doc *list, const char *role,
                         const char *type, struct tuf_doc *out, struct rw_err *err)
{
    char file[NAME_BYTES];
    struct tuf_meta meta;
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(TUF_TARGETS_BYTES_MAX);
    (void)snprintf(file, sizeof(file), "%s.json", role);
    RW_TRY(tuf_doc_meta(list, file, &meta, err));
    RW_TRY(tuf_path_metadata_name(role, meta.version, file, sizeof(file), err));
    RW_TRY(rw_file_read_at(r->metadata, file, TUF_TARGETS_BYTES_MAX, &bytes, err));
    RW_TRY(tuf_doc_check_bytes(&meta, file, rw_buf_span(&bytes), err));
    return tuf_doc_parse(rw_buf_span(&bytes), type, out, err);
}

static RW_RC open_reader(int repo_dir, struct reader *r, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(TUF_TIMESTAMP_BYTES_MAX);
    RW_AUTO(tuf_doc) struct tuf_doc timestamp = {0};
    RW_TRY(rw_dir_open_at(repo_dir, "metadata", &r->metadata, err));
    RW_TRY(rw_dir_open_at(repo_dir, "targets", &r->targets, err));
    RW_TRY(rw_file_read_at(r->metadata, "timestamp.json", TUF_TIMESTAMP_BYTES_MAX, &bytes, err));
    RW_TRY(tuf_doc_parse(rw_buf_span(&bytes), "timestamp", &timestamp, err));
    return read_listed(r, &timestamp, "snapshot", "snapshot", &r->snapshot, err);
}

/* The greatest N of N.root.json. Metadata do not name it: a chain of roots ends where there is no next one. */
static RW_RC take_root_name(void *ctx, const char *name, struct rw_err *err)
{
    static const char ending[] = ".root.json";
    int64_t *newest = ctx;
    int64_t version = 0;
    size_t n = strlen(name);
    (void)err;
    if (n < sizeof(ending) || strcmp(name + n + 1 - sizeof(ending), ending) != 0) { return RW_OK; }
    struct rw_err unused;
    struct rw_span digits = rw_span_of(name, n + 1 - sizeof(ending));
    if (rw_is_ok(rw_parse_i64(digits, 1, INT32_MAX, "root", &version, &unused)) &&
        version > *newest) {
        *newest = version;
    }
    return RW_OK;
}

static RW_RC read_root(const struct reader *r, struct release_repo *out, struct rw_err *err)
{
    char file[NAME_BYTES];
    int64_t version = 0;
    RW_AUTO(tuf_doc) struct tuf_doc root = {0};
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(TUF_ROOT_BYTES_MAX);
    RW_TRY(rw_dir_each(r->metadata, take_root_name, &version, err));
    if (version == 0) { return rw_fail(err, RW_E_NOT_FOUND, "there is no root"); }
    RW_TRY(tuf_path_metadata_name("root", version, file, sizeof(file), err));
    RW_TRY(rw_file_read_at(r->metadata, file, TUF_ROOT_BYTES_MAX, &bytes, err));
    RW_TRY(tuf_doc_parse(rw_buf_span(&bytes), "root", &root, err));
    out->root_expires = root.expires;
    return RW_OK;
}

static RW_RC read_policy(const struct reader *r, struct release_repo *out, struct rw_err *err)
{
    static const char path[] = "policy/rings.json";
    char file[POLICY_PATH_BYTES];
    char hex[DIGEST_HEX_BYTES];
    struct tuf_target t;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    const struct json *entry = json_find(json_find(out->targets.signed_part, "targets"), path);
    if (entry == NULL) { return rw_fail(err, RW_E_NOT_FOUND, "targets does not list %s", path); }
    RW_TRY(tuf_target_read(entry, "targets", out->targets.version, &t, err));
    RW_TRY(tuf_target_url(&t, file, sizeof(file), err));
    RW_TRY(rw_file_read_at(r->targets, file, RING_POLICY_BYTES_MAX, &text, err));
    RW_TRY(digest_sha256_hex(rw_buf_span(&text), out->policy_sha256, err));
    rw_hex_encode(hex, sizeof(hex), t.sha256, sizeof(t.sha256));
    if (strcmp(hex, out->policy_sha256) != 0) {
        return rw_fail(err, RW_E_TUF_HASH, "the policy file is not the signed one");
    }
    return ring_policy_parse(rw_buf_span(&text), &out->policy, err);
}

static RW_RC read_pointer(const struct reader *r, const char *ring, const char *family,
                          int64_t *release_out, struct rw_err *err)
{
    char role[NAME_BYTES];
    char path[TUF_PATH_BYTES];
    struct tuf_target t;
    struct install_rule_pointer p;
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    (void)snprintf(role, sizeof(role), "ring-%s", ring);
    RW_TRY(read_listed(r, &r->snapshot, role, "targets", &doc, err));
    RW_TRY(entry_codec_pointer_path(ring, family, path, err));
    const struct json *entry = json_find(json_find(doc.signed_part, "targets"), path);
    *release_out = 0;
    if (entry == NULL) { return RW_OK; }
    RW_TRY(tuf_target_read(entry, role, doc.version, &t, err));
    RW_TRY(entry_codec_read_pointer(&t, &p, err));
    *release_out = p.release;
    return RW_OK;
}

/* Older repositories have no such role, and none has a document before the first expedite. */
static RW_RC read_expedite(const struct reader *r, struct release_repo *out, struct rw_err *err)
{
    struct tuf_meta meta;
    struct rw_err absent;
    if (!rw_is_ok(tuf_sigset_of_delegation(&out->targets, "expedite", &out->officers, &absent)) ||
        !rw_is_ok(tuf_doc_meta(&r->snapshot, "expedite.json", &meta, &absent))) {
        return RW_OK;
    }
    return read_listed(r, &r->snapshot, "expedite", "targets", &out->expedite, err);
}

static RW_RC fill(const struct reader *r, const char *family, struct release_repo *out,
                  struct rw_err *err)
{
    char role[NAME_BYTES];
    RW_TRY(ring_policy_check_name(family, "family", err));
    (void)snprintf(role, sizeof(role), "content-%s", family);
    RW_TRY(read_root(r, out, err));
    RW_TRY(read_listed(r, &r->snapshot, "targets", "targets", &out->targets, err));
    if (!rw_is_ok(tuf_sigset_of_delegation(&out->targets, role, &out->authority, err))) {
        return rw_hint(err,
                       "is '%s' misspelt? families stand in the signed targets role: ringward "
                       "trust show; 'ringward trust rotate' adds one",
                       family);
    }
    RW_TRY(read_listed(r, &r->snapshot, role, "targets", &out->content, err));
    RW_TRY(read_policy(r, out, err));
    RW_TRY(read_expedite(r, out, err));
    for (size_t i = 0; i < out->policy.ring_count; i++) {
        RW_TRY(read_pointer(r, out->policy.rings[i].name, family, &out->pointed[i], err));
    }
    return RW_OK;
}

RW_RC release_repo_read(int repo_dir, const char *family, struct release_repo *out,
                        struct rw_err *err)
{
    RW_AUTO(reader) struct reader r = {.metadata = -1, .targets = -1};
    RW_TRY(open_reader(repo_dir, &r, err));
    *out = (struct release_repo){.policy_sha256 = ""};
    struct rw_rc rc = fill(&r, family, out, err);
    if (!rw_is_ok(rc)) {
        release_repo_drop(out);
        return rw_wrap(err, "repository");
    }
    return RW_OK;
}

void release_repo_drop(struct release_repo *repo)
{
    tuf_doc_drop(&repo->targets);
    tuf_doc_drop(&repo->content);
    tuf_sigset_authority_drop(&repo->authority);
    tuf_doc_drop(&repo->expedite);
    tuf_sigset_authority_drop(&repo->officers);
}

static const struct json *listed(const struct release_repo *repo)
{
    return json_find(repo->content.signed_part, "targets");
}

bool release_repo_lists(const struct release_repo *repo, const struct release_id *id,
                        const char *sha256_hex)
{
    char path[TUF_PATH_BYTES];
    struct rw_err unused;
    if (!rw_is_ok(entry_codec_content_path(id->family, id->number, path, &unused))) {
        return false;
    }
    const struct json *entry = json_find(listed(repo), path);
    const struct json *hashes = entry == NULL ? NULL : json_find(entry, "hashes");
    const struct json *sha256 = hashes == NULL ? NULL : json_find(hashes, "sha256");
    return sha256 != NULL && json_type(sha256) == JSON_STR &&
           rw_span_is(json_str(sha256), sha256_hex);
}

struct tuf_make_life release_repo_life(const struct release_repo *repo, struct rw_wall now,
                                       int64_t life_s)
{
    struct rw_wall end = {now.s + life_s};
    return (struct tuf_make_life){now, end.s < repo->root_expires.s ? end : repo->root_expires};
}

int64_t release_repo_newest(const struct release_repo *repo, const char *family)
{
    int64_t newest = 0;
    for (const struct json *e = json_first(listed(repo)); e != NULL; e = json_next(e)) {
        int64_t number = 0;
        struct rw_err unused;
        char prefix[NAME_BYTES];
        struct rw_span name = json_name(e);
        (void)snprintf(prefix, sizeof(prefix), "content/%s/", family);
        size_t head = strlen(prefix);
        size_t tail = strlen(".rwc");
        if (!rw_span_starts(name, prefix) || name.n < head + tail) { continue; }
        struct rw_span digits = rw_span_of(name.p + head, name.n - head - tail);
        if (rw_is_ok(rw_parse_i64(digits, 1, RW_JSON_INT_MAX, "release", &number, &unused)) &&
            number > newest) {
            newest = number;
        }
    }
    return newest;
}
