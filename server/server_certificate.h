/* server_certificate.h: the TLS certificate of a running server is replaced.
 *
 * memory   borrows its arguments
 * threads  the main thread
 * source   docs/server.md "Certificate"
 */
#ifndef RINGWARD_SERVER_CERTIFICATE_H
#define RINGWARD_SERVER_CERTIFICATE_H

#include "server/api/http_server.h"

/* Takes DIR/tls/cert.pem and DIR/tls/key.pem into use for new connections, or logs why not and keeps what is in use. */
void server_certificate_reload(struct http_server *http, const char *dir);

#endif
