/* Goal: the index knows after every change what reading all documents would say, and nothing once something may not
 * have been kept. */
#include "server/release/release_index.h"
#include "tests/harness.h"

static void note(struct release_index *x, const char *family, int64_t number, int state)
{
    RW_AUTO(release) struct release r = release_make();
    (void)snprintf(r.id.family, sizeof(r.id.family), "%s", family);
    r.id.number = number;
    r.state = state;
    release_index_note(x, &r);
}

static size_t seek(const struct release_index *x, const char *family, int64_t number)
{
    struct release_id id = {.number = number};
    (void)snprintf(id.family, sizeof(id.family), "%s", family);
    return release_index_seek(x, &id);
}

TEST(entries_are_in_order_of_family_and_number_however_they_come)
{
    struct release_index x = {.loaded = true};
    note(&x, "yara", 10, RELEASE_DRAFT);
    note(&x, "ids", 3, RELEASE_DRAFT);
    note(&x, "yara", 2, RELEASE_DRAFT);
    note(&x, "yara", 2, RELEASE_PUBLISHED);
    note(&x, "yara-x", 1, RELEASE_DRAFT);
    assert_int_equal(x.count, 4);
    assert_string_equal(x.at[0].id.family, "ids");
    assert_int_equal(x.at[1].id.number, 2);
    assert_int_equal(x.at[1].state, RELEASE_PUBLISHED);
    assert_true(x.at[1].measure);
    assert_int_equal(x.at[2].id.number, 10);
    assert_string_equal(x.at[3].id.family, "yara-x");
    assert_int_equal(seek(&x, "yara", 3), 2);
    assert_int_equal(seek(&x, "yara", 10), 2);
    assert_int_equal(seek(&x, "zz", 1), 4);
    assert_int_equal(seek(&x, "a", 1), 0);
    release_index_drop(&x);
}

TEST(many_entries_keep_their_order)
{
    struct release_index x = {.loaded = true};
    for (int64_t i = 0; i < 1000; i++) {
        note(&x, i % 2 == 0 ? "yara" : "ids", (i * 7919) % 1000 + 1, RELEASE_DRAFT);
    }
    assert_int_equal(x.count, 1000);
    for (size_t i = 1; i < x.count; i++) {
        int by_family = strcmp(x.at[i - 1].id.family, x.at[i].id.family);
        assert_true(by_family < 0 || (by_family == 0 && x.at[i - 1].id.number < x.at[i].id.number));
    }
    release_index_drop(&x);
}

TEST(while_nothing_is_known_nothing_is_noted)
{
    struct release_index x = {.loaded = false};
    note(&x, "yara", 1, RELEASE_DRAFT);
    assert_int_equal(x.count, 0);
    x.loaded = true;
    note(&x, "yara", 1, RELEASE_DRAFT);
    release_index_forget(&x);
    assert_false(x.loaded);
    release_index_drop(&x);
}

RUN_TESTS(cmocka_unit_test(entries_are_in_order_of_family_and_number_however_they_come),
          cmocka_unit_test(many_entries_keep_their_order),
          cmocka_unit_test(while_nothing_is_known_nothing_is_noted))
