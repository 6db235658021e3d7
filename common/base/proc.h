/* proc.h: start a program with chosen descriptors, wait for it with a deadline, reap it.
 *
 * memory   borrows argv and envp until return
 * threads  fork is followed by exec only; safe from threaded programs
 * source   style guide 10; pidfd(2)
 */
#ifndef RINGWARD_PROC_H
#define RINGWARD_PROC_H

#include "common/base/buf.h"

#include <sys/types.h>

struct proc_fd {
    int from; /* descriptor of ours */
    int to;   /* number the child sees; ascending in the list */
};

struct proc_spec {
    const char *path;  /* program; never searched in PATH */
    char *const *argv; /* NULL-terminated */
    char *const *envp; /* NULL-terminated; NULL: our own environment */
    /* What the child gets, and nothing else: 0 and 1 are /dev/null, 2 is our stderr, unless listed. */
    const struct proc_fd *fds;
    size_t fd_count;
    bool own_group;       /* leads a process group of its own: proc_kill_group */
    bool die_with_parent; /* SIGKILL when the *thread* that started it ends (PR_SET_PDEATHSIG) */
};

struct proc {
    pid_t pid; /* 0: none */
    int pidfd; /* -1: none */
};

struct proc_exit {
    bool signaled;
    int status;      /* exit status, or the signal's number */
    int64_t cpu_ms;  /* user + system time */
    int64_t rss_kib; /* peak resident set */
};

/* Fails with RW_E_PROCESS (names path and cause; also when exec failed). */
RW_RC proc_start(const struct proc_spec *spec, struct proc *out, struct rw_err *err);
/* Fails with RW_E_TIMEOUT; the child goes on then. Negative timeout: forever. */
RW_RC proc_wait(struct proc *p, int64_t timeout_ms, struct proc_exit *out, struct rw_err *err);
/* Sends a signal through the pidfd: never hits a recycled pid. No-op when there is no child. */
void proc_signal(const struct proc *p, int signal_number);
/* Has it ended, so that proc_wait would not wait? */
bool proc_has_ended(const struct proc *p);
/* SIGKILL to all of its group, also when it has ended itself. Required state: own_group; not reaped, since the group's
 * number may go to others then. No-op when there is no child. */
void proc_kill_group(const struct proc *p);
/* SIGKILL and reap. */
void proc_kill(struct proc *p);
void proc_drop(struct proc *p); /* kills and reaps what still runs */

#endif
