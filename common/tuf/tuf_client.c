#include "common/tuf/tuf_client.h"

#include "common/base/file.h"
#include "common/base/num.h"
#include "common/tuf/tuf_client_state.h"
#include "common/tuf/tuf_path.h"

#include <string.h>

static RW_RC verify(const struct tuf_doc *doc, const struct tuf_doc *root, const char *role,
                    struct rw_err *err)
{
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(tuf_sigset_of_root(root, role, &a, err));
    return tuf_sigset_check(doc, &a, NULL, err);
}

/* TUF-5.1: `expires > start` is valid, equal is expired. */
static RW_RC check_expiry(const struct tuf_doc *doc, const char *role, struct rw_wall now,
                          struct rw_err *err)
{
    if (doc->expires.s > now.s) { return RW_OK; }
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, doc->expires);
    return rw_fail(err, RW_E_TUF_EXPIRED, "%s version %lld expired at %s", role,
                   (long long)doc->version, text);
}

RW_RC tuf_client_init(int state_dir, struct rw_span root, struct rw_err *err)
{
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    RW_TRY(tuf_doc_parse(root, "root", &doc, err));
    RW_TRY(verify(&doc, &doc, "root", err));
    return rw_file_replace_at(state_dir, "root.json", 0600, root, err);
}

RW_RC tuf_client_open(int state_dir, struct tuf_fetch fetch, struct tuf_client **out,
                      struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(TUF_ROOT_BYTES_MAX);
    RW_AUTO(tuf_doc) struct tuf_doc root = {0};
    RW_TRY(rw_file_read_at(state_dir, "root.json", TUF_ROOT_BYTES_MAX, &bytes, err));
    RW_TRY(tuf_doc_parse(rw_buf_span(&bytes), "root", &root, err));
    RW_TRY(verify(&root, &root, "root", err));
    struct tuf_client *c = rw_mem_new(sizeof(*c));
    if (c == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a TUF client"); }
    c->dir = state_dir;
    c->fetch = fetch;
    c->root = root;
    root = (struct tuf_doc){0}; /* handed over */
    *out = c;
    return RW_OK;
}

static void forget_roles(struct tuf_client *c)
{
    for (size_t i = 0; i < c->role_count; i++) {
        tuf_doc_drop(&c->roles[i].doc);
    }
    c->role_count = 0;
}

void tuf_client_drop(struct tuf_client **c)
{
    if (*c == NULL) { return; }
    forget_roles(*c);
    tuf_doc_drop(&(*c)->root);
    tuf_doc_drop(&(*c)->timestamp);
    tuf_doc_drop(&(*c)->snapshot);
    tuf_doc_drop(&(*c)->targets);
    rw_mem_free(*c);
    *c = NULL;
}

static bool consistent(const struct tuf_client *c)
{
    const struct json *v = json_find(c->root.signed_part, "consistent_snapshot");
    return v != NULL && json_type(v) == JSON_TRUE;
}

/* TUF-5.3.3 to 5.3.8: one step of the root chain. The old root's threshold first, then the exact version,
 * then the new root's own threshold; stored before the next one is asked for. */
static RW_RC take_next_root(struct tuf_client *c, struct rw_span bytes, struct rw_err *err)
{
    RW_AUTO(tuf_doc) struct tuf_doc next = {0};
    RW_TRY(tuf_doc_parse(bytes, "root", &next, err));
    RW_TRY(verify(&next, &c->root, "root", err));
    if (next.version != c->root.version + 1) {
        return rw_fail(err, RW_E_TUF_VERSION, "root version %lld, want %lld",
                       (long long)next.version, (long long)c->root.version + 1);
    }
    RW_TRY(verify(&next, &next, "root", err));
    RW_TRY(rw_file_replace_at(c->dir, "root.json", 0600, bytes, err));
    tuf_doc_drop(&c->root);
    c->root = next;
    next = (struct tuf_doc){0}; /* handed over */
    return RW_OK;
}

static RW_RC refresh_root(struct tuf_client *c, struct rw_err *err)
{
    for (int i = 0; i < TUF_ROOTS_PER_REFRESH_MAX; i++) {
        char name[TUF_FILE_NAME_BYTES];
        RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(TUF_ROOT_BYTES_MAX);
        RW_TRY(tuf_path_metadata_name("root", c->root.version + 1, name, sizeof(name), err));
        struct rw_rc rc = c->fetch.get(c->fetch.ctx, name, TUF_ROOT_BYTES_MAX, &bytes, err);
        if (rc.code == RW_E_NOT_FOUND) { break; } /* TUF-5.3.3: the chain ends */
        if (!rw_is_ok(rc)) { return rw_wrap(err, "%s", name); }
        if (!rw_is_ok(take_next_root(c, rw_buf_span(&bytes), err))) {
            return rw_wrap(err, "%s", name);
        }
    }
    return check_expiry(&c->root, "root", c->now, err);
}

/* A stored file counts only if it verifies now, with the keys of the current root (TUF-5.3.11): then a key
 * rotation clears rollback floors by itself. Expired ones still are floors. */
static void load_stored(struct tuf_client *c, const char *role, size_t bytes_max,
                        struct tuf_doc *out)
{
    struct rw_err unused;
    char name[TUF_FILE_NAME_BYTES];
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(bytes_max);
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    tuf_doc_drop(out);
    *out = (struct tuf_doc){0};
    if (!rw_is_ok(tuf_path_metadata_name(role, 0, name, sizeof(name), &unused)) ||
        !rw_is_ok(rw_file_read_at(c->dir, name, bytes_max, &bytes, &unused)) ||
        !rw_is_ok(tuf_doc_parse(rw_buf_span(&bytes), role, &doc, &unused)) ||
        !rw_is_ok(verify(&doc, &c->root, role, &unused))) {
        return;
    }
    *out = doc;
    doc = (struct tuf_doc){0}; /* handed over */
}

/* TUF-5.4.3: versions against the stored timestamp. *same_out: nothing new, the stored one stays. */
static RW_RC check_timestamp_floor(const struct tuf_client *c, const struct tuf_doc *next,
                                   bool *same_out, struct rw_err *err)
{
    struct tuf_meta had;
    struct tuf_meta now;
    *same_out = false;
    if (c->timestamp.tree == NULL) { return RW_OK; }
    if (next->version < c->timestamp.version) {
        return rw_fail(err, RW_E_TUF_VERSION, "timestamp version %lld after %lld",
                       (long long)next->version, (long long)c->timestamp.version);
    }
    *same_out = next->version == c->timestamp.version;
    RW_TRY(tuf_doc_meta(&c->timestamp, "snapshot.json", &had, err));
    RW_TRY(tuf_doc_meta(next, "snapshot.json", &now, err));
    if (!*same_out && now.version < had.version) {
        return rw_fail(err, RW_E_TUF_VERSION, "timestamp names snapshot version %lld after %lld",
                       (long long)now.version, (long long)had.version);
    }
    return RW_OK;
}

static RW_RC refresh_timestamp(struct tuf_client *c, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(TUF_TIMESTAMP_BYTES_MAX);
    RW_AUTO(tuf_doc) struct tuf_doc next = {0};
    struct tuf_meta meta;
    bool same = false;
    load_stored(c, "timestamp", TUF_TIMESTAMP_BYTES_MAX, &c->timestamp);
    RW_TRY(c->fetch.get(c->fetch.ctx, "timestamp.json", TUF_TIMESTAMP_BYTES_MAX, &bytes, err));
    RW_TRY(tuf_doc_parse(rw_buf_span(&bytes), "timestamp", &next, err));
    RW_TRY(verify(&next, &c->root, "timestamp", err));
    RW_TRY(tuf_doc_meta(&next, "snapshot.json", &meta, err));
    RW_TRY(check_timestamp_floor(c, &next, &same, err));
    if (same) { return check_expiry(&c->timestamp, "timestamp", c->now, err); }
    RW_TRY(check_expiry(&next, "timestamp", c->now, err));
    RW_TRY(rw_file_replace_at(c->dir, "timestamp.json", 0600, rw_buf_span(&bytes), err));
    tuf_doc_drop(&c->timestamp);
    c->timestamp = next;
    next = (struct tuf_doc){0}; /* handed over */
    return RW_OK;
}

/* TUF-5.5.5: every role of the stored snapshot is still listed, with no lower version. */
static RW_RC check_snapshot_floor(const struct tuf_doc *had, const struct tuf_doc *next,
                                  struct rw_err *err)
{
    const struct json *old_meta = NULL;
    if (had->tree == NULL) { return RW_OK; }
    RW_TRY(json_get(had->signed_part, "meta", JSON_OBJECT, &old_meta, err));
    for (const struct json *e = json_first(old_meta); e != NULL; e = json_next(e)) {
        char file[TUF_FILE_NAME_BYTES];
        struct tuf_meta was;
        struct tuf_meta is;
        RW_TRY(rw_span_to_str(file, sizeof(file), json_name(e), "role in snapshot", err));
        RW_TRY(tuf_doc_meta(had, file, &was, err));
        RW_TRY(tuf_doc_meta(next, file, &is, err));
        if (is.version < was.version) {
            return rw_fail(err, RW_E_TUF_VERSION, "snapshot lists %s version %lld after %lld", file,
                           (long long)is.version, (long long)was.version);
        }
    }
    return RW_OK;
}

static RW_RC check_role_doc(struct tuf_client *c, const struct tuf_client_want *want,
                            struct rw_span bytes, struct tuf_doc *out, struct rw_err *err)
{
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    RW_TRY(tuf_doc_check_bytes(want->meta, want->role, bytes, err));
    RW_TRY(tuf_doc_parse(bytes, want->type, &doc, err));
    RW_TRY(tuf_sigset_check(&doc, want->authority, NULL, err));
    if (doc.version != want->meta->version) {
        return rw_fail(err, RW_E_TUF_VERSION, "%s version %lld, want %lld", want->role,
                       (long long)doc.version, (long long)want->meta->version);
    }
    if (want->floor != NULL) { RW_TRY(check_snapshot_floor(want->floor, &doc, err)); }
    RW_TRY(check_expiry(&doc, want->role, c->now, err));
    *out = doc;
    doc = (struct tuf_doc){0}; /* handed over */
    return RW_OK;
}

RW_RC tuf_client_load_role(struct tuf_client *c, const struct tuf_client_want *want,
                           struct tuf_doc *out, struct rw_err *err)
{
    char stored[TUF_FILE_NAME_BYTES];
    char remote[TUF_FILE_NAME_BYTES];
    size_t max = want->bytes_max;
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(max);
    RW_TRY(tuf_path_metadata_name(want->role, 0, stored, sizeof(stored), err));
    RW_TRY(tuf_path_metadata_name(want->role, consistent(c) ? want->meta->version : 0, remote,
                                  sizeof(remote), err));
    if (rw_is_ok(rw_file_read_at(c->dir, stored, max, &bytes, err)) &&
        rw_is_ok(check_role_doc(c, want, rw_buf_span(&bytes), out, err))) {
        return RW_OK; /* no request: the very version that is wanted is here */
    }
    if (want->meta->length > (int64_t)max) {
        return rw_fail(err, RW_E_TOO_BIG, "%s: signed length %lld, at most %zu are allowed", remote,
                       (long long)want->meta->length, max);
    }
    rw_buf_clear(&bytes);
    if (want->meta->length >= 0) { max = (size_t)want->meta->length; }
    if (!rw_is_ok(c->fetch.get(c->fetch.ctx, remote, max, &bytes, err))) {
        return rw_wrap(err, "%s", remote);
    }
    struct tuf_doc doc = {0};
    struct rw_rc rc = check_role_doc(c, want, rw_buf_span(&bytes), &doc, err);
    if (rw_is_ok(rc)) { rc = rw_file_replace_at(c->dir, stored, 0600, rw_buf_span(&bytes), err); }
    if (!rw_is_ok(rc)) {
        tuf_doc_drop(&doc);
        return rw_wrap(err, "%s", remote);
    }
    *out = doc;
    return RW_OK;
}

static RW_RC refresh_snapshot(struct tuf_client *c, struct rw_err *err)
{
    struct tuf_meta meta;
    RW_AUTO(tuf_doc) struct tuf_doc floor = {0};
    RW_AUTO(tuf_doc) struct tuf_doc next = {0};
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    load_stored(c, "snapshot", TUF_SNAPSHOT_BYTES_MAX, &floor);
    RW_TRY(tuf_doc_meta(&c->timestamp, "snapshot.json", &meta, err));
    RW_TRY(tuf_sigset_of_root(&c->root, "snapshot", &a, err));
    const struct tuf_client_want want = {.role = "snapshot",
                                         .type = "snapshot",
                                         .authority = &a,
                                         .meta = &meta,
                                         .floor = &floor,
                                         .bytes_max = TUF_SNAPSHOT_BYTES_MAX};
    RW_TRY(tuf_client_load_role(c, &want, &next, err));
    tuf_doc_drop(&c->snapshot);
    c->snapshot = next;
    next = (struct tuf_doc){0}; /* handed over */
    return RW_OK;
}

static RW_RC refresh_targets(struct tuf_client *c, struct rw_err *err)
{
    struct tuf_meta meta;
    RW_AUTO(tuf_doc) struct tuf_doc next = {0};
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(tuf_doc_meta(&c->snapshot, "targets.json", &meta, err));
    RW_TRY(tuf_sigset_of_root(&c->root, "targets", &a, err));
    const struct tuf_client_want want = {.role = "targets",
                                         .type = "targets",
                                         .authority = &a,
                                         .meta = &meta,
                                         .bytes_max = TUF_TARGETS_BYTES_MAX};
    RW_TRY(tuf_client_load_role(c, &want, &next, err));
    tuf_doc_drop(&c->targets);
    c->targets = next;
    next = (struct tuf_doc){0}; /* handed over */
    return RW_OK;
}

RW_RC tuf_client_refresh(struct tuf_client *c, struct rw_wall now, struct rw_err *err)
{
    c->now = now;
    forget_roles(c);
    tuf_doc_drop(&c->targets);
    tuf_doc_drop(&c->snapshot);
    c->targets = (struct tuf_doc){0};
    c->snapshot = (struct tuf_doc){0};
    RW_TRY(refresh_root(c, err));
    RW_TRY(refresh_timestamp(c, err));
    RW_TRY(refresh_snapshot(c, err));
    return refresh_targets(c, err);
}

static void add_status(struct tuf_role_status *out, size_t max, size_t *n, const char *role,
                       const struct tuf_doc *doc)
{
    if (doc->tree == NULL || *n == max) { return; }
    out[*n] = (struct tuf_role_status){
        .version = doc->version, .expires = doc->expires, .made = doc->made};
    size_t bytes = strlen(role);
    rw_copy(out[*n].role, sizeof(out[*n].role) - 1, role, bytes);
    (*n)++;
}

size_t tuf_client_status(const struct tuf_client *c, struct tuf_role_status *out, size_t max)
{
    size_t n = 0;
    add_status(out, max, &n, "root", &c->root);
    add_status(out, max, &n, "timestamp", &c->timestamp);
    add_status(out, max, &n, "snapshot", &c->snapshot);
    add_status(out, max, &n, "targets", &c->targets);
    for (size_t i = 0; i < c->role_count; i++) {
        add_status(out, max, &n, c->roles[i].role, &c->roles[i].doc);
    }
    return n;
}

const struct json *tuf_client_root_member(const struct tuf_client *c, const char *name)
{
    return json_find(c->root.signed_part, name);
}
