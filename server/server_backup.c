#include "server/server_backup.h"

#include "common/base/version.h"
#include "common/json/json_write.h"
#include "server/backup_rule.h"
#include "server/store/store_sqlite_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HOLD_WAIT_MS = 60000, HOLD_LOOK_MS = 100 };
enum { FORMAT = 1, DEPTH_MAX = 8, TRIES = 20, ABOUT_BYTES_MAX = 4096, TIMESTAMP_BYTES_MAX = 65536 };

static const char about_name[] = "backup.json";
static const char store_name[] = "store/ringward.db";
static const char timestamp_name[] = "repo/metadata/timestamp.json";

struct making {
    const struct server_backup_settings *set;
    char data[BACKUP_FILE_PATH_BYTES];
    struct rw_buf list;
    size_t files;
    /* of the folder that is being walked */
    int dir;
    const char *path; /* "" at the top, else with a slash at the end */
    unsigned depth;
};

/* --- one file --- */
static RW_RC note(struct making *m, const char *path, const uint8_t sha256[static DIGEST_BYTES],
                  struct rw_err *err)
{
    m->files++;
    return backup_file_list_add(&m->list, sha256, path, err);
}

static RW_RC copy_one(struct making *m, const char *name, const char *path, struct rw_err *err)
{
    char to[BACKUP_FILE_PATH_BYTES];
    uint8_t sha256[DIGEST_BYTES];
    RW_TRY(backup_file_join(m->data, path, to, err));
    struct rw_rc rc = backup_file_copy(m->dir, name, to, 0600, sha256, err);
    /* Between the listing and now it may have been replaced or taken away: the check at the end misses it if it
     * counts. */
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    if (rc.code == RW_E_SCHEMA) {
        m->set->left_out(m->set->ctx, path, "not a plain file");
        return RW_OK;
    }
    RW_TRY(rc);
    return note(m, path, sha256, err);
}

static RW_RC take_file(struct making *m, const char *name, const char *path, struct rw_err *err)
{
    switch (backup_rule_of(path)) {
    case BACKUP_RULE_FILE:
        /* The timestamp was read beside the store: it alone decides which of the other files count. */
        return strcmp(path, timestamp_name) == 0 ? RW_OK : copy_one(m, name, path, err);
    case BACKUP_RULE_KEY:
        if (m->set->signer_keys) { return copy_one(m, name, path, err); }
        m->set->left_out(m->set->ctx, path, "a private key");
        return RW_OK;
    case BACKUP_RULE_STRANGER:
        m->set->left_out(m->set->ctx, path, "no part of a backup");
        return RW_OK;
    case BACKUP_RULE_STORE:
    case BACKUP_RULE_QUIET:
        break;
    }
    return RW_OK;
}

/* --- folders --- */
static RW_RC take(void *ctx, const char *name, struct rw_err *err);

static RW_RC walk(struct making *m, const char *name, const char *path, struct rw_err *err)
{
    char below[BACKUP_FILE_NAME_BYTES + 1];
    RW_AUTO(rw_fd) int dir = -1;
    if (m->depth == DEPTH_MAX) {
        return rw_fail(err, RW_E_RANGE, "'%s': more than %d folders deep", path, DEPTH_MAX);
    }
    struct rw_rc rc = rw_dir_open_at(m->dir, name, &dir, err);
    if (!rw_is_ok(rc) && strcmp(path, "signer") == 0) {
        m->set->left_out(m->set->ctx, path, "this user may not read it");
        return RW_OK;
    }
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    (void)snprintf(below, sizeof(below), "%s/", path);
    const struct making up = *m;
    m->dir = dir;
    m->path = below;
    m->depth++;
    rc = rw_dir_each(dir, take, m, err);
    m->dir = up.dir;
    m->path = up.path;
    m->depth = up.depth;
    return rc;
}

static RW_RC take(void *ctx, const char *name, struct rw_err *err)
{
    struct making *m = ctx;
    struct stat st;
    char path[BACKUP_FILE_NAME_BYTES];
    int n = snprintf(path, sizeof(path), "%s%s", m->path, name);
    if (n < 0 || n >= (int)sizeof(path) || !backup_file_name_good(path)) {
        m->set->left_out(m->set->ctx, name, "its name cannot stand in a backup");
        return RW_OK;
    }
    if (fstatat(m->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) { return RW_OK; }
        return rw_fail_errno(err, RW_E_IO, errno, "'%s'", path);
    }
    return S_ISDIR(st.st_mode) ? walk(m, name, path, err) : take_file(m, name, path, err);
}

/* --- store and repository belong together --- */
static RW_RC copy_store(struct making *m, struct rw_err *err)
{
    char from[BACKUP_FILE_PATH_BYTES];
    char to[BACKUP_FILE_PATH_BYTES];
    RW_TRY(backup_file_join(m->set->dir, store_name, from, err));
    RW_TRY(backup_file_join(m->data, store_name, to, err));
    if (unlink(to) != 0 && errno != ENOENT) {
        return rw_fail_errno(err, RW_E_IO, errno, "'%s'", to);
    }
    return store_sqlite_copy(from, to, err);
}

/* The store as of a moment at which the published timestamp did not change: a restored server finds both as a kill at
 * that moment would have left them. */
static RW_RC copy_together(struct making *m, struct rw_err *err)
{
    char path[BACKUP_FILE_PATH_BYTES];
    RW_AUTO(rw_buf) struct rw_buf before = rw_buf_make(TIMESTAMP_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf after = rw_buf_make(TIMESTAMP_BYTES_MAX);
    uint8_t sha256[DIGEST_BYTES];
    RW_TRY(backup_file_join(m->set->dir, timestamp_name, path, err));
    for (int i = 0; i < TRIES; i++) {
        rw_buf_clear(&before);
        rw_buf_clear(&after);
        RW_TRY(rw_file_read(path, TIMESTAMP_BYTES_MAX, &before, err));
        RW_TRY(copy_store(m, err));
        RW_TRY(rw_file_read(path, TIMESTAMP_BYTES_MAX, &after, err));
        if (!rw_span_eq(rw_buf_span(&before), rw_buf_span(&after))) { continue; }
        RW_TRY(backup_file_join(m->data, timestamp_name, path, err));
        RW_TRY(rw_file_replace(path, 0600, rw_buf_span(&after), err));
        RW_TRY(digest_sha256(rw_buf_span(&after), sha256, err));
        return note(m, timestamp_name, sha256, err);
    }
    RW_IGNORE(rw_fail(err, RW_E_BUSY,
                      "the repository changed during each of %d copies of the store", TRIES),
              "hint follows");
    return rw_hint(err, "try again when fewer rollouts move");
}

static RW_RC note_store(struct making *m, size_t *schema, struct rw_err *err)
{
    char path[BACKUP_FILE_PATH_BYTES];
    uint8_t sha256[DIGEST_BYTES];
    RW_AUTO(rw_fd) int data = -1;
    RW_TRY(rw_dir_open(m->data, &data, err));
    RW_TRY(backup_file_join(m->data, store_name, path, err));
    RW_TRY(store_sqlite_examine(path, schema, err));
    RW_TRY(backup_file_hash(data, store_name, sha256, err));
    return note(m, store_name, sha256, err);
}

/* --- the whole --- */
static RW_RC require_empty(void *ctx, const char *name, struct rw_err *err)
{
    const struct making *m = ctx;
    RW_IGNORE(rw_fail(err, RW_E_EXISTS, "'%s' is not empty: it has '%.60s'", m->set->to, name),
              "hint follows");
    return rw_hint(err, "give a new directory");
}

static RW_RC write_about(const struct making *m, int to, const struct server_backup_about *about,
                         struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    char at[RW_TIME_TEXT_BYTES];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(ABOUT_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    RW_TRY(digest_sha256_hex(rw_buf_span(&m->list), hex, err));
    rw_wall_format(at, about->at);
    json_open_object(&w, NULL);
    json_put_int(&w, "format", FORMAT);
    json_put_str(&w, "program", RW_VERSION);
    json_put_str(&w, "at", at);
    json_put_int(&w, "store_schema", (int64_t)about->store_schema);
    json_put_bool(&w, "signer_keys", about->signer_keys);
    json_put_str(&w, "list_sha256", hex);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_TRY(rw_file_replace_at(to, backup_file_list_name, 0600, rw_buf_span(&m->list), err));
    if (syncfs(to) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "'%s'", m->set->to); }
    return rw_file_replace_at(to, about_name, 0600, rw_buf_span(&text), err);
}

/* What is listed must still be there when it is copied: server_prune.c takes the same lock alone, and does not run at
 * all where the file system knows no such lock. */
static RW_RC hold(int dir, struct rw_err *err)
{
    const struct timespec pause = {.tv_nsec = HOLD_LOOK_MS * 1000000L};
    for (int waited_ms = 0; waited_ms < HOLD_WAIT_MS; waited_ms += HOLD_LOOK_MS) {
        if (flock(dir, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) { return RW_OK; }
        (void)nanosleep(&pause, NULL);
    }
    return rw_fail(err, RW_E_BUSY, "old files are being removed for more than %d s: try again",
                   HOLD_WAIT_MS / 1000);
}

static RW_RC make(struct making *m, struct server_backup_about *about, struct rw_err *err)
{
    char store[BACKUP_FILE_PATH_BYTES];
    RW_AUTO(rw_fd) int to = -1;
    RW_AUTO(rw_fd) int from = -1;
    RW_TRY(rw_dir_open(m->set->dir, &from, err));
    RW_TRY(hold(from, err));
    RW_TRY(rw_dir_make(m->set->to, 0700, err));
    RW_TRY(rw_dir_open(m->set->to, &to, err));
    RW_TRY(rw_dir_each(to, require_empty, m, err));
    RW_TRY(backup_file_join(m->set->to, "data", m->data, err));
    RW_TRY(backup_file_join(m->data, "store", store, err));
    RW_TRY(rw_dir_make(store, 0700, err));
    RW_TRY(backup_file_join(m->data, "repo/metadata", store, err));
    RW_TRY(rw_dir_make(store, 0700, err));
    RW_TRY(copy_together(m, err));
    m->dir = from;
    RW_TRY(rw_dir_each(from, take, m, err));
    RW_TRY(note_store(m, &about->store_schema, err));
    about->files = m->files;
    return write_about(m, to, about, err);
}

RW_RC server_backup_make(const struct server_backup_settings *s, struct server_backup_about *out,
                         struct rw_err *err)
{
    struct making m = {
        .set = s, .list = rw_buf_make(BACKUP_FILE_LIST_BYTES_MAX), .dir = -1, .path = ""};
    *out = (struct server_backup_about){.at = s->now, .signer_keys = s->signer_keys};
    struct rw_rc rc = make(&m, out, err);
    rw_buf_drop(&m.list);
    return rc;
}

/* --- reading --- */
static RW_RC read_about(int from, struct server_backup_about *out,
                        char hex[static DIGEST_HEX_BYTES], struct rw_err *err)
{
    static const char *const known[] = {"format",       "program",     "at",
                                        "store_schema", "signer_keys", "list_sha256"};
    char text[RW_TIME_TEXT_BYTES];
    int64_t format = 0;
    int64_t schema = 0;
    RW_AUTO(rw_buf) struct rw_buf about = rw_buf_make(ABOUT_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct rw_rc rc = rw_file_read_at(from, about_name, ABOUT_BYTES_MAX, &about, err);
    if (rc.code == RW_E_NOT_FOUND) {
        return rw_hint(err, "a backup without %s was never finished", about_name);
    }
    RW_TRY(rc);
    RW_TRY(json_parse(rw_buf_span(&about), &json_limits_small, &tree, err));
    RW_TRY(json_get_int(tree, "format", 1, INT32_MAX, &format, err));
    if (format > FORMAT) {
        return rw_fail(err, RW_E_POLICY, "%s: format %lld, this program knows %d", about_name,
                       (long long)format, FORMAT);
    }
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(json_get_str(tree, "at", text, sizeof(text), err));
    RW_TRY(rw_wall_parse(rw_span_str(text), "at", &out->at, err));
    RW_TRY(json_get_int(tree, "store_schema", 1, INT32_MAX, &schema, err));
    out->store_schema = (size_t)schema;
    RW_TRY(json_get_bool(tree, "signer_keys", &out->signer_keys, err));
    return json_get_str(tree, "list_sha256", hex, DIGEST_HEX_BYTES, err);
}

struct verifying {
    int data;
    size_t files;
    bool store;
};

static RW_RC verify_file(void *ctx, const char *path, const uint8_t sha256[static DIGEST_BYTES],
                         struct rw_err *err)
{
    struct verifying *v = ctx;
    uint8_t got[DIGEST_BYTES];
    enum backup_rule_kind kind = backup_rule_of(path);
    if (kind == BACKUP_RULE_STRANGER || kind == BACKUP_RULE_QUIET) {
        return rw_fail(err, RW_E_SCHEMA, "'%s' is no part of a backup", path);
    }
    RW_TRY(backup_file_hash(v->data, path, got, err));
    if (!digest_same(got, sha256, DIGEST_BYTES)) {
        return rw_fail(err, RW_E_TUF_HASH, "data/%s is not the file that was saved", path);
    }
    v->files++;
    v->store = v->store || kind == BACKUP_RULE_STORE;
    return RW_OK;
}

static RW_RC verify(const char *from, struct server_backup_about *out, struct rw_buf *list,
                    struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    char want[DIGEST_HEX_BYTES];
    char store[BACKUP_FILE_PATH_BYTES];
    RW_AUTO(rw_fd) int dir = -1;
    struct verifying v = {.data = -1};
    RW_TRY(rw_dir_open(from, &dir, err));
    RW_TRY(read_about(dir, out, want, err));
    RW_TRY(rw_file_read_at(dir, backup_file_list_name, BACKUP_FILE_LIST_BYTES_MAX, list, err));
    RW_TRY(digest_sha256_hex(rw_buf_span(list), hex, err));
    if (strcmp(hex, want) != 0) {
        return rw_fail(err, RW_E_TUF_HASH, "%s is not the list that was saved",
                       backup_file_list_name);
    }
    RW_TRY(rw_dir_open_at(dir, "data", &v.data, err));
    struct rw_rc rc = backup_file_list_each(rw_buf_span(list), verify_file, &v, err);
    rw_fd_drop(&v.data);
    RW_TRY(rc);
    out->files = v.files;
    if (!v.store) { return rw_fail(err, RW_E_SCHEMA, "%s: no store", backup_file_list_name); }
    RW_TRY(backup_file_join(from, "data/store/ringward.db", store, err));
    return store_sqlite_examine(store, &out->store_schema, err);
}

RW_RC server_backup_verify(const char *from, struct server_backup_about *out, struct rw_buf *list,
                           struct rw_err *err)
{
    *out = (struct server_backup_about){.files = 0};
    struct rw_rc rc = verify(from, out, list, err);
    return rw_is_ok(rc) ? rc : rw_wrap(err, "backup '%.200s'", from);
}
