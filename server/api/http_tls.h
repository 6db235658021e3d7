/* http_tls.h: the server's TLS settings.
 *
 * memory   gives a context with one reference; http_tls_drop gives it back
 * threads  a context is shared by all workers; OpenSSL counts its references
 * source   RFC 8446, RFC 9325 (recommendations for TLS); OpenSSL 3
 */
#ifndef RINGWARD_HTTP_TLS_H
#define RINGWARD_HTTP_TLS_H

#include "common/base/clock.h"

struct ssl_ctx_st;

/* TLS 1.2 and 1.3, ALPN http/1.1, stateless tickets (one per handshake), no renegotiation, no early data.
 * `cert_file` is a PEM chain, leaf first. Fails with RW_E_CONFIG, naming the file and OpenSSL's reason. */
RW_RC http_tls_open(const char *cert_file, const char *key_file, struct ssl_ctx_st **out,
                    struct rw_err *err);
/* Validity of the leaf certificate. Fails with RW_E_CONFIG. */
RW_RC http_tls_validity(const struct ssl_ctx_st *ctx, struct rw_wall *from_out,
                        struct rw_wall *until_out, struct rw_err *err);
void http_tls_drop(struct ssl_ctx_st **ctx); /* accepts NULL inside */

#endif
