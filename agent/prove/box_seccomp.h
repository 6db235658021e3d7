/* box_seccomp.h: the strict system call filter of a validator, and names for what it denies.
 *
 * memory   the program is built into a fixed array of the caller
 * threads  no shared state
 * source   docs/sandbox.md "The filter"; seccomp(2), seccomp_unotify(2)
 */
#ifndef RINGWARD_BOX_SECCOMP_H
#define RINGWARD_BOX_SECCOMP_H

#include "common/base/err.h"

#include <linux/filter.h>
#include <sys/types.h>

enum { BOX_SECCOMP_PROGRAM_MAX = 512, BOX_SECCOMP_EXEC_FD = 6, BOX_SECCOMP_CONTROL_FD = 7 };

struct box_seccomp_program {
    struct sock_filter code[BOX_SECCOMP_PROGRAM_MAX];
    unsigned short count;
};

/* Everything outside the list goes to the listener when `notify`, else kills. `self` is the process that the
 * filter is for: the only one that it may signal. */
void box_seccomp_build(struct box_seccomp_program *p, pid_t self, bool notify);
/* "openat", or "system call 999". Writes into dst. */
void box_seccomp_name(int nr, char *dst, size_t cap);

#endif
