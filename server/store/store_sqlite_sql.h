/* store_sqlite_sql.h: the statements that the SQLite back end prepares once and runs for ever.
 *
 * memory   constants
 * threads  any
 * source   the tables: store_sqlite_schema.c; shared by the store_sqlite*.c files only
 */
#ifndef RINGWARD_STORE_SQLITE_SQL_H
#define RINGWARD_STORE_SQLITE_SQL_H

enum store_sqlite_statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_DOC_INSERT,
    SQL_DOC_UPDATE,
    SQL_DOC_REMOVE,
    SQL_DOC_GET,
    SQL_DOC_COUNT,
    SQL_DOC_EACH,
    SQL_JOURNAL_APPEND,
    SQL_JOURNAL_EACH,
    SQL_JOURNAL_DROP,
    SQL_FOLD_PUT,
    SQL_FOLD_GET,
    SQL_FOLD_MARK,
    SQL_SLICE_PUT,
    SQL_SLICE_GET,
    SQL_SLICE_EACH,
    SQL_AUDIT_APPEND,
    SQL_AUDIT_DROP,
    SQL_AUDIT_TIP,
    SQL_AUDIT_EACH,
    SQL_COUNT,
};

extern const char *const store_sqlite_sql[SQL_COUNT];

#endif
