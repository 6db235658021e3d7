#include "server/store/store_sqlite_copy.h"

#include "server/store/store_schema.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum { BUSY_MS = 10000 };

static RW_RC failed(sqlite3 *db, const char *what, const char *path, struct rw_err *err)
{
    int code = sqlite3_errcode(db);
    return rw_fail(err, code == SQLITE_FULL ? RW_E_FULL : RW_E_STORE, "%s '%s': %s", what, path,
                   sqlite3_errmsg(db));
}

static RW_RC open_db(const char *path, int flags, sqlite3 **out, struct rw_err *err)
{
    if (sqlite3_open_v2(path, out, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL) !=
        SQLITE_OK) {
        return failed(*out, "store", path, err);
    }
    (void)sqlite3_busy_timeout(*out, BUSY_MS);
    return RW_OK;
}

/* -1: all pages in one step. */
static RW_RC copy_pages(sqlite3 *from, sqlite3 *to, const char *path, struct rw_err *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    if (b == NULL) { return failed(to, "copy", path, err); }
    (void)sqlite3_backup_step(b, -1);
    if (sqlite3_backup_finish(b) != SQLITE_OK) { return failed(to, "copy", path, err); }
    /* The header's mark of WAL came along: taken out, so that the file is whole by itself. */
    if (sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK) {
        return failed(to, "copy", path, err);
    }
    return RW_OK;
}

RW_RC store_sqlite_copy(const char *from, const char *to, struct rw_err *err)
{
    sqlite3 *source = NULL;
    sqlite3 *target = NULL;
    /* Read and write: the reader of a WAL takes part in its shared memory. No row is written. */
    struct rw_rc rc = open_db(from, SQLITE_OPEN_READWRITE, &source, err);
    if (rw_is_ok(rc)) {
        rc = open_db(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &target, err);
    }
    if (rw_is_ok(rc)) { rc = copy_pages(source, target, to, err); }
    (void)sqlite3_close(target);
    (void)sqlite3_close(source);
    return rc;
}

enum { ROW_TEXT_BYTES = 256 };

/* The first row of a statement: a number, and a text for integrity_check. */
static RW_RC first_row(sqlite3 *db, const char *sql, const char *path,
                       char text[static ROW_TEXT_BYTES], int64_t *number, struct rw_err *err)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW) {
        struct rw_rc rc = failed(db, sql, path, err);
        (void)sqlite3_finalize(st);
        return rc;
    }
    const unsigned char *found = sqlite3_column_text(st, 0);
    (void)snprintf(text, ROW_TEXT_BYTES, "%s", found == NULL ? "" : (const char *)found);
    *number = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return RW_OK;
}

static RW_RC examine(sqlite3 *db, const char *path, size_t *schema_out, struct rw_err *err)
{
    char text[ROW_TEXT_BYTES];
    int64_t number = 0;
    RW_TRY(first_row(db, "PRAGMA integrity_check(1)", path, text, &number, err));
    if (strcmp(text, "ok") != 0) {
        return rw_fail(err, RW_E_STORE, "store '%.200s' is damaged: %.200s", path, text);
    }
    RW_TRY(first_row(db, "PRAGMA user_version", path, text, &number, err));
    if (number < 1) {
        return rw_fail(err, RW_E_STORE, "'%.200s' is no store of ringward-server", path);
    }
    if ((size_t)number > store_schema_version) {
        RW_IGNORE(rw_fail(err, RW_E_POLICY, "the store has schema %lld, this program knows %zu",
                          (long long)number, store_schema_version),
                  "hint");
        return rw_hint(err, "run the newer ringward-server; schemas only go forward");
    }
    *schema_out = (size_t)number;
    return RW_OK;
}

RW_RC store_sqlite_examine(const char *path, size_t *schema_out, struct rw_err *err)
{
    sqlite3 *db = NULL;
    struct rw_rc rc = open_db(path, SQLITE_OPEN_READONLY, &db, err);
    if (rw_is_ok(rc)) { rc = examine(db, path, schema_out, err); }
    (void)sqlite3_close(db);
    return rc;
}
