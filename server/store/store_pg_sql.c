#include "server/store/store_pg_sql.h"

_Static_assert((int)SQL_COUNT <= (int)STORE_PG_STATEMENTS_MAX, "every statement has a place");

#define SQL(which, text) [which] = {which, text}

const struct store_pg_statement store_pg_sql[SQL_COUNT] = {
    SQL(SQL_BEGIN, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"),
    SQL(SQL_LOCK, "SELECT tip, change FROM cluster WHERE one FOR UPDATE"),
    SQL(SQL_LOCK_TERM, "SELECT tip, change FROM cluster WHERE one AND term = $1 FOR UPDATE"),
    SQL(SQL_TIP_PUT, "UPDATE cluster SET tip = $1, change = $2 WHERE one"),
    SQL(SQL_COMMIT, "COMMIT"),
    SQL(SQL_DOC_INSERT, "INSERT INTO doc (kind, id, generation, body, change)"
                        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"),
    SQL(SQL_DOC_UPDATE, "UPDATE doc SET generation = $3, body = $4, change = $5"
                        " WHERE kind = $1 AND id = $2 AND generation = $3 - 1"),
    SQL(SQL_DOC_REMOVE, "DELETE FROM doc WHERE kind = $1 AND id = $2 AND generation = $3"),
    SQL(SQL_DOC_GET, "SELECT generation, body FROM doc WHERE kind = $1 AND id = $2"),
    SQL(SQL_DOC_COUNT, "SELECT count(*) FROM doc WHERE kind = $1"),
    SQL(SQL_DOC_EACH, "SELECT id, generation, body FROM doc WHERE kind = $1 AND id > $2"
                      " ORDER BY id LIMIT $3"),
    SQL(SQL_DOC_CHANGED, "SELECT kind, id, generation, body FROM doc WHERE change > $1"
                         " ORDER BY change, kind, id"),
    SQL(SQL_JOURNAL_APPEND, "INSERT INTO journal (number, batch) VALUES ($1, $2)"),
    SQL(SQL_JOURNAL_EACH, "SELECT number, batch FROM journal WHERE number > $1"
                          " ORDER BY number LIMIT $2"),
    SQL(SQL_JOURNAL_DROP, "DELETE FROM journal WHERE number <= $1"
                          " AND number < (SELECT min(number) FROM journal) + $2"),
    SQL(SQL_FOLD_CLEAR, "DELETE FROM fold"),
    SQL(SQL_FOLD_PUT, "INSERT INTO fold (part, mark, image) VALUES ($1, $2, $3)"),
    SQL(SQL_FOLD_GET, "SELECT mark, image FROM fold WHERE part = $1"),
    SQL(SQL_FOLD_MARK, "SELECT mark FROM fold WHERE part = 0"),
    SQL(SQL_SLICE_PUT, "INSERT INTO slice (number, mark, bytes) VALUES ($1, $2, $3)"
                       " ON CONFLICT (number) DO UPDATE"
                       " SET mark = excluded.mark, bytes = excluded.bytes"),
    SQL(SQL_SLICE_GET, "SELECT mark, bytes FROM slice WHERE number = $1"),
    SQL(SQL_SLICE_EACH, "SELECT number, mark, octet_length(bytes)::bigint FROM slice"
                        " ORDER BY number"),
    SQL(SQL_AUDIT_APPEND, "INSERT INTO audit (seq, at_s, record, hash) VALUES ($1, $2, $3, $4)"
                          " ON CONFLICT DO NOTHING"),
    SQL(SQL_AUDIT_DROP, "DELETE FROM audit WHERE seq <= $1"),
    SQL(SQL_AUDIT_TIP, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"),
    SQL(SQL_AUDIT_EACH, "SELECT seq, at_s, record, hash FROM audit WHERE seq > $1"
                        " ORDER BY seq LIMIT $2"),
    SQL(SQL_LOOK, "SELECT tip, change FROM cluster WHERE one"),
    SQL(SQL_LEASE_GET, "SELECT term, holder, node,"
                       " floor(extract(epoch FROM until - clock_timestamp()) * 1000)::bigint"
                       " FROM cluster WHERE one"),
    SQL(SQL_LEASE_PUT,
        "UPDATE cluster SET term = $1, holder = $2, node = $3, until = clock_timestamp()"
        " + $4::double precision * interval '1 millisecond' WHERE one"),
};
