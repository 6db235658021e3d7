/* box_phase.h: what the launcher answers to a system call that the filter asked it about.
 *
 * A profile with libraries has two phases. In the first no untrusted byte has been read and the process has one
 * thread: a loader's calls go on. The first touch of content or samples ends it for good; from then on only calls
 * that the value of a register decides go on.
 * memory   values only
 * threads  no shared state
 * source   docs/sandbox.md "Profiles"; seccomp_unotify(2)
 */
#ifndef RINGWARD_BOX_PHASE_H
#define RINGWARD_BOX_PHASE_H

#include "agent/prove/box_profile.h"

#include <linux/seccomp.h>

enum { BOX_PHASE_SOFT_MAX = 16 };

struct box_phase {
    enum box_profile profile;
    int soft[BOX_PHASE_SOFT_MAX]; /* calls that this validator may ask for in vain */
    size_t soft_count;
    bool leave;   /* given: the validator may be executed */
    bool exec;    /* it was: once */
    bool content; /* touched */
};

enum box_phase_answer { BOX_PHASE_CONTINUE, BOX_PHASE_ERRNO, BOX_PHASE_DENY };

/* `errno_out` is set for BOX_PHASE_ERRNO. A denied call never goes on. */
enum box_phase_answer box_phase_judge(struct box_phase *p, const struct seccomp_data *call,
                                      int *errno_out);
/* "setup", "loader" or "content". */
const char *box_phase_name(const struct box_phase *p);

#endif
