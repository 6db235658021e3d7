/* Goal: old audit records move into a file before the store lets go of them, and the chain holds over both (INV-9);
 * what is young, wanted or newest stays, and a chain that does not hold is not moved at all. */
#include "common/base/file.h"
#include "server/report/audit_log.h"
#include "server/report/audit_segment.h"
#include "server/store/store_sqlite.h"
#include "tests/harness.h"

enum { DAY = 86400, RECORDS = 10, FILE_BYTES = 64 * 1024 };

struct world {
    struct harness_dir dir;
    struct store store;
    rw_fd folder;
};

static void append(struct world *w, int64_t day)
{
    struct rw_err err;
    const struct audit_log_entry e = {
        .actor = "ada", .action = "release.create", .object = "yara/1", .reason = "because"};
    MUST(store_begin(&w->store, &err));
    MUST(audit_log_append(&w->store, &e, (struct rw_wall){day * DAY}, &err));
    MUST(store_commit(&w->store, &err));
}

/* Records 1 to 10, of days 1 to 10. */
static void begin(struct world *w)
{
    struct rw_err err;
    *w = (struct world){.dir = harness_dir()};
    MUST(rw_dir_open(w->dir.path, &w->folder, &err));
    MUST(store_sqlite_open(":memory:", &w->store, &err));
    for (int64_t day = 1; day <= RECORDS; day++) {
        append(w, day);
    }
}

static void end(struct world *w)
{
    store_close(&w->store);
    rw_fd_drop(&w->folder);
    harness_dir_drop(&w->dir);
}

static struct audit_segment_settings settings_of(struct world *w, int64_t day)
{
    return (struct audit_segment_settings){.store = &w->store,
                                           .dir = w->folder,
                                           .now = {day * DAY},
                                           .age_s = 100 * DAY,
                                           .before = INT64_MAX,
                                           .most = 1000};
}

static int64_t move(struct world *w, const struct audit_segment_settings *s)
{
    struct rw_err err;
    int64_t count = -1;
    (void)w;
    MUST(audit_segment_move(s, &count, &err));
    return count;
}

static int64_t anchor_seq(struct world *w)
{
    struct rw_err err;
    struct audit_log_anchor a;
    MUST(audit_log_anchor(&w->store, &a, &err));
    return a.seq;
}

static RW_RC count_one(void *arg, const struct store_audit *a, struct rw_err *err)
{
    int64_t *count = arg;
    (void)a;
    (void)err;
    (*count)++;
    return RW_OK;
}

static int64_t live(struct world *w)
{
    struct rw_err err;
    int64_t count = 0;
    int64_t last = 0;
    MUST(store_audit_each(&w->store, 0, INT64_MAX, count_one, &count, &err));
    MUST(audit_log_verify(&w->store, &last, &err)); /* INV-9: from the anchor on */
    return count;
}

static void expect_file(struct world *w, const char *name, const char *begins, size_t lines)
{
    struct rw_err err;
    size_t n = 0;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FILE_BYTES);
    MUST(rw_file_read_at(w->folder, name, FILE_BYTES, &text, &err));
    assert_true(rw_span_starts(rw_buf_span(&text), begins));
    for (size_t i = 0; i < text.n; i++) {
        n += text.p[i] == '\n';
    }
    assert_int_equal(n, lines);
}

#define HEAD "{\"format\":\"ringward-audit-1\",\"after\":"

TEST(what_is_old_moves_and_the_chain_goes_on)
{
    struct world w;
    begin(&w);
    struct audit_segment_settings s = settings_of(&w, 104);
    assert_int_equal(move(&w, &s), 4);
    assert_int_equal(anchor_seq(&w), 4);
    assert_int_equal(live(&w), RECORDS - 4 + 1); /* and the record of the move */
    expect_file(&w, "audit-000000000001-000000000004.ndjson", HEAD "0,\"hash\":\"0000", 5);
    assert_int_equal(move(&w, &s), 0);
    s = settings_of(&w, 106);
    assert_int_equal(move(&w, &s), 2);
    expect_file(&w, "audit-000000000005-000000000006.ndjson", HEAD "4,", 3);
    append(&w, 300);
    assert_int_equal(live(&w), RECORDS - 6 + 3);
    end(&w);
}

TEST(the_newest_record_and_what_is_wanted_stay)
{
    struct world w;
    begin(&w);
    struct audit_segment_settings s = settings_of(&w, 1000);
    s.before = 4; /* a webhook waits for it */
    assert_int_equal(move(&w, &s), 3);
    s.before = INT64_MAX;
    s.now.s = 109 * DAY;
    s.most = 2;
    assert_int_equal(move(&w, &s), 2);
    s.most = 1000;
    assert_int_equal(move(&w, &s), 4);
    s.now.s = 5000 * DAY; /* records of the moves are old, too, by now */
    (void)move(&w, &s);
    assert_int_equal(live(&w), 2); /* the newest, and the record of this move */
    end(&w);
}

TEST(a_young_record_keeps_those_behind_it)
{
    struct world w;
    begin(&w);
    append(&w, 200);
    append(&w, 5); /* the clock was set back */
    struct audit_segment_settings s = settings_of(&w, 250);
    assert_int_equal(move(&w, &s), RECORDS);
    assert_int_equal(anchor_seq(&w), RECORDS);
    end(&w);
}

TEST(a_page_tells_what_is_not_there)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    struct audit_segment_settings s = settings_of(&w, 104);
    (void)move(&w, &s);
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FILE_BYTES);
    struct json_writer j = json_begin(&text);
    MUST(audit_log_write_page(&w.store, 3, 2, &j, &err));
    MUST(json_done(&j, &err));
    assert_non_null(strstr(rw_buf_str(&text), "\"anchor\":{\"seq\":4,\"hash\":\""));
    assert_non_null(strstr(rw_buf_str(&text), "\"next\":6"));
    rw_buf_clear(&text);
    j = json_begin(&text);
    MUST(audit_log_write_page(&w.store, 4, 2, &j, &err));
    MUST(json_done(&j, &err));
    assert_null(strstr(rw_buf_str(&text), "anchor"));
    end(&w);
}

static RW_RC fails(void *ctx, int64_t up_to, struct rw_err *err)
{
    (void)ctx;
    (void)up_to;
    return rw_fail(err, RW_E_FULL, "the disk is full");
}

TEST(inv_9_what_the_store_did_not_let_go_of_is_still_there_and_moves_again)
{
    struct world w;
    struct rw_err err;
    int64_t count = 0;
    begin(&w);
    struct audit_segment_settings s = settings_of(&w, 104);
    struct store_backend broken = *w.store.backend;
    const struct store_backend *whole = w.store.backend;
    broken.audit_drop = fails;
    w.store.backend = &broken;
    MUST_FAIL(audit_segment_move(&s, &count, &err), RW_E_FULL);
    w.store.backend = whole;
    assert_int_equal(anchor_seq(&w), 0);
    assert_int_equal(live(&w), RECORDS);
    assert_int_equal(move(&w, &s), 4);
    end(&w);
}

TEST(inv_9_a_folder_that_takes_no_file_keeps_the_records)
{
    struct world w;
    struct rw_err err;
    int64_t count = 0;
    begin(&w);
    struct audit_segment_settings s = settings_of(&w, 104);
    s.dir = -1;
    assert_false(rw_is_ok(audit_segment_move(&s, &count, &err)));
    assert_int_equal(live(&w), RECORDS);
    end(&w);
}

TEST(inv_9_a_chain_that_does_not_hold_is_not_moved)
{
    struct world w;
    struct rw_err err;
    int64_t count = 0;
    begin(&w);
    struct store_audit_tip tip;
    MUST(store_audit_tip(&w.store, &tip, &err));
    const struct store_audit forged = {
        .seq = tip.seq + 1, .at_s = DAY, .record = rw_span_str("{\"seq\":11}")};
    MUST(store_begin(&w.store, &err));
    MUST(store_audit_append(&w.store, &forged, &err));
    MUST(store_commit(&w.store, &err));
    append(&w, 12);
    const struct audit_segment_settings s = settings_of(&w, 1000);
    MUST_FAIL(audit_segment_move(&s, &count, &err), RW_E_TUF_HASH);
    assert_int_equal(anchor_seq(&w), 0);
    end(&w);
}

RUN_TESTS(cmocka_unit_test(what_is_old_moves_and_the_chain_goes_on),
          cmocka_unit_test(the_newest_record_and_what_is_wanted_stay),
          cmocka_unit_test(a_young_record_keeps_those_behind_it),
          cmocka_unit_test(a_page_tells_what_is_not_there),
          cmocka_unit_test(inv_9_what_the_store_did_not_let_go_of_is_still_there_and_moves_again),
          cmocka_unit_test(inv_9_a_folder_that_takes_no_file_keeps_the_records),
          cmocka_unit_test(inv_9_a_chain_that_does_not_hold_is_not_moved))
