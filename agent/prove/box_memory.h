/* box_memory.h: inputs as sealed memory files: the bytes that were hashed are the bytes that are used.
 *
 * A file is filled, then sealed for good and mapped for the launcher's own reading. The mapping is not inherited
 * by a child, so that the launcher's inputs do not count as a validator's memory.
 * memory   owns descriptor and mapping until box_memory_drop; box_memory_bytes borrows from it
 * threads  no shared state
 * source   memfd_create(2), fcntl(2) F_ADD_SEALS
 */
#ifndef RINGWARD_BOX_MEMORY_H
#define RINGWARD_BOX_MEMORY_H

#include "common/base/buf.h"

struct box_memory {
    int fd;        /* read-only once sealed */
    size_t n;      /* bytes */
    uint8_t *map;  /* NULL when empty or not yet sealed */
    bool exec;     /* may be executed */
    bool noexec;   /* can never be made executable: the kernel knows such a seal */
    bool sealed;   /* nobody can change it any more */
    char name[24]; /* for errors */
};

/* All fail with RW_E_IO, RW_E_NOMEM; adding fails with RW_E_TOO_BIG above `max`, RW_E_NOT_FOUND. */
RW_RC box_memory_open(struct box_memory *m, const char *name, bool exec, struct rw_err *err);
RW_RC box_memory_add(struct box_memory *m, struct rw_span bytes, struct rw_err *err);
/* Copies a whole regular file. */
RW_RC box_memory_add_file(struct box_memory *m, const char *path, size_t max, struct rw_err *err);
/* Copies from an open descriptor until its end or `max` bytes; gives how many. */
RW_RC box_memory_add_fd(struct box_memory *m, int fd, size_t max, size_t *added_out,
                        struct rw_err *err);
RW_RC box_memory_seal(struct box_memory *m, struct rw_err *err);
/* A descriptor of its own for one run: a dup would share its offset with the run before. An executable, which nobody
 * may read, is duplicated: it has no offset that matters. */
RW_RC box_memory_reopen(const struct box_memory *m, int *fd_out, struct rw_err *err);
struct rw_span box_memory_bytes(const struct box_memory *m);
void box_memory_drop(struct box_memory *m);

#endif
