#include "server/prune_refs.h"

#include "common/base/file.h"
#include "common/tuf/tuf_client.h"
#include "common/tuf/tuf_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_NAME_BYTES = 256 };

void prune_refs_drop(struct prune_refs *refs)
{
    rw_mem_free(refs->hashes);
    *refs = (struct prune_refs){.hashes = NULL};
}

RW_RC prune_refs_take(struct prune_refs *refs, const uint8_t sha256[static DIGEST_BYTES],
                      struct rw_err *err)
{
    if (refs->hash_count == PRUNE_HASHES_MAX) {
        return rw_fail(err, RW_E_RANGE, "metadata name more than %d files", PRUNE_HASHES_MAX);
    }
    if (refs->hash_count == refs->hash_room) {
        size_t room = refs->hash_room == 0 ? 256 : 2 * refs->hash_room;
        void *grown = rw_mem_grow(refs->hashes, room, sizeof(*refs->hashes));
        if (grown == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for hashes"); }
        refs->hashes = grown;
        refs->hash_room = room;
    }
    rw_copy(refs->hashes[refs->hash_count++], DIGEST_BYTES, sha256, DIGEST_BYTES);
    return RW_OK;
}

/* A content role names files, a ring role their hashes once more: both keep them. */
static RW_RC add_targets(const struct tuf_doc *doc, const char *role, struct prune_refs *refs,
                         struct rw_err *err)
{
    const struct json *targets = NULL;
    struct tuf_target t;
    RW_TRY(json_get(doc->signed_part, "targets", JSON_OBJECT, &targets, err));
    for (const struct json *e = json_first(targets); e != NULL; e = json_next(e)) {
        RW_TRY(tuf_target_read(e, role, doc->version, &t, err));
        RW_TRY(prune_refs_take(refs, t.sha256, err));
    }
    return RW_OK;
}

static RW_RC parse(int dir, const char *file, const char *type, const struct tuf_meta *meta,
                   struct tuf_doc *out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(TUF_TARGETS_BYTES_MAX);
    struct rw_rc rc = rw_file_read_at(dir, file, TUF_TARGETS_BYTES_MAX, &bytes, err);
    if (rw_is_ok(rc) && meta != NULL) {
        rc = tuf_doc_check_bytes(meta, file, rw_buf_span(&bytes), err);
    }
    if (rw_is_ok(rc)) { rc = tuf_doc_parse(rw_buf_span(&bytes), type, out, err); }
    return rw_is_ok(rc) ? rc : rw_wrap(err, "%s", file);
}

RW_RC prune_refs_add(int dir, const struct prune_entry *e, struct prune_refs *refs,
                     struct rw_err *err)
{
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    RW_TRY(parse(dir, e->path, "targets", NULL, &doc, err));
    struct rw_rc rc = add_targets(&doc, e->name, refs, err);
    return rw_is_ok(rc) ? rc : rw_wrap(err, "%s", e->path);
}

/* The role `file` ("snapshot.json") as `list` has it. */
static RW_RC read_listed(int metadata, const struct tuf_doc *list, const char *file,
                         struct prune_role *role, struct tuf_doc *out, struct rw_err *err)
{
    char name[FILE_NAME_BYTES];
    struct tuf_meta meta;
    const char *type = strcmp(file, "snapshot.json") == 0 ? "snapshot" : "targets";
    size_t n = strlen(file);
    if (n <= 5 || strcmp(file + n - 5, ".json") != 0) {
        return rw_fail(err, RW_E_SCHEMA, "'%.60s' is not the name of a role's file", file);
    }
    RW_TRY(rw_span_to_str(role->name, sizeof(role->name), rw_span_of(file, n - 5), "role", err));
    RW_TRY(tuf_doc_meta(list, file, &meta, err));
    role->version = meta.version;
    RW_TRY(tuf_path_metadata_name(role->name, meta.version, name, sizeof(name), err));
    RW_TRY(parse(metadata, name, type, &meta, out, err));
    if (out->version == meta.version) { return RW_OK; }
    return rw_fail(err, RW_E_TUF_VERSION, "%s says that it is version %lld", name,
                   (long long)out->version);
}

static RW_RC take_role(int metadata, const struct tuf_doc *snapshot, struct rw_span file,
                       struct prune_refs *refs, struct rw_err *err)
{
    char name[FILE_NAME_BYTES];
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    if (refs->role_count == PRUNE_ROLES_MAX) {
        return rw_fail(err, RW_E_RANGE, "more than %d roles", PRUNE_ROLES_MAX);
    }
    struct prune_role *role = &refs->roles[refs->role_count];
    RW_TRY(rw_span_to_str(name, sizeof(name), file, "role", err));
    RW_TRY(read_listed(metadata, snapshot, name, role, &doc, err));
    refs->role_count++;
    return add_targets(&doc, role->name, refs, err);
}

RW_RC prune_refs_read(int repo_dir, struct prune_refs *out, struct rw_err *err)
{
    const struct json *meta = NULL;
    RW_AUTO(rw_fd) rw_fd metadata = -1;
    RW_AUTO(tuf_doc) struct tuf_doc timestamp = {0};
    RW_AUTO(tuf_doc) struct tuf_doc snapshot = {0};
    RW_TRY(rw_dir_open_at(repo_dir, "metadata", &metadata, err));
    RW_TRY(parse(metadata, "timestamp.json", "timestamp", NULL, &timestamp, err));
    RW_TRY(read_listed(metadata, &timestamp, "snapshot.json", &out->roles[0], &snapshot, err));
    out->role_count = 1;
    RW_TRY(json_get(snapshot.signed_part, "meta", JSON_OBJECT, &meta, err));
    for (const struct json *m = json_first(meta); m != NULL; m = json_next(m)) {
        RW_TRY(take_role(metadata, &snapshot, json_name(m), out, err));
    }
    return RW_OK;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, DIGEST_BYTES);
}

void prune_refs_sort(struct prune_refs *refs)
{
    if (refs->hash_count > 0) {
        qsort(refs->hashes, refs->hash_count, sizeof(*refs->hashes), compare);
    }
}

bool prune_refs_name(const struct prune_refs *refs, const uint8_t sha256[static DIGEST_BYTES])
{
    return refs->hash_count > 0 &&
           bsearch(sha256, refs->hashes, refs->hash_count, sizeof(*refs->hashes), compare) != NULL;
}

int64_t prune_refs_version(const struct prune_refs *refs, const char *role)
{
    for (size_t i = 0; i < refs->role_count; i++) {
        if (strcmp(refs->roles[i].name, role) == 0) { return refs->roles[i].version; }
    }
    return 0;
}
