/* file.h: bounded reads and durable, atomic writes relative to a directory descriptor.
 *
 * memory   gives what it reads in a rw_buf of the caller
 * threads  no shared state
 * source   style guide 11: openat, O_CLOEXEC; replace = write, fsync, rename, fsync of the directory
 */
#ifndef RINGWARD_FILE_H
#define RINGWARD_FILE_H

#include "common/base/buf.h"

#include <sys/types.h>

/* RW_AUTO(rw_fd) int fd = -1; closes what is >= 0. */
typedef int rw_fd;
void rw_fd_drop(rw_fd *fd);
/* Hands a descriptor over: yields its number and leaves -1 behind. */
int rw_fd_steal(rw_fd *fd);

/* openat, begun again after signals (file systems over a network give EINTR). Negative with errno as openat. */
int rw_open_at(int dir, const char *name, int flags, mode_t mode);

/* Opens a directory (not through a symlink in its last component). Gives a descriptor.
 * Fails with RW_E_IO, RW_E_NOT_FOUND. */
RW_RC rw_dir_open(const char *path, int *fd_out, struct rw_err *err);
RW_RC rw_dir_open_at(int dir, const char *name, int *fd_out, struct rw_err *err);
/* Makes the directory and its missing parents; existing ones keep their mode. */
RW_RC rw_dir_make(const char *path, mode_t mode, struct rw_err *err);
/* Makes one directory below `dir` if it is missing, opens it, syncs the parent. */
RW_RC rw_dir_make_at(int dir, const char *name, mode_t mode, int *fd_out, struct rw_err *err);

/* Reads the whole regular file, appending to `into`; refuses above `max` bytes before reading.
 * Never follows a symlink in the last component. After a failure `into` may hold a part of it.
 * Fails with RW_E_NOT_FOUND, RW_E_TOO_BIG, RW_E_IO. */
RW_RC rw_file_read_at(int dir, const char *name, size_t max, struct rw_buf *into,
                      struct rw_err *err);
/* Same by path; follows symlinks (for files that people name on a command line). */
RW_RC rw_file_read(const char *path, size_t max, struct rw_buf *into, struct rw_err *err);

/* Replaces `name` atomically and durably through ".NAME.tmp" in the same directory.
 * After RW_OK the content survives power loss; after a failure the old file stands.
 * Fails with RW_E_FULL, RW_E_IO. */
RW_RC rw_file_replace_at(int dir, const char *name, mode_t mode, struct rw_span content,
                         struct rw_err *err);
RW_RC rw_file_replace(const char *path, mode_t mode, struct rw_span content, struct rw_err *err);

/* Writes over the regular file, which must have as many bytes as the content, and syncs it: that needs no room, and no
 * file of another name, on a full disk. Not atomic: a crash, or a failure, leaves any mixture of old and new.
 * Fails with RW_E_NOT_FOUND when there is no such file of that size, RW_E_FULL, RW_E_IO. */
RW_RC rw_file_overwrite_at(int dir, const char *name, struct rw_span content, struct rw_err *err);

/* Writes all of it, resuming after short writes and EINTR. Fails with RW_E_FULL, RW_E_IO. */
RW_RC rw_fd_write_all(int fd, struct rw_span content, struct rw_err *err);
RW_RC rw_fd_sync(int fd, const char *what, struct rw_err *err);
/* Removes; a missing file is success. */
RW_RC rw_file_remove_at(int dir, const char *name, struct rw_err *err);
/* The same, and a crash does not bring it back: syncs the directory. */
RW_RC rw_file_remove_for_good_at(int dir, const char *name, struct rw_err *err);
/* Calls `each` with every name in the directory but "." and "..", in no order; entries may be removed meanwhile.
 * Ends with the first failure of `each`. Fails with RW_E_IO. */
RW_RC rw_dir_each(int dir, RW_RC (*each)(void *ctx, const char *name, struct rw_err *err),
                  void *ctx, struct rw_err *err);
/* Points the symlink `name` at `target` in one atomic, durable step (INV-6). */
RW_RC rw_link_replace_at(int dir, const char *name, const char *target, struct rw_err *err);

#endif
