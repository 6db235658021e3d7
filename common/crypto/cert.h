/* cert.h: X.509 certificates of our own making: a private authority and the server certificate below it.
 *
 * For development and for operators without a PKI of their own; any other certificate serves as well.
 *
 * memory   appends PEM to buffers of the caller; borrows keys
 * threads  no shared state
 * source   RFC 5280 (profile), RFC 6125 (names live in subjectAltName)
 */
#ifndef RINGWARD_CERT_H
#define RINGWARD_CERT_H

#include "common/base/clock.h"
#include "common/crypto/key.h"

enum { CERT_NAMES_MAX = 32, CERT_NAME_BYTES_MAX = 253, CERT_PEM_BYTES_MAX = 16384 };

struct cert_request {
    const char *common_name;   /* for people; 1..64 bytes */
    struct rw_wall not_before; /* validity, both ends included */
    struct rw_wall not_after;
    const char *const *names; /* DNS names and IP addresses; an authority has none */
    size_t name_count;        /* 0..CERT_NAMES_MAX */
};

/* Makes a self-signed authority that may sign end certificates only. `key` is private.
 * Fails with RW_E_CRYPTO. */
RW_RC cert_make_authority(const struct key *key, const struct cert_request *request,
                          struct rw_buf *pem_out, struct rw_err *err);
/* Makes a TLS server certificate for the public half of `key`, signed by the authority.
 * Fails with RW_E_SCHEMA (a name that is neither DNS name nor IP address), RW_E_SYNTAX (`ca_pem`), RW_E_CRYPTO. */
RW_RC cert_make_server(const struct key *key, const struct cert_request *request,
                       struct rw_span ca_pem, const struct key *ca_key, struct rw_buf *pem_out,
                       struct rw_err *err);

#endif
