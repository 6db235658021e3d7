/* Goal: PostgreSQL keeps what the embedded back end keeps (the same tests), and what several nodes need beyond it: one
 * transaction at a time, a journal without gaps, terms that fence, leases that end, and connections that are made
 * anew after a loss. */
#include "server/store/store_pg.h"
#include "server/store/store_schema.h"
#include "tests/fakes/pg_server.h"
#include "tests/harness.h"

#include <signal.h>

static struct pg_server server;
static unsigned schemas;

struct world {
    char schema[32];
    char url[160];
    struct store store;
    struct store other; /* a second node; opened by those who need one */
};

static void reopen(struct world *w)
{
    struct rw_err err;
    store_close(&w->store);
    MUST(store_pg_open(w->url, &w->store, &err));
}

static void begin(struct world *w)
{
    char sql[64];
    *w = (struct world){.schema = ""};
    (void)snprintf(w->schema, sizeof(w->schema), "t%u", schemas++);
    (void)snprintf(sql, sizeof(sql), "CREATE SCHEMA %s", w->schema);
    pg_server_exec(&server, "", sql);
    pg_server_url(&server, w->schema, w->url);
    reopen(w);
}

static void end(struct world *w)
{
    store_close(&w->store);
    store_close(&w->other);
}

enum { KEPT_ROWS = 4096 };

#include "tests/unit/store_conformance.h"

static void begin_two(struct world *w)
{
    struct rw_err err;
    begin(w);
    MUST(store_pg_open(w->url, &w->other, &err));
}

static void append(struct store *s, int64_t want)
{
    struct rw_err err;
    int64_t row = 0;
    MUST(store_begin(s, &err));
    MUST(store_journal_append(s, rw_span_str("batch"), &row, &err));
    MUST(store_commit(s, &err));
    assert_int_equal(row, want);
}

TEST(rows_of_all_nodes_are_one_sequence_without_gaps)
{
    struct world w;
    struct rw_err err;
    int64_t row = 0;
    begin_two(&w);
    assert_true(store_is_shared(&w.store));
    append(&w.store, 1);
    append(&w.other, 2);
    MUST(store_begin(&w.store, &err));
    assert_int_equal(w.store.now.tip, 2);
    MUST(store_journal_append(&w.store, rw_span_str("batch"), &row, &err));
    store_rollback(&w.store);
    append(&w.other, 3); /* what was rolled back took no number */
    MUST(store_look(&w.store, &err));
    assert_int_equal(w.store.now.tip, 3);
    end(&w);
}

static RW_RC note_changed(void *arg, const char *kind, const struct store_doc *doc,
                          struct rw_err *err)
{
    return rw_buf_appendf(arg, err, "%s/%s@%lld ", kind, doc->id, (long long)doc->generation);
}

static void expect_changed(struct store *s, int64_t after, const char *want)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1024);
    MUST(store_doc_changed(s, after, note_changed, &text, &err));
    assert_string_equal(rw_buf_str(&text), want);
}

static RW_RC note_row(void *arg, int64_t row, struct rw_span batch, struct rw_err *err)
{
    return rw_buf_appendf(arg, err, "%lld%.*s ", (long long)row, (int)batch.n,
                          (const char *)batch.p);
}

/* In a transaction that is open: the rows behind `after` are exactly those up to its tip. */
static void expect_rows(struct store *s, int64_t after)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf seen = rw_buf_make(4096);
    RW_AUTO(rw_buf) struct rw_buf want = rw_buf_make(4096);
    for (int64_t row = after + 1; row <= s->now.tip; row++) {
        MUST(note_row(&want, row, rw_span_str("batch"), &err));
    }
    MUST(store_journal_each(s, after, note_row, &seen, &err));
    assert_string_equal(rw_buf_str(&seen), rw_buf_str(&want));
}

/* INV-1: rows are asked for together with the lock, as soon as others were seen to write: whether they came so or
 * anew, all that were committed before are there, and none twice. Some are far more than are asked for so. */
TEST(a_transaction_sees_every_row_that_was_committed_before_it)
{
    static const int by_others[] = {0, 1, 1, 15, 16, 17, 40, 0, 0, 3, 1};
    struct world w;
    struct rw_err err;
    int64_t row = 0;
    int64_t seen = 0;
    begin_two(&w);
    for (size_t i = 0; i < RW_LEN(by_others); i++) {
        for (int k = 0; k < by_others[i]; k++) {
            append(&w.other, ++row);
        }
        MUST(store_begin(&w.store, &err));
        assert_int_equal(w.store.now.tip, row);
        expect_rows(&w.store, seen);
        expect_rows(&w.store, seen); /* asked again */
        expect_rows(&w.store, row > 2 ? row - 2 : 0);
        expect_rows(&w.store, 0);
        if (i % 3 != 0) { /* then its own */
            int64_t own = 0;
            MUST(store_journal_append(&w.store, rw_span_str("batch"), &own, &err));
            assert_int_equal(own, ++row);
            w.store.now.tip = own;
            expect_rows(&w.store, seen);
        }
        if (i % 3 != 2) {
            MUST(store_commit(&w.store, &err));
        } else {
            store_rollback(&w.store);
            row--;
        }
        seen = row;
    }
    end(&w);
}

/* INV-2, INV-8: a row is sent and waited for with the commit: what went wrong with it must fail that, and keep
 * nothing. */
TEST(a_row_that_could_not_be_written_fails_the_commit)
{
    struct world w;
    struct rw_err err;
    int64_t row = 0;
    begin_two(&w);
    append(&w.store, 1);
    pg_server_exec(&server, w.schema, "INSERT INTO journal (number, batch) VALUES (2, 'x')");
    MUST(store_begin(&w.store, &err));
    MUST(put(&w, "a", 1, "one", &err));
    MUST(store_journal_append(&w.store, rw_span_str("batch"), &row, &err));
    MUST_FAIL(store_commit(&w.store, &err), RW_E_STORE);
    assert_non_null(strstr(err.text, "journal")); /* the cause, not what it brought with it */
    MUST(store_begin(&w.store, &err));
    MUST(store_journal_append(&w.store, rw_span_str("batch"), &row, &err));
    MUST_FAIL(put(&w, "b", 1, "one", &err), RW_E_STORE); /* the next to ask is told */
    MUST_FAIL(store_commit(&w.store, &err), RW_E_STORE);
    pg_server_exec(&server, w.schema, "DELETE FROM journal WHERE number = 2");
    append(&w.store, 2);
    expect_changed(&w.other, 0, ""); /* no document came into force */
    end(&w);
}

TEST(inv_1_one_transaction_at_a_time_in_the_whole_cluster)
{
    struct world w;
    struct rw_err err;
    begin_two(&w);
    MUST(store_begin(&w.store, &err));
    MUST_FAIL(store_begin(&w.other, &err), RW_E_STORE); /* it has waited, and is free again */
    MUST(store_commit(&w.store, &err));
    append(&w.other, 1);
    end(&w);
}

/* A node that stops dead in a transaction must not stop the others for good. */
TEST(a_node_that_stands_still_in_a_transaction_is_thrown_out)
{
    struct world w;
    struct rw_err err;
    int64_t row = 0;
    begin_two(&w);
    MUST(store_begin(&w.store, &err));
    MUST(store_journal_append(&w.store, rw_span_str("batch"), &row, &err));
    struct rw_rc rc = store_begin(&w.other, &err);
    for (int i = 0; i < 10 && !rw_is_ok(rc); i++) {
        rc = store_begin(&w.other, &err);
    }
    MUST(rc);
    MUST(store_commit(&w.other, &err));
    MUST_FAIL(store_commit(&w.store, &err), RW_E_STORE);
    append(&w.store, 1); /* and takes part again with a new connection */
    end(&w);
}

static void lease(struct store *s, int64_t term, const char *holder, int64_t left_ms)
{
    struct rw_err err;
    struct store_lease l = {.term = term, .node = "n", .left_ms = left_ms};
    (void)snprintf(l.holder, sizeof(l.holder), "%s", holder);
    MUST(store_begin(s, &err));
    MUST(store_lease_put(s, &l, &err));
    MUST(store_commit(s, &err));
}

static struct store_lease lease_of(struct store *s)
{
    struct rw_err err;
    struct store_lease l = {.term = -1};
    MUST(store_begin(s, &err));
    MUST(store_lease_get(s, &l, &err));
    store_rollback(s);
    return l;
}

TEST(a_lease_is_seen_by_all_and_ends_by_the_clock_of_the_database)
{
    struct world w;
    begin_two(&w);
    struct store_lease l = lease_of(&w.other);
    assert_int_equal(l.term, 0);
    assert_true(l.left_ms <= 0);
    lease(&w.store, 1, "a", 60000);
    l = lease_of(&w.other);
    assert_int_equal(l.term, 1);
    assert_string_equal(l.holder, "a");
    assert_string_equal(l.node, "n");
    assert_true(l.left_ms > 30000 && l.left_ms <= 60000);
    lease(&w.store, 1, "a", -1);
    assert_true(lease_of(&w.other).left_ms <= 0);
    end(&w);
}

TEST(the_database_refuses_whoever_writes_under_a_stale_term)
{
    struct world w;
    struct rw_err err;
    begin_two(&w);
    lease(&w.store, 1, "a", 60000);
    w.store.term = 1;
    append(&w.store, 1);
    lease(&w.other, 2, "b", 60000);
    MUST_FAIL(store_begin(&w.store, &err), RW_E_STALE);
    assert_false(w.store.in_transaction);
    w.store.term = 0; /* as a node like every other it may go on */
    append(&w.store, 2);
    w.other.term = 2;
    append(&w.other, 3);
    end(&w);
}

TEST(changed_documents_are_found_by_the_number_of_the_change)
{
    struct world w;
    struct rw_err err;
    begin_two(&w);
    MUST(store_begin(&w.store, &err));
    MUST(put(&w, "b", 1, "one", &err));
    MUST(put(&w, "a", 1, "one", &err));
    MUST(store_commit(&w.store, &err));
    MUST(store_look(&w.other, &err));
    int64_t first = w.other.now.change;
    expect_changed(&w.other, first - 1, "thing/a@1 thing/b@1 ");
    expect_changed(&w.other, first, "");
    append(&w.other, 1); /* no document: no change */
    MUST(store_look(&w.other, &err));
    assert_int_equal(w.other.now.change, first);
    MUST(store_begin(&w.store, &err));
    MUST(put(&w, "b", 2, "two", &err));
    MUST(store_commit(&w.store, &err));
    expect_changed(&w.other, first, "thing/b@2 ");
    end(&w);
}

static RW_RC refuse_to_follow(void *arg, struct rw_err *err)
{
    int *calls = arg;
    (*calls)++;
    return *calls > 1 ? rw_fail(err, RW_E_STORE, "behind") : RW_OK;
}

TEST(a_node_that_cannot_follow_begins_nothing)
{
    struct world w;
    struct rw_err err;
    int calls = 0;
    begin_two(&w);
    w.store.follow = refuse_to_follow;
    w.store.follow_arg = &calls;
    append(&w.store, 1);
    MUST_FAIL(store_begin(&w.store, &err), RW_E_STORE);
    assert_false(w.store.in_transaction);
    append(&w.other, 2); /* nothing is locked */
    end(&w);
}

/* INV-8: in order, and as after a power cut: the server comes up from its log. */
TEST(what_was_committed_is_there_when_the_server_comes_back)
{
    static const int ways[] = {SIGINT, SIGQUIT};
    struct world w;
    struct rw_err err;
    int64_t row = 0;
    begin(&w);
    for (size_t i = 0; i < RW_LEN(ways); i++) {
        append(&w.store, (int64_t)i + 1);
        MUST(store_begin(&w.store, &err));
        MUST(store_journal_append(&w.store, rw_span_str("batch"), &row, &err));
        pg_server_stop(&server, ways[i]);
        MUST_FAIL(store_commit(&w.store, &err), RW_E_STORE);
        MUST_FAIL(store_begin(&w.store, &err), RW_E_STORE);
        MUST_FAIL(store_look(&w.store, &err), RW_E_STORE);
        pg_server_start(&server);
        struct rw_rc rc = store_look(&w.store, &err);
        for (int tries = 0; tries < 300 && !rw_is_ok(rc);
             tries++) { /* not at once after a failure */
            (void)usleep(100000);
            rc = store_look(&w.store, &err);
        }
        MUST(rc);
        assert_int_equal(w.store.now.tip, (int64_t)i + 1);
    }
    end(&w);
}

TEST(a_newer_schema_is_refused_with_a_hint)
{
    struct world w;
    struct rw_err err;
    struct store store = {.backend = NULL};
    char sql[96];
    begin(&w);
    (void)snprintf(sql, sizeof(sql), "INSERT INTO ringward_schema VALUES (%zu)",
                   store_schema_pg_version + 1);
    pg_server_exec(&server, w.schema, sql);
    MUST_FAIL(store_pg_open(w.url, &store, &err), RW_E_POLICY);
    assert_true(err.hint[0] != '\0');
    assert_null(store.backend);
    end(&w);
}

TEST(inv_8_a_server_that_does_not_sync_is_refused)
{
    struct world w;
    struct rw_err err;
    struct store store = {.backend = NULL};
    begin(&w);
    pg_server_exec(&server, "", "ALTER SYSTEM SET full_page_writes = off");
    pg_server_exec(&server, "", "SELECT pg_reload_conf()");
    struct rw_rc rc = RW_OK;
    for (int i = 0; i < 300 && rw_is_ok(rc); i++) {
        rc = store_pg_open(w.url, &store, &err);
        store_close(&store);
        (void)usleep(100000);
    }
    assert_int_equal(rc.code, RW_E_POLICY);
    pg_server_exec(&server, "", "ALTER SYSTEM RESET ALL");
    pg_server_exec(&server, "", "SELECT pg_reload_conf()");
    end(&w);
}

TEST(no_server_at_all_is_an_error_that_says_so)
{
    struct rw_err err;
    struct store store = {.backend = NULL};
    MUST_FAIL(store_pg_open("postgresql:///x?host=/nonexistent", &store, &err), RW_E_STORE);
    assert_non_null(strstr(err.text, "/nonexistent"));
    MUST_FAIL(store_pg_open("postgresql://[", &store, &err), RW_E_STORE);
    assert_true(store_pg_is_url("postgres://x") && store_pg_is_url("postgresql://x"));
    assert_false(store_pg_is_url("/var/lib/x") || store_pg_is_url(""));
}

static int start_server(void **state)
{
    (void)state;
    pg_server_make(&server);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    pg_server_remove(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_CONFORMANCE,
        cmocka_unit_test(rows_of_all_nodes_are_one_sequence_without_gaps),
        cmocka_unit_test(a_transaction_sees_every_row_that_was_committed_before_it),
        cmocka_unit_test(a_row_that_could_not_be_written_fails_the_commit),
        cmocka_unit_test(inv_1_one_transaction_at_a_time_in_the_whole_cluster),
        cmocka_unit_test(a_node_that_stands_still_in_a_transaction_is_thrown_out),
        cmocka_unit_test(a_lease_is_seen_by_all_and_ends_by_the_clock_of_the_database),
        cmocka_unit_test(the_database_refuses_whoever_writes_under_a_stale_term),
        cmocka_unit_test(changed_documents_are_found_by_the_number_of_the_change),
        cmocka_unit_test(a_node_that_cannot_follow_begins_nothing),
        cmocka_unit_test(what_was_committed_is_there_when_the_server_comes_back),
        cmocka_unit_test(a_newer_schema_is_refused_with_a_hint),
        cmocka_unit_test(inv_8_a_server_that_does_not_sync_is_refused),
        cmocka_unit_test(no_server_at_all_is_an_error_that_says_so),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
