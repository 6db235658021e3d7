/* store_pg_sql.h: the statements of the PostgreSQL back end.
 *
 * memory   constants
 * threads  no state
 * source   docs/nodes.md
 */
#ifndef RINGWARD_STORE_PG_SQL_H
#define RINGWARD_STORE_PG_SQL_H

#include "server/store/store_pg_link.h"

enum store_pg_sql_index {
    SQL_BEGIN,
    SQL_LOCK,
    SQL_LOCK_TERM,
    SQL_TIP_PUT,
    SQL_COMMIT,
    SQL_DOC_INSERT,
    SQL_DOC_UPDATE,
    SQL_DOC_REMOVE,
    SQL_DOC_GET,
    SQL_DOC_COUNT,
    SQL_DOC_EACH,
    SQL_DOC_CHANGED,
    SQL_JOURNAL_APPEND,
    SQL_JOURNAL_EACH,
    SQL_JOURNAL_DROP,
    SQL_FOLD_CLEAR,
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
    SQL_LOOK,
    SQL_LEASE_GET,
    SQL_LEASE_PUT,
    SQL_COUNT,
};

extern const struct store_pg_statement store_pg_sql[SQL_COUNT];

#endif
