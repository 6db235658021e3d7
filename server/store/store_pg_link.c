#include "server/store/store_pg_link.h"

#include "common/base/clock.h"
#include "common/base/num.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 8, RETRY_MS = 1000 };

void store_pg_result_drop(store_pg_result *r)
{
    PQclear(*r);
    *r = NULL;
}

/* --- values --- */

static struct store_pg_value *next(struct store_pg_values *v)
{
    RW_ASSERT(v->count < STORE_PG_VALUES_MAX);
    return &v->at[v->count++];
}

void store_pg_add_i64(struct store_pg_values *v, int64_t number)
{
    struct store_pg_value *value = next(v);
    int n = snprintf(value->number, sizeof(value->number), "%lld", (long long)number);
    *value = (struct store_pg_value){.n = n};
    (void)snprintf(value->number, sizeof(value->number), "%lld", (long long)number);
    value->p = value->number;
}

void store_pg_add_text(struct store_pg_values *v, const char *text)
{
    *next(v) = (struct store_pg_value){.p = text, .n = (int)strlen(text)};
}

void store_pg_add_bytes(struct store_pg_values *v, struct rw_span span)
{
    RW_ASSERT(span.n <= INT32_MAX);
    *next(v) = (struct store_pg_value){
        .p = span.n == 0 ? "" : (const char *)span.p, .n = (int)span.n, .binary = true};
}

int64_t store_pg_i64(const PGresult *r, int row, int column)
{
    uint64_t v = 0;
    RW_ASSERT(PQgetlength(r, row, column) == (int)sizeof(v));
    rw_copy(&v, sizeof(v), PQgetvalue(r, row, column), sizeof(v));
    return (int64_t)be64toh(v);
}

struct rw_span store_pg_span(const PGresult *r, int row, int column)
{
    return rw_span_of(PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column));
}

int64_t store_pg_changed(PGresult *r)
{
    int64_t n = 0;
    struct rw_err unused;
    struct rw_span text = rw_span_str(PQcmdTuples(r));
    return rw_is_ok(rw_parse_i64(text, 0, INT64_MAX, "rows", &n, &unused)) ? n : 0;
}

/* --- the connection --- */

void store_pg_link_cut(struct store_pg_link *l)
{
    PQfinish(l->conn);
    l->conn = NULL;
    l->sent = 0;
    for (size_t i = 0; i < RW_LEN(l->prepared); i++) {
        l->prepared[i] = false;
    }
}

void store_pg_link_drop(struct store_pg_link *l)
{
    store_pg_link_cut(l);
    rw_mem_free(l->url);
    l->url = NULL;
}

/* libpq's messages have several lines and end in one: the first says it. */
static RW_RC failed(enum rw_code code, const char *message, struct rw_err *err)
{
    size_t n = message == NULL ? 0 : strcspn(message, "\n");
    if (n == 0) { return rw_fail(err, code, "PostgreSQL: no answer"); }
    return rw_fail(err, code, "PostgreSQL: %.*s", (int)n, message);
}

/* What stands in the URL counts more than these: the last mention wins. */
RW_RC store_pg_link_ensure(struct store_pg_link *l, struct rw_err *err)
{
    static const char *const names[] = {"connect_timeout",  "application_name",
                                        "keepalives_idle",  "keepalives_interval",
                                        "keepalives_count", "tcp_user_timeout",
                                        "client_encoding",  "target_session_attrs",
                                        "dbname",           NULL};
    const char *const values[] = {"2",    "ringward", "2",          "1",    "2",
                                  "4000", "UTF8",     "read-write", l->url, NULL};
    const struct rw_clock clock = rw_clock_system();
    if (l->conn != NULL && PQstatus(l->conn) == CONNECTION_OK) { return RW_OK; }
    if (rw_clock_mono(&clock).ms < l->retry_ms) { return rw_fail(err, RW_E_STORE, "%s", l->why); }
    store_pg_link_cut(l);
    l->conn = PQconnectdbParams(names, values, 1);
    struct rw_rc rc = RW_OK;
    if (l->conn == NULL) {
        rc = rw_fail(err, RW_E_NOMEM, "no memory for a connection");
    } else if (PQstatus(l->conn) != CONNECTION_OK || PQsetnonblocking(l->conn, 1) != 0) {
        rc = failed(RW_E_STORE, PQerrorMessage(l->conn), err);
    } else if (l->begun != NULL) {
        rc = l->begun(l, err);
    }
    if (!rw_is_ok(rc)) {
        store_pg_link_cut(l);
        (void)snprintf(l->why, sizeof(l->why), "%s", err->text);
        l->retry_ms = rw_clock_mono(&clock).ms + RETRY_MS;
    }
    return rc;
}

/* --- statements --- */

static RW_RC lost(struct store_pg_link *l, struct rw_err *err)
{
    struct rw_rc rc = failed(RW_E_STORE, PQerrorMessage(l->conn), err);
    store_pg_link_cut(l);
    return rc;
}

/* Waits until the socket is ready for `events`, not longer than `end`. */
static RW_RC wait_socket(struct store_pg_link *l, short events, int64_t end_ms, struct rw_err *err)
{
    const struct rw_clock clock = rw_clock_system();
    for (;;) {
        int64_t left_ms = end_ms - rw_clock_mono(&clock).ms;
        struct pollfd p = {.fd = PQsocket(l->conn), .events = events};
        int ready = left_ms <= 0 ? 0 : poll(&p, 1, (int)left_ms);
        if (ready > 0) { return RW_OK; }
        if (ready == 0) {
            store_pg_link_cut(l);
            return rw_fail(err, RW_E_STORE, "PostgreSQL does not answer");
        }
        if (errno != EINTR) {
            store_pg_link_cut(l);
            return rw_fail_errno(err, RW_E_STORE, errno, "PostgreSQL: poll");
        }
    }
}

static RW_RC send_all(struct store_pg_link *l, int64_t end_ms, struct rw_err *err)
{
    for (;;) {
        int left = PQflush(l->conn);
        if (left == 0) { return RW_OK; }
        if (left < 0) { return lost(l, err); }
        /* The server may want to be read before it reads on. */
        RW_TRY(wait_socket(l, POLLIN | POLLOUT, end_ms, err));
        if (PQconsumeInput(l->conn) != 1) { return lost(l, err); }
    }
}

static RW_RC judge(struct store_pg_link *l, const PGresult *r, struct rw_err *err)
{
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) { return RW_OK; }
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    bool full = state != NULL && strcmp(state, "53100") == 0;
    struct rw_rc rc =
        failed(full ? RW_E_FULL : RW_E_STORE, text != NULL ? text : PQresultErrorMessage(r), err);
    if (PQstatus(l->conn) != CONNECTION_OK) { store_pg_link_cut(l); }
    return rc;
}

/* NULL: the server has said all about one statement, or one text. */
static RW_RC next_result(struct store_pg_link *l, int64_t end_ms, store_pg_result *out,
                         struct rw_err *err)
{
    while (PQisBusy(l->conn) == 1) {
        RW_TRY(wait_socket(l, POLLIN, end_ms, err));
        if (PQconsumeInput(l->conn) != 1) { return lost(l, err); }
    }
    *out = PQgetResult(l->conn);
    return RW_OK;
}

/* Reads everything that the server says about what was sent: the connection is free again, or gone. */
static RW_RC receive(struct store_pg_link *l, int64_t end_ms, store_pg_result *out,
                     struct rw_err *err)
{
    RW_TRY(send_all(l, end_ms, err));
    RW_AUTO(store_pg_result) store_pg_result last = NULL;
    for (;;) {
        PGresult *r = NULL;
        RW_TRY(next_result(l, end_ms, &r, err));
        if (r == NULL) { break; }
        PQclear(last);
        last = r;
    }
    if (last == NULL) { return lost(l, err); }
    RW_TRY(judge(l, last, err));
    *out = RW_STEAL(last);
    return RW_OK;
}

static int64_t deadline(int64_t limit_ms)
{
    const struct rw_clock clock = rw_clock_system();
    return rw_clock_mono(&clock).ms + limit_ms;
}

static RW_RC need(const struct store_pg_link *l, struct rw_err *err)
{
    if (l->conn != NULL) { return RW_OK; }
    return rw_fail(err, RW_E_STORE, "PostgreSQL: the connection was lost");
}

RW_RC store_pg_exec(struct store_pg_link *l, const char *sql, int64_t limit_ms,
                    store_pg_result *out, struct rw_err *err)
{
    RW_TRY(store_pg_take(l, limit_ms, NULL, 0, err));
    RW_TRY(need(l, err));
    if (PQsendQuery(l->conn, sql) != 1) { return lost(l, err); }
    return receive(l, deadline(limit_ms), out, err);
}

struct name {
    char text[NAME_BYTES];
};

static struct name name_of(const struct store_pg_statement *st)
{
    struct name name;
    RW_ASSERT(st->index < STORE_PG_STATEMENTS_MAX);
    (void)snprintf(name.text, sizeof(name.text), "s%u", st->index);
    return name;
}

RW_RC store_pg_prepare(struct store_pg_link *l, const struct store_pg_statement *st,
                       struct rw_err *err)
{
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    struct name name = name_of(st);
    RW_TRY(need(l, err));
    if (l->prepared[st->index]) { return RW_OK; }
    RW_TRY(store_pg_take(l, STORE_PG_SHORT_MS, NULL, 0, err));
    if (PQsendPrepare(l->conn, name.text, st->sql, 0, NULL) != 1) { return lost(l, err); }
    RW_TRY(receive(l, deadline(STORE_PG_SHORT_MS), &r, err));
    l->prepared[st->index] = true;
    return RW_OK;
}

static RW_RC send_prepared(struct store_pg_link *l, const struct store_pg_statement *st,
                           const struct store_pg_values *values, struct rw_err *err)
{
    struct name name = name_of(st);
    const char *p[STORE_PG_VALUES_MAX];
    int n[STORE_PG_VALUES_MAX];
    int binary[STORE_PG_VALUES_MAX];
    size_t count = values == NULL ? 0 : values->count;
    for (size_t i = 0; i < count; i++) {
        p[i] = values->at[i].p;
        n[i] = values->at[i].n;
        binary[i] = values->at[i].binary ? 1 : 0;
    }
    if (PQsendQueryPrepared(l->conn, name.text, (int)count, p, n, binary, 1) == 1) { return RW_OK; }
    return lost(l, err);
}

RW_RC store_pg_run(struct store_pg_link *l, const struct store_pg_statement *st,
                   const struct store_pg_values *values, int64_t limit_ms, store_pg_result *out,
                   struct rw_err *err)
{
    RW_TRY(store_pg_take(l, limit_ms, NULL, 0, err));
    RW_TRY(store_pg_prepare(l, st, err));
    RW_TRY(send_prepared(l, st, values, err));
    return receive(l, deadline(limit_ms), out, err);
}

/* --- several at a time --- */

RW_RC store_pg_send(struct store_pg_link *l, const struct store_pg_statement *st,
                    const struct store_pg_values *values, struct rw_err *err)
{
    RW_TRY(need(l, err));
    RW_ASSERT(l->prepared[st->index]);
    if (l->sent == 0 && PQenterPipelineMode(l->conn) != 1) { return lost(l, err); }
    RW_TRY(send_prepared(l, st, values, err));
    l->sent++;
    return RW_OK;
}

/* A result and the end behind it. */
static RW_RC take_one(struct store_pg_link *l, int64_t limit_ms, store_pg_result *out,
                      struct rw_err *err)
{
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    RW_AUTO(store_pg_result) store_pg_result end = NULL;
    RW_TRY(next_result(l, deadline(limit_ms), &r, err));
    if (r == NULL) { return lost(l, err); }
    RW_TRY(next_result(l, deadline(limit_ms), &end, err));
    if (end != NULL) { return lost(l, err); }
    *out = RW_STEAL(r);
    return RW_OK;
}

/* Behind the last one the server says that it has seen them all. */
static RW_RC end_of_sent(struct store_pg_link *l, int64_t limit_ms, struct rw_err *err)
{
    RW_AUTO(store_pg_result) store_pg_result r = NULL;
    RW_TRY(next_result(l, deadline(limit_ms), &r, err));
    if (PQresultStatus(r) != PGRES_PIPELINE_SYNC || PQexitPipelineMode(l->conn) != 1) {
        return lost(l, err);
    }
    return RW_OK;
}

static RW_RC take_all(struct store_pg_link *l, int64_t limit_ms, size_t skip, size_t sent,
                      store_pg_result *out, struct rw_err *err)
{
    struct rw_rc rc = RW_OK;
    struct rw_err later = {.text = ""};
    if (PQpipelineSync(l->conn) != 1) { return lost(l, err); }
    RW_TRY(send_all(l, deadline(limit_ms), err));
    for (size_t i = 0; i < sent; i++) {
        RW_AUTO(store_pg_result) store_pg_result r = NULL;
        struct rw_err *first = rw_is_ok(rc) ? err : &later; /* what failed first says why */
        struct rw_rc got = take_one(l, limit_ms, &r, first);
        if (rw_is_ok(got)) { got = judge(l, r, first); }
        if (rw_is_ok(rc)) { rc = got; }
        if (l->conn == NULL) { return rc; }
        if (rw_is_ok(rc) && i >= skip) { out[i - skip] = RW_STEAL(r); }
    }
    struct rw_rc ended = end_of_sent(l, limit_ms, rw_is_ok(rc) ? err : &later);
    return rw_is_ok(rc) ? ended : rc;
}

RW_RC store_pg_take(struct store_pg_link *l, int64_t limit_ms, store_pg_result *out, size_t count,
                    struct rw_err *err)
{
    size_t sent = l->sent;
    RW_ASSERT(count <= sent);
    if (sent == 0) { return RW_OK; }
    l->sent = 0;
    struct rw_rc rc = take_all(l, limit_ms, sent - count, sent, out, err);
    for (size_t i = 0; i < count && !rw_is_ok(rc); i++) {
        store_pg_result_drop(&out[i]);
    }
    return rc;
}
