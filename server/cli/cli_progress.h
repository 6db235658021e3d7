/* cli_progress.h: one bar on standard error for what takes a while; nothing where no terminal is.
 *
 * memory   values only
 * threads  one thread
 * source   docs/cli.md
 */
#ifndef RINGWARD_CLI_PROGRESS_H
#define RINGWARD_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli_progress {
    const char *what; /* "payload", "simulating"; NULL: "upload" */
    bool shown;       /* a bar stands on the terminal */
    int percent;      /* that it shows */
};

/* True when standard error is a terminal that can redraw a line. */
bool cli_progress_enabled(void);
/* Draws the bar anew when its percentage changed. `ctx` is a struct cli_progress. */
void cli_progress_show(void *ctx, int64_t done_bytes, int64_t total_bytes);
/* The same for work in steps, of which `done` are behind: "simulating [####....] 3 of 16: crash". */
void cli_progress_step(struct cli_progress *p, size_t done, size_t total, const char *doing);
/* Takes the bar away; the next one starts afresh. */
void cli_progress_end(struct cli_progress *p);

#endif
