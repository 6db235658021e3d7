/* Goal: the embedded back end keeps what it promised: compare-and-set documents, transactions that are whole or
 * nothing, a journal that the fold cuts, and a refusal of schemas from the future. */
#include "server/store/store_schema.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

struct world {
    char dir[64];
    char path[96];
    struct store store;
};

static void reopen(struct world *w)
{
    struct rw_err err;
    store_close(&w->store);
    MUST(store_sqlite_open(w->path, &w->store, &err));
}

static void begin(struct world *w)
{
    *w = (struct world){.dir = "/tmp/rw-store-XXXXXX"};
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof(w->path), "%s/db", w->dir);
    reopen(w);
}

static void end(struct world *w)
{
    store_close(&w->store);
    static const char *const tails[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < RW_LEN(tails); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s%s", w->path, tails[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(w->dir), 0);
}

enum { KEPT_ROWS = 0 };

#include "tests/unit/store_conformance.h"

TEST(a_newer_schema_is_refused_with_a_hint)
{
    struct world w;
    struct rw_err err;
    struct store store = {.backend = NULL};
    sqlite3 *db = NULL;
    char set[64];
    begin(&w);
    store_close(&w.store);
    assert_int_equal(sqlite3_open(w.path, &db), SQLITE_OK);
    (void)snprintf(set, sizeof(set), "PRAGMA user_version = %zu", store_schema_version + 1);
    assert_int_equal(sqlite3_exec(db, set, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    MUST_FAIL(store_sqlite_open(w.path, &store, &err), RW_E_POLICY);
    assert_true(err.hint[0] != '\0');
    assert_null(store.backend);
    end(&w);
}

/* Schema 2 numbered rows by AUTOINCREMENT. */
TEST(the_journal_of_an_older_schema_is_kept_and_its_numbers_go_on)
{
    struct world w;
    struct rw_err err;
    sqlite3 *db = NULL;
    int64_t row = 0;
    begin(&w);
    store_close(&w.store);
    assert_int_equal(unlink(w.path), 0);
    assert_int_equal(sqlite3_open(w.path, &db), SQLITE_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(sqlite3_exec(db, store_schema_steps[i], NULL, NULL, NULL), SQLITE_OK);
    }
    const char *rows = "INSERT INTO journal VALUES (7, 'batch'), (9, 'batch');"
                       "INSERT INTO fold VALUES (1, 5, 'head'); PRAGMA user_version = 2";
    assert_int_equal(sqlite3_exec(db, rows, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    MUST(store_sqlite_open(w.path, &w.store, &err));
    struct rows seen = {.count = 0};
    MUST(store_journal_each(&w.store, 7, see_row, &seen, &err));
    assert_int_equal(seen.count, 1);
    MUST(store_begin(&w.store, &err));
    MUST(store_journal_append(&w.store, rw_span_str("batch"), &row, &err));
    MUST(store_commit(&w.store, &err));
    assert_int_equal(row, 10);
    end(&w);
}

/* INV-8: a slice says up to which row it is true, so a number is never used for another row. */
TEST(numbers_of_rows_go_on_when_all_rows_are_dropped)
{
    struct world w;
    struct rw_err err;
    int64_t row = 0;
    bool more = false;
    begin(&w);
    MUST(store_begin(&w.store, &err));
    for (int i = 0; i < 3; i++) {
        MUST(store_journal_append(&w.store, rw_span_str("batch"), &row, &err));
    }
    assert_int_equal(row, 3);
    MUST(store_fold(&w.store, 3, rw_span_str("head"), &err));
    MUST(store_journal_drop(&w.store, 3, 100, &more, &err));
    MUST(store_commit(&w.store, &err));
    reopen(&w);
    MUST(store_begin(&w.store, &err));
    MUST(store_journal_append(&w.store, rw_span_str("batch"), &row, &err));
    MUST(store_commit(&w.store, &err));
    assert_int_equal(row, 4);
    end(&w);
}

/* SQLite ends a transaction by itself when it cannot go on: what comes behind must not be kept one by one (INV-9). */
TEST(what_follows_a_rollback_that_nobody_asked_for_is_not_kept)
{
    enum { LARGE_BYTES = 900 * 1024 };
    struct world w;
    struct rw_err err;
    begin(&w);
    char *large = rw_mem_new(LARGE_BYTES);
    assert_non_null(large);
    struct store_doc doc = {.id = "large", .generation = 1, .body = rw_span_of(large, LARGE_BYTES)};
    MUST(store_begin(&w.store, &err));
    MUST(put(&w, "a", 1, "one", &err));
    (void)sqlite3_hard_heap_limit64(sqlite3_memory_used() + 1024);
    assert_false(rw_is_ok(w.store.backend->doc_put(w.store.ctx, "thing", &doc, &err)));
    (void)sqlite3_hard_heap_limit64(0);
    MUST_FAIL(put(&w, "b", 1, "one", &err), RW_E_STORE);
    MUST_FAIL(store_commit(&w.store, &err), RW_E_STORE);
    expect(&w, "a", 0, NULL);
    expect(&w, "b", 0, NULL);
    rw_mem_free(large);
    end(&w);
}

TEST(a_file_that_is_no_database_is_refused)
{
    struct world w;
    struct rw_err err;
    struct store store = {.backend = NULL};
    begin(&w);
    store_close(&w.store);
    FILE *f = fopen(w.path, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++) {
        (void)fputs("not a database at all\n", f);
    }
    (void)fclose(f);
    MUST_FAIL(store_sqlite_open(w.path, &store, &err), RW_E_STORE);
    end(&w);
}

/* INV-8: a second writer makes this one fail, never lose. */
TEST(a_commit_that_cannot_get_the_lock_fails_and_changes_nothing)
{
    struct world w;
    struct rw_err err;
    sqlite3 *db = NULL;
    begin(&w);
    assert_int_equal(sqlite3_open(w.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    MUST_FAIL(store_begin(&w.store, &err), RW_E_STORE);
    assert_false(w.store.in_transaction);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    MUST(store_begin(&w.store, &err));
    MUST(put(&w, "a", 1, "one", &err));
    MUST(store_commit(&w.store, &err));
    expect(&w, "a", 1, "one");
    end(&w);
}

RUN_TESTS(STORE_CONFORMANCE, cmocka_unit_test(a_newer_schema_is_refused_with_a_hint),
          cmocka_unit_test(the_journal_of_an_older_schema_is_kept_and_its_numbers_go_on),
          cmocka_unit_test(numbers_of_rows_go_on_when_all_rows_are_dropped),
          cmocka_unit_test(what_follows_a_rollback_that_nobody_asked_for_is_not_kept),
          cmocka_unit_test(a_file_that_is_no_database_is_refused),
          cmocka_unit_test(a_commit_that_cannot_get_the_lock_fails_and_changes_nothing))
