/* cli_table.h: tables for people: columns as wide as their content, colour only on a terminal.
 *
 * memory   a table owns copies of its cells until cli_table_drop
 * threads  one thread
 * source   NO_COLOR convention; no colour when standard output is not a terminal
 */
#ifndef RINGWARD_CLI_TABLE_H
#define RINGWARD_CLI_TABLE_H

#include "common/base/buf.h"

enum { CLI_TABLE_COLUMNS_MAX = 20 };

struct cli_table {
    char **cells; /* row after row, header first */
    size_t columns;
    size_t cell_count;
    size_t cell_cap;
    size_t fit; /* rows are cut to that many characters; 0: as long as they are */
};

/* Begins with the header's cells. `columns` is 1..CLI_TABLE_COLUMNS_MAX. */
RW_RC cli_table_begin(struct cli_table *t, const char *const *header, size_t columns,
                      struct rw_err *err);
/* Adds the next cell; rows fill from left to right. Foreign bytes are shown as '?' (cli_view_clean). */
RW_RC cli_table_add(struct cli_table *t, const char *text, struct rw_err *err);
__attribute__((format(printf, 3, 4))) RW_RC cli_table_addf(struct cli_table *t, struct rw_err *err,
                                                           const char *fmt, ...);
/* Prints to stdout, returns the number of lines. The last row must be complete. */
size_t cli_table_print(const struct cli_table *t);
void cli_table_drop(struct cli_table *t);

/* Columns and rows of the terminal that standard output is; 0 when it is none. */
size_t cli_table_terminal_columns(void);
size_t cli_table_terminal_rows(void);

/* Colour sequence for a state word ("halted" red, "passed" green, ...), "" when colour is off. */
const char *cli_table_colour(const char *word);
const char *cli_table_plain(void); /* back to normal, "" when colour is off */

#endif
