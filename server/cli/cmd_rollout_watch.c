#include "server/cli/cmd_rollout_watch.h"

#include "common/base/clock.h"
#include "server/cli/cli_table.h"
#include "server/cli/cmd_rollout_view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 500, LINE_BYTES = 4096, PICTURE_BYTES = 64 * 1024 };

struct watch {
    const struct cmd_rollout_watch_options *options;
    bool picture;          /* redraw on a terminal rather than a line per change */
    bool seen;             /* the server has answered at least once */
    bool lost;             /* and does not answer now, which has been told */
    size_t lines_shown;    /* of the picture that stands on the terminal now */
    char last[LINE_BYTES]; /* line form of what was shown last */
};

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

/* Moves the cursor back over the former picture and clears it; a picture that has scrolled cannot be reached. */
static void erase_picture(struct watch *w)
{
    if (w->lines_shown >= cli_table_terminal_rows()) {
        printf("\033[H\033[2J");
    } else if (w->lines_shown > 0) {
        printf("\033[%zuA\033[J", w->lines_shown);
    }
    w->lines_shown = 0;
}

static RW_RC draw(struct watch *w, const struct json *rollout, struct rw_err *err)
{
    /* Redrawn each time: bake clocks run although nothing else changes. */
    erase_picture(w);
    return cmd_rollout_view_print(rollout, cli_table_terminal_columns(), &w->lines_shown, err);
}

static RW_RC show_change(struct watch *w, const struct json *rollout, struct rw_err *err)
{
    char line[LINE_BYTES];
    cmd_rollout_view_line(rollout, line, sizeof(line));
    bool changed = strcmp(line, w->last) != 0;
    if (w->picture) {
        RW_TRY(draw(w, rollout, err));
    } else if (changed && w->options->format != CLI_TABLE) {
        RW_TRY(cli_view_print_json(rollout, err));
    } else if (changed) {
        struct rw_clock clock = rw_clock_system();
        char at[RW_TIME_TEXT_BYTES];
        rw_wall_format(at, rw_clock_wall(&clock));
        printf("%s  %s\n", at, line);
    }
    rw_copy(w->last, sizeof(w->last), line, sizeof(line));
    return cli_view_flush(err);
}

static void tell_unreachable(struct watch *w, const struct rw_err *err)
{
    if (w->lost) { return; }
    (void)fprintf(stderr, "ringward: %s; still trying\n", err->text);
    w->lost = true;
    w->lines_shown = 0; /* the message stands below the picture: draw a new one */
}

/* Worth waiting for, once the server has been seen: before that a wrong URL would be waited for without end. */
static bool is_transient(const struct watch *w, const struct rw_err *err)
{
    return w->seen && (err->code == RW_E_NET || err->code == RW_E_TIMEOUT ||
                       err->code == RW_E_HTTP || err->code == RW_E_BUSY || err->code == RW_E_FULL ||
                       err->code == RW_E_STORE || err->code == RW_E_LIMITED);
}

RW_RC cmd_rollout_watch(struct cli_api *api, const char *path,
                        const struct cmd_rollout_watch_options *options, struct rw_err *err)
{
    struct watch w = {.options = options,
                      .picture = isatty(STDOUT_FILENO) == 1 && options->format == CLI_TABLE};
    struct rw_clock clock = rw_clock_system();
    int64_t end_ms = rw_clock_mono(&clock).ms + options->timeout_ms;
    if (w.picture) { (void)setvbuf(stdout, NULL, _IOFBF, PICTURE_BYTES); } /* no flicker */
    for (;;) {
        RW_AUTO(json_tree) json_tree rollout = NULL;
        struct rw_rc rc = cli_api_get(api, path, &rollout, err);
        if (rw_is_ok(rc)) {
            if (w.lost) { (void)fprintf(stderr, "ringward: the server answers again\n"); }
            w.seen = true;
            w.lost = false;
            RW_TRY(show_change(&w, rollout, err));
            if (cmd_rollout_view_ended(rollout)) { return cmd_rollout_view_outcome(rollout, err); }
        } else if (is_transient(&w, err)) {
            tell_unreachable(&w, err);
        } else {
            return rc;
        }
        if (options->timeout_ms >= 0 && rw_clock_mono(&clock).ms >= end_ms) {
            if (rw_is_ok(rc)) { RW_TRY(cmd_rollout_view_outcome(rollout, err)); }
            return rw_fail(err, RW_E_TIMEOUT, "still running at the time-out");
        }
        pause_ms(POLL_MS);
    }
}
