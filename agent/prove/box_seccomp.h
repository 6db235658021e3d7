/* box_seccomp.h: the table of system calls as a filter program of the kernel.
 *
 * memory   the program is built into a fixed array of the caller
 * threads  no shared state
 * source   docs/sandbox.md "The filter"; seccomp(2), seccomp_unotify(2)
 */
#ifndef RINGWARD_BOX_SECCOMP_H
#define RINGWARD_BOX_SECCOMP_H

#include "agent/prove/box_profile.h"

#include <linux/filter.h>
#include <sys/types.h>

enum { BOX_SECCOMP_PROGRAM_MAX = 512, BOX_SECCOMP_EXEC_FD = 6, BOX_SECCOMP_CONTROL_FD = 7 };

struct box_seccomp_program {
    struct sock_filter code[BOX_SECCOMP_PROGRAM_MAX];
    unsigned short count;
};

/* Everything outside the list goes to the listener when `notify`, else kills. Without a listener nobody can tell
 * the loader's phase from the content's: the loader's calls stay open for the whole run. `self` is the process
 * that the filter is for: the only one that it may signal. */
void box_seccomp_build(struct box_seccomp_program *p, enum box_profile profile, pid_t self,
                       bool notify);

#endif
