/* frame.h: length-checked messages between our own processes, read by typed getters.
 *
 * Wire: u32 length of the rest, u16 type, then fields without tags in a fixed order per type.
 * Integers little endian; bytes and strings as u32 length + bytes.
 * memory   a writer owns its rw_buf; a reader borrows the received bytes
 * threads  no shared state
 * source   style guide 10: a bad frame from a less trusted peer ends the session, never the process
 */
#ifndef RINGWARD_FRAME_H
#define RINGWARD_FRAME_H

#include "common/base/buf.h"

enum { FRAME_BYTES_MAX = 16 * 1024 * 1024, FRAME_HEADER_BYTES = 6 };

struct frame_writer {
    struct rw_buf buf;
    bool failed; /* a put did not fit; sticky, refused by frame_send */
};

struct frame_reader {
    struct rw_span rest; /* not yet read */
    uint16_t type;
    bool bad; /* a getter failed; sticky */
};

/* --- writing: a failed put is kept too: half a frame is never sent --- */
struct frame_writer frame_begin(uint16_t type);
void frame_writer_drop(struct frame_writer *w);
RW_RC frame_put_u32(struct frame_writer *w, uint32_t v, struct rw_err *err);
RW_RC frame_put_u64(struct frame_writer *w, uint64_t v, struct rw_err *err);
RW_RC frame_put_bytes(struct frame_writer *w, struct rw_span s, struct rw_err *err);
RW_RC frame_put_str(struct frame_writer *w, const char *s, struct rw_err *err);
/* Sends the whole frame on a stream socket before the deadline. Fails with RW_E_TIMEOUT, RW_E_IO,
 * RW_E_TOO_BIG (a put had failed). */
RW_RC frame_send(int fd, struct frame_writer *w, int64_t timeout_ms, struct rw_err *err);

/* --- reading --- */
/* Receives one frame into `into` (cleared first) and prepares the reader.
 * Fails with RW_E_TIMEOUT, RW_E_NOT_FOUND (clean end of stream), RW_E_PROTOCOL, RW_E_IO. */
RW_RC frame_recv(int fd, struct rw_buf *into, int64_t timeout_ms, struct frame_reader *out,
                 struct rw_err *err);
/* Getters fail with RW_E_PROTOCOL and name `what`. Spans borrow from the received bytes. */
RW_RC frame_get_u32(struct frame_reader *r, const char *what, uint32_t *out, struct rw_err *err);
RW_RC frame_get_u64(struct frame_reader *r, const char *what, uint64_t *out, struct rw_err *err);
RW_RC frame_get_bytes(struct frame_reader *r, size_t max, const char *what, struct rw_span *out,
                      struct rw_err *err);
RW_RC frame_get_str(struct frame_reader *r, char *dst, size_t cap, const char *what,
                    struct rw_err *err);
/* Every byte must have been read. Fails with RW_E_PROTOCOL. */
RW_RC frame_end(const struct frame_reader *r, struct rw_err *err);

#endif
