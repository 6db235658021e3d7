/* backup_file.h: files of a backup: copied while they are hashed, and the list of their hashes.
 *
 * The list is SHA256SUMS as `sha256sum -c` reads it: people can verify a backup without this program.
 *
 * memory   a list owns its text until backup_file_list_drop
 * threads  no shared state
 * source   docs/backup.md
 */
#ifndef RINGWARD_BACKUP_FILE_H
#define RINGWARD_BACKUP_FILE_H

#include "common/base/file.h"
#include "common/crypto/digest.h"

enum {
    BACKUP_FILE_PATH_BYTES = 4096,
    BACKUP_FILE_NAME_BYTES = 512, /* of a path inside of a backup */
    BACKUP_FILE_LIST_BYTES_MAX = 64 * 1024 * 1024,
};

extern const char backup_file_list_name[]; /* "SHA256SUMS" */

/* "DIR/NAME". Fails with RW_E_RANGE when it is too long. */
RW_RC backup_file_join(const char *dir, const char *name, char dst[static BACKUP_FILE_PATH_BYTES],
                       struct rw_err *err);

/* Copies the regular file `name` of `dir` to the new file `to`, making missing folders (0700); durable on RW_OK. No
 * symlink is followed in the last component. Fails with RW_E_NOT_FOUND (it went away), RW_E_SCHEMA (no regular file),
 * RW_E_EXISTS, RW_E_FULL, RW_E_IO. */
RW_RC backup_file_copy(int dir, const char *name, const char *to, unsigned mode,
                       uint8_t sha256_out[static DIGEST_BYTES], struct rw_err *err);
/* SHA-256 of a regular file; fails as backup_file_copy. */
RW_RC backup_file_hash(int dir, const char *name, uint8_t sha256_out[static DIGEST_BYTES],
                       struct rw_err *err);

/* Whether a path can stand in a list and below a folder: relative, no "..", no odd bytes, not too long. */
bool backup_file_name_good(const char *path);
/* Adds one line to the text of a list. */
RW_RC backup_file_list_add(struct rw_buf *list, const uint8_t sha256[static DIGEST_BYTES],
                           const char *path, struct rw_err *err);
/* Calls `each` for every line of a list. Hostile: fails with RW_E_SYNTAX naming the line. */
RW_RC backup_file_list_each(struct rw_span list,
                            RW_RC (*each)(void *ctx, const char *path,
                                          const uint8_t sha256[static DIGEST_BYTES],
                                          struct rw_err *err),
                            void *ctx, struct rw_err *err);

#endif
