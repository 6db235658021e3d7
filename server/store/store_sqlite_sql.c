#include "server/store/store_sqlite_sql.h"

const char *const store_sqlite_sql[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_DOC_INSERT] = "INSERT INTO doc (kind, id, generation, body) VALUES (?1, ?2, ?3, ?4)",
    [SQL_DOC_UPDATE] =
        "UPDATE doc SET generation = ?3, body = ?4 WHERE kind=?1 AND id=?2 AND generation=?3-1",
    [SQL_DOC_REMOVE] = "DELETE FROM doc WHERE kind = ?1 AND id = ?2 AND generation = ?3",
    [SQL_DOC_GET] = "SELECT generation, body FROM doc WHERE kind = ?1 AND id = ?2",
    [SQL_DOC_COUNT] = "SELECT count(*) FROM doc WHERE kind = ?1",
    [SQL_DOC_EACH] =
        "SELECT id, generation, body FROM doc WHERE kind = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    /* Never a number that was used: rows go up to the fold's mark only, so it or the newest row is the greatest. */
    [SQL_JOURNAL_APPEND] =
        ("INSERT INTO journal (row, batch) VALUES (1 + max(coalesce((SELECT max(row) FROM journal),"
         " 0), coalesce((SELECT mark FROM fold), 0)), ?1)"),
    [SQL_JOURNAL_EACH] = "SELECT row, batch FROM journal WHERE row > ?1 ORDER BY row",
    [SQL_JOURNAL_DROP] =
        "DELETE FROM journal WHERE row <= ?1 AND row < (SELECT min(row) FROM journal) + ?2",
    [SQL_FOLD_PUT] = "REPLACE INTO fold (one, mark, image) VALUES (1, ?1, ?2)",
    [SQL_FOLD_GET] = "SELECT mark, image FROM fold",
    [SQL_FOLD_MARK] = "SELECT mark FROM fold",
    [SQL_SLICE_PUT] = "REPLACE INTO slice (number, mark, bytes) VALUES (?1, ?2, ?3)",
    [SQL_SLICE_GET] = "SELECT mark, bytes FROM slice WHERE number = ?1",
    [SQL_SLICE_EACH] = "SELECT number, mark, length(bytes) FROM slice ORDER BY number",
    [SQL_AUDIT_APPEND] = "INSERT INTO audit (seq, at_s, record, hash) VALUES (?1, ?2, ?3, ?4)",
    [SQL_AUDIT_DROP] = "DELETE FROM audit WHERE seq <= ?1",
    [SQL_AUDIT_TIP] = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1",
    [SQL_AUDIT_EACH] =
        "SELECT seq, at_s, record, hash FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2",
};
