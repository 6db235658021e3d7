/* key_public.h: the public half of a key as a file that people hand to each other: {"key":{...},"keyid":"..."}.
 *
 * memory   gives keys; appends to buffers of the caller
 * threads  no shared state
 * source   docs/trust.md "Ceremony"; what `ringward key show -o json` prints
 */
#ifndef RINGWARD_KEY_PUBLIC_H
#define RINGWARD_KEY_PUBLIC_H

#include "common/crypto/key.h"

enum { KEY_PUBLIC_BYTES_MAX = 16384 };

RW_RC key_public_write(const struct key *k, struct rw_buf *into, struct rw_err *err);
/* Only schemes that Ringward can verify; the written id must be that of the key. Fails with RW_E_SYNTAX, RW_E_SCHEMA
 * (naming the file), RW_E_IO, RW_E_NOT_FOUND. */
RW_RC key_public_read(const char *path, struct key *out, struct rw_err *err);

#endif
