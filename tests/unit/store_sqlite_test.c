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

static struct rw_rc put(struct world *w, const char *id, int64_t generation, const char *body,
                        struct rw_err *err)
{
    struct store_doc doc = {.generation = generation, .body = rw_span_str(body)};
    (void)snprintf(doc.id, sizeof(doc.id), "%s", id);
    return store_doc_put(&w->store, "thing", &doc, err);
}

static void expect(struct world *w, const char *id, int64_t generation, const char *body)
{
    struct rw_err err;
    int64_t found = 0;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1024);
    if (body == NULL) {
        MUST_FAIL(store_doc_get(&w->store, "thing", id, &text, &found, &err), RW_E_NOT_FOUND);
        return;
    }
    MUST(store_doc_get(&w->store, "thing", id, &text, &found, &err));
    assert_int_equal(found, generation);
    assert_string_equal(rw_buf_str(&text), body);
}

TEST(a_document_changes_only_from_the_generation_that_the_writer_knew)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    MUST(store_begin(&w.store, &err));
    MUST(put(&w, "a", 1, "one", &err));
    MUST_FAIL(put(&w, "a", 1, "again", &err), RW_E_EXISTS);
    MUST_FAIL(put(&w, "a", 3, "three", &err), RW_E_STALE);
    MUST(put(&w, "a", 2, "two", &err));
    MUST_FAIL(put(&w, "a", 2, "late", &err), RW_E_STALE);
    MUST_FAIL(put(&w, "b", 2, "never made", &err), RW_E_STALE);
    MUST(store_commit(&w.store, &err));
    reopen(&w);
    expect(&w, "a", 2, "two");
    expect(&w, "b", 0, NULL);
    end(&w);
}

TEST(a_rolled_back_transaction_leaves_nothing)
{
    struct world w;
    struct rw_err err;
    int64_t row = 0;
    begin(&w);
    MUST(store_begin(&w.store, &err));
    MUST(put(&w, "a", 1, "one", &err));
    MUST(store_journal_append(&w.store, rw_span_str("batch"), &row, &err));
    const struct store_audit a = {.seq = 1, .record = rw_span_str("{}")};
    MUST(store_audit_append(&w.store, &a, &err));
    store_rollback(&w.store);
    struct store_audit_tip tip;
    MUST(store_audit_tip(&w.store, &tip, &err));
    assert_int_equal(tip.seq, 0);
    expect(&w, "a", 0, NULL);
    end(&w);
}

TEST(closing_in_a_transaction_rolls_it_back)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    MUST(store_begin(&w.store, &err));
    MUST(put(&w, "a", 1, "one", &err));
    reopen(&w);
    expect(&w, "a", 0, NULL);
    end(&w);
}

TEST(an_audit_number_is_used_once)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    MUST(store_begin(&w.store, &err));
    struct store_audit a = {.seq = 1, .at_s = 5, .record = rw_span_str("{}"), .hash = {9}};
    MUST(store_audit_append(&w.store, &a, &err));
    MUST_FAIL(store_audit_append(&w.store, &a, &err), RW_E_STORE);
    MUST(store_commit(&w.store, &err));
    struct store_audit_tip tip;
    MUST(store_audit_tip(&w.store, &tip, &err));
    assert_int_equal(tip.seq, 1);
    assert_int_equal(tip.hash[0], 9);
    end(&w);
}

struct rows {
    int64_t first;
    int64_t last;
    size_t count;
};

static RW_RC see_row(void *arg, int64_t row, struct rw_span batch, struct rw_err *err)
{
    struct rows *rows = arg;
    (void)err;
    assert_int_equal(batch.n, 5);
    if (rows->count == 0) { rows->first = row; }
    assert_true(row > rows->last);
    rows->last = row;
    rows->count++;
    return RW_OK;
}

TEST(a_fold_covers_its_rows_and_numbers_rise_for_ever)
{
    struct world w;
    struct rw_err err;
    int64_t row = 0;
    int64_t mark = -1;
    begin(&w);
    for (int i = 0; i < 5; i++) {
        MUST(store_begin(&w.store, &err));
        MUST(store_journal_append(&w.store, rw_span_str("batch"), &row, &err));
        MUST(store_commit(&w.store, &err));
    }
    MUST(store_begin(&w.store, &err));
    MUST(store_fold(&w.store, row, rw_span_str("image"), &err));
    MUST(store_commit(&w.store, &err));
    reopen(&w);
    RW_AUTO(rw_buf) struct rw_buf image = rw_buf_make(64);
    MUST(store_fold_load(&w.store, &mark, &image, &err));
    assert_int_equal(mark, row);
    assert_string_equal(rw_buf_str(&image), "image");
    struct rows rows = {0};
    MUST(store_journal_each(&w.store, mark, see_row, &rows, &err));
    assert_int_equal(rows.count, 0);
    int64_t before = row;
    MUST(store_begin(&w.store, &err));
    MUST(store_journal_append(&w.store, rw_span_str("batch"), &row, &err));
    MUST(store_commit(&w.store, &err));
    assert_true(row > before);
    MUST(store_journal_each(&w.store, mark, see_row, &rows, &err));
    assert_int_equal(rows.count, 1);
    assert_int_equal(rows.first, row);
    end(&w);
}

static RW_RC collect(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    return rw_buf_appendf(arg, err, "%s=%.*s ", doc->id, (int)doc->body.n,
                          (const char *)doc->body.p);
}

TEST(documents_come_in_order_of_id_and_kind_by_kind)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    MUST(store_begin(&w.store, &err));
    MUST(put(&w, "yara/0000000010", 1, "ten", &err));
    MUST(put(&w, "yara/0000000002", 1, "two", &err));
    const struct store_doc other = {.id = "x", .generation = 1, .body = rw_span_str("y")};
    MUST(store_doc_put(&w.store, "other", &other, &err));
    MUST(store_commit(&w.store, &err));
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1024);
    MUST(store_doc_each(&w.store, "thing", collect, &text, &err));
    assert_string_equal(rw_buf_str(&text), "yara/0000000002=two yara/0000000010=ten ");
    end(&w);
}

TEST(a_document_above_the_limit_is_refused)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    char *big = rw_mem_new(STORE_DOC_BYTES_MAX + 1);
    assert_non_null(big);
    const struct store_doc doc = {
        .id = "big", .generation = 1, .body = rw_span_of(big, STORE_DOC_BYTES_MAX + 1)};
    MUST(store_begin(&w.store, &err));
    MUST_FAIL(store_doc_put(&w.store, "thing", &doc, &err), RW_E_TOO_BIG);
    store_rollback(&w.store);
    rw_mem_free(big);
    end(&w);
}

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

RUN_TESTS(cmocka_unit_test(a_document_changes_only_from_the_generation_that_the_writer_knew),
          cmocka_unit_test(a_rolled_back_transaction_leaves_nothing),
          cmocka_unit_test(closing_in_a_transaction_rolls_it_back),
          cmocka_unit_test(an_audit_number_is_used_once),
          cmocka_unit_test(a_fold_covers_its_rows_and_numbers_rise_for_ever),
          cmocka_unit_test(documents_come_in_order_of_id_and_kind_by_kind),
          cmocka_unit_test(a_document_above_the_limit_is_refused),
          cmocka_unit_test(a_newer_schema_is_refused_with_a_hint),
          cmocka_unit_test(a_file_that_is_no_database_is_refused),
          cmocka_unit_test(a_commit_that_cannot_get_the_lock_fails_and_changes_nothing))
