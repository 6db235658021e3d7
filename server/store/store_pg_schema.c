#include "server/store/store_pg_schema.h"

#include "common/base/num.h"
#include "server/store/store_schema.h"

#include <stdio.h>
#include <string.h>

/* Dead nodes are noticed by the server too: it lets go of what they had locked. */
static const char settings[] =
    "SET lock_timeout = '3500ms'; SET idle_in_transaction_session_timeout = '4s';"
    "SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 2;"
    "SET tcp_user_timeout = '4s'; SET client_min_messages = warning;"
    "SELECT current_setting('fsync'), current_setting('full_page_writes'),"
    " current_setting('synchronous_commit')";

static const char version_query[] =
    "CREATE TABLE IF NOT EXISTS ringward_schema (version integer NOT NULL);"
    "SELECT coalesce(max(version), 0) FROM ringward_schema";

/* Nodes that start at the same moment take their turns. */
static const char migration_begin[] =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(8241943620177293)";

static bool is(const PGresult *r, int column, const char *text)
{
    return strcmp(PQgetvalue(r, 0, column), text) == 0;
}

/* INV-8: what is acknowledged survives power loss, or nothing is acknowledged. */
static RW_RC check_durable(struct store_pg_link *l, struct rw_err *err)
{
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    RW_AUTO(store_pg_result) store_pg_result set = NULL;
    RW_TRY(store_pg_exec(l, settings, STORE_PG_SHORT_MS, &r, err));
    for (int i = 0; i < 2; i++) {
        if (is(r, i, "on")) { continue; }
        const char *name = i == 0 ? "fsync" : "full_page_writes";
        RW_IGNORE(rw_fail(err, RW_E_POLICY,
                          "PostgreSQL runs with %s = %s: what it keeps is lost with the power",
                          name, PQgetvalue(r, 0, i)),
                  "hint follows");
        return rw_hint(err, "set %s = on in postgresql.conf", name);
    }
    if (!is(r, 2, "off") && !is(r, 2, "local")) { return RW_OK; }
    return store_pg_exec(l, "SET synchronous_commit = on", STORE_PG_SHORT_MS, &set, err);
}

static RW_RC exec(struct store_pg_link *l, const char *sql, struct rw_err *err)
{
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    return store_pg_exec(l, sql, STORE_PG_LONG_MS, &r, err);
}

static RW_RC read_version(struct store_pg_link *l, size_t *out, struct rw_err *err)
{
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    int64_t version = 0;
    RW_TRY(store_pg_exec(l, version_query, STORE_PG_LONG_MS, &r, err));
    RW_TRY(rw_parse_i64(rw_span_str(PQgetvalue(r, 0, 0)), 0, INT32_MAX, "schema version", &version,
                        err));
    *out = (size_t)version;
    return RW_OK;
}

/* All missing steps are one transaction. */
static RW_RC migrate(struct store_pg_link *l, struct rw_err *err)
{
    size_t version = 0;
    char note[96];
    RW_TRY(read_version(l, &version, err));
    if (version > store_schema_pg_version) {
        RW_IGNORE(rw_fail(err, RW_E_POLICY, "the store has schema %zu, this program knows %zu",
                          version, store_schema_pg_version),
                  "hint follows");
        return rw_hint(err, "run the newer ringward-server; schemas only go forward");
    }
    for (; version < store_schema_pg_version; version++) {
        RW_TRY(exec(l, store_schema_pg_steps[version], err));
        (void)snprintf(note, sizeof(note), "INSERT INTO ringward_schema VALUES (%zu)", version + 1);
        RW_TRY(exec(l, note, err));
    }
    return exec(l, "COMMIT", err);
}

RW_RC store_pg_schema_begin(struct store_pg_link *l, struct rw_err *err)
{
    RW_TRY(check_durable(l, err));
    RW_TRY(exec(l, migration_begin, err));
    /* After a failure the connection is closed, and the transaction with it. */
    return migrate(l, err);
}
