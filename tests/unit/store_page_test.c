/* Goal: pages of any size show every document once, in order, and say whether more follows. */
#include "server/store/store_page.h"

#include "tests/harness.h"

static const char *const ids[] = {"a/1", "a/2", "b/1", "b/10", "b/2"};

/* Reads one page and appends what it shows; gives the last id of it. */
static const char *read_page(struct store_page *p, char *shown, size_t cap)
{
    const char *last = "";
    for (size_t i = 0; i < RW_LEN(ids); i++) {
        if (!store_page_takes(p, ids[i])) { continue; }
        size_t n = strlen(shown);
        (void)snprintf(shown + n, cap - n, "%s ", ids[i]);
        last = ids[i];
    }
    return last;
}

TEST(pages_of_any_size_show_all_once_in_order)
{
    for (int64_t limit = 1; limit <= (int64_t)RW_LEN(ids) + 1; limit++) {
        char shown[128] = "";
        struct store_page p = {.limit = limit, .more = true};
        for (size_t pages = 0; p.more; pages++) {
            assert_true(pages < RW_LEN(ids));
            p.more = false;
            p.shown = 0;
            const char *last = read_page(&p, shown, sizeof(shown));
            assert_true(p.shown <= limit);
            (void)snprintf(p.after, sizeof(p.after), "%s", last);
        }
        assert_string_equal(shown, "a/1 a/2 b/1 b/10 b/2 ");
    }
}

TEST(a_page_behind_one_that_is_gone_goes_on_behind_it)
{
    char shown[128] = "";
    struct store_page p = {.after = "a/3", .limit = 2};
    (void)read_page(&p, shown, sizeof(shown));
    assert_string_equal(shown, "b/1 b/10 ");
    assert_true(p.more);
}

TEST(behind_the_last_there_is_nothing_and_no_more)
{
    char shown[128] = "";
    struct store_page p = {.after = "b/2", .limit = 1};
    (void)read_page(&p, shown, sizeof(shown));
    assert_string_equal(shown, "");
    assert_false(p.more);
}

/* A store that only knows what it was asked for. */
static RW_RC ask(void *ctx, const struct store_docs *which,
                 RW_RC (*each)(void *arg, const struct store_doc *doc, struct rw_err *err),
                 void *arg, struct rw_err *err)
{
    struct store_docs *asked = ctx;
    *asked = *which;
    for (size_t i = 0; i < RW_LEN(ids); i++) {
        struct store_doc doc = {.generation = 1};
        (void)snprintf(doc.id, sizeof(doc.id), "%s", ids[i]);
        if (strcmp(doc.id, which->after) > 0) { RW_TRY(each(arg, &doc, err)); }
    }
    return RW_OK;
}

static RW_RC show(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    return rw_buf_appendf(arg, err, "%s ", doc->id);
}

TEST(of_a_page_no_more_is_read_than_tells_whether_another_follows)
{
    struct rw_err err;
    struct store_docs asked = {.kind = ""};
    const struct store_backend backend = {.doc_each = ask};
    struct store store = {.backend = &backend, .ctx = &asked};
    struct store_page p = {.after = "a/1", .limit = 2};
    RW_AUTO(rw_buf) struct rw_buf shown = rw_buf_make(128);
    MUST(store_page_each(&store, "order", &p, show, &shown, &err));
    assert_string_equal(rw_buf_str(&shown), "a/2 b/1 ");
    assert_true(p.more);
    assert_string_equal(asked.kind, "order");
    assert_string_equal(asked.after, "a/1");
    assert_int_equal(asked.limit, 3);
}

RUN_TESTS(cmocka_unit_test(of_a_page_no_more_is_read_than_tells_whether_another_follows),
          cmocka_unit_test(pages_of_any_size_show_all_once_in_order),
          cmocka_unit_test(a_page_behind_one_that_is_gone_goes_on_behind_it),
          cmocka_unit_test(behind_the_last_there_is_nothing_and_no_more))
