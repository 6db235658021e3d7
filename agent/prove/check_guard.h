/* check_guard.h: memory whose end is the end: one byte further lies a page that nobody may touch.
 *
 * The values of an event stand flush against such a page, and so do texts: whoever reads a field that is not supplied
 * dies by SIGSEGV instead of reading a neighbour's bytes and going on.
 * memory   owns its mapping until check_guard_drop
 * threads  one thread
 * source   docs/sandbox.md "Template content"; mmap(2) with PROT_NONE
 */
#ifndef RINGWARD_CHECK_GUARD_H
#define RINGWARD_CHECK_GUARD_H

#include "common/base/buf.h"

struct check_guard {
    uint8_t *map;  /* owned */
    uint8_t *end;  /* first byte that nobody may touch */
    size_t room;   /* bytes before it */
    size_t mapped; /* with the guard page */
};

/* Room for `bytes` at most. Fails with RW_E_NOMEM. */
RW_RC check_guard_open(struct check_guard *g, size_t bytes, struct rw_err *err);
/* Copies `n` bytes so that they end at the guard page; gives where they begin. `n` fits (asserted). For types with
 * an alignment `n` is a multiple of it. */
void *check_guard_put(struct check_guard *g, const void *bytes, size_t n);
void check_guard_drop(struct check_guard *g);

#endif
