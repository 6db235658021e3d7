#include "server/cli/cli_table.h"

#include "server/cli/cli_view.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CELL_BYTES_MAX = 512 };

static const struct word_colour {
    const char *word;
    const char *sequence;
} word_colours[] = {
    {"passed", "\033[32m"},   {"complete", "\033[32m"},     {"PASS", "\033[32m"},
    {"accepted", "\033[32m"}, {"published", "\033[32m"},    {"ramping", "\033[36m"},
    {"baking", "\033[36m"},   {"held", "\033[33m"},         {"paused", "\033[33m"},
    {"halted", "\033[31m"},   {"rolling_back", "\033[31m"}, {"rolled_back", "\033[35m"},
    {"FAIL", "\033[31m"},     {"refused", "\033[31m"},      {"expired", "\033[31m"},
    {"soon", "\033[33m"},     {"ok", "\033[32m"},           {"dark", "\033[33m"},
    {"failed", "\033[31m"},   {"healthy", "\033[32m"},      {"development", "\033[1;31m"},
    {"checked", "\033[32m"},  {"approved", "\033[32m"},     {"checking", "\033[36m"},
};

static bool colour_is_on(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if (term == NULL || strcmp(term, "dumb") == 0) { return false; }
    return isatty(STDOUT_FILENO) == 1 && (no_color == NULL || no_color[0] == '\0');
}

const char *cli_table_colour(const char *word)
{
    for (size_t i = 0; colour_is_on() && i < RW_LEN(word_colours); i++) {
        if (strcmp(word, word_colours[i].word) == 0) { return word_colours[i].sequence; }
    }
    return "";
}

const char *cli_table_plain(void)
{
    return colour_is_on() ? "\033[0m" : "";
}

RW_RC cli_table_begin(struct cli_table *t, const char *const *header, size_t columns,
                      struct rw_err *err)
{
    RW_ASSERT(columns >= 1 && columns <= CLI_TABLE_COLUMNS_MAX);
    *t = (struct cli_table){.columns = columns};
    for (size_t i = 0; i < columns; i++) {
        RW_TRY(cli_table_add(t, header[i], err));
    }
    return RW_OK;
}

RW_RC cli_table_add(struct cli_table *t, const char *text, struct rw_err *err)
{
    if (t->cell_count == t->cell_cap) {
        size_t cap = t->cell_cap == 0 ? 64 : t->cell_cap * 2;
        char **grown = rw_mem_grow(t->cells, cap, sizeof(*grown));
        if (grown == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a table"); }
        t->cells = grown;
        t->cell_cap = cap;
    }
    char *cell = rw_str_dup(text);
    if (cell == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a table"); }
    cli_view_clean(cell);
    t->cells[t->cell_count++] = cell;
    return RW_OK;
}

RW_RC cli_table_addf(struct cli_table *t, struct rw_err *err, const char *fmt, ...)
{
    char text[CELL_BYTES_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return cli_table_add(t, text, err);
}

/* Prints at most `room` characters of a cell; gives how many. */
static size_t print_cell(const char *cell, size_t room, bool body)
{
    size_t bytes = 0;
    size_t shown = 0;
    const char *colour = body ? cli_table_colour(cell) : "";
    while (cell[bytes] != '\0' && (shown < room || ((unsigned char)cell[bytes] & 0xC0) == 0x80)) {
        if (((unsigned char)cell[bytes] & 0xC0) != 0x80) { shown++; }
        bytes++;
    }
    printf("%s%.*s%s", colour, (int)bytes, cell, colour[0] != '\0' ? cli_table_plain() : "");
    return shown;
}

size_t cli_table_print(const struct cli_table *t)
{
    size_t width[CLI_TABLE_COLUMNS_MAX] = {0};
    size_t used = 0;
    RW_ASSERT(t->cell_count % t->columns == 0);
    for (size_t i = 0; i < t->cell_count; i++) {
        size_t n = cli_view_length(t->cells[i]);
        if (n > width[i % t->columns]) { width[i % t->columns] = n; }
    }
    for (size_t i = 0; i < t->cell_count; i++) {
        bool last = (i + 1) % t->columns == 0;
        size_t room = t->fit == 0 ? SIZE_MAX : t->fit - used;
        size_t shown = print_cell(t->cells[i], room, i >= t->columns);
        size_t gap = last ? 0 : width[i % t->columns] - shown + 2;
        if (gap > room - shown) { gap = room - shown; }
        used = last ? 0 : used + shown + gap;
        printf("%*s%s", (int)gap, "", last ? "\n" : "");
    }
    return t->cell_count / t->columns;
}

size_t cli_table_terminal_columns(void)
{
    struct winsize size = {0};
    if (isatty(STDOUT_FILENO) != 1) { return 0; }
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

size_t cli_table_terminal_rows(void)
{
    struct winsize size = {0};
    if (isatty(STDOUT_FILENO) != 1) { return 0; }
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

void cli_table_drop(struct cli_table *t)
{
    for (size_t i = 0; i < t->cell_count; i++) {
        rw_mem_free(t->cells[i]);
    }
    rw_mem_free(t->cells);
    *t = (struct cli_table){.columns = t->columns};
}
