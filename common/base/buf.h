/* buf.h: ranges of bytes (rw_span) and growing buffers with a ceiling (rw_buf); the only malloc.
 *
 * memory   a rw_span borrows; a rw_buf owns; rw_mem_* are the only callers of malloc and memcpy
 * threads  no shared state
 * source   style guide 6: input travels as a span, growth only below a ceiling given at birth
 */
#ifndef RINGWARD_BUF_H
#define RINGWARD_BUF_H

#include "common/base/err.h"

struct rw_span {
    const uint8_t *p; /* first byte; may be NULL when n is 0 */
    size_t n;         /* bytes */
};

struct rw_buf {
    uint8_t *p; /* owned; always one NUL byte behind the content once anything was appended */
    size_t n;   /* bytes of content */
    size_t cap; /* bytes allocated */
    size_t max; /* ceiling for n, fixed at birth */
};

/* --- spans --- */
struct rw_span rw_span_of(const void *p, size_t n);
struct rw_span rw_span_str(const char *s); /* without the NUL; `s` not NULL */
bool rw_span_eq(struct rw_span a, struct rw_span b);
bool rw_span_is(struct rw_span a, const char *s);
bool rw_span_starts(struct rw_span a, const char *prefix);

/* --- memory: NULL when there is none, never aborts --- */
void *rw_mem_new(size_t n);                        /* zeroed; n >= 1; gives */
void *rw_mem_new_array(size_t count, size_t each); /* zeroed, overflow-checked; gives */
void *rw_mem_grow(void *p, size_t count,
                  size_t each);      /* realloc, overflow-checked; takes p on success */
void rw_mem_free(void *p);           /* accepts NULL */
void rw_mem_give_back(void);         /* what is free goes back to the system; some ms per 100 MB */
char *rw_str_dup(const char *s);     /* gives */
char *rw_span_dup(struct rw_span s); /* copy with a NUL behind it; gives */

/* Copies n bytes into a place of `cap` bytes. n > cap is a bug of ours. */
void rw_copy(void *dst, size_t cap, const void *src, size_t n);
/* Wipes secrets in a way the compiler keeps. */
void rw_wipe(void *p, size_t n);

/* Copies a span as a C string into dst[cap]. Fails with RW_E_TOO_BIG naming `what` when it does not
 * fit with its NUL, RW_E_SYNTAX when it contains a NUL. */
RW_RC rw_span_to_str(char *dst, size_t cap, struct rw_span s, const char *what, struct rw_err *err);

typedef char *rw_cstr;
void rw_cstr_drop(rw_cstr *s); /* RW_AUTO(rw_cstr) char *s = ...; */

/* --- buffers --- */
struct rw_buf rw_buf_make(size_t max); /* empty; allocates nothing; max >= 1 */
void rw_buf_drop(struct rw_buf *b);    /* frees, leaves an empty buffer with the same ceiling */
void rw_buf_clear(struct rw_buf *b);   /* forgets the content, keeps the memory */
struct rw_span rw_buf_span(const struct rw_buf *b);
const char *rw_buf_str(const struct rw_buf *b); /* "" when empty; borrows until the next append */

/* Fail with RW_E_TOO_BIG (ceiling) or RW_E_NOMEM; the content is unchanged then. */
RW_RC rw_buf_append(struct rw_buf *b, struct rw_span s, struct rw_err *err);
RW_RC rw_buf_append_str(struct rw_buf *b, const char *s, struct rw_err *err);
__attribute__((format(printf, 3, 4))) RW_RC rw_buf_appendf(struct rw_buf *b, struct rw_err *err,
                                                           const char *fmt, ...);
/* Makes room for `extra` bytes and gives where to write them; call rw_buf_commit afterwards. */
RW_RC rw_buf_reserve(struct rw_buf *b, size_t extra, uint8_t **at_out, struct rw_err *err);
void rw_buf_commit(struct rw_buf *b, size_t written);

#endif
