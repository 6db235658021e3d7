/* fleet_bytes.h: little-endian integers and bytes of journal and image.
 *
 * memory   appends to a buffer of the caller; a cursor borrows what it reads
 * threads  no shared state
 * source   fleet_journal.h, fleet_image.h
 */
#ifndef RINGWARD_FLEET_BYTES_H
#define RINGWARD_FLEET_BYTES_H

#include "common/base/buf.h"

/* Appends the `width` (1..8) low bytes of v. */
RW_RC fleet_bytes_put(struct rw_buf *b, uint64_t v, unsigned width, struct rw_err *err);

struct fleet_cursor {
    struct rw_span rest;
};
/* Fail with RW_E_PROTOCOL when the input ends before. */
RW_RC fleet_bytes_get(struct fleet_cursor *c, unsigned width, uint64_t *out, struct rw_err *err);
RW_RC fleet_bytes_get_raw(struct fleet_cursor *c, uint8_t *dst, size_t n, struct rw_err *err);
/* A time, count or release number: 0 .. 2^53-1. */
RW_RC fleet_bytes_get_count(struct fleet_cursor *c, int64_t *out, struct rw_err *err);

#endif
