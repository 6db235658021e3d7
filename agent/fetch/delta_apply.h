/* delta_apply.h: applies a difference that zstd made with the old content as prefix.
 *
 * The result goes straight into memory of exactly its signed length, so neither the frame's window nor what it says of
 * its length costs memory; the only allocation is the decoder's own state, made before the first byte is read.
 *
 * memory   struct delta_apply owns the decoder until delta_apply_drop; all else is borrowed
 * threads  one thread per object
 * source   RFC 8878; zstd --patch-from
 */
#ifndef RINGWARD_DELTA_APPLY_H
#define RINGWARD_DELTA_APPLY_H

#include "common/base/buf.h"

enum { DELTA_APPLY_BYTES_MAX = 128 * 1024 * 1024 }; /* old and new content, each */

struct delta_apply {
    void *decoder; /* ZSTD_DCtx */
};

/* Fails with RW_E_NOMEM. */
RW_RC delta_apply_open(struct delta_apply *d, struct rw_err *err);
void delta_apply_drop(struct delta_apply *d);
/* Writes exactly `length` bytes to `out`, or fails: RW_E_SYNTAX (no difference to this base, damaged), RW_E_TOO_BIG,
 * RW_E_RANGE (the result would have another length). Calls nothing of the system. */
RW_RC delta_apply_run(struct delta_apply *d, struct rw_span base, struct rw_span delta,
                      uint8_t *out, size_t length, struct rw_err *err);

#endif
