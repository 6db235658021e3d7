/* server_restore.h: makes a server's directory from a backup.
 *
 * memory   plain values
 * threads  no shared state
 * source   docs/backup.md; INV-1, INV-7, INV-9
 */
#ifndef RINGWARD_SERVER_RESTORE_H
#define RINGWARD_SERVER_RESTORE_H

#include "server/server_backup.h"

struct server_restore_result {
    struct server_backup_about backup;
    size_t held;  /* rollouts that wait for a person now */
    int64_t lift; /* by how much the signer raises its versions at its first signature */
};

/* Verifies the whole backup before the first file is written. `dir` must be new or empty. server.conf is written last:
 * a half-restored directory cannot be served. `lift` 0: by the age of the backup.
 * Fails as server_backup_verify, with RW_E_EXISTS, RW_E_FULL, RW_E_IO. */
RW_RC server_restore(const char *from, const char *dir, int64_t lift, struct rw_wall now,
                     struct server_restore_result *out, struct rw_err *err);

#endif
