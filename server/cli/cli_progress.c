#include "server/cli/cli_progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR = 30, WORTH_A_BAR_BYTES = 256 * 1024 };

bool cli_progress_enabled(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
}

static const char full[] = "##############################";
static const char empty[] = "..............................";

void cli_progress_show(void *ctx, int64_t done_bytes, int64_t total_bytes)
{
    struct cli_progress *p = ctx;
    if (total_bytes < WORTH_A_BAR_BYTES || done_bytes < 0 || done_bytes > total_bytes) { return; }
    int percent = (int)((double)done_bytes * 100.0 / (double)total_bytes);
    if (p->shown && percent == p->percent) { return; }
    int filled = percent * BAR / 100;
    (void)fprintf(stderr, "\r%s [%.*s%.*s] %3d%% of %lld KiB", p->what == NULL ? "upload" : p->what,
                  filled, full, BAR - filled, empty, percent, (long long)(total_bytes / 1024));
    p->shown = true;
    p->percent = percent;
}

void cli_progress_step(struct cli_progress *p, size_t done, size_t total, const char *doing)
{
    if (!cli_progress_enabled() || total < 2 || done > total) { return; }
    int filled = (int)(done * BAR / total);
    (void)fprintf(stderr, "\r%s [%.*s%.*s] %zu of %zu: %s\033[K", p->what, filled, full,
                  BAR - filled, empty, done, total, doing);
    p->shown = true;
}

void cli_progress_end(struct cli_progress *p)
{
    if (p->shown) { (void)fprintf(stderr, "\r\033[K"); }
    *p = (struct cli_progress){.what = p->what};
}
