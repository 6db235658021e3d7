/* server_init_keys.h: the online keys of a server directory: made there, and only their public halves leave it.
 *
 * memory   gives keys; borrows names
 * threads  one thread
 * source   docs/trust.md "Ceremony" and "Rotation"
 */
#ifndef RINGWARD_SERVER_INIT_KEYS_H
#define RINGWARD_SERVER_INIT_KEYS_H

#include "common/crypto/key.h"

enum { SERVER_KEYS_ROLES_MAX = 64, SERVER_KEYS_NAME_BYTES = 64 };

/* Names of the online roles whose keys lie in DIR/signer, in order. */
struct server_keys_roles {
    char names[SERVER_KEYS_ROLES_MAX][SERVER_KEYS_NAME_BYTES];
    size_t count;
};

/* DIR/signer/ROLE.key, or ROLE.next.key. Fails with RW_E_NOT_FOUND, RW_E_SYNTAX. */
RW_RC server_keys_load(const char *dir, const char *role, bool next, struct key *out,
                       struct rw_err *err);
/* Makes an Ed25519 key in that place. Fails with RW_E_EXISTS: a key is never overwritten. */
RW_RC server_keys_make(const char *dir, const char *role, bool next, struct rw_err *err);
/* Fails with RW_E_NOT_FOUND when DIR/signer is missing. */
RW_RC server_keys_list(const char *dir, struct server_keys_roles *out, struct rw_err *err);

#endif
