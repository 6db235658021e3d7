/* server_check.h: the checker thread: runs the box on uploaded content, one at a time, and keeps the verdicts for
 * the core thread.
 *
 * memory   a checker owns queued checks and verdicts until they are taken
 * threads  one thread of its own; submit and take from the core thread
 * source   docs/protocol.md 11; INV-3: whatever goes wrong is no verdict, never an accepted one
 */
#ifndef RINGWARD_SERVER_CHECK_H
#define RINGWARD_SERVER_CHECK_H

#include "server/release/release.h"

struct server_check;

struct server_check_settings {
    const char *staging_dir; /* copied */
    const char *box_dir;     /* copied; "": beside the running executable */
    int64_t clean_files;
    int64_t wall_ms;
    void (*wake)(void *ctx); /* called from the checker's thread when a verdict is there */
    void *ctx;               /* borrowed until server_check_stop */
};

enum { SERVER_CHECK_QUEUE_MAX = 64 };

/* Starts the thread; gives. Fails with RW_E_NOMEM, RW_E_PROCESS. */
RW_RC server_check_start(const struct server_check_settings *settings, struct server_check **out,
                         struct rw_err *err);
/* Stops: a box that runs is given up, and its release is checked again after the next start. Accepts NULL. */
void server_check_stop(struct server_check *s);

/* Fails with RW_E_FULL. */
RW_RC server_check_submit(struct server_check *s, const struct release_check_job *job,
                          struct rw_err *err);
/* Gives one finished check: its release and the verdict's text (empty: none was reached). False: none waits.
 * `verdict` is cleared first. */
bool server_check_take(struct server_check *s, struct release_id *id_out, struct rw_buf *verdict);

#endif
