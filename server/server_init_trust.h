/* server_init_trust.h: the development keys and the first signed state of a repository.
 *
 * memory   the object owns keys and descriptors until server_trust_drop; borrows its settings
 * threads  one thread
 * source   docs/protocol.md 2; docs/trust.md "Roles"
 */
#ifndef RINGWARD_SERVER_INIT_TRUST_H
#define RINGWARD_SERVER_INIT_TRUST_H

#include "server/server_init.h"

/* Makes all keys below `settings->dir`, signs root, targets, the empty content and ring roles, snapshot and
 * timestamp into repo/, and gives root to agents (root.json) and to the signer (signer/state/trust). The folders
 * exist already. Fails with RW_E_SCHEMA, RW_E_RANGE (policy, family name), RW_E_CRYPTO, RW_E_IO. */
RW_RC server_trust_make(const struct server_init_settings *settings, struct rw_err *err);

#endif
