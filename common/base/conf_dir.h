/* conf_dir.h: a settings file and the folder conf.d beside it, read as one: by name, the later one wins per key.
 *
 * Only regular files of root or of this user that nobody else may write are read: whoever could write them could
 * choose the server, the trusted root and the sensor's command.
 *
 * memory   plain values of fixed size
 * threads  no shared state
 * source   docs/agent.md "Files"
 */
#ifndef RINGWARD_CONF_DIR_H
#define RINGWARD_CONF_DIR_H

#include "common/base/conf.h"

/* Reads `path`, then NN-NAME.conf of the folder conf.d beside it in order of name; other names there are remembered in
 * the trace, not read. Fails with RW_E_CONFIG (file and line; owner and mode with how to mend them), RW_E_NOT_FOUND,
 * RW_E_TOO_BIG, RW_E_IO. */
RW_RC conf_dir_load(const struct conf_table *table, const char *path, void *target,
                    struct conf_trace *trace, struct rw_err *err);

/* A file that decides what this process trusts: regular, of root or of this user, not writable by anybody else.
 * Appends it to `into`. Fails with RW_E_CONFIG and a hint, RW_E_NOT_FOUND, RW_E_TOO_BIG, RW_E_IO. */
RW_RC conf_dir_read_own(const char *path, size_t max, struct rw_buf *into, struct rw_err *err);
/* The same question about a folder. Fails with RW_E_CONFIG and a hint, RW_E_NOT_FOUND, RW_E_IO. */
RW_RC conf_dir_check(const char *path, struct rw_err *err);

#endif
