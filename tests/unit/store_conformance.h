/* store_conformance.h: what every back end of the store must keep; included by the test of each back end, which says
 * before it how a world of its own is opened, opened again and ended:
 *   struct world { struct store store; ... };  begin(), reopen(), end(), and KEPT_ROWS of the journal, that are
 *   dropped later than asked for */
#ifndef RINGWARD_TEST_STORE_CONFORMANCE_H
#define RINGWARD_TEST_STORE_CONFORMANCE_H

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

TEST(a_document_is_removed_from_the_generation_that_the_writer_knew_only)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    MUST(store_begin(&w.store, &err));
    MUST(put(&w, "a", 1, "one", &err));
    MUST(put(&w, "a", 2, "two", &err));
    MUST(put(&w, "b", 1, "other", &err));
    MUST(store_commit(&w.store, &err));
    MUST(store_begin(&w.store, &err));
    MUST_FAIL(store_doc_remove(&w.store, "thing", "a", 1, &err), RW_E_STALE);
    MUST_FAIL(store_doc_remove(&w.store, "other", "a", 2, &err), RW_E_STALE);
    MUST(store_doc_remove(&w.store, "thing", "a", 2, &err));
    MUST_FAIL(store_doc_remove(&w.store, "thing", "a", 2, &err), RW_E_STALE);
    MUST(store_commit(&w.store, &err));
    reopen(&w);
    expect(&w, "a", 0, NULL);
    expect(&w, "b", 1, "other");
    MUST(store_begin(&w.store, &err));
    MUST(store_doc_remove(&w.store, "thing", "b", 1, &err));
    store_rollback(&w.store);
    expect(&w, "b", 1, "other");
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
    MUST(store_commit(&w.store, &err));
    MUST(store_begin(&w.store, &err));
    MUST_FAIL(store_audit_append(&w.store, &a, &err), RW_E_STORE);
    store_rollback(&w.store);
    struct store_audit_tip tip;
    MUST(store_audit_tip(&w.store, &tip, &err));
    assert_int_equal(tip.seq, 1);
    assert_int_equal(tip.hash[0], 9);
    end(&w);
}

/* INV-9: several callers share a transaction. One whose record could not be written must not leave its change in it,
 * and what comes behind must not be kept alone. */
TEST(a_transaction_that_lacks_a_write_keeps_nothing)
{
    struct world w;
    struct rw_err err;
    begin(&w);
    const struct store_audit a = {.seq = 1, .record = rw_span_str("{}")};
    int64_t row = 0;
    MUST(store_begin(&w.store, &err));
    MUST(store_audit_append(&w.store, &a, &err));
    MUST(store_commit(&w.store, &err));
    MUST(store_begin(&w.store, &err));
    MUST(put(&w, "a", 1, "one", &err));
    MUST_FAIL(store_audit_append(&w.store, &a, &err), RW_E_STORE);
    MUST_FAIL(put(&w, "b", 1, "one", &err), RW_E_STORE);
    MUST_FAIL(store_journal_append(&w.store, rw_span_str("batch"), &row, &err), RW_E_STORE);
    MUST_FAIL(store_commit(&w.store, &err), RW_E_STORE);
    assert_false(w.store.in_transaction);
    expect(&w, "a", 0, NULL);
    expect(&w, "b", 0, NULL);
    MUST(store_begin(&w.store, &err)); /* the next one is whole again */
    MUST(put(&w, "a", 1, "one", &err));
    store_spoil(&w.store);
    MUST_FAIL(store_commit(&w.store, &err), RW_E_STORE);
    MUST(store_begin(&w.store, &err));
    MUST(put(&w, "a", 1, "one", &err));
    MUST(store_commit(&w.store, &err));
    expect(&w, "a", 1, "one");
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

TEST(journal_rows_are_dropped_from_the_oldest_on_as_many_as_asked_for)
{
    struct world w;
    struct rw_err err;
    int64_t first = 0;
    int64_t row = 0;
    bool more = false;
    begin(&w);
    MUST(store_begin(&w.store, &err));
    MUST(store_journal_drop(&w.store, 100, 4, &more, &err)); /* there is none yet */
    assert_false(more);
    for (int i = 0; i < KEPT_ROWS + 10; i++) {
        MUST(store_journal_append(&w.store, rw_span_str("batch"), &row, &err));
        if (i == 0) { first = row; }
    }
    MUST(store_journal_drop(&w.store, first + KEPT_ROWS + 5, 4, &more, &err));
    assert_true(more);
    MUST(store_commit(&w.store, &err));
    struct rows rows = {0};
    MUST(store_journal_each(&w.store, 0, see_row, &rows, &err));
    assert_int_equal(rows.first, first + 4);
    MUST(store_begin(&w.store, &err));
    MUST(store_journal_drop(&w.store, first + KEPT_ROWS + 5, 4, &more, &err));
    assert_false(more);
    MUST(store_commit(&w.store, &err));
    rows = (struct rows){0};
    MUST(store_journal_each(&w.store, 0, see_row, &rows, &err));
    assert_int_equal(rows.first, first + 6);
    assert_int_equal(rows.last, row);
    end(&w);
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
    MUST(store_fold_mark(&w.store, &mark, &err));
    assert_int_equal(mark, 0);
    MUST(store_fold(&w.store, row, rw_span_str("image"), &err));
    bool more = true;
    MUST(store_journal_drop(&w.store, row, 1000, &more, &err));
    assert_false(more);
    MUST(store_commit(&w.store, &err));
    reopen(&w);
    RW_AUTO(rw_buf) struct rw_buf image = rw_buf_make(64);
    MUST(store_fold_mark(&w.store, &mark, &err));
    assert_int_equal(mark, row);
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
    rw_buf_clear(&text);
    struct store_docs some = {.kind = "thing", .after = "", .limit = 1};
    MUST(store_doc_some(&w.store, &some, collect, &text, &err));
    some.after = "yara/0000000002"; /* not that one itself */
    some.limit = 5;
    MUST(store_doc_some(&w.store, &some, collect, &text, &err));
    some.after = "yara/0000000003"; /* which is not there */
    MUST(store_doc_some(&w.store, &some, collect, &text, &err));
    some.after = "yara/0000000010";
    MUST(store_doc_some(&w.store, &some, collect, &text, &err));
    assert_string_equal(rw_buf_str(&text),
                        "yara/0000000002=two yara/0000000010=ten yara/0000000010=ten ");
    int64_t count = -1;
    MUST(store_doc_count(&w.store, "thing", &count, &err));
    assert_int_equal(count, 2);
    MUST(store_doc_count(&w.store, "none", &count, &err));
    assert_int_equal(count, 0);
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

/* Larger than whatever a back end keeps in one piece. */
TEST(a_large_image_comes_back_as_it_was)
{
    struct world w;
    struct rw_err err;
    enum { IMAGE_BYTES = 20 * 1024 * 1024 + 7 };
    int64_t mark = 0;
    begin(&w);
    uint8_t *image = rw_mem_new(IMAGE_BYTES);
    assert_non_null(image);
    for (size_t i = 0; i < IMAGE_BYTES; i++) {
        image[i] = (uint8_t)(i * 2654435761U >> 13);
    }
    for (int64_t round = 1; round <= 2; round++) {
        MUST(store_begin(&w.store, &err));
        MUST(store_fold(&w.store, round, rw_span_of(image, IMAGE_BYTES / (size_t)round), &err));
        MUST(store_commit(&w.store, &err));
    }
    reopen(&w);
    RW_AUTO(rw_buf) struct rw_buf back = rw_buf_make(IMAGE_BYTES);
    MUST(store_fold_load(&w.store, &mark, &back, &err));
    assert_int_equal(mark, 2);
    assert_int_equal(back.n, IMAGE_BYTES / 2);
    assert_memory_equal(back.p, image, back.n);
    rw_mem_free(image);
    end(&w);
}

static RW_RC note_slice(void *arg, const struct store_slice *slice, struct rw_err *err)
{
    return rw_buf_appendf(arg, err, "%lld@%lld:%lld ", (long long)slice->number,
                          (long long)slice->mark, (long long)slice->bytes);
}

static void expect_slices(struct world *w, const char *want)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1024);
    MUST(store_slice_each(&w->store, note_slice, &text, &err));
    assert_string_equal(rw_buf_str(&text), want);
}

TEST(a_slice_takes_the_place_of_the_one_of_its_number_and_of_no_other)
{
    struct world w;
    struct rw_err err;
    int64_t mark = 0;
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(64);
    begin(&w);
    expect_slices(&w, "");
    MUST(store_begin(&w.store, &err));
    MUST(store_slice_put(&w.store, 7, 3, rw_span_str("seven"), &err));
    MUST(store_slice_put(&w.store, 0, 3, rw_span_str(""), &err));
    MUST(store_commit(&w.store, &err));
    expect_slices(&w, "0@3:0 7@3:5 ");
    MUST(store_begin(&w.store, &err));
    MUST(store_slice_put(&w.store, 7, 9, rw_span_str("seven again"), &err));
    expect_slices(&w, "0@3:0 7@9:11 ");
    store_rollback(&w.store);
    reopen(&w);
    expect_slices(&w, "0@3:0 7@3:5 ");
    MUST(store_begin(&w.store, &err));
    MUST(store_slice_put(&w.store, 7, 9, rw_span_str("other"), &err));
    MUST(store_commit(&w.store, &err));
    reopen(&w);
    expect_slices(&w, "0@3:0 7@9:5 ");
    MUST(store_slice_get(&w.store, 7, &mark, &bytes, &err));
    assert_int_equal(mark, 9);
    assert_string_equal(rw_buf_str(&bytes), "other");
    MUST_FAIL(store_slice_get(&w.store, 1, &mark, &bytes, &err), RW_E_NOT_FOUND);
    MUST(store_fold_mark(&w.store, &mark, &err)); /* slices alone are no fold */
    assert_int_equal(mark, 0);
    end(&w);
}

static RW_RC count_record(void *arg, const struct store_audit *a, struct rw_err *err)
{
    int64_t *count = arg;
    (void)err;
    (*count)++;
    assert_int_equal(a->seq, *count);
    return RW_OK;
}

TEST(many_rows_and_records_come_in_their_order_and_limits_hold)
{
    enum { MANY = 2345 };
    struct world w;
    struct rw_err err;
    int64_t first = 0;
    int64_t row = 0;
    begin(&w);
    MUST(store_begin(&w.store, &err));
    for (int64_t i = 1; i <= MANY; i++) {
        const struct store_audit a = {.seq = i, .record = rw_span_str("{}")};
        MUST(store_journal_append(&w.store, rw_span_str("batch"), &row, &err));
        MUST(store_audit_append(&w.store, &a, &err));
        if (i == 1) { first = row; }
    }
    MUST(store_commit(&w.store, &err));
    assert_int_equal(row, first + MANY - 1);
    struct rows rows = {0};
    MUST(store_journal_each(&w.store, first, see_row, &rows, &err));
    assert_int_equal(rows.count, MANY - 1);
    int64_t seen = 0;
    MUST(store_audit_each(&w.store, 0, INT64_MAX, count_record, &seen, &err));
    assert_int_equal(seen, MANY);
    seen = 0;
    MUST(store_audit_each(&w.store, 0, 1500, count_record, &seen, &err));
    assert_int_equal(seen, 1500);
    end(&w);
}

TEST(old_audit_records_go_and_numbers_go_on)
{
    struct world w;
    struct rw_err err;
    struct store_audit_tip tip;
    int64_t seen = 3;
    begin(&w);
    MUST(store_begin(&w.store, &err));
    for (int64_t i = 1; i <= 5; i++) {
        const struct store_audit a = {.seq = i, .record = rw_span_str("{}")};
        MUST(store_audit_append(&w.store, &a, &err));
    }
    MUST(store_commit(&w.store, &err));
    MUST(store_begin(&w.store, &err));
    MUST(store_audit_drop(&w.store, 4, &err));
    store_rollback(&w.store);
    MUST(store_begin(&w.store, &err));
    MUST(store_audit_drop(&w.store, 3, &err));
    MUST(store_commit(&w.store, &err));
    reopen(&w);
    MUST(store_audit_each(&w.store, 0, INT64_MAX, count_record, &seen, &err));
    assert_int_equal(seen, 5);
    MUST(store_audit_tip(&w.store, &tip, &err));
    assert_int_equal(tip.seq, 5);
    end(&w);
}

TEST(bytes_of_every_value_and_none_at_all_are_kept)
{
    struct world w;
    struct rw_err err;
    uint8_t all[256];
    int64_t generation = 0;
    begin(&w);
    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (uint8_t)i;
    }
    const struct store_doc bytes = {
        .id = "all", .generation = 1, .body = rw_span_of(all, sizeof(all))};
    const struct store_doc empty = {.id = "none", .generation = 1, .body = rw_span_of(NULL, 0)};
    MUST(store_begin(&w.store, &err));
    MUST(store_doc_put(&w.store, "thing", &bytes, &err));
    MUST(store_doc_put(&w.store, "thing", &empty, &err));
    MUST(store_commit(&w.store, &err));
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(1024);
    MUST(store_doc_get(&w.store, "thing", "all", &body, &generation, &err));
    assert_int_equal(body.n, sizeof(all));
    assert_memory_equal(body.p, all, sizeof(all));
    rw_buf_clear(&body);
    MUST(store_doc_get(&w.store, "thing", "none", &body, &generation, &err));
    assert_int_equal(body.n, 0);
    end(&w);
}

#define STORE_CONFORMANCE                                                                          \
    cmocka_unit_test(a_document_changes_only_from_the_generation_that_the_writer_knew),            \
        cmocka_unit_test(a_document_is_removed_from_the_generation_that_the_writer_knew_only),     \
        cmocka_unit_test(a_rolled_back_transaction_leaves_nothing),                                \
        cmocka_unit_test(closing_in_a_transaction_rolls_it_back),                                  \
        cmocka_unit_test(an_audit_number_is_used_once),                                            \
        cmocka_unit_test(a_transaction_that_lacks_a_write_keeps_nothing),                          \
        cmocka_unit_test(journal_rows_are_dropped_from_the_oldest_on_as_many_as_asked_for),        \
        cmocka_unit_test(a_slice_takes_the_place_of_the_one_of_its_number_and_of_no_other),        \
        cmocka_unit_test(a_fold_covers_its_rows_and_numbers_rise_for_ever),                        \
        cmocka_unit_test(documents_come_in_order_of_id_and_kind_by_kind),                          \
        cmocka_unit_test(a_document_above_the_limit_is_refused),                                   \
        cmocka_unit_test(a_large_image_comes_back_as_it_was),                                      \
        cmocka_unit_test(many_rows_and_records_come_in_their_order_and_limits_hold),               \
        cmocka_unit_test(old_audit_records_go_and_numbers_go_on),                                  \
        cmocka_unit_test(bytes_of_every_value_and_none_at_all_are_kept)

#endif
