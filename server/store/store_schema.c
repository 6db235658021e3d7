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
};

const size_t store_schema_version = RW_LEN(store_schema_steps);
