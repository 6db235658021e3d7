/* folder.h: for targets whose readers want files: a folder in memory that lives as long as the process.
 *
 * memory   the folder is removed at the end of the process
 * threads  one thread
 * source   libFuzzer runs inputs one after the other; each writes over what the one before has left
 */
#ifndef RINGWARD_FUZZ_FOLDER_H
#define RINGWARD_FUZZ_FOLDER_H

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char fuzz_folder_path[64];

static inline int fuzz_folder_remove_one(const char *path, const struct stat *st, int kind,
                                         struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

/* With what targets make below it. */
static inline void fuzz_folder_remove(void)
{
    (void)nftw(fuzz_folder_path, fuzz_folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The folder's descriptor; made with the first call. */
static inline int fuzz_folder(void)
{
    static int dir = -1;
    if (dir >= 0) { return dir; }
    bool memory = access("/dev/shm", W_OK) == 0;
    (void)snprintf(fuzz_folder_path, sizeof(fuzz_folder_path), "%s/ringward-fuzz-XXXXXX",
                   memory ? "/dev/shm" : "/tmp");
    RW_ASSERT(mkdtemp(fuzz_folder_path) != NULL);
    dir = open(fuzz_folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    RW_ASSERT(dir >= 0);
    RW_ASSERT(atexit(fuzz_folder_remove) == 0);
    return dir;
}

static inline RW_RC fuzz_folder_unlink(void *ctx, const char *name, struct rw_err *err)
{
    (void)err;
    const int *dir = ctx;
    if (unlinkat(*dir, name, 0) != 0) { (void)unlinkat(*dir, name, AT_REMOVEDIR); }
    return RW_OK;
}

static inline void fuzz_folder_empty_at(int dir)
{
    struct rw_err err;
    RW_IGNORE(rw_dir_each(dir, fuzz_folder_unlink, &dir, &err), "what stays is written over");
}

static inline void fuzz_folder_empty(void)
{
    fuzz_folder_empty_at(fuzz_folder());
}

/* Not durable, unlike rw_file_replace: inputs come by the thousand. */
static inline void fuzz_folder_put_at(int dir, const char *name, struct rw_span bytes)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    RW_ASSERT(fd >= 0);
    RW_ASSERT(bytes.n == 0 || write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n);
    (void)close(fd);
}

/* Cuts the next piece off: up to the first NUL byte. */
static inline struct rw_span fuzz_folder_piece(struct rw_span *rest)
{
    const uint8_t *cut = rest->n == 0 ? NULL : memchr(rest->p, 0, rest->n);
    size_t n = cut == NULL ? rest->n : (size_t)(cut - rest->p);
    struct rw_span piece = rw_span_of(rest->p, n);
    size_t used = cut == NULL ? n : n + 1;
    *rest = rw_span_of(rest->p + used, rest->n - used);
    return piece;
}

#endif
