#include "server/store/store_schema.h"

#include "common/base/err.h"

const char *const store_schema_steps[] = {
    "CREATE TABLE doc (kind TEXT NOT NULL, id TEXT NOT NULL, generation INTEGER NOT NULL,"
    " body BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;"
    "CREATE TABLE journal (row INTEGER PRIMARY KEY AUTOINCREMENT, batch BLOB NOT NULL);"
    "CREATE TABLE fold (one INTEGER PRIMARY KEY CHECK (one = 1), mark INTEGER NOT NULL,"
    " image BLOB NOT NULL);"
    "CREATE TABLE audit (seq INTEGER PRIMARY KEY, at_s INTEGER NOT NULL, record BLOB NOT NULL,"
    " hash BLOB NOT NULL);",
    "CREATE TABLE slice (number INTEGER PRIMARY KEY, mark INTEGER NOT NULL, bytes BLOB NOT NULL);",
    /* Without AUTOINCREMENT, whose own table cost every commit a page: SQL_JOURNAL_APPEND numbers the rows. */
    "CREATE TABLE journal_3 (row INTEGER PRIMARY KEY, batch BLOB NOT NULL);"
    "INSERT INTO journal_3 SELECT row, batch FROM journal ORDER BY row;"
    "DROP TABLE journal; ALTER TABLE journal_3 RENAME TO journal;",
};

const size_t store_schema_version = RW_LEN(store_schema_steps);

/* "C": documents come in the order of their bytes, as in SQLite. EXTERNAL: batches and images are kept as they are;
 * compressing them costs more than it saves. `cluster` is one row: its lock is what makes transactions of all nodes
 * follow each other. */
const char *const store_schema_pg_steps[] = {
    "CREATE TABLE doc (kind text COLLATE \"C\" NOT NULL, id text COLLATE \"C\" NOT NULL,"
    " generation bigint NOT NULL, change bigint NOT NULL, body bytea NOT NULL,"
    " PRIMARY KEY (kind, id));"
    "CREATE INDEX doc_change ON doc (change);"
    "CREATE TABLE journal (number bigint PRIMARY KEY, batch bytea NOT NULL);"
    "ALTER TABLE journal ALTER batch SET STORAGE EXTERNAL;"
    "CREATE TABLE fold (part integer PRIMARY KEY, mark bigint NOT NULL, image bytea NOT NULL);"
    "ALTER TABLE fold ALTER image SET STORAGE EXTERNAL;"
    "CREATE TABLE audit (seq bigint PRIMARY KEY, at_s bigint NOT NULL, record bytea NOT NULL,"
    " hash bytea NOT NULL);"
    "CREATE TABLE cluster (one boolean PRIMARY KEY CHECK (one), tip bigint NOT NULL,"
    " change bigint NOT NULL, term bigint NOT NULL, holder text NOT NULL, node text NOT NULL,"
    " until timestamptz NOT NULL);"
    "INSERT INTO cluster VALUES (true, 0, 0, 0, '', '', 'epoch');",
    ("CREATE TABLE slice (number bigint PRIMARY KEY, mark bigint NOT NULL, bytes bytea NOT NULL);"
     "ALTER TABLE slice ALTER bytes SET STORAGE EXTERNAL;"),
    /* What is new is in the batches: programs that cannot read them refuse the schema. */
    "COMMENT ON TABLE journal IS 'batches of version 2 and 3';",
};

const size_t store_schema_pg_version = RW_LEN(store_schema_pg_steps);
