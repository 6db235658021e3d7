/* box_watch.h: the launcher's loop around a running validator: pipes, control socket, listener, clock.
 *
 * memory   owns the said bytes until box_watch_drop
 * threads  one thread
 * source   docs/sandbox.md
 */
#ifndef RINGWARD_BOX_WATCH_H
#define RINGWARD_BOX_WATCH_H

#include "agent/prove/box_child.h"
#include "agent/prove/box_grade.h"
#include "agent/prove/box_learn.h"
#include "agent/prove/box_phase.h"
#include "common/base/buf.h"
#include "common/base/clock.h"

enum { BOX_DIAGNOSTICS_BYTES_MAX = 1 << 20, BOX_DIAGNOSTICS_KEPT = 16384 };

struct box_watch {
    pid_t pid; /* init of the box, or the validator itself where there is no pid name space */
    int pidfd, verdict_fd, diagnostics_fd, control_fd, listener_fd; /* owned; -1: closed */
    int validator_pidfd; /* owned; -1: the validator is `pid` itself */
    int64_t wall_ms;
    bool allow_weak;
    struct box_phase phase;
    struct box_learn *learn; /* borrowed; NULL: a denied call ends the validator */
    /* results */
    struct box_layers layers;
    bool reported;                      /* all layers are known */
    char refused[BOX_GRADE_TEXT_BYTES]; /* no leave was given, why; "": none */
    char fatal_step[BOX_CHILD_STEP_BYTES];
    int fatal_errno;
    struct rw_buf said;
    struct rw_buf diagnostics;
    size_t diagnostics_total;
    bool output_too_long;
    bool deadline_passed;
    bool stopping;
    struct rw_mono stop_at; /* when the validator was killed */
    bool denied;
    char denied_call[40];
    char denied_text[120]; /* with arguments */
    bool gone;             /* the init said how it ended */
    int wait_status;
    int64_t cpu_ms;
    int64_t peak_rss_kib;
    int64_t used_wall_ms;
    int64_t oom_kills;
    int64_t cgroup_peak_kib;
};

/* Runs until the child is gone and reaped. */
void box_watch_run(struct box_watch *w);
void box_watch_drop(struct box_watch *w);

#endif
