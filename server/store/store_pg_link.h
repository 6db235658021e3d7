/* store_pg_link.h: one connection to PostgreSQL: made when it is needed, given up when an answer is late.
 *
 * Every statement has a deadline, so that a server that is gone, or behind a network that swallows packets, costs
 * seconds and never hangs the caller. A connection that failed once is closed; the next transaction makes a new one.
 *
 * memory   a link owns its connection until store_pg_link_drop; results are the caller's
 * threads  one thread
 * source   docs/nodes.md
 */
#ifndef RINGWARD_STORE_PG_LINK_H
#define RINGWARD_STORE_PG_LINK_H

#include "common/base/buf.h"

#include <libpq-fe.h>

enum {
    STORE_PG_SHORT_MS = 4000, /* a statement of a transaction, its wait for other nodes included */
    STORE_PG_LONG_MS = 60000, /* a piece of a load, of an image, a migration */
    STORE_PG_STATEMENTS_MAX = 32,
    STORE_PG_VALUES_MAX = 7,
};

struct store_pg_link {
    PGconn *conn; /* NULL: none */
    char *url;    /* as libpq takes it: postgresql://... or keywords */
    bool prepared[STORE_PG_STATEMENTS_MAX];
    int64_t retry_ms;            /* monotonic; no connection is tried before */
    char why[RW_ERR_TEXT_BYTES]; /* the last one failed */
    RW_RC (*begun)(struct store_pg_link *l, struct rw_err *err); /* looks at each new connection */
    size_t sent; /* statements whose results were not taken yet */
};

/* Drops at the end of the scope: RW_AUTO(store_pg_result) store_pg_result r = NULL; */
typedef PGresult *store_pg_result;
void store_pg_result_drop(store_pg_result *r);

/* A statement of a table: its index there and its text, $1 and so on for values. */
struct store_pg_statement {
    unsigned index; /* below STORE_PG_STATEMENTS_MAX */
    const char *sql;
};

struct store_pg_value {
    const char *p;
    int n;
    bool binary;
    char number[24]; /* what p points to, of a number */
};

struct store_pg_values {
    struct store_pg_value at[STORE_PG_VALUES_MAX];
    size_t count;
};

void store_pg_add_i64(struct store_pg_values *v, int64_t number);
void store_pg_add_text(struct store_pg_values *v, const char *text);     /* borrowed */
void store_pg_add_bytes(struct store_pg_values *v, struct rw_span span); /* borrowed */

void store_pg_link_drop(struct store_pg_link *l);
/* Closes what is open; the next ensure begins anew. */
void store_pg_link_cut(struct store_pg_link *l);
/* Connects when there is no connection. For a second after a failure it fails at once: each try may cost seconds, and
 * many callers may wait. Fails with RW_E_STORE, and as `begun`. */
RW_RC store_pg_link_ensure(struct store_pg_link *l, struct rw_err *err);

/* Runs SQL text without values, several statements if need be; gives the last one's result, numbers as text.
 * Fails with RW_E_STORE, RW_E_FULL (the server's disk). */
RW_RC store_pg_exec(struct store_pg_link *l, const char *sql, int64_t limit_ms,
                    store_pg_result *out, struct rw_err *err);
/* Runs one prepared statement; the result is binary. */
RW_RC store_pg_run(struct store_pg_link *l, const struct store_pg_statement *st,
                   const struct store_pg_values *values, int64_t limit_ms, store_pg_result *out,
                   struct rw_err *err);

/* Prepares a statement, unless this connection knows it. Fails as store_pg_run. */
RW_RC store_pg_prepare(struct store_pg_link *l, const struct store_pg_statement *st,
                       struct rw_err *err);
/* Sends one that is prepared and waits for nothing: several cost one way to the server and back. Values are copied.
 * Fails with RW_E_STORE. */
RW_RC store_pg_send(struct store_pg_link *l, const struct store_pg_statement *st,
                    const struct store_pg_values *values, struct rw_err *err);
/* Waits for all that was sent, for each `limit_ms` from the one before; gives the results of the last `count` of them.
 * Fails as the first that failed did; none behind it was run. store_pg_exec and store_pg_run do the same first. */
RW_RC store_pg_take(struct store_pg_link *l, int64_t limit_ms, store_pg_result *out, size_t count,
                    struct rw_err *err);

/* Cells of a binary result. */
int64_t store_pg_i64(const PGresult *r, int row, int column);
struct rw_span store_pg_span(const PGresult *r, int row, int column);
/* Rows that a statement changed. */
int64_t store_pg_changed(PGresult *r);

#endif
