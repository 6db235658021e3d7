/* server_init_given.h: the first state of a repository from a ceremony's documents and this server's online keys.
 *
 * memory   borrows the settings
 * threads  one thread
 * source   docs/trust.md "Ceremony"
 */
#ifndef RINGWARD_SERVER_INIT_GIVEN_H
#define RINGWARD_SERVER_INIT_GIVEN_H

#include "server/server_init.h"

/* Before the first file: the documents are complete and fit, and DIR/signer holds the keys that they name.
 * Fails with the RW_E_TRUST class, RW_E_NOT_FOUND (a key). */
RW_RC server_given_check(const struct server_init_settings *settings, struct rw_err *err);
/* Puts the documents into repo/, signs empty ring roles, snapshot and timestamp. The folders exist already. */
RW_RC server_given_make(const struct server_init_settings *settings, struct rw_err *err);

#endif
