/* Goal: tables line up whatever stands in them, fit the terminal, and foreign text cannot steer it. */
#include "common/base/file.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <unistd.h>

/* Runs `print` with standard output into a file; gives what was printed. */
static void capture(const struct cli_table *t, struct rw_buf *into)
{
    struct rw_err err = {0};
    char path[] = "/tmp/ringward-table-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(fflush(stdout), 0);
    int kept = dup(STDOUT_FILENO);
    assert_true(dup2(file, STDOUT_FILENO) >= 0);
    (void)cli_table_print(t);
    assert_int_equal(fflush(stdout), 0);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    (void)close(kept);
    (void)close(file);
    MUST(rw_file_read(path, 10000, into, &err));
    (void)unlink(path);
}

static void fill(struct cli_table *t, const char *const *cells, size_t count)
{
    struct rw_err err = {0};
    MUST(cli_table_begin(t, cells, 2, &err));
    for (size_t i = 2; i < count; i++) {
        MUST(cli_table_add(t, cells[i], &err));
    }
}

TEST(columns_are_as_wide_as_their_widest_cell)
{
    static const char *const cells[] = {"A", "B", "long cell", "x", "y", "z"};
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(10000);
    fill(&t, cells, RW_LEN(cells));
    capture(&t, &text);
    assert_string_equal(rw_buf_str(&text), "A          B\nlong cell  x\ny          z\n");
}

TEST(characters_are_counted_not_bytes)
{
    static const char *const cells[] = {"A", "B", "\xC3\xBC\xE2\x82\xAC", "x", "abc", "y"};
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(10000);
    fill(&t, cells, RW_LEN(cells));
    capture(&t, &text);
    assert_string_equal(rw_buf_str(&text), "A    B\n\xC3\xBC\xE2\x82\xAC   x\nabc  y\n");
}

TEST(rows_are_cut_to_the_width_that_is_asked_for)
{
    static const char *const cells[] = {"A", "B", "abcdef", "0123456789", "\xC3\xBC", "z"};
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(10000);
    fill(&t, cells, RW_LEN(cells));
    t.fit = 10;
    capture(&t, &text);
    assert_string_equal(rw_buf_str(&text), "A       B\nabcdef  01\n\xC3\xBC       z\n");
    t.fit = 4;
    rw_buf_clear(&text);
    capture(&t, &text);
    assert_string_equal(rw_buf_str(&text), "A   \nabcd\n\xC3\xBC   \n");
}

TEST(a_table_without_rows_is_its_header)
{
    static const char *const cells[] = {"A", "B"};
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(10000);
    fill(&t, cells, RW_LEN(cells));
    capture(&t, &text);
    assert_string_equal(rw_buf_str(&text), "A  B\n");
}

TEST(a_cell_cannot_steer_the_terminal)
{
    static const char *const cells[] = {"A", "B", "\033[2Jgone", "a\nb"};
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(10000);
    fill(&t, cells, RW_LEN(cells));
    capture(&t, &text);
    assert_string_equal(rw_buf_str(&text), "A         B\n?[2Jgone  a?b\n");
}

TEST(no_colour_where_no_terminal_is)
{
    static const char *const cells[] = {"A", "B", "halted", "passed"};
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(10000);
    fill(&t, cells, RW_LEN(cells));
    capture(&t, &text);
    assert_null(memchr(text.p, '\033', text.n));
}

RUN_TESTS(cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
          cmocka_unit_test(characters_are_counted_not_bytes),
          cmocka_unit_test(rows_are_cut_to_the_width_that_is_asked_for),
          cmocka_unit_test(a_table_without_rows_is_its_header),
          cmocka_unit_test(a_cell_cannot_steer_the_terminal),
          cmocka_unit_test(no_colour_where_no_terminal_is))
