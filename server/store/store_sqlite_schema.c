#include "server/store/store_sqlite_schema.h"

#include "server/store/store_schema.h"

#include <stdio.h>

static RW_RC failed(sqlite3 *db, const char *what, struct rw_err *err)
{
    enum rw_code kind = sqlite3_errcode(db) == SQLITE_FULL ? RW_E_FULL : RW_E_STORE;
    return rw_fail(err, kind, "store: %s: %s", what, sqlite3_errmsg(db));
}

static RW_RC exec(sqlite3 *db, const char *sql, struct rw_err *err)
{
    int done = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return done == SQLITE_OK ? RW_OK : failed(db, "migration", err);
}

static RW_RC schema_version(sqlite3 *db, size_t *out, struct rw_err *err)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        (void)sqlite3_finalize(st);
        return failed(db, "schema version", err);
    }
    int version = sqlite3_column_int(st, 0);
    (void)sqlite3_finalize(st);
    if (version < 0) { return rw_fail(err, RW_E_STORE, "store: negative schema version"); }
    *out = (size_t)version;
    return RW_OK;
}

/* Each step and its new version number are one transaction: a crash leaves a whole version. */
RW_RC store_sqlite_schema_migrate(sqlite3 *db, struct rw_err *err)
{
    size_t version = 0;
    RW_TRY(schema_version(db, &version, err));
    if (version > store_schema_version) {
        RW_IGNORE(rw_fail(err, RW_E_POLICY, "the store has schema %zu, this program knows %zu",
                          version, store_schema_version),
                  "hint");
        return rw_hint(err, "run the newer ringward-server; schemas only go forward");
    }
    for (; version < store_schema_version; version++) {
        char set[64];
        (void)snprintf(set, sizeof(set), "PRAGMA user_version = %zu", version + 1);
        RW_TRY(exec(db, "BEGIN EXCLUSIVE", err));
        struct rw_rc rc = exec(db, store_schema_steps[version], err);
        if (rw_is_ok(rc)) { rc = exec(db, set, err); }
        if (rw_is_ok(rc)) { rc = exec(db, "COMMIT", err); }
        if (!rw_is_ok(rc)) {
            (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
            return rc;
        }
    }
    return RW_OK;
}
