#include "server/server_verify.h"

#include "common/base/num.h"
#include "common/json/json_read.h"
#include "common/tuf/tuf_client.h"
#include "common/tuf/tuf_doc.h"
#include "server/backup_file.h"
#include "server/health/fleet_state.h"
#include "server/report/audit_log.h"
#include "server/store/store_sqlite.h"
#include "server/store/store_sqlite_copy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOUND_BYTES = 160 };

struct verifying {
    const char *dir;
    const struct server_verify_tell *tell;
    char work[BACKUP_FILE_PATH_BYTES]; /* our own folder */
    struct rw_wall now;
    size_t bad;
    /* of the repository */
    int metadata;
    int targets;
    size_t files;
};

static void tell(struct verifying *v, const char *what, const char *found, struct rw_rc rc,
                 const struct rw_err *bad)
{
    v->bad += !rw_is_ok(rc);
    v->tell->tell(v->tell->ctx, what, found, rw_is_ok(rc) ? NULL : bad);
}

/* --- the store --- */
struct rows {
    int64_t last;
    bool any;
};

static RW_RC look_at_row(void *arg, int64_t row, struct rw_span batch, struct rw_err *err)
{
    struct rows *rows = arg;
    (void)batch;
    if (rows->any && row != rows->last + 1) {
        return rw_fail(err, RW_E_STORE, "journal row %lld is not there, row %lld is",
                       (long long)rows->last + 1, (long long)row);
    }
    *rows = (struct rows){row, true};
    return RW_OK;
}

/* The fold must load, every journal row behind it must be there and replay, and lead to what the fold's head has: a row
 * that counted twice, or never, would not (INV-8). */
static RW_RC look_at_fleet(struct store *store, char found[static FOUND_BYTES], struct rw_err *err)
{
    struct fleet_state *fleet = NULL;
    struct rows rows = {0};
    int64_t mark = 0;
    RW_TRY(store_fold_mark(store, &mark, err));
    RW_TRY(store_journal_each(store, 0, look_at_row, &rows, err));
    RW_TRY(fleet_state_open(store, &fleet, err));
    (void)snprintf(found, FOUND_BYTES, "%zu endpoint%s, fold to row %lld",
                   fleet_state_endpoints(fleet), rw_plural((int64_t)fleet_state_endpoints(fleet)),
                   (long long)mark);
    fleet_state_drop(&fleet);
    return RW_OK;
}

static void look_inside(struct verifying *v, const char *path)
{
    struct rw_err err;
    struct store store;
    int64_t count = 0;
    char found[FOUND_BYTES] = "";
    struct rw_rc rc = store_sqlite_open(path, &store, &err);
    if (!rw_is_ok(rc)) {
        tell(v, "journal", "", rc, &err);
        return;
    }
    rc = look_at_fleet(&store, found, &err);
    tell(v, "journal", found, rc, &err);
    rc = audit_log_verify(&store, &count, &err);
    (void)snprintf(found, sizeof(found), "%lld record%s in one chain", (long long)count,
                   rw_plural(count));
    tell(v, "audit", found, rc, &err);
    store_close(&store);
}

static void look_at_store(struct verifying *v)
{
    struct rw_err err;
    char from[BACKUP_FILE_PATH_BYTES];
    char copy[BACKUP_FILE_PATH_BYTES];
    char found[FOUND_BYTES];
    size_t schema = 0;
    struct rw_rc rc = backup_file_join(v->dir, "store/ringward.db", from, &err);
    if (rw_is_ok(rc)) { rc = backup_file_join(v->work, "store.db", copy, &err); }
    if (rw_is_ok(rc)) { rc = store_sqlite_copy(from, copy, &err); }
    if (rw_is_ok(rc)) { rc = store_sqlite_examine(copy, &schema, &err); }
    (void)snprintf(found, sizeof(found), "schema %zu, every page in order", schema);
    tell(v, "store", found, rc, &err);
    if (rw_is_ok(rc)) { look_inside(v, copy); }
}

/* --- the repository, as an agent that begins from root.json would take it --- */
static RW_RC get_file(void *ctx, const char *path, size_t max, struct rw_buf *into,
                      struct rw_err *err)
{
    const struct verifying *v = ctx;
    return rw_file_read_at(v->metadata, path, max, into, err);
}

static RW_RC look_at_target(void *ctx, const struct tuf_target *t, struct rw_err *err)
{
    struct verifying *v = ctx;
    char path[TUF_PATH_BYTES + DIGEST_HEX_BYTES];
    uint8_t got[DIGEST_BYTES];
    RW_TRY(tuf_target_url(t, path, sizeof(path), err));
    RW_TRY(backup_file_hash(v->targets, path, got, err));
    v->files++;
    if (digest_same(got, t->sha256, DIGEST_BYTES)) { return RW_OK; }
    return rw_fail(err, RW_E_TUF_HASH, "repo/targets/%s: not the file that %s lists", path,
                   t->role);
}

/* Ring roles list no files of their own, and an expedite may lie expired: both are only loaded. */
static RW_RC look_at_role(struct verifying *v, struct tuf_client *c, struct rw_span file,
                          struct rw_err *err)
{
    char role[TUF_ROLE_NAME_BYTES];
    const struct json *unused = NULL;
    struct rw_wall expires;
    if (file.n <= 5 || rw_span_is(file, "targets.json")) { return RW_OK; }
    RW_TRY(rw_span_to_str(role, sizeof(role), rw_span_of(file.p, file.n - 5), "role", err));
    if (strncmp(role, "content-", 8) == 0) {
        return tuf_client_each(c, role, look_at_target, v, err);
    }
    struct rw_rc rc = tuf_client_role(c, role, &unused, &expires, err);
    if (rc.code == RW_E_TUF_EXPIRED && strcmp(role, "expedite") == 0) { return RW_OK; }
    return rc;
}

static RW_RC look_at_roles(struct verifying *v, struct tuf_client *c, int state, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TUF_SNAPSHOT_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    const struct json *signed_part = NULL;
    const struct json *meta = NULL;
    struct tuf_target policy;
    RW_TRY(tuf_client_find(c, "policy/rings.json", &policy, err));
    RW_TRY(look_at_target(v, &policy, err));
    RW_TRY(rw_file_read_at(state, "snapshot.json", TUF_SNAPSHOT_BYTES_MAX, &text, err));
    RW_TRY(json_parse(rw_buf_span(&text), &json_limits_metadata, &tree, err));
    RW_TRY(json_get(tree, "signed", JSON_OBJECT, &signed_part, err));
    RW_TRY(json_get(signed_part, "meta", JSON_OBJECT, &meta, err));
    for (const struct json *m = json_first(meta); m != NULL; m = json_next(m)) {
        RW_TRY(look_at_role(v, c, json_name(m), err));
    }
    return RW_OK;
}

static RW_RC begin_trust(struct verifying *v, int dir, int state, struct tuf_client **out,
                         struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf root = rw_buf_make(TUF_ROOT_BYTES_MAX);
    const struct tuf_fetch fetch = {.get = get_file, .ctx = v};
    RW_TRY(rw_file_read_at(dir, "root.json", TUF_ROOT_BYTES_MAX, &root, err));
    RW_TRY(tuf_client_init(state, rw_buf_span(&root), err));
    RW_TRY(tuf_client_open(state, fetch, out, err));
    return tuf_client_refresh(*out, v->now, err);
}

static RW_RC read_repository(struct verifying *v, char found[static FOUND_BYTES],
                             struct rw_err *err)
{
    char path[BACKUP_FILE_PATH_BYTES];
    struct tuf_client *client = NULL;
    RW_AUTO(rw_fd) int dir = -1;
    RW_AUTO(rw_fd) int state = -1;
    RW_AUTO(rw_fd) int metadata = -1;
    RW_AUTO(rw_fd) int targets = -1;
    RW_TRY(rw_dir_open(v->dir, &dir, err));
    RW_TRY(rw_dir_open_at(dir, "repo/metadata", &metadata, err));
    RW_TRY(rw_dir_open_at(dir, "repo/targets", &targets, err));
    RW_TRY(backup_file_join(v->work, "trust", path, err));
    RW_TRY(rw_dir_make(path, 0700, err));
    RW_TRY(rw_dir_open(path, &state, err));
    v->metadata = metadata;
    v->targets = targets;
    struct rw_rc rc = begin_trust(v, dir, state, &client, err);
    if (rw_is_ok(rc)) { rc = look_at_roles(v, client, state, err); }
    tuf_client_drop(&client);
    (void)snprintf(found, FOUND_BYTES, "signatures hold, %zu listed file%s there", v->files,
                   v->files == 1 ? " is" : "s are");
    return rc;
}

static void look_at_repository(struct verifying *v)
{
    struct rw_err err;
    char found[FOUND_BYTES] = "";
    struct rw_rc rc = read_repository(v, found, &err);
    tell(v, "repository", found, rc, &err);
}

/* --- permissions --- */
static RW_RC look_at_modes(const struct verifying *v, struct rw_err *err)
{
    static const char *const closed[] = {"secret", "store",       "store/ringward.db",
                                         "signer", "tls/key.pem", "tokens"};
    char path[BACKUP_FILE_PATH_BYTES];
    struct stat st;
    if (stat(v->dir, &st) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "'%s'", v->dir); }
    if ((st.st_mode & 022) != 0) {
        return rw_fail(err, RW_E_CONFIG, "mode %03o lets others write into it",
                       (unsigned)(st.st_mode & 0777));
    }
    for (size_t i = 0; i < RW_LEN(closed); i++) {
        RW_TRY(backup_file_join(v->dir, closed[i], path, err));
        if (lstat(path, &st) != 0) {
            if (errno == ENOENT) { continue; }
            return rw_fail_errno(err, RW_E_IO, errno, "%s", closed[i]);
        }
        /* A file in a folder that others cannot enter may have any mode. */
        if ((st.st_mode & 077) == 0 || strcmp(closed[i], "store/ringward.db") == 0) { continue; }
        RW_IGNORE(rw_fail(err, RW_E_CONFIG, "%s: mode %03o lets others in", closed[i],
                          (unsigned)(st.st_mode & 0777)),
                  "hint follows");
        return rw_hint(err, "chmod go-rwx %.120s", path);
    }
    return RW_OK;
}

/* --- the whole --- */
static RW_RC remove_name(void *ctx, const char *name, struct rw_err *err)
{
    const int *dir = ctx;
    return rw_file_remove_at(*dir, name, err);
}

/* Our own folder: files and the folder "trust" of files. */
static void clear_folder(const char *path)
{
    struct rw_err err;
    int dir = -1;
    if (rw_is_ok(rw_dir_open(path, &dir, &err))) {
        RW_IGNORE(rw_dir_each(dir, remove_name, &dir, &err), "what is left is below TMPDIR");
    }
    rw_fd_drop(&dir);
    (void)rmdir(path);
}

static void clear_work(const struct verifying *v)
{
    struct rw_err err;
    char trust[BACKUP_FILE_PATH_BYTES];
    if (rw_is_ok(backup_file_join(v->work, "trust", trust, &err))) { clear_folder(trust); }
    clear_folder(v->work);
}

RW_RC server_verify(const char *dir, bool with_store, struct rw_wall now,
                    const struct server_verify_tell *told, size_t *bad_out, struct rw_err *err)
{
    struct verifying v = {.dir = dir, .tell = told, .now = now, .metadata = -1, .targets = -1};
    struct rw_err bad;
    const char *below = getenv("TMPDIR");
    RW_TRY(backup_file_join(below == NULL || below[0] == '\0' ? "/tmp" : below,
                            "ringward-check-XXXXXX", v.work, err));
    if (mkdtemp(v.work) == NULL) { return rw_fail_errno(err, RW_E_IO, errno, "'%s'", v.work); }
    if (with_store) { look_at_store(&v); }
    look_at_repository(&v);
    tell(&v, "permissions", "nobody else gets in", look_at_modes(&v, &bad), &bad);
    clear_work(&v);
    *bad_out = v.bad;
    return RW_OK;
}
