/* Goal: a fold that is not whole is refused, and named; stores of the form before slices are taken over, whatever stops
 * their first fold. */
#include "server/store/store_schema.h"
#include "tests/fleet_old_image.h"
#include "tests/unit/fleet_slices_world.h"

#include <sqlite3.h>

/* --- stores of the old form --- */

static void sql(sqlite3 *db, const char *text)
{
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
}

static RW_RC copy_row(void *arg, int64_t row, struct rw_span batch, struct rw_err *err)
{
    sqlite3_stmt *st = NULL;
    (void)err;
    assert_int_equal(sqlite3_prepare_v2(arg, "INSERT INTO journal VALUES (?1, ?2)", -1, &st, NULL),
                     SQLITE_OK);
    (void)sqlite3_bind_int64(st, 1, row);
    (void)sqlite3_bind_blob(st, 2, batch.p, (int)batch.n, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    (void)sqlite3_finalize(st);
    return RW_OK;
}

/* Makes the store one of schema 1: the image of now, and the journal behind `mark`, where it stood. */
static void make_old(struct world *w, struct rw_span image, int64_t mark)
{
    struct rw_err err;
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    char old[128];
    (void)snprintf(old, sizeof(old), "%s-old", w->path);
    (void)unlink(old);
    assert_int_equal(sqlite3_open(old, &db), SQLITE_OK);
    sql(db, store_schema_steps[0]);
    sql(db, "PRAGMA user_version = 1");
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO fold VALUES (1, ?1, ?2)", -1, &st, NULL),
                     SQLITE_OK);
    (void)sqlite3_bind_int64(st, 1, mark);
    (void)sqlite3_bind_blob(st, 2, image.p, (int)image.n, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    (void)sqlite3_finalize(st);
    MUST(store_journal_each(&w->store, mark, copy_row, db, &err));
    (void)sqlite3_close(db);
    fleet_state_drop(&w->fleet);
    store_close(&w->store);
    assert_int_equal(rename(old, w->path), 0);
}

TEST(a_store_of_the_old_form_is_opened_and_becomes_one_of_slices)
{
    struct world *w = rw_mem_new(sizeof(*w));
    struct rw_err err;
    assert_non_null(w);
    for (int pieces = 0; pieces < 6; pieces++) {
        RW_AUTO(rw_buf) struct rw_buf image = rw_buf_make(IMAGE_BYTES_MAX);
        int64_t mark = 0;
        world_begin(w, 11);
        w->kinds = FLEET_KINDS - 1;
        settle_in(w, 2100);
        some_work(w, 300);
        world_commit(w);
        MUST(old_image_write(&w->fleet->table, &image, &err));
        mark = w->fleet->last_row;
        some_work(w, 100); /* in the journal only */
        world_commit(w);
        make_old(w, rw_buf_span(&image), mark);
        world_open(w);
        world_expect_model(w);
        for (int i = 0; i < pieces; i++) {
            (void)world_piece(w);
        }
        world_kill(w);
        world_expect_model(w);
        world_fold(w);
        rw_buf_clear(&image);
        MUST(store_fold_load(&w->store, &mark, &image, &err));
        assert_int_equal(image.p[0], FLEET_HEAD_VERSION);
        some_work(w, 50);
        world_commit(w);
        world_kill(w);
        world_expect_model(w);
        world_end(w);
    }
    rw_mem_free(w);
}

/* A program of before may have folded last, over slices of a newer one that has ended: they are of another time. */
TEST(slices_that_are_older_than_an_old_image_are_written_anew)
{
    struct world *w = rw_mem_new(sizeof(*w));
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf image = rw_buf_make(IMAGE_BYTES_MAX);
    bool more = false;
    assert_non_null(w);
    world_begin(w, 5);
    w->kinds = FLEET_KINDS - 1;
    settle_in(w, 2100);
    world_fold(w);
    some_work(w, 200);
    world_commit(w);
    MUST(old_image_write(&w->fleet->table, &image, &err));
    MUST(store_begin(&w->store, &err));
    MUST(store_fold(&w->store, w->fleet->last_row, rw_buf_span(&image), &err));
    MUST(store_journal_drop(&w->store, w->fleet->last_row, 100, &more, &err));
    MUST(store_commit(&w->store, &err));
    world_kill(w);
    world_expect_model(w);
    world_fold(w);
    world_kill(w);
    world_expect_model(w);
    world_end(w);
    rw_mem_free(w);
}

/* --- heads of version 5, which do not know the signal `mute` --- */

static RW_RC old_append(struct rw_buf *b, struct rw_span *from, size_t keep, size_t leave,
                        struct rw_err *err)
{
    RW_ASSERT(keep + leave <= from->n);
    RW_TRY(rw_buf_append(b, rw_span_of(from->p, keep), err));
    *from = rw_span_of(from->p + keep + leave, from->n - keep - leave);
    return RW_OK;
}

/* The same head in version 5; `t` is what it was written from. */
static RW_RC old_head_write(const struct fleet_table *t, struct rw_span sealed, struct rw_buf *b,
                            struct rw_err *err)
{
    struct rw_span head;
    size_t entry = sizeof(struct fleet_count_entry);
    size_t kinds = (size_t)FLEET_KINDS * 8;
    size_t windows = 8 + t->windows.used * sizeof(struct fleet_window_entry);
    size_t tail = kinds + t->names[FLEET_RINGS].count * 8 + 8 + t->count_used * entry + windows;
    RW_TRY(fleet_bytes_unseal(sealed, "a head", &head, err));
    RW_ASSERT(head.n > tail && head.p[0] == FLEET_HEAD_VERSION);
    RW_TRY(fleet_bytes_put(b, FLEET_OLD_HEAD_VERSION, 1, err));
    head = rw_span_of(head.p + 1, head.n - 1);
    RW_TRY(old_append(b, &head, head.n - tail + kinds - 8, 8, err));
    RW_TRY(old_append(b, &head, t->names[FLEET_RINGS].count * 8 + 8, 0, err));
    for (size_t i = 0; i < t->count_used; i++) {
        RW_TRY(old_append(b, &head, entry - 8, 8, err));
    }
    RW_TRY(old_append(b, &head, windows, 0, err));
    return fleet_bytes_seal(b, err);
}

/* A program of before has folded last: its counts are taken over, and what falls mute from then on is counted. */
TEST(a_head_that_knows_no_muteness_is_taken_over)
{
    struct world *w = rw_mem_new(sizeof(*w));
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf head = rw_buf_make(IMAGE_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf old = rw_buf_make(IMAGE_BYTES_MAX);
    int64_t mark = 0;
    assert_non_null(w);
    world_begin(w, 17);
    w->kinds = FLEET_KINDS - 1;
    settle_in(w, 2100);
    some_work(w, 300);
    world_commit(w);
    world_fold(w);
    MUST(store_fold_load(&w->store, &mark, &head, &err));
    MUST(old_head_write(&w->fleet->table, rw_buf_span(&head), &old, &err));
    MUST(store_begin(&w->store, &err));
    MUST(store_fold(&w->store, mark, rw_buf_span(&old), &err));
    MUST(store_commit(&w->store, &err));
    world_kill(w);
    world_expect_model(w);
    w->kinds = FLEET_KINDS;
    some_work(w, 300);
    world_commit(w);
    world_fold(w);
    world_kill(w);
    world_expect_model(w);
    assert_true(w->fleet->table.beacons[BEACON_MUTE] > 0);
    world_end(w);
    rw_mem_free(w);
}

/* Slices of both versions stand side by side after the first fold of this program. */
TEST(slices_of_the_version_before_are_read)
{
    struct world *w = rw_mem_new(sizeof(*w));
    struct rw_err err;
    assert_non_null(w);
    world_begin(w, 3);
    settle_in(w, 2100);
    some_work(w, 400);
    world_commit(w);
    world_fold(w);
    MUST(store_begin(&w->store, &err));
    for (size_t i = 0; i < fleet_table_slices(&w->fleet->table); i += 2) {
        RW_AUTO(rw_buf) struct rw_buf slice = rw_buf_make(IMAGE_BYTES_MAX);
        int64_t mark = w->fleet->last_row;
        MUST(old_slice_write(&w->fleet->table, i, mark, &slice, &err));
        MUST(store_slice_put(&w->store, (int64_t)i * 2, mark, rw_buf_span(&slice), &err));
        MUST(store_slice_put(&w->store, (int64_t)i * 2 + 1, mark, rw_buf_span(&slice), &err));
    }
    MUST(store_commit(&w->store, &err));
    world_kill(w);
    world_expect_model(w);
    some_work(w, 100);
    world_commit(w);
    world_fold(w);
    world_kill(w);
    world_expect_model(w);
    world_end(w);
    rw_mem_free(w);
}

/* The ring of before: with 32 ids the oldest is where the next one would go. */
TEST(ids_of_a_ring_that_has_turned_come_in_their_order)
{
    struct rw_err err;
    struct fleet_table t;
    const struct fleet_known known = {.count = {1, 1, 1, 1}};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(4096);
    MUST(fleet_table_make(&t, &err));
    const uint8_t head[] = {[0] = 7, [22] = 1, [23] = 0, [24] = 5, [25] = 32};
    uint8_t rest[27] = {0};
    MUST(rw_buf_append(&b, rw_span_of(head, sizeof(head)), &err));
    MUST(rw_buf_append(&b, rw_span_of(rest, sizeof(rest)), &err));
    for (uint64_t i = 0; i < 32; i++) {
        MUST(fleet_bytes_put(&b, i < 5 ? i + 28 : i - 4, 8, &err)); /* 1 stands at place 5 */
    }
    MUST(fleet_bytes_put(&b, 0, 2, &err));
    struct fleet_cursor c = {rw_buf_span(&b)};
    MUST(fleet_endpoint_get(&c, &known, FLEET_ENDPOINT_SLICE_1, &t, &err));
    assert_int_equal(c.rest.n, 0);
    for (uint64_t i = 0; i < 32; i++) {
        assert_true(fleet_table_recent(&t, &t.endpoints[0])[i] == i + 1);
    }
    assert_true(fleet_table_know(&t));
    assert_ptr_equal(fleet_table_find(&t, head), &t.endpoints[0]);
    c.rest = rw_buf_span(&b); /* INV-11: one endpoint is not there twice */
    MUST(fleet_endpoint_get(&c, &known, FLEET_ENDPOINT_SLICE_1, &t, &err));
    assert_false(fleet_table_know(&t));
    fleet_table_drop(&t);
}

/* --- damage --- */

static const struct damage {
    const char *id;
    const char *change;
    enum rw_code want;
} damages[] = {
    {"a_slice_is_missing", "DELETE FROM slice WHERE number = 2", RW_E_STORE},
    {"a_slice_of_another_row", "UPDATE slice SET mark = 2 WHERE number = 2", RW_E_PROTOCOL},
    {"a_byte_of_a_slice_differs",
     "UPDATE slice SET bytes = CAST(substr(bytes, 1, 500) || x'55' || substr(bytes, 502) AS BLOB)"
     " WHERE number = 2",
     RW_E_PROTOCOL},
    {"a_slice_in_the_place_of_another",
     "UPDATE slice SET bytes = (SELECT bytes FROM slice WHERE number = 0) WHERE number = 2",
     RW_E_PROTOCOL},
    {"a_slice_is_cut", "UPDATE slice SET bytes = x'01' WHERE number = 2", RW_E_PROTOCOL},
    {"a_byte_of_the_head_differs",
     "UPDATE fold SET image = CAST(substr(image, 1, 30) || x'55' || substr(image, 32) AS BLOB)",
     RW_E_PROTOCOL},
    {"the_head_of_another_row", "UPDATE fold SET mark = mark + 1", RW_E_PROTOCOL},
    {"the_journal_ends_too_early", "DELETE FROM journal", RW_E_STORE},
};

static void expect_refused(const struct damage *it)
{
    struct world *w = rw_mem_new(sizeof(*w));
    struct rw_err err;
    struct fleet_state *fleet = NULL;
    sqlite3 *db = NULL;
    assert_non_null(w);
    world_begin(w, 2);
    settle_in(w, 2100);
    assert_true(world_piece(w));
    world_work(w, (struct work){.kind = WORK_RING, .place = 77}); /* behind the fold's beginning */
    world_commit(w);
    world_fold(w);
    assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
    sql(db, it->change);
    assert_int_equal(sqlite3_changes(db), 1);
    (void)sqlite3_close(db);
    MUST_FAIL(fleet_state_open(&w->store, &fleet, &err), it->want);
    world_end(w);
    rw_mem_free(w);
}

TEST(a_damaged_fold_is_refused_and_named)
{
    for (size_t i = 0; i < RW_LEN(damages); i++) {
        print_message("           case %s\n", damages[i].id);
        expect_refused(&damages[i]);
    }
}

RUN_TESTS(cmocka_unit_test(a_store_of_the_old_form_is_opened_and_becomes_one_of_slices),
          cmocka_unit_test(slices_that_are_older_than_an_old_image_are_written_anew),
          cmocka_unit_test(a_head_that_knows_no_muteness_is_taken_over),
          cmocka_unit_test(slices_of_the_version_before_are_read),
          cmocka_unit_test(ids_of_a_ring_that_has_turned_come_in_their_order),
          cmocka_unit_test(a_damaged_fold_is_refused_and_named))
