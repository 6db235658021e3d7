/* box_watch.h: the launcher's loop around a running validator: pipes, control socket, listener, clock.
 *
 * memory   owns the said bytes until box_watch_drop
 * threads  one thread
 * source   docs/sandbox.md
 */
#ifndef RINGWARD_BOX_WATCH_H
#define RINGWARD_BOX_WATCH_H

#include "agent/prove/box_lockdown.h"
#include "common/base/buf.h"

enum { BOX_DIAGNOSTICS_BYTES_MAX = 1 << 20, BOX_DIAGNOSTICS_KEPT = 16384 };

struct box_watch {
    pid_t pid;
    int pidfd, verdict_fd, diagnostics_fd, control_fd, listener_fd; /* owned; -1: closed */
    int64_t wall_ms;
    /* results */
    struct box_lockdown_report report;
    bool reported;
    bool leave_given;
    char refused_layer[48]; /* required layer that was missing; "": none */
    struct rw_buf said;
    struct rw_buf diagnostics;
    size_t diagnostics_total;
    bool output_too_long;
    bool deadline_passed;
    bool exec_done;
    bool denied;
    char denied_call[40];
    char denied_text[120]; /* with arguments */
    int wait_status;
    int64_t cpu_ms;
    int64_t peak_rss_kib;
    int64_t used_wall_ms;
};

/* Runs until the child is gone and reaped. */
void box_watch_run(struct box_watch *w);
void box_watch_drop(struct box_watch *w);

#endif
