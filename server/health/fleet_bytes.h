/* fleet_bytes.h: little-endian integers, bytes and fields of journal and fold.
 *
 * memory   appends to a buffer of the caller; a cursor borrows what it reads
 * threads  no shared state
 * source   fleet_journal.h, fleet_image.h, fleet_endpoint_codec.h
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

/* One table says for both directions which fields there are and how wide: they cannot disagree. */
struct fleet_field {
    size_t offset;
    unsigned width; /* bytes on disk and in memory; fields are written as they stand there */
};

#define FLEET_FIELD(type, member)                                                                  \
    {                                                                                              \
        offsetof(struct type, member), sizeof(((struct type *)0)->member)                          \
    }

RW_RC fleet_bytes_put_fields(struct rw_buf *b, const void *object, const struct fleet_field *fields,
                             size_t n, struct rw_err *err);
RW_RC fleet_bytes_get_fields(struct fleet_cursor *c, void *object, const struct fleet_field *fields,
                             size_t n, struct rw_err *err);

#define FLEET_PUT(b, object, fields, err)                                                          \
    fleet_bytes_put_fields((b), (object), (fields), RW_LEN(fields), (err))
#define FLEET_GET(c, object, fields, err)                                                          \
    fleet_bytes_get_fields((c), (object), (fields), RW_LEN(fields), (err))

/* Appends the sum of all that is in `b`. */
RW_RC fleet_bytes_seal(struct rw_buf *b, struct rw_err *err);
/* Gives what was sealed, without the sum. Fails with RW_E_PROTOCOL, naming `what`, when they do not fit. */
RW_RC fleet_bytes_unseal(struct rw_span sealed, const char *what, struct rw_span *out,
                         struct rw_err *err);

#endif
