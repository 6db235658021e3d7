#include "server/server_restore.h"

#include "common/json/json_write.h"
#include "server/backup_rule.h"
#include "server/report/audit_log.h"
#include "server/rollout/rollout_restore.h"
#include "server/store/store_sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LIFT_AT_LEAST = 1000,
    LIFT_MAX = 1 << 30, /* versions stay below 2^31 */
    DETAILS_BYTES_MAX = 1024,
};

static const char conf_name[] = "server.conf";

struct restoring {
    const char *from;
    const char *dir;
    int64_t lift; /* as asked for; 0: as long as it takes */
    int data;     /* of the backup */
    bool conf_now;
};

static RW_RC require_empty(void *ctx, const char *name, struct rw_err *err)
{
    const struct restoring *r = ctx;
    RW_IGNORE(rw_fail(err, RW_E_EXISTS, "'%s' is not empty: it has '%.60s'", r->dir, name),
              "hint follows");
    return rw_hint(err, "a restore never writes over a server: give a new directory");
}

/* What everybody may read is public anyway: agents get it, and a signer of another user needs it. */
static unsigned mode_of(const char *path)
{
    bool is_public = strncmp(path, "repo/", 5) == 0 || strcmp(path, "root.json") == 0 ||
                     strcmp(path, "tls/ca.pem") == 0;
    return is_public ? 0644 : 0600;
}

static RW_RC put_file(void *ctx, const char *path, const uint8_t sha256[static DIGEST_BYTES],
                      struct rw_err *err)
{
    const struct restoring *r = ctx;
    char to[BACKUP_FILE_PATH_BYTES];
    uint8_t got[DIGEST_BYTES];
    if ((strcmp(path, conf_name) == 0) != r->conf_now) { return RW_OK; }
    RW_TRY(backup_file_join(r->dir, path, to, err));
    RW_TRY(backup_file_copy(r->data, path, to, mode_of(path), got, err));
    if (digest_same(got, sha256, DIGEST_BYTES)) { return RW_OK; }
    return rw_fail(err, RW_E_TUF_HASH, "data/%s changed while it was read", path);
}

static RW_RC make_folders(const char *dir, struct rw_err *err)
{
    static const char *const folders[] = {
        "repo/metadata", "repo/targets/content", "repo/targets/policy", "tls", "tokens", "store",
        "staging",       "signer/state/trust",   "signer/state/proof"};
    char path[BACKUP_FILE_PATH_BYTES];
    for (size_t i = 0; i < RW_LEN(folders); i++) {
        RW_TRY(backup_file_join(dir, folders[i], path, err));
        RW_TRY(rw_dir_make(path, 0700, err));
    }
    return RW_OK;
}

/* --- the state learns what happened --- */
static RW_RC record(struct store *store, const struct server_restore_result *r, struct rw_wall now,
                    struct rw_err *err)
{
    char at[RW_TIME_TEXT_BYTES];
    RW_AUTO(rw_buf) struct rw_buf details = rw_buf_make(DETAILS_BYTES_MAX);
    struct json_writer w = json_begin(&details);
    rw_wall_format(at, r->backup.at);
    json_open_object(&w, NULL);
    json_put_str(&w, "backup_at", at);
    json_put_int(&w, "held", (int64_t)r->held);
    json_put_int(&w, "lift", r->lift);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    const struct audit_log_entry entry = {.actor = "server",
                                          .action = "server.restore",
                                          .object = "store",
                                          .reason = "restored from a backup",
                                          .details = rw_buf_span(&details)};
    return audit_log_append(store, &entry, now, err);
}

static RW_RC settle_in(struct store *store, struct server_restore_result *r, struct rw_wall now,
                       struct rw_err *err)
{
    char at[RW_TIME_TEXT_BYTES];
    char why[160];
    rw_wall_format(at, r->backup.at);
    (void)snprintf(why, sizeof(why),
                   "restored from the backup of %s: permits granted since are not known", at);
    RW_TRY(store_begin(store, err));
    struct rw_rc rc = rollout_restore_hold(store, why, now, &r->held, err);
    if (rw_is_ok(rc)) { rc = record(store, r, now, err); }
    if (rw_is_ok(rc)) { return store_commit(store, err); }
    store_rollback(store);
    return rc;
}

static RW_RC settle_store(const char *dir, struct server_restore_result *r, struct rw_wall now,
                          struct rw_err *err)
{
    char path[BACKUP_FILE_PATH_BYTES];
    struct store store;
    RW_TRY(backup_file_join(dir, "store/ringward.db", path, err));
    RW_TRY(store_sqlite_open(path, &store, err));
    struct rw_rc rc = settle_in(&store, r, now, err);
    store_close(&store);
    return rc;
}

/* Clients refuse versions below those that they have seen, and those were made after the backup. The signer reads this
 * at its first renewal; at one signature a second for the whole time nobody has seen a higher one. */
static RW_RC put_lift(const char *dir, struct server_restore_result *r, int64_t lift,
                      struct rw_wall now, struct rw_err *err)
{
    char path[BACKUP_FILE_PATH_BYTES];
    char text[32];
    int64_t age = now.s > r->backup.at.s ? now.s - r->backup.at.s : 0;
    r->lift = lift > 0 ? lift : LIFT_AT_LEAST + age;
    if (r->lift > LIFT_MAX) { r->lift = LIFT_MAX; }
    int n = snprintf(text, sizeof(text), "%lld\n", (long long)r->lift);
    RW_TRY(backup_file_join(dir, "signer/state/lift", path, err));
    return rw_file_replace(path, 0600, rw_span_of(text, (size_t)n), err);
}

static RW_RC restore(struct restoring *r, struct rw_span list, struct server_restore_result *out,
                     struct rw_wall now, struct rw_err *err)
{
    char data[BACKUP_FILE_PATH_BYTES];
    RW_AUTO(rw_fd) int dir = -1;
    RW_TRY(rw_dir_make(r->dir, 0700, err));
    RW_TRY(rw_dir_open(r->dir, &dir, err));
    RW_TRY(rw_dir_each(dir, require_empty, r, err));
    RW_TRY(backup_file_join(r->from, "data", data, err));
    RW_TRY(rw_dir_open(data, &r->data, err));
    RW_TRY(make_folders(r->dir, err));
    RW_TRY(backup_file_list_each(list, put_file, r, err));
    RW_TRY(put_lift(r->dir, out, r->lift, now, err));
    RW_TRY(settle_store(r->dir, out, now, err));
    if (syncfs(dir) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "'%s'", r->dir); }
    r->conf_now = true;
    return backup_file_list_each(list, put_file, r, err);
}

RW_RC server_restore(const char *from, const char *dir, int64_t lift, struct rw_wall now,
                     struct server_restore_result *out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf list = rw_buf_make(BACKUP_FILE_LIST_BYTES_MAX);
    struct restoring r = {.from = from, .dir = dir, .lift = lift, .data = -1};
    *out = (struct server_restore_result){.held = 0};
    RW_TRY(server_backup_verify(from, &out->backup, &list, err));
    struct rw_rc rc = restore(&r, rw_buf_span(&list), out, now, err);
    rw_fd_drop(&r.data);
    return rc;
}
