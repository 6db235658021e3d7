/* key_pem.h: PEM public keys as strictly as metadata need them; shared inside common/crypto.
 *
 * memory   gives EVP_PKEY objects; free with EVP_PKEY_free
 * threads  no shared state
 * source   docs/trust.md "Keys": nothing may stand around the one PEM block
 */
#ifndef RINGWARD_KEY_PEM_H
#define RINGWARD_KEY_PEM_H

#include "common/base/buf.h"

/* One PUBLIC KEY block and nothing else but white space behind it. Gives an EVP_PKEY as void*.
 * Fails with RW_E_SCHEMA. Never asks for a password. */
RW_RC key_pem_read_public(struct rw_span pem, void **pkey_out, struct rw_err *err);
RW_RC key_pem_write_public(const void *pkey, struct rw_buf *into, struct rw_err *err);

#endif
