/* box_program.h: runs ringward-box and takes what it prints, within a time.
 *
 * memory   borrows the arguments, appends to a buffer of the caller
 * threads  may be called from any thread
 * source   docs/protocol.md 11
 */
#ifndef RINGWARD_BOX_PROGRAM_H
#define RINGWARD_BOX_PROGRAM_H

#include "common/base/buf.h"
#include "common/base/proc.h"

enum { BOX_PROGRAM_GRACE_MS = 5000 };

/* Runs `path` and appends its standard output to `text`; it dies with the calling thread. Fails with RW_E_PROCESS,
 * RW_E_TIMEOUT, RW_E_TOO_BIG (the buffer's ceiling), RW_E_IO. */
RW_RC box_program_run(const char *path, char *const *argv, int64_t timeout_ms, struct rw_buf *text,
                      struct proc_exit *gone, struct rw_err *err);

#endif
