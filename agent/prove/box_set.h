/* box_set.h: whole sets of content as one sealed input, for the dry run of a sensor's loader.
 *
 * One record per file: u32 length of its path, u32 length of its content (host order), path, content. Only the launcher
 * writes and reads it, so its form is not in doubt; what a folder holds is.
 * memory   allocates nothing
 * threads  no shared state
 * source   docs/sandbox.md "Dry run of the sensor's loader"
 */
#ifndef RINGWARD_BOX_SET_H
#define RINGWARD_BOX_SET_H

#include "agent/prove/box_memory.h"

#include <sys/types.h>

enum {
    BOX_SET_FILES_MAX = 32, /* of one folder */
    BOX_SET_FOLDERS_MAX = 2,
    BOX_SET_FILE_BYTES_MAX = 64 * 1024 * 1024,
    BOX_SET_BYTES_MAX = 256 * 1024 * 1024, /* all files of all folders */
    BOX_SET_NAME_BYTES = 64,
};

/* Adds every file of a folder as FOLDER_AS/NAME. Fails with RW_E_NOT_FOUND, RW_E_IO, RW_E_TOO_BIG, and with
 * RW_E_SCHEMA for anything in it that is no plain file with a plain name. */
RW_RC box_set_add(struct box_memory *m, const char *folder, const char *folder_as,
                  struct rw_err *err);
/* Writes the files below the folder `below`, reading `bytes` of the descriptor without moving its offset. False with
 * errno. */
bool box_set_unpack(int fd, int64_t bytes, const char *below);
/* Copies `n` bytes at `*at` of a descriptor into a new file, and moves `*at` behind them. False with errno. */
bool box_set_copy(int from, off_t *at, uint64_t n, const char *path);

#endif
