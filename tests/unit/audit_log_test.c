/* Goal: INV-9: a record is kept or lost with its change, the chain tells every kind of tampering, and what a page shows
 * is enough to verify it offline. */
#include "common/crypto/digest.h"
#include "server/report/audit_log.h"
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

static void begin(struct world *w)
{
    struct rw_err err;
    *w = (struct world){.dir = "/tmp/rw-audit-XXXXXX"};
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof(w->path), "%s/db", w->dir);
    MUST(store_sqlite_open(w->path, &w->store, &err));
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

static struct audit_log_entry entry(const char *reason)
{
    return (struct audit_log_entry){.actor = "ada",
                                    .action = "rollout.halt",
                                    .object = "yara/2",
                                    .reason = reason,
                                    .details =
                                        rw_span_str("{\"failed\": 3, \"note\":\"a\\u00e9\"}")};
}

static void append(struct world *w, size_t count)
{
    struct rw_err err;
    MUST(store_begin(&w->store, &err));
    for (size_t i = 0; i < count; i++) {
        struct audit_log_entry e = entry(i % 2 == 0 ? "quote \" \\ \n tab" : "");
        MUST(audit_log_append(&w->store, &e, (struct rw_wall){1700000000 + (int64_t)i}, &err));
    }
    MUST(store_commit(&w->store, &err));
}

TEST(a_record_is_lost_with_the_change_that_it_tells_of)
{
    struct world w;
    struct rw_err err;
    int64_t count = -1;
    begin(&w);
    append(&w, 2);
    struct audit_log_entry e = entry("");
    MUST(store_begin(&w.store, &err));
    MUST(audit_log_append(&w.store, &e, (struct rw_wall){1}, &err));
    store_rollback(&w.store);
    MUST(audit_log_verify(&w.store, &count, &err));
    assert_int_equal(count, 2);
    append(&w, 1);
    MUST(audit_log_verify(&w.store, &count, &err));
    assert_int_equal(count, 3);
    end(&w);
}

/* Also where the caller goes on: a record that could not even be written takes its change with it. */
TEST(a_change_is_lost_with_the_record_that_could_not_be_made)
{
    struct world w;
    struct rw_err err;
    int64_t count = -1;
    begin(&w);
    append(&w, 1);
    struct audit_log_entry e = entry("");
    e.details = rw_span_str("[\"no object\"]");
    const struct store_doc doc = {.id = "yara/2", .generation = 1, .body = rw_span_str("{}")};
    MUST(store_begin(&w.store, &err));
    MUST(store_doc_put(&w.store, "rollout", &doc, &err));
    assert_false(rw_is_ok(audit_log_append(&w.store, &e, (struct rw_wall){1}, &err)));
    MUST_FAIL(store_commit(&w.store, &err), RW_E_STORE);
    MUST(audit_log_verify(&w.store, &count, &err));
    assert_int_equal(count, 1);
    end(&w);
}

static const struct tamper_case {
    const char *id;
    const char *sql;
    const char *named; /* in the error */
} tampers[] = {
    {"a changed record", "UPDATE audit SET record = replace(record, 'ada', 'eve') WHERE seq = 2",
     "record 2"},
    {"a changed hash", "UPDATE audit SET hash = zeroblob(32) WHERE seq = 3", "record 3"},
    {"a record taken out", "DELETE FROM audit WHERE seq = 2", "record 2"},
    {"the first record taken out", "DELETE FROM audit WHERE seq = 1", "record 1"},
    {"two records exchanged",
     "UPDATE audit SET record = CASE seq WHEN 2 THEN (SELECT record FROM audit WHERE seq = 3) "
     "ELSE (SELECT record FROM audit WHERE seq = 2) END WHERE seq IN (2, 3)",
     "record 2"},
};

TEST_EACH(tampering_is_found_at_the_record_where_it_begins, tampers)
{
    struct world w;
    struct rw_err err;
    int64_t count = 0;
    sqlite3 *db = NULL;
    begin(&w);
    append(&w, 5);
    assert_int_equal(sqlite3_open(w.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, it->sql, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    MUST_FAIL(audit_log_verify(&w.store, &count, &err), RW_E_TUF_HASH);
    assert_non_null(strstr(err.text, it->named));
    end(&w);
}

/* What an auditor does with a page: take `hash` out, pack, hash with the predecessor's. */
static void verify_offline(const struct json *record, uint8_t hash[static DIGEST_BYTES])
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 16);
    RW_AUTO(digest) struct digest d = {.ctx = NULL};
    char hex[DIGEST_HEX_BYTES];
    char want[DIGEST_HEX_BYTES];
    struct json_writer w = json_begin(&text);
    json_put_tree(&w, NULL, record);
    MUST(json_done(&w, &err));
    size_t tail = strlen(",\"hash\":\"\"}") + 64;
    MUST(digest_begin(&d, &err));
    MUST(digest_add(&d, rw_span_of(hash, DIGEST_BYTES), &err));
    MUST(digest_add(&d, rw_span_of(text.p, text.n - tail), &err));
    MUST(digest_add(&d, rw_span_str("}"), &err));
    MUST(digest_end(&d, hash, &err));
    rw_hex_encode(hex, sizeof(hex), hash, DIGEST_BYTES);
    MUST(json_get_str(record, "hash", want, sizeof(want), &err));
    assert_string_equal(hex, want);
}

TEST(pages_carry_everything_that_offline_verification_needs)
{
    struct world w;
    struct rw_err err;
    uint8_t hash[DIGEST_BYTES] = {0};
    int64_t after = 0;
    size_t seen = 0;
    begin(&w);
    append(&w, 7);
    for (int page = 0; page < 3; page++) {
        RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 16);
        RW_AUTO(json_tree) json_tree tree = NULL;
        struct json_writer j = json_begin(&out);
        MUST(audit_log_write_page(&w.store, after, 3, &j, &err));
        MUST(json_done(&j, &err));
        MUST(json_parse(rw_buf_span(&out), &json_limits_small, &tree, &err));
        for (const struct json *r = json_first(json_find(tree, "records")); r != NULL;
             r = json_next(r)) {
            verify_offline(r, hash);
            seen++;
        }
        if (page < 2) {
            MUST(json_get_int(tree, "next", 1, 100, &after, &err));
        } else {
            assert_null(json_find(tree, "next"));
        }
    }
    assert_int_equal(seen, 7);
    end(&w);
}

TEST(details_that_are_no_object_and_pages_out_of_range_are_refused)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    struct audit_log_entry e = entry("");
    MUST(store_begin(&w.store, &err));
    e.details = rw_span_str("[1]");
    MUST_FAIL(audit_log_append(&w.store, &e, (struct rw_wall){1}, &err), RW_E_SCHEMA);
    e.details = rw_span_str("{\"a\":");
    MUST_FAIL(audit_log_append(&w.store, &e, (struct rw_wall){1}, &err), RW_E_SYNTAX);
    store_rollback(&w.store);
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(1 << 16);
    struct json_writer j = json_begin(&out);
    MUST_FAIL(audit_log_write_page(&w.store, 0, 0, &j, &err), RW_E_RANGE);
    MUST_FAIL(audit_log_write_page(&w.store, 0, 1001, &j, &err), RW_E_RANGE);
    MUST_FAIL(audit_log_write_page(&w.store, -1, 5, &j, &err), RW_E_RANGE);
    end(&w);
}

RUN_TESTS(cmocka_unit_test(a_record_is_lost_with_the_change_that_it_tells_of),
          cmocka_unit_test(a_change_is_lost_with_the_record_that_could_not_be_made),
          cmocka_unit_test(tampering_is_found_at_the_record_where_it_begins),
          cmocka_unit_test(pages_carry_everything_that_offline_verification_needs),
          cmocka_unit_test(details_that_are_no_object_and_pages_out_of_range_are_refused))
