/* server_backup.h: a backup of a server's directory, made while the server runs, and its verification.
 *
 *   TO/backup.json   what it is; written last: without it a directory is no backup
 *   TO/SHA256SUMS    hash of every file below data/
 *   TO/data/...      the files under the names that they have in the server's directory
 *
 * memory   plain values; a list is given in a buffer of the caller
 * threads  no shared state
 * source   docs/backup.md; INV-8
 */
#ifndef RINGWARD_SERVER_BACKUP_H
#define RINGWARD_SERVER_BACKUP_H

#include "common/base/clock.h"
#include "server/backup_file.h"

struct server_backup_settings {
    const char *dir; /* of the server */
    const char *to;  /* new or empty */
    bool signer_keys;
    struct rw_wall now;
    /* Told of everything that stays out and is not made anew by the programs. */
    void (*left_out)(void *ctx, const char *path, const char *why);
    void *ctx;
};

struct server_backup_about {
    struct rw_wall at; /* everything answered before is in it */
    bool signer_keys;
    size_t files;
    size_t store_schema;
};

/* Fails with RW_E_EXISTS (`to` is not empty), RW_E_BUSY (the repository changes faster than it can be read),
 * RW_E_STORE, RW_E_FULL, RW_E_IO. */
RW_RC server_backup_make(const struct server_backup_settings *s, struct server_backup_about *out,
                         struct rw_err *err);

/* Reads backup.json, checks every hash and the store. Appends the list of files to `list`. The backup is hostile
 * input. Fails with RW_E_NOT_FOUND (no backup), RW_E_TUF_HASH (a file is not the one that was saved), RW_E_STORE,
 * RW_E_POLICY (a newer format or schema), RW_E_SYNTAX, RW_E_SCHEMA. */
RW_RC server_backup_verify(const char *from, struct server_backup_about *out, struct rw_buf *list,
                           struct rw_err *err);

#endif
